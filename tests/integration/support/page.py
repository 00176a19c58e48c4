# SPDX-License-Identifier: Apache-2.0
"""The snippets of schemas/READERS.md, as they stand there."""
import re

from .services import ROOT

PAGE = ROOT / "schemas/READERS.md"


def _section(text, mark, title):
    return re.search(rf"^{mark} {re.escape(title)}\n(.*?)(?=^{mark} |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def snippet(format_, title, language="python"):
    """The code under the heading of a reader, in the part of a format."""
    section = _section(_section(PAGE.read_text(encoding="utf-8"), "##", format_), "###", title)
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return code


def changed(code, old, new):
    assert code.count(old) == 1, code
    return code.replace(old, new)


def run(code, **names):
    """What the names are after the code has run with these."""
    exec(compile(code, str(PAGE), "exec"), names)  # what the page shows
    return names
