# SPDX-License-Identifier: Apache-2.0
"""A strict reader of the exported files: RFC 4180 with '\\n' line ends, where NULL (nothing) and "" (quoted) differ.

Python's csv module cannot tell the two apart and forgives much, so it only serves as a second opinion here.
"""
import csv
import io
import re
import zlib

COLUMNS = ("username groupId displayName gender dateOfBirth location intent bio smokes drinks wantsKids education religion "
           "occupation preferredGenders preferredMinAge preferredMaxAge relationshipType openToLongDistance "
           "readyForMatching").split()
SQL_COLUMNS = [re.sub("[A-Z]", lambda m: "_" + m.group().lower(), name) for name in COLUMNS]
_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))([,\n])')


def gunzip_one_member(data):
    """The content; refuses anything but one complete gzip member."""
    stream = zlib.decompressobj(wbits=31)
    content = stream.decompress(data) + stream.flush()
    assert stream.eof, "the gzip stream is cut"
    assert stream.unused_data == b"", "there is more than one gzip member"
    return content


def parse(text):
    """Records as lists of fields, None for NULL."""
    records, record, at = [], [], 0
    while at < len(text):
        match = _FIELD.match(text, at)
        assert match, f"not RFC 4180 at character {at}: {text[at:at + 80]!r}"
        quoted, plain, end = match.groups()
        if quoted is not None:
            record.append(quoted.replace('""', '"'))
        else:
            record.append(plain if plain != "" else None)
        if end == "\n":
            records.append(record)
            record = []
        at = match.end()
    assert not record, "the last line has no line end"
    agree_with_csv_module(text, records)
    return records


def agree_with_csv_module(text, records):
    other = csv.reader(io.StringIO(text, newline=""), strict=True, lineterminator="\n")
    limit = csv.field_size_limit(1 << 30)
    try:
        # That module ends a record at a bare '\r' too, but not inside quotes, where alone we have it.
        assert [[f or "" for f in r] for r in records] == list(other)
    finally:
        csv.field_size_limit(limit)


def read_export(data, version="column"):
    """Rows (lists of 20 fields) of an exported object's bytes; header line and version field are checked."""
    text = gunzip_one_member(data).decode("utf-8")
    assert not text.startswith("\ufeff")
    if version == "comment":
        first, text = text.split("\n", 1)
        assert first == "# ExportVersion: 1.0"
    records = parse(text)
    header = COLUMNS + (["exportVersion"] if version == "column" else [])
    assert records[0] == header
    rows = records[1:]
    for row in rows:
        assert len(row) == len(header)
        if version == "column":
            assert row.pop() == "1.0"
    return rows
