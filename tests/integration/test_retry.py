# SPDX-License-Identifier: Apache-2.0
"""Retry tiers: one tier further each time, in the transaction that commits the offset, never early, never lost."""
import json
import time

import pytest

from support.checks import by_group, check_file, check_rows, int32, int64, result_of, utc
from support.failing import Failing
from support.kafka import Reader

FOREIGN = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("bytes", b"\x00\xff\n"),
           ("twice", b"1"), ("twice", b"2"), ("empty", b""), ("export-mine", b"not one of theirs")]
NAMES = [name for name, _ in FOREIGN]
COMMON = {"export-command-id", "export-error-code", "export-error", "export-attempts"}
IN_TIER = COMMON | {"retry_topic-attempts", "retry_topic-original-timestamp", "retry_topic-backoff-timestamp",
                    "kafka_original-topic", "kafka_original-partition", "kafka_original-offset", "kafka_original-timestamp"}
IN_DLQ = COMMON | {"kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_dlt-original-offset",
                   "kafka_dlt-original-timestamp", "kafka_dlt-exception-message"}
HOUR = "1h"


@pytest.fixture
def failing(pipe):
    return Failing(pipe.database)


def tier(pipe, number):
    """What stands in a tier, all of it."""
    reader = Reader(pipe.broker.bootstrap, f"{pipe.topic['retry']}-{number}")
    try:
        return list(reader.drain())
    finally:
        reader.close()


def wait_tier(pipe, number, count, timeout=60):
    deadline = time.monotonic() + timeout
    while len(found := tier(pipe, number)) < count:
        assert time.monotonic() < deadline, f"{len(found)} records in tier {number}, not {count}"
        time.sleep(0.1)
    return found


def settle_tiers(pipe, count=3, timeout=90):
    """Nothing is left in the command topic and in any tier, not even a marker."""
    pipe.settle(timeout)
    deadline = time.monotonic() + timeout
    for number in range(count):
        while any(pipe.broker.lag(pipe.group_id, f"{pipe.topic['retry']}-{number}").values()):
            assert time.monotonic() < deadline, f"tier {number} is not emptied"
            time.sleep(0.1)
    pipe.settle(timeout)


def wait_letters(pipe, count, timeout=90):
    return pipe.reader("dlq").wait(lambda records: len(records) >= count, timeout, f"{count} dead letters")


def history(pipe, group_id):
    """All state records of a group: nothing is compacted that young."""
    return [json.loads(r.value) for r in pipe.reader("state").drain() if r.key.decode() == group_id]


def check_handed_on(record, place, expected_names):
    """Key, value and foreign headers of `place` (the record in the command topic); the names of all others."""
    assert (record.key, record.value) == (place.key, place.value)
    assert [header for header in record.header_list if header[0] in NAMES] == [
        header for header in place.header_list if header[0] in NAMES]
    ours = [header for header in record.header_list if header[0] not in NAMES]
    assert len(ours) == len(expected_names), "a header stands twice"
    assert {name for name, _ in ours} == expected_names
    return dict(ours)


def check_place(headers, prefix, place):
    assert headers[prefix + "original-topic"] == place.topic.encode()
    assert int32(headers[prefix + "original-partition"]) == place.partition and len(headers[prefix + "original-partition"]) == 4
    assert int64(headers[prefix + "original-offset"]) == place.offset
    assert int64(headers[prefix + "original-timestamp"]) == place.timestamp_ms


def at_ms(state, name="at"):
    return round(utc(state[name]).timestamp() * 1000)


