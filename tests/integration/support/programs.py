# SPDX-License-Identifier: Apache-2.0
"""The programs under test as processes, and their log lines."""
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .services import BIN

_KEEP = ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS", "TMPDIR")


def program(name):
    path = BIN / name
    assert path.exists(), f"{path} is not built (set USERS_EXPORT_BIN)"
    return str(path)


def flags(settings):
    """{'export.mask': 'bio:null'} as arguments"""
    return [f"--{key}={value}" for key, value in settings.items()]


def environment(settings):
    return {**{k: os.environ[k] for k in _KEEP if k in os.environ}, **settings}


# The codes that docs/audit.md promises.
EVENTS = set(re.findall(r"^\| `([a-z-]+)` \| ", (Path(__file__).parents[3] / "docs/audit.md").read_text(), re.MULTILINE))


def parse_log(text):
    """Log lines as dictionaries; every line on stderr has to be one."""
    lines = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        try:
            entry = json.loads(line)
        except ValueError:
            raise AssertionError(f"a line on stderr is no JSON: {line!r}") from None
        assert isinstance(entry, dict), line
        for name in ("time", "level", "message", "event"):
            assert isinstance(entry.get(name), str), f"a log line without {name}: {line}"
        assert entry["event"] in EVENTS, f"an event that docs/audit.md does not list: {line}"
        lines.append(entry)
    return lines


class Finished:
    """A program that ended: exit code and what it said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def said(self):
        return self.out + self.err

    @property
    def log(self):
        return parse_log(self.err)

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.out[-3000:]}\nstderr: {self.err[-3000:]}"


def run(name, arguments, settings, timeout=60, prefix=()):
    done = subprocess.run([*prefix, program(name), *arguments], env=environment(settings), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=timeout, check=False)
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


class Worker:
    """A running export-worker, or a scheduler that waits."""

    def __init__(self, arguments, settings, log_path, prefix=(), name="export-worker"):
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen([*prefix, program(name), *arguments], env=environment(settings),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process.poll() is None

    def text(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def log(self):
        """Complete lines so far, parsed."""
        text = self.text()
        return parse_log(text[:text.rfind("\n") + 1])

    def wait_log(self, condition, timeout=30, what="a log line"):
        deadline = time.monotonic() + timeout
        while True:
            found = [line for line in self.log() if condition(line)]
            if found:
                return found
            assert self.running, f"it ended with {self.process.returncode} before {what}: {self.text()[-3000:]}"
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}: {self.text()[-3000:]}"
            time.sleep(0.05)

    def wait(self, timeout=40):
        """The exit code."""
        return self.process.wait(timeout)

    def terminate(self, how=signal.SIGTERM):
        self.process.send_signal(how)

    def stop(self, timeout=40):
        """SIGTERM; the exit code."""
        self.terminate()
        return self.wait(timeout)

    def kill(self):
        if self.running:
            self.process.kill()
        self.process.wait(20)

    def memory_peak_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
