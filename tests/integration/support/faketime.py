# SPDX-License-Identifier: Apache-2.0
"""Programs that start at another time of day."""
import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def _preload():
    folder = tempfile.mkdtemp(prefix="users-export-faketime.")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder) / "cnd_timedwait.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("cnd_timedwait.c")],
                   check=True, timeout=60)
    return library


def starting_at(moment):
    """The prefix of a command line whose clock starts at this moment (a datetime in UTC) and runs on."""
    return ("env", "TZ=UTC", "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "ASAN_OPTIONS=verify_asan_link_order=0", f"LD_PRELOAD={_preload()}", "faketime", "-f",
            f"@{moment:%Y-%m-%d %H:%M:%S}")
