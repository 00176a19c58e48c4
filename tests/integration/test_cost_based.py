# SPDX-License-Identifier: Apache-2.0
"""Cost-based groups: from the command to an object in S3 and a message."""
import json
import uuid

import pytest

from support.checks import by_group, check_file, check_rows, recent_utc, result_of
from support.objects import segment

MIB = 1 << 20


def test_export__small_group__one_put_and_all_facts(pipe):
    group_id = pipe.new_group(rows=250)
    pipe.database.execute("INSERT INTO {s}_users (username, group_id, sent_to_matching_service) VALUES ('sent', %s, true)",
                          (group_id,))
    command_id = pipe.send_id(group_id, runId="2026-11-22", requestedBy="ops@example.org", reason="a test")
    worker = pipe.run_worker()
    rows, headers = check_file(pipe, result_of(pipe, group_id), group_id, command_id, run_id="2026-11-22")
    check_rows(pipe, rows, group_id)
    value = json.loads(result_of(pipe, group_id).value)
    assert value["filePath"] == pipe.object_url(group_id, command_id)
    assert len(pipe.keys()) == 1
    metadata = pipe.store.head(value["filePath"])["Metadata"]
    # A small object is sent whole, so its facts are known when the upload begins.
    assert metadata["export-row-count"] == "250"
    assert metadata["export-sha256"] == headers["export-sha256"]
    # One audit line has everything that an auditor asks.
    audit = [line for line in worker.log() if command_id in json.dumps(line) and headers["export-sha256"] in json.dumps(line)]
    assert len(audit) == 1, audit
    line = json.dumps(audit[0], ensure_ascii=False)
    for fact in (group_id, "ops@example.org", "a test", "250", value["filePath"], "2026-11-22"):
        assert fact in line, fact
    assert pipe.broker.end_offsets(pipe.topic["dlq"]) == {n: 0 for n in range(3)}


def test_export__small_group__state_tells_the_outcome(pipe):
    group_id = pipe.new_group(rows=7)
    command_id = pipe.send_id(group_id, runId="r")
    pipe.run_worker()
    headers = check_file(pipe, result_of(pipe, group_id), group_id, command_id, "r")[1]
    state = pipe.states()[group_id]
    value = json.loads(result_of(pipe, group_id).value)
    assert state["version"] == 1 and state["groupId"] == group_id
    assert (state["outcome"], state["commandId"], state["runId"]) == ("exported", command_id, "r")
    assert (state["rows"], state["bytes"]) == (7, int(headers["export-byte-count"]))
    assert (state["filePath"], state["sha256"]) == (value["filePath"], headers["export-sha256"])
    assert state["snapshotAt"] == headers["export-snapshot-at"]
    assert isinstance(state["durationMs"], int) and state["nextAttemptAt"] is None and not state["reason"]
    recent_utc(state["at"])
    assert [entry["commandId"] for entry in state["recent"]] == [command_id]
    assert set(state["recent"][0]) == {"commandId", "runId", "outcome", "reason", "at"}
    assert state["lastExported"] == {"commandId": command_id, "runId": "r", "at": state["at"], "rows": 7,
                                     "filePath": value["filePath"], "sha256": headers["export-sha256"],
                                     "layout": headers["export-layout"]}


def test_export__more_than_8_mib__multipart_and_complete(pipe):
    group_id = pipe.new_group(rows=50_000, bio_words=16)
    command_id = pipe.send_id(group_id)
    pipe.run_worker(timeout=120)
    record = result_of(pipe, group_id)
    rows, headers = check_file(pipe, record, group_id, command_id)
    check_rows(pipe, rows, group_id)
    assert int(headers["export-byte-count"]) > 9 * MIB, "too small to be in parts"
    assert "-" in pipe.store.head(json.loads(record.value)["filePath"])["ETag"], "not a multipart upload"
    assert pipe.store.uploads(pipe.storage_url) == []


