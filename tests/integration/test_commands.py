# SPDX-License-Identifier: Apache-2.0
"""What a record of the command topic may look like, and what becomes of it."""
import datetime
import io
import json
import uuid
from pathlib import Path

import fastavro
import pytest

from support.checks import by_group, check_file, check_list, common_headers, recent_utc, result_of
from support.deadletters import check_dead_letter
from support.kafka import Reader
from support.pipe import NAMESPACE
from support.services import ROOT


def cluster_id(pipe):
    return pipe.broker.admin.describe_cluster().result(timeout=20).cluster_id


def record_id(pipe, record):
    name = f"record/{cluster_id(pipe)}/{record.topic}/{record.partition}/{record.offset}/{record.timestamp_ms}"
    return str(uuid.uuid5(NAMESPACE, name))


def test_command__smallest_ones_of_an_operator__export_the_group(pipe):
    by_value, by_key = pipe.new_group(rows=2), pipe.new_group(rows=3)
    first = pipe.send(by_value, b'{"groupId":"%s"}' % by_value.encode(), partition=pipe.partition_of(by_value))
    second = pipe.send(by_key, b"{}", partition=pipe.partition_of(by_key))
    pipe.run_worker()
    check_file(pipe, result_of(pipe, by_value), by_value, record_id(pipe, first))
    check_file(pipe, result_of(pipe, by_key), by_key, record_id(pipe, second))


def test_command__every_operators_command__exports_again(pipe):
    group_id = pipe.new_group(rows=2)
    for _ in range(3):
        pipe.send(group_id, {"groupId": group_id})
    pipe.run_worker()
    results = pipe.results()
    assert len({record.headers["export-command-id"] for record in results}) == len(results) == 3
    assert len(pipe.keys()) == 3


def test_command__wrong_partition__is_moved_with_its_timestamp_and_a_stable_id(pipe):
    group_id = pipe.new_group(rows=2)
    wrong = pipe.wrong_partition(group_id)
    stamp = 1_700_000_000_123
    sent = pipe.send(group_id, b"{}", partition=wrong, timestamp_ms=stamp, headers=[("mine", b"\x00\xff"), ("mine", b"2")])
    assert (sent.partition, sent.timestamp_ms) == (wrong, stamp)
    pipe.run_worker()
    moved = [record for record in pipe.reader("command").drain() if record.offset != sent.offset
             or record.partition != sent.partition]
    assert len(moved) == 1
    assert moved[0].partition == pipe.partition_of(group_id)
    assert moved[0].timestamp_ms == stamp
    assert (moved[0].key, moved[0].value) == (sent.key, sent.value)
    assert [h for h in moved[0].header_list if h[0] == "mine"] == [("mine", b"\x00\xff"), ("mine", b"2")]
    expected = record_id(pipe, sent)
    assert dict(moved[0].header_list)["export-command-id"].decode() == expected
    check_file(pipe, result_of(pipe, group_id), group_id, expected)


def test_command__wrong_partition_with_its_own_id__keeps_it(pipe):
    group_id = pipe.new_group(rows=2)
    command_id = str(uuid.uuid4())
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id}, partition=pipe.wrong_partition(group_id))
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)


def test_command__id_header_and_id_in_the_value__value_goes_first(pipe):
    group_id, other = pipe.new_group(rows=1), pipe.new_group(rows=1)
    own, carried = str(uuid.uuid4()), str(uuid.uuid4())
    pipe.send(group_id, {"commandId": own}, headers=[("export-command-id", carried.encode())])
    pipe.send(other, {}, headers=[("export-command-id", carried.upper().encode())])
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, own)
    check_file(pipe, result_of(pipe, other), other, carried)


def test_command__no_key__is_moved_with_the_group_as_key(pipe):
    groups = [pipe.new_group(rows=2) for _ in range(4)]
    for number, group_id in enumerate(groups):
        pipe.send(group_id, key=None, partition=number % 3)
    pipe.run_worker()
    assert sorted(record.key.decode() for record in pipe.results()) == sorted(groups)
    for group_id in groups:
        check_file(pipe, result_of(pipe, group_id), group_id)
    moved = [record for record in pipe.reader("command").drain() if record.key is not None]
    assert sorted(record.key.decode() for record in moved) == sorted(groups)
    assert all(record.partition == pipe.partition_of(record.key.decode()) for record in moved)


def test_command__id_in_capitals__is_the_same_in_lower_case(pipe):
    group_id = pipe.new_group(rows=1)
    command_id = str(uuid.uuid4())
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id.upper()})
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)  # once: the second one is a duplicate


