# SPDX-License-Identifier: Apache-2.0
"""Many small groups: groups per second against Java and Python programs with 4 threads and against bare COPYs."""
from bench import sides
from bench.measure import Comparison, Failed, finding
from bench.world import PEER_BUCKET, place_of


def check(world, runs, to):
    """All rows, and in one group the same ones as the peers'."""
    if any(run["rows"] != to * 1000 for run in runs):
        raise Failed(f"not {to * 1000} rows")
    bucket, key = place_of(runs[-1]["path"])
    group = key.split("/")[-2]
    digests = [world.rows_digest(bucket, key)["digest"]]
    digests += [world.rows_digest(PEER_BUCKET, f"{peer}/{group}.csv.gz")["digest"] for peer in ("java-tx-offsets", "java-none", "python-none")]
    if len(set(digests)) != 1:
        raise Failed(f"the sides' rows of {group} differ: {digests}")


def run(world, rounds):
    to = world.small_groups
    groups = [f"s{n:04d}" for n in range(1, to + 1)]
    lanes = world.default_lanes()
    comparison = Comparison(world, rounds, {
        "floor": sides.floor_many(world, lanes, to),
        "worker": sides.worker(world, groups),
        "java, transactions with offsets": sides.java_many(world, "tx-offsets", to, 1),
        "java, no transactions": sides.java_many(world, "none", to, 1),
        "python, no transactions": sides.python_many(world, "none", to, 1)})
    check(world, comparison.runs["worker"], to)
    return comparison, [
        finding(f"{to} small groups / floor on {lanes} connections", comparison.ratio("worker", "floor"), 2.0),
        finding("java, transaction with offsets per group / worker",
                comparison.ratio("java, transactions with offsets", "worker"), 5.0, at_most=False),
        finding("java, no transactions / worker", comparison.ratio("java, no transactions", "worker"), 2.5, at_most=False)]
