# SPDX-License-Identifier: Apache-2.0
"""export.format: JSON Lines and Parquet of a table with every type, read by readers that know nothing of us."""
import datetime
import decimal
import io
import json
import math
import uuid

import duckdb
import polars
import pyarrow
import pyarrow.parquet
import pytest

from support.checks import result_of
from support.csvfile import gunzip_one_member
from support.table import TYPES, VALUES, Table

FORMATS = {"csv": (".csv.gz", "application/gzip"), "jsonl": (".jsonl.gz", "application/gzip"),
           "parquet": (".parquet", "application/vnd.apache.parquet")}


@pytest.fixture
def table(new_pipe):
    made = Table(new_pipe(partitions=0))
    yield made
    made.drop()


def export(table, format_, group="g", **settings):
    done = table.ctl("export", group, "--output=-", f"--format={format_}", **settings)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def refusal(table, code, format_, **settings):
    done = table.ctl("export", "g", "--output=-", f"--format={format_}", **settings)
    assert done.returncode == code, done.stderr.decode()
    return done.stderr.decode()


def lines(data):
    text = gunzip_one_member(data).decode()
    assert text.endswith("\n")
    return [json.loads(line, parse_float=decimal.Decimal, parse_constant=pytest.fail) for line in text[:-1].split("\n")]


def time_text(value, zone):
    whole = value.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    return whole + (f".{value.microsecond:06}" if value.microsecond else "") + zone


def rows_of(table):
    """What psycopg reads: dates, times, numbers and documents as Python has them."""
    columns = ", ".join(f"{name}::text" if kind in ("mood", "mail", "char(5)") else name for name, kind in TYPES.items())
    rows = table.execute(f"SELECT {columns} FROM things WHERE group_id = 'g' ORDER BY id")
    return [dict(zip(TYPES, row)) for row in rows]


def as_json(kind, value):
    if value is None:
        return None
    if kind == "timestamptz":
        return time_text(value.astimezone(datetime.timezone.utc), "Z")
    if kind == "timestamp":
        return time_text(value, "")
    if kind in ("date", "uuid"):
        return str(value)
    return value


def close(left, right):
    """Numbers of JSON are decimals here; a float is the one that is nearest."""
    if isinstance(right, float) and left is not None:
        return float(left) == right
    return left == right


# -- JSON Lines ---------------------------------------------------------------------------------------------------------

def test_jsonl__each_type__is_what_another_client_reads(table):
    table.add(*VALUES)
    found = sorted(lines(export(table, "jsonl")), key=lambda row: row["id"])
    for row, expected in zip(found, rows_of(table), strict=True):
        assert list(row) == list(TYPES)
        for name, kind in TYPES.items():
            want = as_json(kind, expected[name])
            assert close(row[name], want), (name, row[name], want)
    assert found[0]["amount"] == decimal.Decimal("12345678901234567890.000100")
    assert found[2] == {**dict.fromkeys(TYPES), "id": 3}


def test_jsonl__nasty_texts__come_through(table):
    texts = ["\"", "\\", "\\n", "\n", "\r\n", "\t", "\x01", "\x02", "\x7f", "\u2028", "☕", "{\"a\": 1}", "\\.", "", " ", "null"]
    table.add(*({"id": at, "name": text, "doc": json.dumps({"x": text}), "facts": json.dumps([text])}
                for at, text in enumerate(texts)))
    found = sorted(lines(export(table, "jsonl")), key=lambda row: row["id"])
    assert [row["name"] for row in found] == texts
    assert [row["doc"] for row in found] == [{"x": text} for text in texts]
    assert [row["facts"] for row in found] == [[text] for text in texts]


def test_jsonl__masks_version_and_names__are_members(table):
    table.add(*VALUES)
    found = lines(export(table, "jsonl", EXPORT_EXPORT_COLUMNS="key=id,the name=name,day,code",
                         EXPORT_EXPORT_LIST_COLUMN="key", EXPORT_EXPORT_MASK="the name:redact,day:year,code:null",
                         EXPORT_EXPORT_VERSION_FIELD="column", EXPORT_EXPORT_VERSION="7"))
    assert sorted(found, key=lambda row: row["key"]) == [
        {"key": 1, "the name": "***", "day": "2026", "code": None, "exportVersion": "7"},
        {"key": 2, "the name": "***", "day": "0001", "code": None, "exportVersion": "7"},
        {"key": 3, "the name": None, "day": None, "code": None, "exportVersion": "7"}]


@pytest.mark.parametrize("column, value", [("share", "NaN"), ("ratio", "Infinity"), ("ratio", "-Infinity"), ("amount", "NaN"),
                                           ("price", "NaN"), ("day", "infinity"), ("at", "-infinity")])
