# SPDX-License-Identifier: Apache-2.0
"""schemas/examples: each message fits its schema and tells one story, and the object is the one that it names."""
import hashlib
import json

import jsonschema
import pytest

from support.csvfile import read_export
from support.services import ROOT

SCHEMAS = ROOT / "schemas"
EXAMPLES = SCHEMAS / "examples"
# By the beginning of the file's name.
SCHEMA_OF = {"command": "export-group-command", "retry": "export-group-command", "dead-letter.": "export-group-command",
             "result": "flairbit-users", "state": "export-group-state", "progress": "export-group-progress",
             "worker": "export-group-worker", "run": "export-group-run"}
NAMES = sorted(path.name for path in EXAMPLES.glob("*.json"))


def validator(name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def example(name):
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def schema_of(name):
    return next((schema for start, schema in SCHEMA_OF.items() if name.startswith(start)), None)


@pytest.mark.parametrize("name", NAMES)
def test_example__each_message__fits_its_schema(name):
    message = example(name)
    assert set(message) == {"topic", "key", "headers", "value"}
    if name == "dead-letter-marker.json":
        assert message["value"] is None and "export-dlq-of" in message["headers"]
        return
    validator(schema_of(name)).validate(message["value"])
    if "groupId" in message["value"]:
        assert message["key"] == message["value"]["groupId"]


def test_examples__every_schema__has_one():
    described = {path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json")}
    assert described == {schema_of(name) for name in NAMES if schema_of(name)} | {"export-group-manifest"}


def test_example__results__have_the_headers_that_readers_count_on():
    for name in (name for name in NAMES if name.startswith("result")):
        headers = example(name)["headers"]
        assert {"export-command-id", "export-run-id", "export-version", "export-row-count", "export-part",
                "export-part-count"} <= set(headers), name
    parts = [example(f"result-list-part-{number}.json") for number in (1, 2)]
    names = [name for part in parts for name in part["value"]["usernames"]]
    assert str(len(names)) == parts[0]["headers"]["export-row-count"]


def test_example__object__is_the_one_that_messages_and_manifest_name():
    result, state = example("result-file.json"), example("state-exported.json")["value"]
    (path,) = EXAMPLES.glob("*.csv.gz")
    data = path.read_bytes()
    digest, rows = hashlib.sha256(data).hexdigest(), read_export(data)
    assert result["value"]["fileName"] == path.name
    headers = result["headers"]
    assert (headers["export-sha256"], headers["export-byte-count"], headers["export-row-count"]) == (
        digest, str(len(data)), str(len(rows)))
    assert (state["sha256"], state["bytes"], state["rows"]) == (digest, len(data), len(rows))
    assert {row[1] for row in rows} == {result["key"]}
    assert {None, ""} <= {field for row in rows for field in row}, "NULL and the empty string are both in it"


def test_example__manifest__has_a_line_for_each_group_and_adds_up_to_the_run():
    lines = [json.loads(line) for line in (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        validator("export-group-manifest").validate(line)
    run = example("run-completed.json")["value"]
    outcomes = [line["outcome"] for line in lines]
    assert [run["groups"], run["exported"], run["skipped"], run["deadLettered"]] == [
        len(lines), outcomes.count("exported"), outcomes.count("skipped"), outcomes.count("dead-lettered")]
    assert run["rows"] == sum(line["rows"] or 0 for line in lines)
    assert run["bytes"] == sum(line["bytes"] or 0 for line in lines)


def test_schema__run__refuses_an_end_that_is_none():
    check = validator("export-group-run")
    for name, changes in (("run-started.json", {"endedAt": "2026-11-22T18:20:00.000Z"}), ("run-completed.json", {"unfinished": 1}),
                          ("run-completed.json", {"endedAt": None}), ("run-incomplete.json", {"groups": None})):
        assert not check.is_valid(example(name)["value"] | changes), name
