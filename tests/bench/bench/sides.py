# SPDX-License-Identifier: Apache-2.0
"""What is compared: the floor, and what people would otherwise use. Each gives a function that runs it once."""
from .measure import Failed, run_process
from .world import HERE, PEER_BUCKET, export_once, place_of

PEERS = HERE / "peers"


def floor(world, group):
    return lambda: run_process(world, [str(PEERS / "floor"), group], "floor")


def floor_many(world, connections, to):
    return lambda: run_process(world, [str(PEERS / "floor"), "--many", str(connections), str(to)], "floor")


def pipe(world, group, key, *compressor):
    def run():
        out = run_process(world, [str(PEERS / "pipe"), group, key, *compressor], "pipe")
        return {**out, "path": f"s3://{PEER_BUCKET}/{key}"}
    return run


def _java(world, level, *arguments):
    command = ["java", "-Xmx256m", f"-Dgzip.level={level}", "-cp", world.environment["BENCH_JAVA_CP"], "peers.Export"]
    return run_process(world, command + list(arguments), "java")


def java(world, group, level):
    return lambda: {**_java(world, level, "one", group, "cursor"), "path": f"s3://{PEER_BUCKET}/java-cursor/{group}.csv.gz"}


def java_many(world, mode, to, level):
    return lambda: _java(world, level, "many", "4", mode, "1", str(to))


def python(world, group, key, level):
    def run():
        out = run_process(world, [world.environment["PYTHON"], str(PEERS / "export.py"), "one", group, key, str(level)], "python")
        return {**out, "path": f"s3://{PEER_BUCKET}/{key}"}
    return run


def python_many(world, mode, to, level):
    return lambda: run_process(world, [world.environment["PYTHON"], str(PEERS / "export.py"), "many", "4", mode, "1", str(to),
                                       str(level)], "python")


def parquet(world, tool, *arguments):
    def run():
        out = run_process(world, [world.environment["PYTHON"], str(PEERS / "parquet.py"), tool, *arguments], tool)
        return {**out, "path": f"s3://{PEER_BUCKET}/{arguments[-1]}"}
    return run


def jq(world, group, key):
    return lambda: {**run_process(world, [str(PEERS / "jq"), group, key], "jq"), "path": f"s3://{PEER_BUCKET}/{key}"}


def worker(world, groups, **settings):
    return lambda: export_once(world, groups, **settings)


def check_same_rows(world, comparison, names):
    """Every side's last object has the same rows, byte for byte."""
    _check_same(comparison, {name: world.rows_digest(*place_of(comparison.runs[name][-1]["path"])) for name in names})


def check_same_values(world, comparison, names):
    """Every side's last object has rows of the same values, whatever its format."""
    _check_same(comparison, {name: world.values_digest(*place_of(comparison.runs[name][-1]["path"])) for name in names})


def _check_same(comparison, digests):
    if len({(d["rows"], str(d["digest"])) for d in digests.values()}) != 1:
        raise Failed(f"the sides' rows differ: {digests}")
    for name, digest in digests.items():
        for run in comparison.runs[name]:
            run.setdefault("rows", digest["rows"])
            run.setdefault("bytes", digest["bytes"])
