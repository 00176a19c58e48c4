# SPDX-License-Identifier: Apache-2.0
"""What export.lanes should be: the small groups with 1, 2, 4 … lanes. The default is the reference."""
from bench import sides
from bench.measure import Comparison, finding


def run(world, rounds):
    groups = [f"s{n:04d}" for n in range(1, world.small_groups + 1)]
    default = world.default_lanes()
    counts = sorted({1, 2, 4, 8, default})
    comparison = Comparison(world, rounds, {str(n): sides.worker(world, groups, export__lanes=n) for n in counts})
    others = [finding(f"{n} lanes / the default, {default}", comparison.ratio(str(n), str(default)), 0.95, at_most=False)
              for n in counts if n != default]
    return comparison, others
