# SPDX-License-Identifier: Apache-2.0
"""The sample readers of schemas/ as processes: started by their one command, killed and started again."""
import json
import os
import subprocess
import sys
import time

from . import java
from .services import ROOT

SAMPLES = ("python", "java")


def environment(name):
    """What a sample's command need not build for each test. One that lives for seconds is better compiled in a hurry."""
    if name == "python":
        return {"READER_VENV": sys.prefix}
    return {"READER_BUILD": str(java.build()), "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


class SampleReader:
    """A running one; what it says is read from its file, so that it never waits for us."""

    def __init__(self, name, settings, folder, number, *arguments):
        self.out, self.err = folder / f"reader-{number}.out", folder / f"reader-{number}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [ROOT / f"schemas/sample-{name}/run", *map(str, arguments)],
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings, **environment(name)},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def lines(self):
        text = self.out.read_text(encoding="utf-8")
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def said(self):
        return self.err.read_text(encoding="utf-8")

    def wait(self, condition, what, timeout=120):
        """Until condition(lines) is true; the lines."""
        deadline = time.monotonic() + timeout
        while not condition(self.lines()):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()[-3000:]}"
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}: {self.lines()} {self.said()[-3000:]}"
            time.sleep(0.05)
        return self.lines()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)

    def end(self, timeout=120):
        """The exit code of one that ends by itself."""
        return self.process.wait(timeout)
