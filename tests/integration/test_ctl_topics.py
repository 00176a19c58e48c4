# SPDX-License-Identifier: Apache-2.0
"""exportctl topics grow: what it refuses, what it finishes, and a running system that goes on while its topics grow."""
import collections
import json
import threading
import time
import uuid

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import NewPartitions

from support.checks import check_each_record_once
from support.murmur2 import partition_of


def grow_by_hand(pipe, count, *topics):
    for future in pipe.broker.admin.create_partitions([NewPartitions(name, count) for name in topics]).values():
        future.result(timeout=20)
    for name in topics:
        deadline = time.monotonic() + 20
        while pipe.broker.partition_count(name) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def counts(pipe):
    return {name.removeprefix(pipe.suffix + "-"): pipe.broker.partition_count(name)
            for name in pipe.broker.topics(pipe.suffix)}


def agreeing(pipe):
    return {count for name, count in counts(pipe).items() if name.startswith(("command", "state", "retry"))}


def test_grow__more_partitions__all_that_must_agree_have_them_in_order(new_pipe):
    pipe = new_pipe(partitions=2)
    done = pipe.ctl("topics", "grow", "--partitions=5", "--output=json", EXPORT_RETRY_DELAYS="1s")
    assert done.code == 0, done
    rows = json.loads(done.out)
    # With one tier configured, the two that were made before grow all the same.
    assert [row["topic"].removeprefix(pipe.suffix + "-") for row in rows] == [
        "state", "retry-0", "retry-1", "retry-2", "command"]
    assert {(row["before"], row["partitions"], row["result"]) for row in rows} == {(2, 5, "grown")}
    assert agreeing(pipe) == {5}
    assert {name: count for name, count in counts(pipe).items() if count == 2} == {"progress": 2, "result": 2, "dlq": 2}
    assert pipe.ctl("topics", "check").code == 0


def test_grow__fewer_than_there_are__is_refused_and_nothing_is_touched(new_pipe):
    pipe = new_pipe(partitions=3)
    done = pipe.ctl("topics", "grow", "--partitions=2")
    assert done.code == 2 and "never removed" in done.err and done.out == "", done
    assert agreeing(pipe) == {3}
    done = pipe.ctl("topics", "grow", "--partitions=4", "--replication-factor=7")
    assert done.code == 2 and "--replication-factor 7" in done.err, done
    assert agreeing(pipe) == {3}


def test_grow__a_topic_is_missing__is_said_before_anything_is_touched(new_pipe):
    pipe = new_pipe(partitions=2)
    pipe.broker.delete_topics([pipe.topic["retry"] + "-1"])
    done = pipe.ctl("topics", "grow", "--partitions=4")
    assert done.code == 1 and "topics create" in done.err and len(done.err.splitlines()) == 1, done
    assert agreeing(pipe) == {2}


def test_grow__interrupted_in_the_middle__check_names_it_and_it_finishes(new_pipe):
    pipe = new_pipe(partitions=2)
    grow_by_hand(pipe, 6, pipe.topic["state"], pipe.topic["retry"] + "-0")
    check = pipe.ctl("topics", "check", "--output=json")
    assert check.code == 1
    bad = [row for row in json.loads(check.out) if row["result"] == "error"]
    assert {row["mend"] for row in bad} == {"exportctl topics grow --partitions 6"}
    assert {row["topic"].removeprefix(pipe.suffix + "-") for row in bad} == {"retry-1", "retry-2", "command"}

    done = pipe.ctl("topics", "grow", "--partitions=4")
    assert done.code == 2 and "has 6 already" in done.err, done
    assert agreeing(pipe) == {2, 6}

    done = pipe.ctl("topics", "grow", "--output=json")
    assert done.code == 0 and "not finished" in done.err, done
    assert [row["result"] for row in json.loads(done.out)] == ["was so", "was so", "grown", "grown", "grown"]
    assert agreeing(pipe) == {6}
    assert pipe.ctl("topics", "check").code == 0
    again = pipe.ctl("topics", "grow", "--partitions=6")
    assert again.code == 0 and "not finished" not in again.err, again


def test_grow__no_broker__exits_3_with_one_line(new_pipe):
    pipe = new_pipe(partitions=0)
    done = pipe.ctl("topics", "grow", "--partitions=4", EXPORT_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9",
                    EXPORT_STARTUP_TIMEOUT="1s", EXPORT_LOG_LEVEL="error")
    assert done.code == 3 and len(done.err.splitlines()) == 1, done


class Load(threading.Thread):
    """Sends commands until it is stopped: half of them to the partition of the count that was, half to that of now."""

    def __init__(self, pipe, groups, old_count):
        super().__init__(daemon=True)
        self.pipe, self.groups, self.old_count = pipe, groups, old_count
        self.sent = []  # (group id, command id)
        self.new_count_used = False
        self.stop = threading.Event()
        self.failure = None
        self._producer = Producer({"log_level": 0, "bootstrap.servers": pipe.broker.bootstrap, "linger.ms": 0,
                                   "topic.metadata.refresh.interval.ms": 500})

    def send(self, group_id, command_id, count):
        value = json.dumps({"groupId": group_id, "commandId": command_id}).encode()
        try:
            self._producer.produce(self.pipe.topic["command"], key=group_id.encode(), value=value,
                                   partition=partition_of(group_id.encode(), count))
        except KafkaException:  # this client does not know the new partitions yet
            self._producer.produce(self.pipe.topic["command"], key=group_id.encode(), value=value,
                                   partition=partition_of(group_id.encode(), self.old_count))
        else:
            self.new_count_used = self.new_count_used or count != self.old_count
        assert self._producer.flush(20) == 0

    def run(self):
        try:
            for n in range(100_000):
                group_id, command_id = self.groups[n * 7 % len(self.groups)], str(uuid.uuid4())
                count = self.pipe.broker.partition_count(self.pipe.topic["command"]) if n % 2 else self.old_count
                self.send(group_id, command_id, count)
                self.sent.append((group_id, command_id))
                if self.stop.wait(0.02):
                    return
        except Exception as error:  # shown by the test
            self.failure = error


