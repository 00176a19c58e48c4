# SPDX-License-Identifier: Apache-2.0
"""A night: the scheduler sends one command for each group, three workers do them all; then everything is counted."""
import json
import os
import random
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

from . import report
from .measure import Meter
from .world import BIN, World, say, sizes

WORKERS = 3
PARTITIONS = 12
SCALES = {"quick": {"count": 300, "large": 2, "large_rows": 40_000}, "nightly": {"count": 10_000, "large": 3, "large_rows": 1_000_000}}
LIMIT_S = 3600
RUN_ID = "load"


def announced(world):
    """What a read_committed reader finds: {group: (rows, parts, usernames)}, and what is there more than once."""
    reader = Consumer({"bootstrap.servers": world.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"], "group.id": "load-report", "enable.auto.commit": False,
                       "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    partitions = reader.list_topics("flairbit-users", timeout=20).topics["flairbit-users"].partitions
    reader.assign([TopicPartition("flairbit-users", number, 0) for number in partitions])
    found, twice, ended = {}, set(), set()
    while len(ended) < len(partitions):
        message = reader.poll(30)
        if message is None:
            raise RuntimeError("flairbit-users cannot be read to its end")
        if message.error() is not None:
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise RuntimeError(str(message.error()))
            ended.add(message.partition())
            continue
        headers = {name: value.decode() for name, value in message.headers()}
        group, part = message.key().decode(), headers["export-part"]
        if (group, part) in twice or (group in found and part in found[group]["parts"]):
            twice.add((group, part))
        entry = found.setdefault(group, {"rows": int(headers["export-row-count"]), "count": int(headers["export-part-count"]), "parts": set(),
                                         "usernames": 0})
        entry["parts"].add(part)
        entry["usernames"] += len(json.loads(message.value())["usernames"] or [])
    reader.close()
    return found, twice


def mistakes(world, groups):
    found, twice = announced(world)
    wrong = [f"{group} part {part} was announced twice" for group, part in sorted(twice)]
    for group, kind, rows in groups:
        entry = found.pop(group, None)
        if entry is None:
            wrong.append(f"{group} was not announced")
        elif entry["rows"] != rows or len(entry["parts"]) != entry["count"] or (kind == "NON_COST_BASED" and entry["usernames"] != rows):
            wrong.append(f"{group}: {rows} users, announced {entry}")
    return wrong + [f"{group} is no group of ours" for group in found]


def run_scheduler(world, meter):
    """(seconds, CPU seconds, peak MiB)"""
    start = time.monotonic()
    with open(world.folder / "scheduler.log", "wb") as log:
        pid = os.posix_spawn(BIN / "export-scheduler", ["export-scheduler", f"--run={RUN_ID}"], world.environment(),
                             file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 2)])
        meter.part("scheduler", pid)
        _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise RuntimeError("export-scheduler: " + (world.folder / "scheduler.log").read_text(encoding="utf-8")[-2000:])
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def wait_for_all(meter, count, processes):
    deadline = time.monotonic() + LIMIT_S
    said = 0.0
    while meter.outcomes.total < count:
        if meter.failure is not None:
            raise meter.failure
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes.values()):
            raise RuntimeError(f"{meter.outcomes.total} of {count} outcomes; a worker has ended, or {LIMIT_S} s are over")
        if time.monotonic() - said > 15:
            said = time.monotonic()
            say(f"    {meter.outcomes.total:,} outcomes, {meter.outcomes.rows:,} rows, lag {meter.points[-1][3] if meter.points else None}")
        time.sleep(0.1)


def main(scale, folder):
    groups = sizes(**SCALES[scale])
    before = os.getloadavg()[0]
    world = World()
    meter = None
    try:
        world.start(PARTITIONS)
        world.load(groups)
        meter = Meter(world.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"], 0.2 if scale == "quick" else 1.0)
        for name, family in (("kafka", False), ("postgres", True), ("s3", False), ("redis", False)):
            meter.part(name, world.service_pid(name), family)
        for number in range(1, WORKERS + 1):
            meter.outcomes.add(world.worker(number))
            meter.part(f"worker-{number}", world.processes[f"worker-{number}"].pid)
        time.sleep(6)  # the workers have joined
        meter.start_time = time.monotonic()
        meter.start()
        say("export-scheduler")
        scheduler = run_scheduler(world, meter)
        meter.look()
        meter.still_growing = False
        say(f"    {scheduler[0]:.1f} s; {WORKERS} workers")
        wait_for_all(meter, len(groups), world.processes)
        took = meter.now()
        for _ in range(20):  # the lag goes to 0 with the last commit's marker
            if meter.points and meter.points[-1][3] == 0:
                break
            time.sleep(0.5)
        meter.close()
        say(f"    {took:.1f} s; what was announced is counted")
        wrong = mistakes(world, groups)
        chosen = [group for group, kind, _ in groups if kind == "COST_BASED"]
        chosen = chosen[:3] + random.Random(1).sample(chosen, 20)
        verify = world.program("exportctl", "verify", *chosen, check=False)
        if verify.returncode != 0:
            wrong.append("exportctl verify: " + verify.stdout[-1500:] + verify.stderr[-500:])
        if meter.outcomes.kinds != {"exported": len(groups)}:
            wrong.append(f"outcomes: {meter.outcomes.kinds}")
        report.night(folder, scale, groups, meter, took, scheduler, before, wrong)
        return 1 if wrong else 0
    finally:
        if meter is not None:
            meter.ended.set()
        world.stop()