def test_jsonl__value_that_json_cannot_say__names_the_column(table, column, value):
    table.add({"id": 1, column: value})
    said = refusal(table, 1, "jsonl")
    assert f"column {column}" in said


# -- Parquet ------------------------------------------------------------------------------------------------------------

ARROW = {"bigint": pyarrow.int64(), "smallint": pyarrow.int32(), "integer": pyarrow.int32(), "real": pyarrow.float32(),
         "double precision": pyarrow.float64(), "boolean": pyarrow.bool_(), "date": pyarrow.date32(),
         "numeric(12,3)": pyarrow.decimal128(12, 3), "timestamptz": pyarrow.timestamp("us", tz="UTC"),
         "timestamp": pyarrow.timestamp("us")}


def as_arrow(kind, value):
    if value is None:
        return None
    if kind == "timestamptz":
        return value.astimezone(datetime.timezone.utc)
    if kind == "numeric":
        return format(value, "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def test_parquet__each_type__is_what_another_client_reads(table):
    table.add(*VALUES)
    data = export(table, "parquet")
    file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
    arrow = file.read()
    assert arrow.column_names == list(TYPES)
    for name, kind in TYPES.items():
        assert arrow.schema.field(name).nullable
        storage = arrow.schema.field(name).type
        assert storage == ARROW.get(kind, storage) and (kind in ARROW or "string" in str(storage) or "json" in str(storage))
    found = sorted(arrow.to_pylist(), key=lambda row: row["id"])
    for row, expected in zip(found, rows_of(table), strict=True):
        for name, kind in TYPES.items():
            value = row[name]
            if kind in ("json", "jsonb") and value is not None:
                value = json.loads(value)
            if kind == "real" and value is not None:
                value = float(f"{value:.7g}")  # as psycopg reads its shortest text
            if isinstance(expected[name], float):
                assert math.copysign(1, value) == math.copysign(1, expected[name])
            assert value == as_arrow(kind, expected[name]), name
    metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    assert metadata["export-group-id"] == "g" and metadata["export-version"] == "1.0" and len(metadata["export-layout"]) == 16
    assert metadata["export-snapshot-at"].endswith("Z") and "users-export" in file.metadata.created_by


def test_parquet__three_more_readers__agree(table, tmp_path):
    table.add(*VALUES)
    path = tmp_path / "g.parquet"
    path.write_bytes(export(table, "parquet"))
    names = [name for name, kind in TYPES.items() if kind not in ("json", "jsonb")]
    want = sorted(pyarrow.parquet.read_table(path, columns=names).to_pylist(), key=lambda row: row["id"])
    got = polars.read_parquet(path, columns=names).sort("id").to_dicts()
    assert got == want
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{name}"' for name in names)
        rows = connection.execute(f"SELECT {columns} FROM read_parquet(?) ORDER BY id", [str(path)]).fetchall()
    for row, expected in zip(rows, want, strict=True):
        for name, value in zip(names, row):
            if isinstance(value, datetime.datetime) and value.tzinfo:
                value = value.astimezone(datetime.timezone.utc)
            assert value == expected[name], name
    pandas = pytest.importorskip("pandas")
    assert len(pandas.read_parquet(path, columns=["id", "name"])) == 3


@pytest.mark.parametrize("codec", ["zstd", "gzip", "none"])
def test_parquet__each_codec__many_groups(table, codec):
    table.execute("INSERT INTO things (id, name, amount) SELECT n, 'name ' || n % 100, n FROM generate_series(1, 3000) n")
    file = pyarrow.parquet.ParquetFile(io.BytesIO(export(
        table, "parquet", EXPORT_EXPORT_PARQUET_CODEC=codec, EXPORT_EXPORT_ROW_GROUP="64KiB",
        EXPORT_EXPORT_COLUMNS="id,name,amount")))
    assert file.metadata.num_row_groups > 1 and file.metadata.num_rows == 3000
    assert sorted(file.read().column("id").to_pylist()) == list(range(1, 3001))
    want = {"zstd": "ZSTD", "gzip": "GZIP", "none": "UNCOMPRESSED"}[codec]
    assert file.metadata.row_group(0).column(0).compression == want


@pytest.mark.parametrize("column, value", [("day", "infinity"), ("at", "infinity"), ("local", "0044-03-15 BC"), ("price", "NaN")])
def test_parquet__value_that_parquet_cannot_say__names_the_column(table, column, value):
    table.add({"id": 1, column: value})
    assert f"column {column}" in refusal(table, 1, "parquet")


def test_parquet__text_of_20_mb_in_one_field__is_exported(table):
    table.execute("INSERT INTO things (id, name) VALUES (1, repeat('x', 20000000)), (2, 'y')")
    found = pyarrow.parquet.read_table(io.BytesIO(export(table, "parquet", EXPORT_EXPORT_COLUMNS="id,name"))).to_pylist()
    assert sorted((row["id"], len(row["name"])) for row in found) == [(1, 20_000_000), (2, 1)]


# -- all of them, through the worker ------------------------------------------------------------------------------------

def ids(format_, data):
    if format_ == "parquet":
        return sorted(pyarrow.parquet.read_table(io.BytesIO(data), columns=["id"]).column("id").to_pylist())
    if format_ == "jsonl":
        return sorted(row["id"] for row in lines(data))
    return sorted(int(line.split(",")[0]) for line in gunzip_one_member(data).decode().splitlines()[1:])


@pytest.mark.parametrize("format_", FORMATS)
def test_worker__each_format__name_media_type_header_metadata_and_verify(new_pipe, format_):
    pipe = new_pipe()
    table = Table(pipe)
    try:
        table.execute("INSERT INTO things (id, name) SELECT n, 'x' || n FROM generate_series(1, 1000) n")
        table.execute("INSERT INTO things (group_id, id) SELECT 'l', n FROM generate_series(1, 5) n")
        pipe.send("g")
        pipe.send("l")
        settings = {**table.settings, "EXPORT_EXPORT_FORMAT": format_}
        worker = pipe.worker(environ=settings)
        pipe.settle()
        assert worker.stop() == 0
        record, listed = result_of(pipe, "g"), result_of(pipe, "l")
        value = json.loads(record.value)
        ending, media_type = FORMATS[format_]
        assert value["filePath"].endswith(ending) and value["fileName"].endswith(ending)
        assert value["contentType"] == media_type
        assert record.headers["export-format"].decode() == format_ and "export-format" not in listed.headers
        assert json.loads(listed.value)["usernames"] == ["1", "2", "3", "4", "5"]
        data, answer = pipe.store.get(value["filePath"])
        assert answer["ContentType"] == media_type and answer["Metadata"]["export-format"] == format_
        assert ids(format_, data) == list(range(1, 1001))
        done = pipe.ctl("verify", "g", "l", "--output=json", **settings)
        assert done.code == 0, done
        checks = json.loads(done.out)
        assert all(check is not False for item in checks for check in item["checks"].values()), checks
        assert {item["groupId"]: item["rows"] for item in checks} == {"g": 1000, "l": 5}
    finally:
        table.drop()


@pytest.mark.parametrize("format_", FORMATS)
def test_worker__shared_readers__each_row_once(new_pipe, format_):
    pipe = new_pipe(partitions=1)
    table = Table(pipe)
    try:
        table.execute("INSERT INTO things (id, name, share, at) SELECT n, 'name ' || n, n, now() FROM generate_series(1, 150000) n")
        table.execute("ALTER TABLE things ADD PRIMARY KEY (id); ANALYZE things")
        pipe.send("g")
        worker = pipe.worker(environ={**table.settings, "EXPORT_EXPORT_FORMAT": format_, "EXPORT_EXPORT_READERS": "2",
                                      "EXPORT_EXPORT_KEY_COLUMN": "id", "EXPORT_EXPORT_ROW_GROUP": "1MiB"})
        pipe.settle(120)
        assert worker.stop() == 0
        data, _ = pipe.store.get(json.loads(result_of(pipe, "g").value)["filePath"])
        assert ids(format_, data) == list(range(1, 150_001))
        if format_ == "parquet":
            assert pyarrow.parquet.ParquetFile(io.BytesIO(data)).metadata.num_row_groups > 2
    finally:
        table.drop()


@pytest.mark.parametrize("settings, word", [
    ({"EXPORT_EXPORT_FORMAT": "jsonl", "EXPORT_EXPORT_VERSION_FIELD": "comment"}, "export.version_field"),
    ({"EXPORT_EXPORT_FORMAT": "parquet", "EXPORT_EXPORT_FORMULA_GUARD": "prefix"}, "export.formula_guard"),
    ({"EXPORT_EXPORT_FORMAT": "xlsx"}, "export.format"),
    ({"EXPORT_EXPORT_PARQUET_CODEC": "snappy"}, "export.parquet_codec"),
])
def test_settings_that_do_not_go_together__are_refused(table, settings, word):
    done = table.ctl("export", "g", "--output=-", **settings)
    assert done.returncode == 2 and word in done.stderr.decode()
