# SPDX-License-Identifier: Apache-2.0
"""Committed positions: what is finished stays finished, and a large group holds nobody back."""
import json
import time

from support.checks import by_group, check_file, result_of
from support.offsets import positions


def same_partition(pipe, count, group_type="COST_BASED"):
    """Groups whose key is in one partition, with 2 users each."""
    found, number = [], 0
    while len(found) < count:
        name = f"{pipe.suffix}-s{number}"
        number += 1
        if pipe.partition_of(name) == 0:
            found.append(pipe.new_group(group_type, rows=2, group_id=name))
    return found


def wait_results(pipe, count, timeout=60):
    pipe.reader("result").wait(lambda records: len(records) >= count, timeout, f"{count} results")


def test_position__large_group_first__small_ones_behind_it_are_announced(pipe):
    slow, *small = same_partition(pipe, 31)
    pipe.database.add_users(slow, {"username": "gate"})
    with pipe.database.gate(slow):
        first = pipe.send(slow)
        for group_id in small:
            pipe.send(group_id)
        worker = pipe.worker(export__lanes="3")
        wait_results(pipe, len(small))
        assert slow not in by_group(pipe.results())
        offset, metadata = wait_metadata(pipe)
        assert offset == first.offset, "the committed offset is the first unfinished command"
        assert len(metadata) <= 4096
        assert metadata.decode("ascii").isprintable()
    pipe.settle()
    assert worker.stop() == 0
    check_file(pipe, result_of(pipe, slow), slow)
    assert len(pipe.results()) == 31


def wait_metadata(pipe, partition=0, timeout=10):
    deadline = time.monotonic() + timeout
    while True:
        found = positions(pipe.broker.bootstrap, pipe.group_id, pipe.topic["command"]).get(partition)
        if found and found[1]:
            return found
        assert time.monotonic() < deadline, f"no position with metadata: {found}"
        time.sleep(0.1)


def test_position__killed_while_a_large_group_runs__small_ones_are_not_repeated(pipe):
    slow, *small = same_partition(pipe, 21, "NON_COST_BASED")
    pipe.database.add_users(slow, {"username": "gate"})
    with pipe.database.gate(slow):
        pipe.send(slow)
        for group_id in small:
            pipe.send(group_id)
        worker = pipe.worker(export__lanes="3")
        wait_results(pipe, len(small))
        wait_metadata(pipe)
        time.sleep(1)
        worker.kill()
    second = pipe.worker()
    pipe.settle(90)
    assert second.stop() == 0
    results = by_group(pipe.results())
    assert sorted(results) == sorted([slow, *small])
    assert {group_id: len(records) for group_id, records in results.items() if len(records) != 1} == {}
    taken = [line for line in second.log() if any(group_id in json.dumps(line) for group_id in small)]
    assert not [line for line in taken if "duplicate" in json.dumps(line)], "small ones were read again as duplicates"


def test_position__same_group_behind_a_running_one__waits_for_it(pipe):
    group_id = pipe.new_group("NON_COST_BASED", rows=2)
    pipe.database.add_users(group_id, {"username": "gate"})
    with pipe.database.gate(group_id):
        first, second = pipe.send_id(group_id), pipe.send_id(group_id)
        worker = pipe.worker(export__lanes="4")
        deadline = time.monotonic() + 30
        while not pipe.database.waiting_at_gate():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1)
        assert pipe.database.waiting_at_gate() == 1, "one lane per group at a time"
        assert pipe.results() == []
    pipe.settle()
    assert worker.stop() == 0
    assert [r.headers["export-command-id"].decode() for r in pipe.results()] == [first, second]


def test_position__everything_done__lag_is_zero_with_markers(pipe):
    """The command topic ends in transaction markers, of the scheduler and of moved commands."""
    for _ in range(6):
        pipe.new_group(rows=1)
    assert pipe.scheduler().code == 0
    moved = pipe.new_group(rows=1)
    pipe.send(moved, partition=pipe.wrong_partition(moved))
    pipe.run_worker()
    assert not any(pipe.broker.lag(pipe.group_id, pipe.topic["command"]).values())
    assert len(pipe.results()) == 7
    worker = pipe.worker()
    last = pipe.send_id(moved)
    pipe.settle()
    assert worker.stop() == 0
    assert pipe.results()[-1].headers["export-command-id"].decode() == last
    assert len(pipe.results()) == 8


def test_position__after_a_clean_end__metadata_is_small_text(pipe):
    for _ in range(40):
        pipe.send(pipe.new_group(rows=1))
    pipe.run_worker()
    found = positions(pipe.broker.bootstrap, pipe.group_id, pipe.topic["command"])
    assert sorted(found) == [0, 1, 2]
    for offset, metadata in found.values():
        assert offset > 0 and len(metadata) < 100
        assert metadata.decode("ascii").isprintable() or not metadata


def test_transactions__many_small_groups__are_committed_in_groups(pipe):
    groups = [pipe.new_group("NON_COST_BASED", rows=1) for _ in range(150)]
    for group_id in groups:
        pipe.send(group_id)
    worker = pipe.worker(export__lanes="4")
    pipe.settle(90)
    assert worker.stop() == 0
    assert len(pipe.results()) == 150
    written = sum(pipe.broker.end_offsets(pipe.topic["state"]).values())
    assert written - 150 <= 150, f"{written - 150} markers for 150 outcomes: each had a transaction of its own"


def test_command_topic__retention_passed_the_committed_offset__goes_on_from_the_start_that_is_left(pipe):
    for _ in range(6):
        pipe.send(pipe.new_group(rows=1))
    pipe.run_worker()
    from confluent_kafka import TopicPartition  # the only place where records are deleted
    ends = pipe.broker.end_offsets(pipe.topic["command"])
    late = pipe.new_group(rows=1)
    number = pipe.partition_of(late)
    pipe.send(pipe.new_group(rows=1), b"not read any more", partition=number)
    cut = TopicPartition(pipe.topic["command"], number, ends[number] + 1)
    list(pipe.broker.admin.delete_records([cut]).values())[0].result(timeout=20)
    pipe.send(late)
    pipe.run_worker()
    check_file(pipe, result_of(pipe, late), late)
    assert pipe.dead_letters() == []
