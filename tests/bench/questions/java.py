# SPDX-License-Identifier: Apache-2.0
"""One big group, against a Java and a Python program, each at its own default and at level 1."""
from bench import sides
from bench.measure import Comparison, finding


def run(world, rounds):
    comparison = Comparison(world, rounds, {
        "worker": sides.worker(world, ["big"], export__lanes=1),
        "java, its default": sides.java(world, "big", 6),
        "java, level 1": sides.java(world, "big", 1),
        "python, level 1": sides.python(world, "big", "python-1.csv.gz", 1)})
    sides.check_same_rows(world, comparison, list(comparison.runs))
    return comparison, [
        finding("java / worker, each at its default", comparison.ratio("java, its default", "worker"), 4.0, at_most=False),
        finding("java / worker, both level 1", comparison.ratio("java, level 1", "worker"), 3.0, at_most=False)]
