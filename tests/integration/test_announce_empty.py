# SPDX-License-Identifier: Apache-2.0
"""Groups that have become empty are announced where export.announce_empty asks for it."""
import json

import jsonschema
import pytest

from support.checks import by_group, common_headers, value_of
from support.services import ROOT


def announced_as_empty(pipe, record, group_id, command_id, reason):
    value, headers = value_of(record, group_id), record.text_headers
    schema = json.loads((ROOT / "schemas/flairbit-users.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(value)
    assert value["usernames"] == []
    assert value["filePath"] is value["fileName"] is value["contentType"] is None
    assert value["domainId"] == pipe.services.domain_id
    assert headers["export-command-id"] == command_id and headers["export-reason"] == reason
    assert headers["export-row-count"] == "0" and headers["export-version"] == "1.0"
    assert (headers["export-part"], headers["export-part-count"]) == ("1", "1")
    assert not {"export-sha256", "export-byte-count"} & set(headers)


def test_announce_empty__group_that_was_exported_before__is_announced_once_and_stays_skipped(pipe):
    file, names = pipe.new_group(rows=3), pipe.new_group("NON_COST_BASED", rows=3)
    inactive, odd = pipe.new_group(rows=3, active=False), pipe.new_group("LOTTERY", rows=3)
    unknown = f"{pipe.suffix}-nobody"
    pipe.send(file), pipe.send(names)
    pipe.run_worker(export__announce_empty="true")
    pipe.database.execute("UPDATE {s}_users SET sent_to_matching_service = true")
    commands = {group_id: pipe.send_id(group_id, runId="night") for group_id in (file, names, inactive, odd, unknown)}
    for group_id, command_id in commands.items():  # redelivered by whoever sent it
        pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker(export__announce_empty="true")
    found = by_group(pipe.results())
    reasons = {file: "empty", names: "empty", inactive: "inactive", unknown: "unknown-group"}
    states = pipe.states()
    for group_id, reason in reasons.items():
        before = 1 if group_id in (file, names) else 0
        assert len(found[group_id]) == before + 1, f"{group_id}: {found[group_id]}"
        announced_as_empty(pipe, found[group_id][-1], group_id, commands[group_id], reason)
        assert (states[group_id]["outcome"], states[group_id]["reason"]) == ("skipped", reason)
    assert odd not in found and states[odd]["reason"] == "invalid-group-type"
    # The time of the data is there where data were looked for.
    assert common_headers(found[file][-1], commands[file], "night")
    assert "export-snapshot-at" not in found[inactive][-1].headers


def test_announce_empty__off__announces_nothing(pipe):
    empty = pipe.new_group()
    pipe.send(empty)
    pipe.run_worker()
    assert pipe.results() == []


@pytest.mark.parametrize("value", ["1", "maybe"])
def test_announce_empty__no_boolean__is_refused_before_anything_is_touched(pipe, value):
    worker = pipe.worker(export__announce_empty=value)
    assert worker.wait() == 2
