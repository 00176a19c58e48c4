# SPDX-License-Identifier: Apache-2.0
"""schemas/sample-java, built once for its sources and run as an independent reader of the results."""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from .services import ROOT

PROJECT = ROOT / "schemas/sample-java"


def _cache():
    base = os.environ.get("USERS_EXPORT_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "users-export"


def build():
    """The folder with flairbit-reader.jar and lib/."""
    digest = hashlib.sha256()
    for path in sorted([PROJECT / "pom.xml", *PROJECT.glob("src/**/*.java")]):
        digest.update(path.read_bytes())
    folder = _cache() / f"sample-java-{digest.hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(_cache() / ".sample-java.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            done = subprocess.run(["mvn", "-B", "-ntp", "-q", "-f", str(PROJECT / "pom.xml"), f"-Dbuild.folder={folder}",
                                   "package"], capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            (folder / ".complete").touch()
    return folder


def read_results(settings, timeout=120):
    """One dictionary for each announcement, and the exit: (lines, finished process)."""
    folder = build()
    done = subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp",
                           f"{folder}/flairbit-reader.jar:{folder}/lib/*", "sample.Main"],
                          env={"PATH": os.environ["PATH"], **settings}, capture_output=True, text=True, timeout=timeout,
                          check=False)
    return [json.loads(line) for line in done.stdout.split("\n") if line], done
