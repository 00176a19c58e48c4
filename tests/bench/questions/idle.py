# SPDX-License-Identifier: Apache-2.0
"""What a worker takes that has nothing to do."""
import time

from bench.measure import finding, process_cpu_s, process_kib, spread
from bench.world import Worker

SECONDS = 20


class Idle:
    """The figures of one side, in the form of a comparison."""

    def __init__(self, runs):
        self.runs = {"worker": runs}

    def summary(self):
        return {"worker": {key: spread([run[key] for run in self.runs["worker"]]) for key in self.runs["worker"][0]}}


def run(world, rounds):
    runs = []
    with Worker(world) as worker:
        pid = worker.process.pid
        time.sleep(5)
        for _ in range(rounds):
            cpu, memory = sum(process_cpu_s(pid)), process_kib(pid, "VmRSS")
            time.sleep(SECONDS)
            runs.append({"seconds": SECONDS, "cpu_share": (sum(process_cpu_s(pid)) - cpu) / SECONDS,
                         "growth": process_kib(pid, "VmRSS") / memory, "rss_kib": process_kib(pid, "VmRSS")})
    return Idle(runs), [
        finding("idle worker: share of a core", spread([run["cpu_share"] for run in runs]), 0.01),
        finding(f"idle worker: memory after {SECONDS} s / before", spread([run["growth"] for run in runs]), 1.005)]
