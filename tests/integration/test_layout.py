# SPDX-License-Identifier: Apache-2.0
"""export.columns: any table, any type, compared with what another client reads."""
import datetime
import json

import pytest

from support.checks import result_of
from support.csvfile import gunzip_one_member, parse
from support.table import TYPES, VALUES, Table


@pytest.fixture
def table(new_pipe):
    made = Table(new_pipe(partitions=0))
    yield made
    made.drop()


def export(table, *arguments, group="g", **settings):
    """Records of the file, header line first; or what went wrong."""
    done = table.ctl("export", group, "--output=-", *arguments, **settings)
    assert done.returncode == 0, done.stderr.decode()
    return parse(gunzip_one_member(done.stdout).decode())


def refusal(table, code, **settings):
    done = table.ctl("export", "g", "--output=-", **settings)
    assert done.returncode == code, done
    assert done.stdout == b""
    return done.stderr.decode()


def time_text(value, zone):
    whole = value.strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    return whole + (f".{value.microsecond:06}" if value.microsecond else "") + zone


def as_csv(kind, value):
    """What a file must say of a value, by rules of its own."""
    if value is None:
        return None
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "date":
        return value.isoformat()
    if kind == "timestamptz":
        return time_text(value.astimezone(datetime.timezone.utc), "Z")
    if kind == "timestamp":
        return time_text(value, "")
    if kind.startswith("numeric"):
        return str(value)
    return str(value)


def expected(table):
    plain = ("boolean", "date", "timestamptz", "timestamp", "numeric(12,3)", "numeric")
    columns = ", ".join(name if kind in plain else f"{name}::text" for name, kind in TYPES.items())
    rows = table.execute(f"SELECT {columns} FROM things WHERE group_id = 'g' AND NOT sent_to_matching_service")
    return [[as_csv(kind, value) for kind, value in zip(TYPES.values(), row)] for row in rows]


def by_id(rows):
    return sorted(rows, key=lambda row: row[0])


def test_all_columns__each_type__is_what_another_client_reads(table):
    table.add(*VALUES)
    header, *rows = export(table)
    assert header == list(TYPES)
    assert by_id(rows) == by_id(expected(table))
    first = dict(zip(header, by_id(rows)[0]))
    assert first["at"] == "2026-11-22T17:50:00.500000Z" and first["local"] == "2026-11-22T23:20:00"
    assert first["fixed"] == "ab" and first["amount"] == "12345678901234567890.000100"
    assert json.loads(first["doc"]) == {"b": 1, "a": [None, "x"]} and "\n" in first["doc"]


@pytest.mark.parametrize("setting", [
    "DateStyle = 'German, DMY'", "TimeZone = 'Asia/Kolkata'", "IntervalStyle = 'sql_standard'",
    "extra_float_digits = -3", "standard_conforming_strings = off", "bytea_output = 'escape'", "client_encoding = 'LATIN1'",
])
def test_settings_of_the_role__no_byte_changes(table, setting):
    table.add(*VALUES)
    before = export(table)
    name = setting.split(" ")[0]
    database = table.execute("SELECT current_database()")[0][0]
    table.execute(f"ALTER ROLE export_worker IN DATABASE \"{database}\" SET {setting}")
    try:
        assert export(table) == before
    finally:
        table.execute(f"ALTER ROLE export_worker IN DATABASE \"{database}\" RESET {name}")


def test_columns__named_in_another_order__are_those(table):
    table.add(*VALUES)
    header, *rows = export(table, EXPORT_EXPORT_COLUMNS="who=name, id", EXPORT_EXPORT_MASK="who:redact")
    assert header == ["who", "id"]
    assert by_id([row[::-1] for row in rows]) == [["1", "***"], ["2", "***"], ["3", None]]


def test_version__is_the_operators(table):
    table.add(*VALUES)
    header, *rows = export(table, EXPORT_EXPORT_COLUMNS="id", EXPORT_EXPORT_VERSION="2.1-beta",
                           EXPORT_EXPORT_VERSION_FIELD="column")
    assert header == ["id", "exportVersion"] and {row[1] for row in rows} == {"2.1-beta"}


def test_pending_column__another_one_or_none(table):
    table.add(*VALUES)
    table.execute("UPDATE things SET sent_to_matching_service = true WHERE id = 1")
    assert len(export(table)) == 3
    assert len(export(table, EXPORT_EXPORT_PENDING_COLUMN="")) == 4
    header, *rows = export(table, EXPORT_EXPORT_PENDING_COLUMN="active")
    assert "active" not in header and "sent_to_matching_service" in header and [row[0] for row in rows] == ["2"]