@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", [8, 6])
def test_grow__two_workers_under_load__each_command_has_one_outcome(new_pipe, after):
    before = 4
    pipe = new_pipe(partitions=before)
    groups = pipe.new_small_groups(120)
    moved = [g for g in groups if partition_of(g.encode(), after) != partition_of(g.encode(), before)]
    assert 20 < len(moved) < 100
    options = {"export__lanes": "4", "kafka__topic__metadata__refresh__interval__ms": "2000"}
    workers = [pipe.worker(**options) for _ in range(2)]
    known = [(group_id, pipe.send_id(group_id)) for group_id in groups]
    results = pipe.reader("result")
    results.wait(lambda records: len(records) >= len(known), 90, "the first results")

    # Waits in a retry tier while the topics grow, on the partition of the old count.
    waiting = {}
    due_ms = int(time.time() * 1000) + 12_000
    for group_id in moved[:5]:
        waiting[group_id] = str(uuid.uuid4())
        pipe.broker.send(pipe.topic["retry"] + "-0", group_id.encode(),
                         json.dumps({"groupId": group_id, "commandId": waiting[group_id]}).encode(),
                         partition=partition_of(group_id.encode(), before),
                         headers=[("retry_topic-attempts", (2).to_bytes(4, "big")),
                                  ("retry_topic-original-timestamp", due_ms.to_bytes(8, "big")),
                                  ("retry_topic-backoff-timestamp", due_ms.to_bytes(8, "big"))])

    load = Load(pipe, groups, before)
    load.start()
    time.sleep(3)
    done = pipe.ctl("topics", "grow", f"--partitions={after}")
    assert done.code == 0, done
    at_growth = len(load.sent)
    time.sleep(9)
    load.stop.set()
    load.join(30)
    # A group remembers its last 16 commands; none got as many as that.
    assert max(collections.Counter(group_id for group_id, _ in load.sent).values()) < 15
    # Every group is known with what it exported before: none of these may be exported again, wherever they are sent to.
    for number, (group_id, command_id) in enumerate(known):
        load.send(group_id, command_id, after if number % 2 else before)
    assert load.failure is None, load.failure
    assert load.new_count_used and at_growth < len(load.sent), "nothing was sent after the growth"
    time.sleep(max(0, due_ms / 1000 - time.time()))
    pipe.settle(120)
    pipe.reader("result").wait(
        lambda records: {r.headers["export-command-id"].decode() for r in records} >= set(waiting.values()), 60,
        "the commands that waited in a tier")
    pipe.settle(60)
    assert pipe.broker.lag(pipe.group_id, pipe.topic["retry"] + "-0") and not any(
        pipe.broker.lag(pipe.group_id, pipe.topic["retry"] + "-0").values())
    for worker in workers:
        assert worker.stop() == 0

    expected = collections.Counter([c for _, c in known] + [c for _, c in load.sent] + list(waiting.values()))
    found = collections.Counter(record.headers["export-command-id"].decode() for record in pipe.results())
    assert found - expected == {}, "exported twice, or never asked for"
    assert expected - found == {}, "without an outcome"
    assert pipe.dead_letters() == []
    lines = [line for worker in workers for line in worker.log()]
    outcomes = collections.Counter(line.get("outcome") for line in lines if line.get("outcome"))
    print(outcomes, len(load.sent), at_growth)
    assert outcomes["exported"] == len(expected)
    assert outcomes["rerouted"] > 0
    check_each_record_once(workers)
    duplicates = collections.Counter(line["command"] for line in lines if line.get("reason") == "duplicate")
    asked_twice = collections.Counter(command_id for _, command_id in known)
    assert duplicates == asked_twice, [line for line in lines if line.get("command") in set(duplicates - asked_twice)]
    # What was moved stands on the partition of its key in the state topic, the newest record of each group.
    newest = {}
    for record in pipe.reader("state").drain():
        newest.setdefault(record.key.decode(), []).append(record)
    last = {group_id: command_id for group_id, command_id in load.sent}
    for group_id in groups:
        ids = {json.loads(record.value)["commandId"] for record in newest[group_id]}
        assert last[group_id] in ids or group_id in waiting, group_id
    grown = [record for records in newest.values() for record in records if record.partition >= before]
    assert grown, "no state on a new partition"
    for record in grown:
        assert record.partition == partition_of(record.key, after)

    # A worker that knew nothing before finds the states, on old partitions as well as on new ones.
    for group_id in groups:
        pipe.send(group_id, {"groupId": group_id, "commandId": last[group_id]}, partition=partition_of(group_id.encode(), before))
    pipe.run_worker(120, **options)
    assert collections.Counter(record.headers["export-command-id"].decode() for record in pipe.results()) == found
