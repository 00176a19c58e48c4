#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Finds links, anchors and `src/…` paths that lead nowhere in the Markdown files given; exit code 1 if there are any."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

PATH = re.compile(r"`((?:src|include|tests|schemas)/[\w./-]+\.(?:c|h|py|java|sql))`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """The text without code: fenced blocks and spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL))


def anchors(path: Path) -> set[str]:
    """As GitHub makes them: lower case, no punctuation, hyphens for blanks."""
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead(path: Path) -> list[str]:
    found = []
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / unquote(name) if name else path
        if not target.exists() or anchor and anchor not in anchors(target):
            found.append(f"{path}: {link}")
    found += [f"{path}: {name}" for name in PATH.findall(path.read_text()) if not Path(name).exists()]
    return found


def main() -> int:
    found = [line for name in sys.argv[1:] for line in dead(Path(name))]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
