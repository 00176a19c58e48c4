# SPDX-License-Identifier: Apache-2.0
"""Real messages against schemas/, by libraries that are not ours."""
import io
import json
import re
import subprocess

import fastavro
import jsonschema
import pytest

from support.checks import FIELDS
from support.services import BIN, ROOT

SCHEMAS = ROOT / "schemas"


def validator(name):
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def avro_schema(name):
    return fastavro.parse_schema(json.loads((SCHEMAS / name).read_text(encoding="utf-8")))


def avro_round_trip(name, value):
    """The value fits the Avro schema and survives it."""
    schema = avro_schema(name)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value, strict=True)
    out.seek(0)
    assert fastavro.schemaless_reader(out, schema) == value


def test_schemas__each_file__is_a_valid_schema():
    names = sorted(path.name for path in SCHEMAS.iterdir() if path.suffix in (".json", ".avsc"))
    assert {"export-group-command.schema.json", "export_group_command.avsc"} <= set(names)
    for name in names:
        validator(name) if name.endswith(".json") else avro_schema(name)


def test_messages__of_every_outcome__fit_the_schemas(pipe):
    cost, names = pipe.new_group(rows=5), pipe.new_group("NON_COST_BASED", rows=5)
    pipe.new_group(), pipe.new_group("LOTTERY", rows=1)
    assert pipe.scheduler("--run", "2026-11-22").code == 0
    broken = pipe.new_group("NON_COST_BASED", rows=5000)
    pipe.send(broken)
    pipe.send(cost)
    pipe.send_id(names, reason="again", requestedBy="☕", requestedAt="2026-11-22T10:00:00.5+05:30")
    pipe.run_worker(commit__max_list="64KiB")
    command, state, result = (validator(f"{name}.schema.json") for name in (
        "export-group-command", "export-group-state", "flairbit-users"))
    for record in pipe.reader("command").drain():
        command.validate(json.loads(record.value))
    states = pipe.reader("state").drain()
    assert {json.loads(record.value)["outcome"] for record in states} == {"exported", "skipped", "dead-lettered"}
    for record in states:
        value = json.loads(record.value)
        state.validate(value)
        avro_round_trip("export_group_state.avsc", value)
    for record in pipe.results():
        value = json.loads(record.value)
        result.validate(value)
        avro_round_trip("flairbit_users.avsc", value)
        assert list(value) and set(value) == FIELDS
    assert len(pipe.results()) == 4


def test_messages__progress_of_a_long_export__fits_its_schema(pipe):
    group_id = pipe.new_group(rows=3)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        pipe.send(group_id)
        worker = pipe.worker()
        progress = pipe.reader("progress")
        try:
            progress.wait(lambda records: len(records) >= 1, 20)
        except AssertionError:
            pytest.skip("progress records are not written by this version")
    pipe.settle()
    assert worker.stop() == 0
    for record in progress.drain():
        validator("export-group-progress.schema.json").validate(json.loads(record.value))
        assert record.key.decode() == group_id


def samples():
    """Commands as the C model writes them, one a line: what it is, TAB, JSON or hex of Avro, TAB, the fields as JSON."""
    for folder in ("tests", "tests/unit", "tests/component", "bin"):
        tool = BIN.parent / folder / "model_samples"
        if tool.exists():
            return subprocess.run([tool], capture_output=True, text=True, check=True, timeout=30).stdout
    return None


@pytest.mark.skipif(samples() is None, reason="model_samples is not built")
def test_samples__of_the_model__fit_json_schema_and_avro():
    lines = samples().splitlines()
    assert lines
    checked = {"json": 0, "avro": 0}
    for line in lines:
        kind, form, text = line.split("\t", 2)
        name = {"command": "export-group-command", "state": "export-group-state", "result": "flairbit-users",
                "progress": "export-group-progress"}[kind]
        if form == "json":
            validator(f"{name}.schema.json").validate(json.loads(text))
        else:
            check_avro(bytes.fromhex(text))
        checked[form] += 1
    assert checked["json"] > 3 and checked["avro"] > 0


def check_avro(data):
    path = SCHEMAS / "export_group_command.avsc"
    canonical = fastavro.schema.to_parsing_canonical_form(json.loads(path.read_text(encoding="utf-8")))
    assert data[:2] == b"\xc3\x01"
    assert data[2:10].hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    stream = io.BytesIO(data[10:])
    value = fastavro.schemaless_reader(stream, avro_schema("export_group_command.avsc"))
    assert stream.read() == b"", "bytes follow the Avro record"
    assert value["groupId"] and re.fullmatch("[0-9a-f-]{36}", value["commandId"] or "0" * 36)
