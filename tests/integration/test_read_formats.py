# SPDX-License-Identifier: Apache-2.0
"""A table of all types, with masks and nasty values, in each format: read by each snippet of schemas/READERS.md, as it stands there, and
compared with what psycopg selects. Spark's snippet for Parquet is in test_parquet_values.py, which has a session."""
import datetime
import decimal
import hashlib
import hmac
import json
import math
import os
import struct
import subprocess
from pathlib import Path

import duckdb
import pandas
import pyspark
import pytest

from support.csvfile import gunzip_one_member, parse
from support.page import changed, run, snippet
from support.pipe import Pipe
from support.table import TYPES, VALUES, Table

UTC = datetime.timezone.utc
# Of Maven Central, as Spark ships them.
JARS = sorted(path for name in ("jackson-*", "parquet-*", "hadoop-client-*", "slf4j-api-*", "zstd-jni-*", "commons-logging-*")
              for path in (Path(pyspark.__file__).parent / "jars").glob(f"{name}.jar"))
KEY = "a key of the tests, which hides nothing"
MASKED = {"hidden": "email", "digest": "name", "born": "day", "gone": "whole"}
MASKS = "hidden:redact,digest:hash,born:year,gone:null"
KINDS = {**TYPES, **dict.fromkeys(MASKED, "text")}
NASTY = ["\"", "\\", "\\n", "\n", "\r\n", "\r", "\t", "\x01", "\x7f", "\u2028", "☕", "\U0010ffff", "{\"a\": 1}", "\\.", "", " ", "null", "NULL", "NaN",
         "=1+1", "a,b", "\"\"", "''", "x" * 70_000]
NUMBERS = [{"id": 9_007_199_254_740_993, "whole": -2_147_483_648, "small": 32767}, {"id": -9_223_372_036_854_775_808, "ratio": 5e-324},
           {"id": 50, "ratio": 1.7976931348623157e308, "share": 3.4028235e38, "price": "-999999999.999", "amount": "-1.50"},
           {"id": 51, "amount": "0.000001", "day": "9999-12-31", "at": "0001-01-01 00:00:00+00", "local": "9999-12-31 23:59:59.999999"}]


def expected_rows(table):
    """By id: what another client reads, and what the masks make of it."""
    columns = ", ".join(f"{name}::text" if kind in ("mood", "mail", "char(5)", "uuid") else name for name, kind in TYPES.items())
    rows = [dict(zip(TYPES, row)) for row in table.execute(f"SELECT {columns} FROM things WHERE group_id = 'g'")]
    for row in rows:
        row["hidden"] = None if row["email"] is None else "***"
        row["digest"] = None if row["name"] is None else hmac.new(KEY.encode(), row["name"].encode(), hashlib.sha256).hexdigest()
        row["born"] = None if row["day"] is None else f"{row['day'].year:04}"
        row["gone"] = None
    return {row["id"]: row for row in rows}


class Files:
    def __init__(self, folder, expected):
        self.folder, self.expected = folder, expected

    def path(self, ending):
        return str(self.folder / f"g.{ending}")


@pytest.fixture(scope="module")
def files(services, broker, store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    pipe = Pipe(services, broker, store, folder, partitions=0)
    table = Table(pipe)
    try:
        table.add(*VALUES, *NUMBERS, *({"id": 100 + at, "name": text, "doc": json.dumps({"x": text}), "facts": json.dumps([text])}
                                       for at, text in enumerate(NASTY)))
        for ending in ("csv.gz", "jsonl.gz", "parquet"):
            done = table.ctl("export", "g", f"--output={folder}/g.{ending}", f"--format={ending.split('.')[0]}", EXPORT_EXPORT_MASK=MASKS,
                             EXPORT_EXPORT_MASK_KEY=KEY, EXPORT_EXPORT_COLUMNS=",".join(
                                 [*TYPES, *(f"{name}={column}" for name, column in MASKED.items())]))
            assert done.returncode == 0, done.stderr.decode()
        yield Files(folder, expected_rows(table))
    finally:
        table.drop()
        pipe.close()


def is_null(value):
    return value is None or value is pandas.NA or value is pandas.NaT


def moment(value):
    """A point in time, of whatever says it."""
    if not isinstance(value, str):
        return value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value
    return datetime.datetime.fromisoformat(value.replace("Z", "+00:00").replace("+0000", "+00:00"))


def same_document(found, expected):
    try:
        return json.loads(found) == expected
    except (TypeError, ValueError):
        return found == expected  # a document as the reader's own object, or a JSON string as itself


def same(kind, found, expected, exact=True):
    """Whether a reader's value is the one of the database. Not exact: the reader has made a double of a number."""
    if kind in ("json", "jsonb") and isinstance(found, float) and math.isnan(found):
        found = None  # pandas, in columns of objects
    if is_null(found) or expected is None:
        return is_null(found) and expected is None or kind in ("json", "jsonb") and same_document(found, expected)
    if kind == "boolean":
        return found is expected or str(found).lower() == str(expected).lower()
    if kind in ("bigint", "integer", "smallint"):
        return int(found) == expected if exact or abs(expected) < 1 << 53 else float(found) == float(expected)
    if kind == "real":
        return struct.pack("<f", float(found)) == struct.pack("<f", expected) or float(found) == expected == 0
    if kind == "double precision":
        return float(found) == expected if exact else math.isclose(float(found), expected, rel_tol=1e-15, abs_tol=1e-307)
    if kind.startswith("numeric"):
        return decimal.Decimal(str(found)) == expected if exact else math.isclose(float(found), float(expected), rel_tol=1e-15)
    if kind == "date":
        return str(found)[:10] == f"{expected:%Y-%m-%d}".zfill(10)
    if kind == "timestamptz":
        return moment(found).astimezone(UTC) == expected
    if kind == "timestamp":
        return moment(found).replace(tzinfo=None) == expected
    if kind in ("json", "jsonb"):
        return same_document(found, expected)
    return found == expected


def check(rows, expected, exact=True, names=tuple(KINDS)):
    number = int if exact else float
    found = {number(row["id"]): row for row in rows}
    assert len(rows) == len(found) and set(found) == {number(at) for at in expected}
    for at, row in expected.items():
        other = found[number(at)]
        assert tuple(other) == tuple(names)
        for name in names:
            assert same(KINDS[name], other[name], row[name], exact), (at, name, other[name], row[name])


def java(name, code, folder, path):
    """The rows that a program of one source file prints."""
    source = folder / f"{name}.java"
    source.write_text(code, encoding="utf-8")
    done = subprocess.run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8",
                           "-cp", ":".join(map(str, JARS)), source, path], env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return [json.loads(line, parse_float=decimal.Decimal) for line in done.stdout.decode().split("\n") if line]


