# SPDX-License-Identifier: Apache-2.0
"""A worker's start with 100,000 groups in the state topic, against a plain consumer that reads that topic."""
import json
import time
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from bench.measure import Comparison, Failed, finding
from bench.world import Worker, topics_of

GROUPS = 100_000
SETTINGS = topics_of("bench-restore")
TOPICS = [f"--{name.replace('__', '.')}={value}" for name, value in SETTINGS.items()]
STATE = SETTINGS["topics__state"]


def state_of(group):
    at, path = "2026-11-22T17:50:00.000Z", f"s3://users-export/exports/d/{group}/c.csv.gz"
    command = str(uuid.uuid4())
    ended = {"commandId": command, "runId": "2026-11-22", "outcome": "exported", "reason": None, "at": at}
    return {"version": 1, "groupId": group, "outcome": "exported", "reason": None, "commandId": command, "runId": "2026-11-22",
            "at": at, "rows": 1000, "bytes": 100000, "filePath": path, "sha256": "0" * 64, "snapshotAt": at, "durationMs": 20,
            "attempts": 1, "nextAttemptAt": None, "recent": [ended],
            "lastExported": {"commandId": command, "runId": "2026-11-22", "at": at, "filePath": path, "sha256": "0" * 64, "rows": 1000}}


def read_plainly(world):
    start = time.monotonic()
    consumer = Consumer({"bootstrap.servers": world.broker, "group.id": "bench-restore-plain", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    partitions = consumer.list_topics(STATE, timeout=10).topics[STATE].partitions
    consumer.assign([TopicPartition(STATE, p, OFFSET_BEGINNING) for p in partitions])
    count, left = 0, len(partitions)
    while left:
        for message in consumer.consume(1000, 1.0):
            left -= message.error() is not None
            count += message.error() is None
    consumer.close()
    if count < GROUPS:
        raise Failed(f"{count} of {GROUPS} states")
    return {"seconds": time.monotonic() - start, "records": count}


def run(world, rounds):
    world.exportctl("topics", "create", "--partitions", "4", "--replication-factor", "1", *TOPICS)

    def start():
        with Worker(world, **SETTINGS) as worker:
            return worker.start_s

    empty = sorted(start() for _ in range(3))[1]
    producer = world.producer(**{"transactional.id": "bench-restore"})
    producer.init_transactions()
    producer.begin_transaction()
    for n in range(GROUPS):
        producer.produce(STATE, json.dumps(state_of(f"restored-{n}")), f"restored-{n}")
        producer.poll(0)
    producer.commit_transaction()

    def restore():
        whole = start()
        return {"seconds": max(0.001, whole - empty), "whole_start_s": whole, "empty_start_s": empty}

    comparison = Comparison(world, rounds, {"plain consumer": lambda: read_plainly(world), "worker, beyond an empty start": restore})
    return comparison, [finding(f"start with {GROUPS} states, beyond an empty start / plain consumer",
                                comparison.ratio("worker, beyond an empty start", "plain consumer"), 1.5)]
