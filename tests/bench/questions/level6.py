# SPDX-License-Identifier: Apache-2.0
"""One big group at level 6, against the floor, the Java program and shell pipelines of the same level."""
from bench import sides
from bench.measure import Comparison, finding


def run(world, rounds):
    comparison = Comparison(world, rounds, {
        "floor": sides.floor(world, "big"),
        "worker, level 6": sides.worker(world, ["big"], export__lanes=1, export__compression_level=6),
        "java, level 6": sides.java(world, "big", 6),
        "psql | gzip -6": sides.pipe(world, "big", "pipe-gzip-6.csv.gz", "gzip", "-6"),
        "psql | pigz -6": sides.pipe(world, "big", "pipe-pigz-6.csv.gz", "pigz", "-6")})
    names = [name for name in comparison.runs if name != "floor"]
    sides.check_same_rows(world, comparison, names)
    return comparison, [
        finding("big group, level 6 / floor", comparison.ratio("worker, level 6", "floor"), 3.0),
        finding("java, level 6 / worker, level 6", comparison.ratio("java, level 6", "worker, level 6"), 1.9, at_most=False),
        finding("psql | gzip -6 / worker, level 6", comparison.ratio("psql | gzip -6", "worker, level 6"), 1.2, at_most=False)]