@pytest.mark.parametrize("type_, value, word", [
    ("integer[]", "'{1}'", "integer[]"), ("bytea", "'x'", "bytea"), ("point", "'(1,2)'", "point"),
    ("interval", "'1 day'", "interval"), ("int4range", "'[1,2)'", "int4range"),
])
def test_type_that_no_export_holds__is_refused_with_column_and_cure(table, type_, value, word):
    table.execute(f"DROP VIEW export_user; ALTER TABLE things ADD COLUMN odd {type_} DEFAULT {value};"
                  "CREATE VIEW export_user AS SELECT * FROM things; GRANT SELECT ON export_user TO export_worker")
    said = refusal(table, 1)
    assert f"column odd of view {table.schema}.export_user is {word}" in said and "cast it in the view" in said
    table.add(*VALUES)
    assert len(export(table, EXPORT_EXPORT_COLUMNS="id,name")) == 4


@pytest.mark.parametrize("settings, word", [
    ({"EXPORT_EXPORT_COLUMNS": "id,id"}, "there twice"),
    ({"EXPORT_EXPORT_COLUMNS": "id,"}, "name=view_column"),
    ({"EXPORT_EXPORT_COLUMNS": "name"}, "export.list_column"),
    ({"EXPORT_EXPORT_COLUMNS": "id", "EXPORT_EXPORT_MASK": "name:null"}, "no column 'name'"),
    ({"EXPORT_EXPORT_VERSION": "a b"}, "export.version"),
    ({"EXPORT_EXPORT_COLUMNS": "id", "EXPORT_EXPORT_ROW_KEY": "name"}, "export.row_key"),
])
def test_mistake_in_the_settings__exit_2_before_anything(table, settings, word):
    assert word in refusal(table, 2, EXPORT_POSTGRES_DSN="host=127.0.0.1 port=1", **settings)


@pytest.mark.parametrize("settings, word", [
    ({"EXPORT_EXPORT_COLUMNS": "id,nobody"}, "has no column nobody"),
    ({"EXPORT_EXPORT_MASK": "active:redact"}, "column active"),
    ({"EXPORT_EXPORT_PENDING_COLUMN": "name"}, "column name"),
])
def test_setting_that_does_not_fit_the_view__is_refused_with_the_column(table, settings, word):
    table.add(*VALUES)
    done = table.ctl("export", "g", "--output=-", **settings)
    assert done.returncode == 1 and "database-schema" in done.stderr.decode() and word in done.stderr.decode()


@pytest.mark.parametrize("column, value", [
    ("day", "infinity"), ("day", "0044-03-15 BC"), ("at", "-infinity"), ("at", "10000-01-01 00:00+00"), ("local", "infinity"),
    ("local", "0001-12-31 23:59:59 BC"),
])
def test_value_that_a_file_cannot_say__names_the_column(table, column, value):
    table.add({"id": 1, column: value})
    said = refusal(table, 1)
    assert f"column {column}" in said and "infinity or a date outside" in said


def test_worker__any_table__file_list_headers_metadata_and_state_have_the_layout(new_pipe):
    pipe = new_pipe()
    table = Table(pipe)
    try:
        table.add(*VALUES)
        table.execute("INSERT INTO things (group_id, id) SELECT 'l', n FROM generate_series(1, 5) n")
        pipe.send("g")
        pipe.send("l")
        worker = pipe.worker(environ=table.settings)
        pipe.settle()
        assert worker.stop() == 0
        record, listed = result_of(pipe, "g"), result_of(pipe, "l")
        layout = record.headers["export-layout"].decode()
        assert listed.headers["export-layout"].decode() == layout
        assert json.loads(listed.value)["usernames"] == ["1", "2", "3", "4", "5"]
        data, answer = pipe.store.get(json.loads(record.value)["filePath"])
        header, *rows = parse(gunzip_one_member(data).decode())
        assert header == list(TYPES) and by_id(rows) == by_id(expected(table))
        assert answer["Metadata"]["export-layout"] == layout
        states = pipe.states()
        assert states["g"]["lastExported"]["layout"] == states["l"]["lastExported"]["layout"] == layout
    finally:
        table.drop()


def test_view_changes_while_the_worker_runs__is_an_outage_and_no_dead_letter(new_pipe):
    pipe = new_pipe()
    table = Table(pipe)
    try:
        table.add(*VALUES)
        worker = pipe.worker(environ={**table.settings, "EXPORT_EXPORT_COLUMNS": "id,name,whole"})
        pipe.send("g")
        pipe.settle()
        table.execute("DROP VIEW export_user; CREATE VIEW export_user AS SELECT group_id, id, name, whole::text AS whole, "
                      "sent_to_matching_service FROM things; GRANT SELECT ON export_user TO export_worker")
        pipe.send("g")
        opened = worker.wait_log(lambda line: line["event"] == "breaker-open", 30, "the breaker")
        assert opened[0]["code"] == "database-schema" and "column whole" in opened[0]["error"]
        assert pipe.dead_letters() == []
        table.execute("DROP VIEW export_user; CREATE VIEW export_user AS SELECT * FROM things;"
                      "GRANT SELECT ON export_user TO export_worker")
        pipe.settle()
        assert worker.stop() == 0
        assert pipe.dead_letters() == [] and len(pipe.results()) == 2
    finally:
        table.drop()