def test_command__unknown_and_null_fields__are_ignored(pipe):
    group_id = pipe.new_group(rows=1)
    command_id = str(uuid.uuid4())
    pipe.send(group_id, {"groupId": group_id, "commandId": command_id, "runId": None, "domainId": None, "reason": None,
                         "requestedAt": "2026-11-22T23:20:00+05:30", "requestedBy": "x" * 255, "future": [{"a": 1}],
                         "priority": 7})
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id, command_id)


def test_skip__each_reason__state_but_no_message(pipe):
    cases = {
        "empty": [pipe.new_group(), pipe.new_group("NON_COST_BASED")],
        "invalid-group-type": [pipe.new_group("LOTTERY", rows=2), pipe.new_group("", rows=1), pipe.new_group("cost_based", rows=1)],
        "inactive": [pipe.new_group(rows=2, active=False), pipe.new_group("LOTTERY", rows=2, active=False)],
        "unknown-group": [pipe.suffix + "-nobody"],
    }
    only_sent = pipe.new_group()
    pipe.database.execute("INSERT INTO {s}_users (username, group_id, sent_to_matching_service) VALUES ('x', %s, true)",
                          (only_sent,))
    cases["empty"].append(only_sent)
    sent = {group_id: pipe.send_id(group_id, runId="s") for groups in cases.values() for group_id in groups}
    worker = pipe.run_worker()
    assert pipe.results() == [] and pipe.dead_letters() == [] and pipe.keys() == []
    states = pipe.states()
    for reason, groups in cases.items():
        for group_id in groups:
            state = states[group_id]
            assert (state["outcome"], state["reason"], state["commandId"]) == ("skipped", reason, sent[group_id])
            assert state["lastExported"] is None
            assert state["recent"][-1]["reason"] == reason
    for group_id in cases["invalid-group-type"]:
        assert any(line["level"] == "warn" and group_id in json.dumps(line) for line in worker.log()), "no warning"


def test_skip__group_filled_and_activated_later__is_exported(pipe):
    """What was unknown or inactive is looked up anew, cache or not."""
    unknown, inactive = pipe.suffix + "-later", pipe.new_group(rows=2, active=False)
    pipe.send(unknown)
    pipe.send(inactive)
    worker = pipe.worker()
    pipe.settle()
    pipe.new_group(group_id=unknown, rows=1)
    pipe.database.execute("UPDATE {s}_groups SET active = true")
    pipe.send(unknown)
    pipe.send(inactive)
    pipe.settle()
    assert worker.stop() == 0
    assert sorted(record.key.decode() for record in pipe.results()) == sorted([unknown, inactive])


@pytest.mark.parametrize("first_outcome", ["exported", "skipped"])
def test_duplicate__same_id_again__is_skipped_without_a_trace(pipe, first_outcome):
    group_id = pipe.new_group(rows=3 if first_outcome == "exported" else 0)
    command_id = pipe.send_id(group_id)
    pipe.run_worker()
    before = pipe.states()[group_id], len(pipe.reader("state").drain())
    for _ in range(2):  # by the worker that knows it, and by one that has to read the state
        pipe.send(group_id, {"groupId": group_id, "commandId": command_id})
        pipe.send(group_id, {"groupId": group_id, "commandId": command_id.upper()})
        worker = pipe.run_worker()
        assert any("duplicate" in json.dumps(line) for line in worker.log())
    assert len(pipe.results()) == (1 if first_outcome == "exported" else 0)
    assert (pipe.states()[group_id], len(pipe.reader("state").drain())) == before
    assert pipe.dead_letters() == []


def test_duplicate__same_id_for_another_group__is_no_duplicate(pipe):
    one, two = pipe.new_group(rows=1), pipe.new_group(rows=1)
    command_id = pipe.send_id(one)
    pipe.send(two, {"groupId": two, "commandId": command_id})
    pipe.run_worker()
    check_file(pipe, result_of(pipe, one), one, command_id)
    check_file(pipe, result_of(pipe, two), two, command_id)