@pytest.mark.parametrize("megabytes", [3, 12])
def test_export__bio_of_several_mb__is_byte_exact(pipe, megabytes):
    group_id = pipe.new_group()
    bio = "".join(f'line {n} "quoted", and ☕\r\n' for n in range(megabytes * MIB // 26))
    pipe.database.add_users(group_id, {"username": "big", "bio": bio}, {"username": "small", "bio": ""})
    pipe.send(group_id)
    pipe.run_worker()
    rows, _ = check_file(pipe, result_of(pipe, group_id), group_id)
    assert {row[0]: row[7] for row in rows} == {"big": bio, "small": ""}


NAMES = [".", "..", "a b", "a/b/../c", "100%", "%41%2F", "पुणे ☕", "a+b=c&d?e#f", "~-_.", "*'()!:@", "\\", "é vs e\u0301",
         "x" * 255, "ü" * 127]


def test_export__names_hard_to_put_into_a_key__objects_stand_where_the_contract_says(pipe):
    sent = {}
    for name in NAMES:
        pipe.new_group(rows=2, group_id=name)
        sent[name] = pipe.send_id(name)
    pipe.run_worker()
    results = by_group(pipe.results())
    failed = {}
    for name, command_id in sent.items():
        try:
            assert len(results.get(name, [])) == 1, "not exactly one result"
            value = json.loads(results[name][0].value)
            assert value["filePath"] == pipe.object_url(segment(name), command_id)
            check_file(pipe, results[name][0], name, command_id)
        except Exception as error:  # all names are looked at, whatever the first ones do
            failed[name] = repr(error)[:500]
    # A directory entry of 255 bytes is what this S3 server's file system allows; what is longer cannot be stored there.
    assert {name: why for name, why in failed.items() if len(segment(name)) <= 255} == {}
    for name in failed:
        assert pipe.states()[name]["outcome"] in ("retried", "dead-lettered")


def test_export__command_with_a_domain__is_used_for_key_and_message(pipe):
    group_id = pipe.new_group(rows=1)
    domain = str(uuid.uuid4())
    command_id = pipe.send_id(group_id, domainId=domain.upper())
    pipe.run_worker()
    record = result_of(pipe, group_id)
    check_file(pipe, record, group_id, command_id, domain_id=domain)
    assert json.loads(record.value)["filePath"] == pipe.object_url(group_id, command_id, domain)


def test_export__traceparent_header__is_handed_on(pipe):
    group_id = pipe.new_group(rows=1)
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    pipe.send(group_id, headers=[("traceparent", trace), ("other", b"x")])
    pipe.run_worker()
    assert result_of(pipe, group_id).headers["traceparent"] == trace


def test_export__prefix_and_bucket_new__bucket_is_created_once(pipe):
    groups = [pipe.new_group(rows=1) for _ in range(12)]
    for group_id in groups:
        pipe.send(group_id)
    pipe.run_worker(export__lanes="4")
    assert len(pipe.results()) == len(pipe.keys()) == 12


def test_export__two_commands_of_a_group__keep_their_order(pipe):
    groups = [pipe.new_group(rows=3) for _ in range(5)]
    sent = {group_id: [pipe.send_id(group_id) for _ in range(4)] for group_id in groups}
    pipe.run_worker(export__lanes="4")
    for group_id, records in by_group(pipe.results()).items():
        assert [record.headers["export-command-id"].decode() for record in records] == sent[group_id]
        assert [entry["commandId"] for entry in pipe.states()[group_id]["recent"]] == sent[group_id]


def test_export__twenty_commands_of_a_group__state_keeps_the_last_sixteen(pipe):
    group_id = pipe.new_group(rows=1)
    sent = [pipe.send_id(group_id) for _ in range(20)]
    pipe.run_worker()
    assert [entry["commandId"] for entry in pipe.states()[group_id]["recent"]] == sent[-16:]


def test_export__text_hard_to_write__is_exact_and_null_differs_from_empty(pipe):
    group_id = pipe.new_group()
    text = ["", " ", '"', '""', ",", "\n", "\r", "\r\n", "\\.", "\\N", "NULL", "null", "'", "\t", "\u0001", "\u200b", "👩🏽‍🚀",
            "\ufeffbom", "#", "=1+1", "a\nb\n", "\\", ";", "true", "é", "e\u0301", "مرحبا", None]
    pipe.database.add_users(group_id, *({"username": f"u{n}", "bio": value, "location": value, "display_name": value}
                                        for n, value in enumerate(text)))
    pipe.database.add_users(group_id, {"username": "", "date_of_birth": "0001-01-01", "preferred_min_age": -2147483648},
                            {"username": "last", "date_of_birth": "9999-12-31", "preferred_max_age": 2147483647,
                             "smokes": True, "drinks": False})
    pipe.send(group_id)
    pipe.run_worker()
    rows, _ = check_file(pipe, result_of(pipe, group_id), group_id)
    check_rows(pipe, rows, group_id)
    assert {row[0]: row[7] for row in rows if row[0].startswith("u")} == {f"u{n}": v for n, v in enumerate(text)}