def test_csv__all_types_masks_and_nasty_values__are_those_of_the_database(files):
    header, *rows = parse(gunzip_one_member(Path(files.path("csv.gz")).read_bytes()).decode())
    assert header == [*KINDS]
    check([dict(zip(header, row)) for row in rows], files.expected)


def test_csv__polars_snippet__reads_them_too(files):
    check(run(snippet("CSV", "Polars"), path=files.path("csv.gz"))["rows"].to_dicts(), files.expected)


def test_jsonl__python_snippet__is_exact(files):
    check(run(snippet("JSON Lines", "Python"), path=files.path("jsonl.gz"))["rows"], files.expected)


def jq(files, filter_):
    code = changed(snippet("JSON Lines", "jq", "sh"), """'select(.name == "") | {id, name}'""", filter_)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], env={**os.environ, "path": files.path("jsonl.gz")}, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def test_jsonl__jq__has_all_rows_and_texts(files):
    check(jq(files, "."), files.expected, exact=False)


def test_jsonl__jq_snippet__tells_null_from_empty(files):
    found = jq(files, """'select(.name == "") | {id, name}'""")
    assert sorted(row["id"] for row in found) == sorted(at for at, row in files.expected.items() if row["name"] == "")


def test_jsonl__duckdb_snippet__is_exact_for_named_types(files):
    rows = run(snippet("JSON Lines", "DuckDB"), path=files.path("jsonl.gz"))["rows"]
    assert rows.columns == ["id", "name", "amount", "day", "at", "facts"]
    check([dict(zip(rows.columns, row)) for row in rows.fetchall()], files.expected, names=rows.columns)


def test_jsonl__polars_snippet__has_all_but_mixed_documents(files):
    rows = run(snippet("JSON Lines", "Polars"), path=files.path("jsonl.gz"))["rows"]
    check(rows.drop("doc", "facts").to_dicts(), files.expected, exact=False, names=[name for name in KINDS if name not in ("doc", "facts")])
    assert rows["doc"].struct.fields == ["b", "a", "x"]


def test_jsonl__polars_text_of_mixed_documents__is_no_json(files):
    """Where this fails, Polars escapes it, and the page is wrong."""
    rows = run(snippet("JSON Lines", "Polars"), path=files.path("jsonl.gz"))["rows"].to_dicts()
    (text,) = [row["facts"] for row in rows if row["name"] == "\\"]
    with pytest.raises(ValueError):
        json.loads(text)


def test_jsonl__pandas_snippet__has_all(files):
    check(run(snippet("JSON Lines", "pandas"), path=files.path("jsonl.gz"))["frame"].to_dict("records"), files.expected, exact=False)


def test_jsonl__jackson_snippet__is_exact(files):
    check(java("ReadJsonLines", snippet("JSON Lines", "Java with Jackson", "java"), files.folder, files.path("jsonl.gz")), files.expected)


def test_parquet__pyarrow_snippet__is_exact(files):
    found = run(snippet("Parquet", "pyarrow"), path=files.path("parquet"))
    check(found["table"].to_pylist(), files.expected)
    assert found["metadata"][b"export-group-id"] == b"g" and set(found["metadata"]) >= {
        b"export-version", b"export-snapshot-at", b"export-layout"}


def test_parquet__duckdb_snippet__is_exact(files):
    try:
        rows = run(snippet("Parquet", "DuckDB"), path=files.path("parquet"))["rows"]
        check([dict(zip(rows.columns, row)) for row in rows.fetchall()], files.expected)
    finally:
        duckdb.sql("RESET TimeZone")


def test_parquet__polars_snippet__is_exact(files):
    check(run(snippet("Parquet", "Polars"), path=files.path("parquet"))["rows"].to_dicts(), files.expected)


def test_parquet__pandas_snippet__is_exact(files):
    check(run(snippet("Parquet", "pandas"), path=files.path("parquet"))["frame"].to_dict("records"), files.expected)


def test_parquet__parquet_java_snippet__is_exact(files):
    rows = java("ReadParquet", snippet("Parquet", "Java with parquet-java", "java"), files.folder, files.path("parquet"))
    check(rows, files.expected)
