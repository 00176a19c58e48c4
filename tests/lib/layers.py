# SPDX-License-Identifier: Apache-2.0
"""Does the build keep modules apart? layers.py BUILD, where cmake has configured BUILD with compile commands.

For each module: its compile command finds its own headers and those that others export to it, and none that is private
to another module. Each private header is tried with the compiler itself.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


def commands(build):
    """The compile command of one source of each module."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        match = re.search(r"/src/([a-z]+)/[^ ]+\.c$", entry["file"])
        if match and "uex_" + match.group(1) + ".dir" in entry["command"]:
            found.setdefault(match.group(1), entry)
    return found


def compiles(entry, header):
    with tempfile.NamedTemporaryFile("w", suffix=".c") as probe:
        probe.write(f'#include "{header}"\n')
        probe.flush()
        words = shlex.split(entry["command"])
        for option, count in (("-o", 2), ("-MF", 2), ("-MT", 2), ("-c", 2), ("-MD", 1)):
            if option in words:
                at = words.index(option)
                del words[at:at + count]
        done = subprocess.run([*words, "-E", "-o", "/dev/null", probe.name], cwd=entry["directory"],
                              capture_output=True, text=True, check=False)
    return done.returncode == 0


def main():
    build = pathlib.Path(sys.argv[1])
    root = pathlib.Path(__file__).resolve().parents[2]
    known = commands(build)
    headers = {str(path.relative_to(root / "src")) for path in (root / "src").rglob("*.h")}
    exported = {f"{path.parent.name}/{path.name}" for path in (build / "headers").glob("*/exported/*/*.h")}
    faults = []
    if not known or not exported <= headers:
        faults.append(f"modules: {sorted(known)}; exported, but not there: {sorted(exported - headers)}")
    for module, entry in sorted(known.items()):
        own = sorted(h for h in headers if h.startswith(module + "/"))
        if own and not compiles(entry, own[0]):
            faults.append(f"{module} does not find its own {own[0]}")
        faults += [f"{module} sees {header}, which is private" for header in sorted(headers - exported)
                   if not header.startswith(module + "/") and compiles(entry, header)]
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
