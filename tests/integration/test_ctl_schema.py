# SPDX-License-Identifier: Apache-2.0
"""exportctl schema: its documents hold for the files of the same deployment, as readers that know nothing of us see them."""
import io
import json

import jsonschema
import pyarrow.parquet
import pytest
from frictionless import Resource, Schema

from support.csvfile import gunzip_one_member
from support.table import TYPES, VALUES, Table

MASKED = {"EXPORT_EXPORT_COLUMNS": "id,code,the name=name,email,day,at,price,facts", "EXPORT_EXPORT_VERSION": "7.1",
          "EXPORT_EXPORT_MASK": "code:hash,the name:redact,day:year,facts:null", "EXPORT_EXPORT_MASK_KEY": "a key of tests",
          "EXPORT_EXPORT_VERSION_FIELD": "column"}


@pytest.fixture
def table(new_pipe):
    made = Table(new_pipe(partitions=0))
    made.add(*VALUES)
    yield made
    made.drop()


def output(table, *arguments, **settings):
    done = table.ctl(*arguments, **settings)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def schema(table, *arguments, **settings):
    return json.loads(output(table, "schema", *arguments, **settings))


def lines(table, **settings):
    text = gunzip_one_member(output(table, "export", "g", "--format=jsonl", "--output=-", **settings)).decode()
    return [json.loads(line) for line in text[:-1].split("\n")]


def check_file(descriptor, path):
    """frictionless' report: it reads each cell as the type that the schema says, and looks at the constraints."""
    return Resource(path=path.name, basepath=str(path.parent), schema=Schema.from_descriptor(descriptor)).validate()


def csv_file(table, tmp_path, **settings):
    path = tmp_path / "g.csv"
    path.write_bytes(gunzip_one_member(output(table, "export", "g", "--output=-", **settings)))
    return path


@pytest.mark.parametrize("settings", [{}, MASKED], ids=["all types", "masks and version"])
def test_table_schema__csv_of_the_same_settings__is_valid(table, tmp_path, settings):
    descriptor = schema(table, "--output=json", **settings)
    path = csv_file(table, tmp_path, **settings)
    report = check_file(descriptor, path)
    assert report.valid, report.flatten(["rowNumber", "fieldName", "type", "note"])
    assert report.tasks[0].stats["rows"] == 3
    header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
    assert [field["name"] for field in descriptor["fields"]] == header


@pytest.mark.parametrize("name, value", [("id", "x"), ("small", "32768"), ("active", "yes"), ("day", "22.11.2026"), ("at", "soon"),
                                         ("price", "1,5"), ("code", "no uuid")])
def test_table_schema__a_value_of_another_type__is_found_by_the_reader(table, tmp_path, name, value):
    descriptor = schema(table, "--output=json")
    names = list(TYPES)
    path = tmp_path / "g.csv"
    path.write_text(",".join(names) + "\n" + ",".join(f'"{value}"' if each == name else "" for each in names) + "\n", encoding="utf-8")
    report = check_file(descriptor, path)
    assert [error.field_name for error in report.tasks[0].errors] == [name]


@pytest.mark.parametrize("settings", [{}, MASKED], ids=["all types", "masks and version"])
def test_json_schema__each_line_of_json_lines__is_valid(table, settings):
    document = schema(table, "--json-schema", **settings)
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    rows = lines(table, **settings)
    for row in rows:
        validator.validate(row)
        assert list(row) == document["required"] == list(document["properties"])
    assert len(rows) == 3


@pytest.mark.parametrize("change", [{"small": 32768}, {"id": "1"}, {"active": 1}, {"at": "2026-11-22T00:00:00"}, {"day": 5},
                                    {"name": 1}, {"more": 1}, {"price": "1"}, {"local": "2026-11-22T00:00:00Z"}])
def test_json_schema__a_row_that_no_export_has__is_not_valid(table, change):
    validator = jsonschema.Draft202012Validator(schema(table, "--json-schema"))
    row = lines(table)[0]
    assert validator.is_valid(row)
    assert not validator.is_valid({**row, **change})


def test_json_schema__a_row_without_a_member__is_not_valid(table):
    validator = jsonschema.Draft202012Validator(schema(table, "--json-schema"))
    row = lines(table)[0]
    assert [name for name in row if validator.is_valid({other: row[other] for other in row if other != name})] == []


def test_table__names_types_masks_and_the_view(table):
    text = output(table, "schema", **MASKED).decode()
    rows = [line.split() for line in text.split("\n\n")[0].splitlines()]
    assert rows[0] == ["COLUMN", "TYPE", "NULLABLE", "MASK", "VIEW", "COLUMN", "VIEW", "TYPE"]
    assert ["code", "text", "yes", "hash", "code", "uuid"] in rows and ["the", "name", "text", "yes", "redact", "name", "text"] in rows
    assert ["price", "numeric(12,3)", "yes", "price", "numeric(12,3)"] in rows and ["exportVersion", "text", "no"] in rows
    assert "format csv, version 7.1; a list holds id" in text


def test_layout__of_table_and_documents__is_that_of_the_parquet_file(table):
    settings = {"EXPORT_EXPORT_FORMAT": "parquet"}
    file = pyarrow.parquet.ParquetFile(io.BytesIO(output(table, "export", "g", "--output=-", **settings)))
    layout = file.metadata.metadata[b"export-layout"].decode()
    assert schema(table, "--output=json", **settings)["exportLayout"] == layout
    assert f"layout {layout}, format parquet" in output(table, "schema", **settings).decode()
    assert schema(table, "--output=json")["exportLayout"] != layout


@pytest.mark.parametrize("settings, code, word", [
    ({"EXPORT_EXPORT_COLUMNS": "id,nobody"}, 1, "has no column nobody"),
    ({"EXPORT_EXPORT_COLUMNS": "id,id"}, 2, "there twice"),
    ({"EXPORT_POSTGRES_DSN": "host=127.0.0.1 port=1", "EXPORT_STARTUP_TIMEOUT": "1s"}, 3, "database"),
    ({"EXPORT_POSTGRES_DSN": ""}, 2, "postgres.dsn"),
])
def test_schema__that_cannot_be_had__exit_code_and_reason(table, settings, code, word):
    done = table.ctl("schema", **settings)
    assert done.returncode == code and done.stdout == b"" and word in done.stderr.decode()


def test_schema__without_kafka_and_store__works(table):
    assert len(schema(table, "--output=json", EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", EXPORT_STORAGE_URL="")["fields"]) == len(TYPES)