def malformed(group_id):
    """Values under the key group_id, each wrong in one way."""
    good = f'"groupId":"{group_id}"'
    return {
        "null": None, "empty": b"", "no-json": b"hello", "cut": b'{"groupId":"', "array": b"[]", "string": b'"x"',
        "number": b"17", "json-null": b"null", "trailing": b'{%s}{}' % good.encode(), "latin-1": b'{"groupId":"\xe9"}',
        "duplicate-key": f'{{{good},{good}}}'.encode(), "deep": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "group-number": b'{"groupId":17}', "group-empty": b'{"groupId":""}',
        "group-other": b'{"groupId":"another"}', "command-id": f'{{{good},"commandId":"17"}}'.encode(),
        "command-id-type": f'{{{good},"commandId":17}}'.encode(),
        "command-id-long": f'{{{good},"commandId":"{uuid.uuid4()}0"}}'.encode(),
        "domain-id": f'{{{good},"domainId":"x"}}'.encode(), "run-long": f'{{{good},"runId":"{"r" * 65}"}}'.encode(),
        "reason-long": f'{{{good},"reason":"{"r" * 256}"}}'.encode(), "by-type": f'{{{good},"requestedBy":[]}}'.encode(),
        "time": f'{{{good},"requestedAt":"yesterday"}}'.encode(), "time-type": f'{{{good},"requestedAt":5}}'.encode(),
        "time-range": f'{{{good},"requestedAt":"2026-13-41T25:00:00Z"}}'.encode(),
        "lone-surrogate": f'{{{good},"reason":"\\ud800"}}'.encode(),
        "huge": b'{"x":"' + b"y" * 900_000 + b'"', "avro-empty": b"\xc3\x01",
        "avro-other-schema": b"\xc3\x01" + bytes(8) + b"\x02g", "nul": f'{{{good},"reason":"a\\u0000b"}}'.encode(),
    }


def test_malformed__each_way__dead_letter_with_everything_and_the_worker_goes_on(pipe):
    group_id = pipe.new_group(rows=1)
    headers = [("own", b"\x00\x01\xfe\xff"), ("own", b""), ("empty", b""), ("ünï", "ü".encode())]
    cases = malformed(group_id)
    sent = {}
    for name, value in cases.items():
        sent[name] = pipe.send(group_id, value or b"", headers=headers) if value is not None else pipe.broker.send(
            pipe.topic["command"], group_id.encode(), None, headers=headers)
    last = pipe.send_id(group_id)
    worker = pipe.run_worker(timeout=90)
    check_file(pipe, result_of(pipe, group_id), group_id, last)
    letters = {(int.from_bytes(dict(r.header_list)["kafka_dlt-original-partition"], "big"),
                int.from_bytes(dict(r.header_list)["kafka_dlt-original-offset"], "big")): r for r in pipe.dead_letters()}
    missing = [name for name, record in sent.items() if (record.partition, record.offset) not in letters]
    # A control character that JSON escapes is allowed in free text.
    assert set(missing) <= {"nul"}, missing
    for name, record in sent.items():
        if name in missing:
            continue
        letter = letters[(record.partition, record.offset)]
        stored_headers = [h for h in letter.header_list if h[0] == "own"]
        assert stored_headers == headers[:2], name
        check_dead_letter_loose(letter, record, name)
    state = pipe.states()[group_id]
    assert state["commandId"] == last and len(state["recent"]) <= 2, "a malformed command left a state"
    assert all(line["level"] != "debug" for line in worker.log())


def check_dead_letter_loose(letter, record, name):
    """The headers of the command may stand twice here, so `headers` is of no use."""
    assert (letter.key, letter.value) == (record.key, record.value), name
    found = dict(letter.header_list)
    assert found["export-error-code"] == b"malformed-command", name
    assert found["export-attempts"] == b"1", name
    assert found["kafka_dlt-original-topic"] == record.topic.encode()
    assert len(found["export-error"]) > 5
    assert found["kafka_dlt-original-timestamp"] == record.timestamp_ms.to_bytes(8, "big")


def test_malformed__key_differs__dead_letter_with_all_headers_byte_for_byte(pipe):
    group_id = pipe.new_group(rows=1)
    sent = pipe.send(group_id, {"groupId": "another", "commandId": str(uuid.uuid4())}, headers=[("a", b"\x80"), ("b", b"")])
    pipe.run_worker()
    (letter,) = pipe.dead_letters()
    check_dead_letter(letter, sent, "malformed-command")
    assert pipe.states() == {} and pipe.results() == []


