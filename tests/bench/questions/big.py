# SPDX-License-Identifier: Apache-2.0
"""One big group at level 1, against the floor and against shell pipelines."""
from bench import sides
from bench.measure import Comparison, finding

WORKER, TWO = "worker, 1 reader", "worker, 2 readers"
SHELL = {"psql | igzip -1": ["igzip", "-1"], "psql | pigz -1": ["pigz", "-1"], "psql | gzip -1": ["gzip", "-1"],
         "psql | gzip -6": ["gzip", "-6"]}


def run(world, rounds):
    pipes = {name: sides.pipe(world, "big", f"pipe-{'-'.join(tool)}.csv.gz".replace("--", "-"), *tool)
             for name, tool in SHELL.items()}
    comparison = Comparison(world, rounds, {
        "floor": sides.floor(world, "big"),
        WORKER: sides.worker(world, ["big"], export__lanes=1),
        TWO: sides.worker(world, ["big"], export__lanes=1, export__readers=2, export__key_column="id"),
        **pipes})
    sides.check_same_rows(world, comparison, [WORKER, TWO, *pipes])
    best = min((name for name in pipes if name != "psql | gzip -6"), key=lambda name: comparison.ratio(name, "floor")["median"])
    return comparison, [
        finding("big group, level 1, 1 reader / floor", comparison.ratio(WORKER, "floor"), 1.05),
        finding("big group, level 1, 2 readers / floor", comparison.ratio(TWO, "floor"), 0.85),
        finding(f"best shell pipe ({best}) / worker", comparison.ratio(best, WORKER), 1.0, at_most=False),
        finding("psql | gzip -6 / worker at level 1", comparison.ratio("psql | gzip -6", WORKER), 3.0, at_most=False)]
