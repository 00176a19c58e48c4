# SPDX-License-Identifier: Apache-2.0
"""A steady flow for a long time: memory, handles and threads of the workers have to be flat after a while."""
import os
import statistics
import threading
import time

from confluent_kafka import Producer

from . import report
from .measure import Meter
from .world import World, say

WORKERS = 3
PARTITIONS = 12
GROUPS, RATE = 300, 10  # of which each second so many are asked for
LARGE_ROWS, LARGE_EVERY_S = 200_000, 60
MEMORY_FACTOR, MEMORY_MIB = 1.03, 1.0  # what memory may be more at the end than after the first third
HANDLES = 2


def groups_of(count):
    return [(f"group-{number:05d}", "NON_COST_BASED" if number % 10 == 7 else "COST_BASED", 20 + number * 7919 % 2981)
            for number in range(count - 1)] + [(f"group-{count - 1:05d}", "COST_BASED", LARGE_ROWS)]


class Flow(threading.Thread):
    def __init__(self, bootstrap, groups):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 0})
        self.groups, self.sent, self.ended = groups, 0, threading.Event()

    def send(self, group):
        self.producer.produce("export-group", key=group.encode(), value=b'{"requestedBy":"soak"}')
        self.producer.poll(0)
        self.sent += 1

    def run(self):
        start = large = time.monotonic()
        turn = 0
        while not self.ended.wait(max(0.0, start + turn / RATE - time.monotonic())):
            self.send(self.groups[turn % (len(self.groups) - 1)][0])
            turn += 1
            if time.monotonic() >= large:
                self.send(self.groups[-1][0])
                large += LARGE_EVERY_S
        self.producer.flush(30)


def judge(meter, warm, end):
    """[(worker, what, then, at the end, flat)]: medians of the first and of the last fifth after the warm-up."""
    found = []
    fifth = (end - warm) / 5
    for name, part in meter.parts.items():
        if not name.startswith("worker"):
            continue
        early = [sample for sample in part.samples if warm <= sample[0] < warm + fifth]
        late = [sample for sample in part.samples if sample[0] >= end - fifth]
        for index, what in ((2, "memory, MiB"), (3, "handles"), (4, "threads")):
            then, now = (statistics.median(sample[index] for sample in some) for some in (early, late))
            flat = now <= then * MEMORY_FACTOR + MEMORY_MIB if index == 2 else abs(now - then) <= HANDLES
            found.append((name, what, then, now, flat))
    return found


def main(minutes, folder):
    groups = groups_of(GROUPS)
    before = os.getloadavg()[0]
    world = World()
    meter = flow = None
    try:
        world.start(PARTITIONS)
        world.load(groups)
        meter = Meter(world.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"], min(5.0, minutes * 60 / 100))
        for name, family in (("kafka", False), ("postgres", True), ("s3", False), ("redis", False)):
            meter.part(name, world.service_pid(name), family)
        for number in range(1, WORKERS + 1):
            meter.outcomes.add(world.worker(number))
            meter.part(f"worker-{number}", world.processes[f"worker-{number}"].pid)
        time.sleep(6)
        flow = Flow(world.settings["EXPORT_KAFKA_BOOTSTRAP_SERVERS"], groups)
        meter.start_time = time.monotonic()
        meter.start()
        flow.start()
        say(f"{minutes:g} minutes, {RATE} groups a second")
        said = 0.0
        while meter.now() < minutes * 60:
            time.sleep(0.5)
            if meter.failure is not None:
                raise meter.failure
            if any(process.poll() is not None for process in world.processes.values()):
                raise RuntimeError("a worker has ended")
            if time.monotonic() - said > 60:
                said = time.monotonic()
                memory = ", ".join(f"{part.samples[-1][2]:.1f}" for name, part in meter.parts.items() if name.startswith("worker") and part.samples)
                say(f"    {meter.now() / 60:.0f} min: {meter.outcomes.total:,} outcomes, lag {meter.points[-1][3] if meter.points else None}, MiB {memory}")
        end = meter.now()
        flow.ended.set()
        flow.join(60)
        deadline = time.monotonic() + 120
        while meter.outcomes.total < flow.sent and time.monotonic() < deadline:
            time.sleep(0.5)
        meter.close()
        meter.outcomes.look()
        wrong = [] if meter.outcomes.total == flow.sent else [f"{flow.sent} commands, {meter.outcomes.total} outcomes"]
        if set(meter.outcomes.kinds) != {"exported"}:
            wrong.append(f"outcomes: {meter.outcomes.kinds}")
        judged = judge(meter, end / 3, end)
        wrong += [f"{name}: {what} went from {then:.1f} to {now:.1f}" for name, what, then, now, flat in judged if not flat]
        report.soak(folder, minutes, groups, meter, end, judged, before, wrong)
        return 1 if wrong else 0
    finally:
        if flow is not None:
            flow.ended.set()
        if meter is not None:
            meter.ended.set()
        world.stop()