def check_way(pipe, place, command_id, delays_ms, code):
    """The command's whole way through all tiers to the dead letters."""
    group_id = place.key.decode()
    states = history(pipe, group_id)
    assert [state["outcome"] for state in states] == ["retried"] * len(delays_ms) + ["dead-lettered"]
    assert [state["attempts"] for state in states] == list(range(1, len(delays_ms) + 2))
    for number, delay_ms in enumerate(delays_ms):
        (record,) = by_group(tier(pipe, number))[group_id]
        headers = check_handed_on(record, place, IN_TIER)
        check_place(headers, "kafka_", place)
        assert record.partition == place.partition
        assert int32(headers["retry_topic-attempts"]) == number + 2 and len(headers["retry_topic-attempts"]) == 4
        assert int64(headers["retry_topic-original-timestamp"]) == place.timestamp_ms
        due_ms = int64(headers["retry_topic-backoff-timestamp"])
        assert due_ms == at_ms(states[number]) + delay_ms == at_ms(states[number], "nextAttemptAt")
        assert headers["export-error-code"] == code.encode() == states[number]["reason"].encode()
        assert headers["export-error"].decode()
        assert headers["export-attempts"] == str(number + 1).encode()
        assert headers["export-command-id"] == command_id.encode()
        # Never early: the next attempt begins at the header's time, or after it.
        following = states[number + 1]
        assert at_ms(following) - following["durationMs"] >= due_ms - 2, "an attempt began before its time"
    (letter,) = by_group(pipe.dead_letters())[group_id]
    headers = check_handed_on(letter, place, IN_DLQ)
    check_place(headers, "kafka_dlt-", place)
    assert headers["export-error-code"] == code.encode() and headers["kafka_dlt-exception-message"].decode()
    assert headers["export-attempts"] == str(len(delays_ms) + 1).encode()
    assert headers["export-command-id"] == command_id.encode()
    return letter


def test_tiers__failure_that_stays__goes_through_all_to_the_dead_letters(pipe, failing):
    plain, moved, healthy = (pipe.new_group(rows=2) for _ in range(3))
    failing.fail(plain, "57014")
    failing.fail(moved, "55P03")
    command_id = pipe.send_id(plain)
    sent = pipe.send(moved, b"{}", headers=FOREIGN, partition=pipe.wrong_partition(moved))
    pipe.send(healthy)
    worker = pipe.worker(retry__delays="1s,2s,1500ms", retry__attempts="1")
    wait_letters(pipe, 2)
    settle_tiers(pipe)
    assert worker.stop() == 0
    commands = by_group(Reader(pipe.broker.bootstrap, pipe.topic["command"]).drain())
    check_way(pipe, commands[plain][0], command_id, [1000, 2000, 1500], "database-transient")
    (there,) = [record for record in commands[moved] if record.partition == pipe.partition_of(moved)]
    assert there.timestamp_ms == sent.timestamp_ms
    moved_id = dict(there.header_list)["export-command-id"].decode()
    letter = check_way(pipe, there, moved_id, [1000, 2000, 1500], "database-transient")
    check_file(pipe, result_of(pipe, healthy), healthy)
    assert set(by_group(pipe.results())) == {healthy}

    # A dead letter that anyone sends back starts afresh, with the same id.
    failing.mend(moved)
    pipe.send(moved, letter.value, headers=list(letter.header_list))
    pipe.run_worker(retry__delays="1s,2s,1500ms")
    check_file(pipe, result_of(pipe, moved), moved, moved_id)
    assert history(pipe, moved)[-1]["attempts"] == 1
    assert len(pipe.dead_letters()) == 2


def test_errors__each_kind__is_tried_again_or_not(pipe, failing):
    kinds = {"40001": ("database-transient", 2), "55P03": ("database-transient", 2), "57P01": ("database-unavailable", 2),
             "53200": ("database-transient", 2), "XX000": ("database-query", 2), "22P02": ("database-data", 1),
             "42501": ("database-denied", 1)}
    groups = {pipe.new_group(rows=1): code for code in kinds}
    for group_id, code in groups.items():
        failing.fail(group_id, code)
        pipe.send(group_id)
    worker = pipe.worker(retry__delays="1s", retry__attempts="1")
    letters = by_group(wait_letters(pipe, len(kinds)))
    settle_tiers(pipe, 1)
    assert worker.stop() == 0
    found = {groups[g]: (r.headers["export-error-code"].decode(), int(r.headers["export-attempts"]))
             for g, (r,) in letters.items()}
    assert found == kinds
    assert "breaker-open" not in worker.text()


def test_step__fails_once__is_done_again_without_a_charge(pipe):
    """Within the attempt: nothing of it is seen outside. That it failed once is kept in a lock of the session, which
    outlives a transaction that may not write."""
    pipe.database.execute("""
        CREATE FUNCTION {s}_once() RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000 AS $$
        BEGIN
            IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid()) THEN
                RETURN true;
            END IF;
            PERFORM pg_advisory_lock(4711);
            RAISE EXCEPTION 'not yet' USING ERRCODE = '40001';
        END $$;
        CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users WHERE {s}_once()""")
    group_id = pipe.new_group(rows=3)
    pipe.send(group_id)
    pipe.run_worker()
    check_file(pipe, result_of(pipe, group_id), group_id)
    assert [(s["outcome"], s["attempts"]) for s in history(pipe, group_id)] == [("exported", 1)]
    assert tier(pipe, 0) == []