def test_malformed__bad_keys__dead_letter_keeps_them(pipe):
    sent = [pipe.broker.send(pipe.topic["command"], key, value) for key, value in [
        (b"\xff\xfe", b"{}"), (b"x" * 256, b"{}"), (b"", b"{}"), (None, b"{}"), (b"tab\tkey", b"{}"), (b"nul\x00", b"{}"),
        (None, b"nothing"), (b"x" * 256, b'{"groupId":"%s"}' % (b"x" * 256))]]
    pipe.run_worker()
    letters = pipe.dead_letters()
    assert len(letters) == len(sent)
    assert sorted((l.key or b"", l.value) for l in letters) == sorted((s.key or b"", s.value) for s in sent)
    assert {l.headers["export-error-code"] for l in letters} == {b"malformed-command"}
    assert pipe.results() == [] and pipe.states() == {}


def avro_schema():
    return fastavro.parse_schema(json.loads((ROOT / "schemas/export_group_command.avsc").read_text()))


def avro(fields):
    out = io.BytesIO()
    schema = avro_schema()
    fastavro.schemaless_writer(out, schema, fields)
    canonical = fastavro.schema.to_parsing_canonical_form(json.loads((ROOT / "schemas/export_group_command.avsc").read_text()))
    print_of = fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")
    return b"\xc3\x01" + bytes.fromhex(print_of) + out.getvalue()


def test_avro__all_and_smallest_fields__exported_as_json_ones(pipe):
    assert Path(ROOT / "schemas/export_group_command.avsc").exists()
    full, small, keyed = (pipe.new_group("NON_COST_BASED", rows=2) for _ in range(3))
    command_id, domain = str(uuid.uuid4()), str(uuid.uuid4())
    nothing = dict.fromkeys(["groupId", "commandId", "runId", "domainId", "requestedAt", "requestedBy", "reason"])
    now = datetime.datetime.now(datetime.timezone.utc)
    pipe.send(full, avro({**nothing, "groupId": full, "commandId": command_id, "runId": "run ü", "requestedAt": now,
                          "requestedBy": "ops", "reason": "☕"}))
    pipe.send(small, avro({**nothing, "groupId": small, "domainId": domain}))
    pipe.send(keyed, avro({**nothing, "groupId": keyed}))
    worker = pipe.run_worker()
    results = by_group(pipe.results())
    check_list(pipe, results[full], full, command_id, "run ü")
    assert json.loads(results[small][0].value)["domainId"] == domain
    check_list(pipe, results[keyed], keyed)
    assert any("☕" in json.dumps(line, ensure_ascii=False) for line in worker.log())


def test_avro__damaged__dead_letters_as_they_were(pipe):
    group_id = pipe.new_group(rows=1)
    nothing = dict.fromkeys(["groupId", "commandId", "runId", "domainId", "requestedAt", "requestedBy", "reason"])
    good = avro({**nothing, "groupId": group_id, "reason": "why"})
    sent = [pipe.send(group_id, value) for value in (
        good[:-1], good[:12], good + b"x", good[:2] + b"\x00" * 8 + good[10:], good[:10] + b"\xff" * 20,
        good[:10] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", avro({**nothing, "groupId": group_id, "commandId": "no"}))]
    pipe.run_worker()
    letters = pipe.dead_letters()
    assert [letter.value for letter in letters] == [record.value for record in sent]
    for letter, record in zip(letters, sent):
        check_dead_letter(letter, record, "malformed-command")
    assert pipe.results() == []


def test_command__missing_requested_at__is_the_records_time(pipe):
    group_id = pipe.new_group(rows=1)
    pipe.send(group_id)
    pipe.run_worker()
    headers = common_headers(result_of(pipe, group_id))
    recent_utc(headers["export-snapshot-at"])


def test_command__no_domain_anywhere__dead_letter_or_refused_at_start(pipe):
    group_id = pipe.new_group(rows=1)
    with_domain = pipe.new_group(rows=1)
    pipe.send(group_id)
    domain = str(uuid.uuid4())
    pipe.send(with_domain, {"domainId": domain})
    worker = pipe.worker(environ={"EXPORT_EXPORT_DOMAIN_ID": ""})
    pipe.settle()
    assert worker.stop() == 0
    assert json.loads(result_of(pipe, with_domain).value)["domainId"] == domain
    assert [letter.key.decode() for letter in pipe.dead_letters()] == [group_id]


def test_command__read_uncommitted_reader__sees_nothing_more(pipe):
    """Nothing is aborted on the good way: each outcome is produced once."""
    for _ in range(5):
        pipe.send(pipe.new_group(rows=1))
    pipe.run_worker()
    reader = Reader(pipe.broker.bootstrap, pipe.topic["result"], "read_uncommitted")
    assert len(reader.drain()) == len(pipe.results()) == 5
    reader.close()
