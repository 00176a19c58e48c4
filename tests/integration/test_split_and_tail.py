# SPDX-License-Identifier: Apache-2.0
"""Rules of the engine that only other members of the group, or a second assignment, can show."""
import json
import time
import uuid

import pytest
from confluent_kafka import Consumer

from support.checks import by_group


def restored(worker):
    return [line for line in worker.log() if line["event"] == "state-restored"]


def wait_restored(worker, count, timeout=60):
    deadline = time.monotonic() + timeout
    while len(restored(worker)) < count:
        assert worker.running and time.monotonic() < deadline, restored(worker)
        time.sleep(0.1)
    return restored(worker)


@pytest.mark.timeout(200)
def test_partition__held_in_the_tiers_only__is_not_worked(new_pipe):
    """Rule 4: a member with another subscription splits partition numbers. Commands and retries of one group would be at two
    workers: the number waits until it is whole."""
    pipe = new_pipe(partitions=2)
    groups = {}
    for n in range(50):
        name = f"{pipe.suffix}-h{n}"
        groups.setdefault(pipe.partition_of(name), name)
    for name in groups.values():
        pipe.new_group(rows=2, group_id=name)
    # The broker makes member ids of the client id, and the range assignor sorts by them: partition 0 goes to this one.
    stranger = Consumer({"log_level": 0, "bootstrap.servers": pipe.broker.bootstrap, "group.id": pipe.group_id, "client.id": "a",
                         "enable.auto.commit": False, "partition.assignment.strategy": "range", "auto.offset.reset": "earliest"})
    stranger.subscribe([pipe.topic["command"]])
    held = []
    try:
        worker = pipe.worker(kafka__client__id="z", log__level="debug")
        deadline = time.monotonic() + 60
        while not any(line["event"] == "partition-split" for line in worker.log()):
            stranger.poll(0.2)
            assert time.monotonic() < deadline
        due_ms = int(time.time() * 1000) - 1
        tier_id = str(uuid.uuid4())
        pipe.broker.send(pipe.topic["retry"] + "-0", groups[0].encode(), json.dumps({"groupId": groups[0], "commandId": tier_id}).encode(),
                         partition=0, headers=[("retry_topic-attempts", (2).to_bytes(4, "big")),
                                               ("retry_topic-original-timestamp", due_ms.to_bytes(8, "big")),
                                               ("retry_topic-backoff-timestamp", due_ms.to_bytes(8, "big"))])
        pipe.send(groups[1])
        until = time.monotonic() + 12
        while time.monotonic() < until:
            stranger.poll(0.2)
            held.append([p.partition for p in stranger.assignment()])
            pipe.reader("result").poll(0.1)
        assert [0] in held, held
        assert sorted(by_group(pipe.results())) == [groups[1]], "a tier was worked whose commands are somebody else's"
    finally:
        stranger.close()
    pipe.reader("result").wait(lambda records: len(records) >= 2, 60, "the retry, once its number is whole")
    assert worker.stop() == 0


@pytest.mark.timeout(200)
def test_restore__partition_that_stays__reads_only_what_is_new(new_pipe):
    """Rule 13."""
    pipe = new_pipe(partitions=1)
    groups = [pipe.new_group("NON_COST_BASED", rows=1) for _ in range(60)]
    first = pipe.worker(kafka__client__id="w1")
    wait_restored(first, 1)
    for group_id in groups:
        pipe.send(group_id)
    pipe.settle()
    second = pipe.worker(kafka__client__id="w2")  # gets nothing: there is one partition
    wait_restored(first, 2)
    assert second.stop() == 0
    found = wait_restored(first, 3)
    assert found[1]["records"] >= len(groups) and found[2]["records"] == 0, found
    assert first.stop() == 0
