# SPDX-License-Identifier: Apache-2.0
"""Libraries of tests/integration/preload, which stand before others in a worker (LD_PRELOAD)."""
import subprocess
from pathlib import Path

_SOURCES = Path(__file__).parent.parent / "preload"


def built(name, folder):
    library = folder / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, _SOURCES / f"{name}.c", "-ldl"], check=True)
    return library