def test_tier__that_waits__holds_up_nobody(new_pipe):
    """One partition, so that all of them share its number: other groups, later failures, and the group itself go on."""
    pipe = new_pipe(partitions=1)
    failing = Failing(pipe.database)
    waiting, second = pipe.new_group(rows=2), pipe.new_group(rows=2)
    groups = [pipe.new_group(rows=2) for _ in range(20)]
    failing.fail(waiting, "40001")
    failing.fail(second, "40001")
    first_id = pipe.send_id(waiting)
    worker = pipe.worker(retry__delays=HOUR, retry__attempts="0")
    wait_tier(pipe, 0, 1)
    for group_id in groups[:10]:
        pipe.send(group_id)
    pipe.send(second)
    wait_tier(pipe, 0, 2)
    failing.mend(waiting)
    second_id = pipe.send_id(waiting)
    for group_id in groups[10:]:
        pipe.send(group_id)
    pipe.settle()
    assert worker.stop() == 0
    # The next owner does not take it before its time either.
    again = pipe.worker(retry__delays=HOUR)
    pipe.send(groups[0])
    pipe.settle()
    pipe.reader("result").wait(lambda records: len(records) >= 22)
    assert again.stop() == 0
    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items()} == {**{g: 1 for g in groups}, groups[0]: 2, waiting: 1}
    assert [r.headers["export-command-id"].decode() for r in found[waiting]] == [second_id]
    assert [s["commandId"] for s in history(pipe, waiting)] == [first_id, second_id]
    assert len(tier(pipe, 0)) == 2 and pipe.dead_letters() == []


def test_tier__mended_while_it_waits_and_the_worker_dies__is_exported_from_there(pipe, failing):
    group_id = pipe.new_group(rows=40)
    failing.fail(group_id, "57014")
    command_id = pipe.send_id(group_id, runId="night")
    worker = pipe.worker(retry__delays="8s", retry__attempts="0")
    (record,) = wait_tier(pipe, 0, 1)
    worker.kill()
    failing.mend(group_id)
    pipe.worker(retry__delays="8s")
    pipe.reader("result").wait(lambda records: len(records) >= 1)
    settle_tiers(pipe, 1)
    result = result_of(pipe, group_id)
    rows, _ = check_file(pipe, result, group_id, command_id, "night")
    check_rows(pipe, rows, group_id)
    assert result.timestamp_ms >= int64(record.headers["retry_topic-backoff-timestamp"])
    assert [(s["outcome"], s["attempts"]) for s in history(pipe, group_id)] == [("retried", 1), ("exported", 2)]
    assert pipe.dead_letters() == []


def test_tier__no_longer_in_retry_delays__is_emptied(pipe, failing):
    mended, failed = pipe.new_group(rows=2), pipe.new_group(rows=2)
    ids = {}
    for group_id in (mended, failed):
        failing.fail(group_id, "40001")
        ids[group_id] = pipe.send_id(group_id)
    worker = pipe.worker(retry__delays="1s,6s", retry__attempts="0")
    waiting = wait_tier(pipe, 1, 2)
    assert worker.stop() == 0
    failing.mend(mended)
    worker = pipe.worker(retry__delays="1s", retry__attempts="0")
    wait_letters(pipe, 1)
    settle_tiers(pipe)
    assert worker.stop() == 0
    check_file(pipe, result_of(pipe, mended), mended, ids[mended])
    (letter,) = pipe.dead_letters()
    assert letter.key.decode() == failed and letter.headers["export-attempts"] == b"3"
    due_ms = {r.key.decode(): int64(r.headers["retry_topic-backoff-timestamp"]) for r in waiting}
    assert result_of(pipe, mended).timestamp_ms >= due_ms[mended] and letter.timestamp_ms >= due_ms[failed]
    assert [len(tier(pipe, n)) for n in range(3)] == [2, 2, 0]
