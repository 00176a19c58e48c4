# SPDX-License-Identifier: Apache-2.0
"""The rate of small groups beside a big one, against their rate alone. The big one is started first."""
import time

from bench.measure import Comparison, Failed, finding
from bench.world import Worker

GROUPS_MAX = 300


def run(world, rounds):
    count = min(GROUPS_MAX, world.small_groups)
    groups = [f"s{n:04d}" for n in range(1, count + 1)]

    def alone():
        with Worker(world) as worker:
            return worker.export(groups)

    def beside():
        with Worker(world) as worker:
            ids = worker.send(["big"])
            time.sleep(0.3)
            start = time.monotonic()
            ids |= worker.send(groups)
            results = worker.take_results(ids)
        small = [seen for seen, value, _ in results if value["groupId"] != "big"]
        big = next(seen for seen, value, _ in results if value["groupId"] == "big")
        if big < max(small):
            world.say("    the big group ended first: take a bigger one")
        if len(small) != count:
            raise Failed(f"{len(small)} of {count} small groups")
        return {"seconds": max(small) - start, "big_seconds": big - start}

    comparison = Comparison(world, rounds, {"alone": alone, "beside a big group": beside})
    return comparison, [finding("small groups beside a big one / alone", comparison.ratio("beside a big group", "alone"), 2.0)]
