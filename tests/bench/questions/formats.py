# SPDX-License-Identifier: Apache-2.0
"""One big group in each format, against the floor of CSV and against what else makes JSON Lines and Parquet. Then the
peak of a worker with one lane, for each format, for 100,000 rows and for 2.5 times the big group."""
from bench import sides
from bench.measure import Comparison, Failed, finding, spread
from questions.memory import huge_group

FORMATS = ("csv", "jsonl", "parquet")
PEAK_MIB = {"csv": 48, "jsonl": 48, "parquet": 96}
JQ, JQ_REFERENCE = "psql | jq | gzip -1", "worker, jsonl, beside jq"


def worker(format_):
    return f"worker, {format_}"


def parquet_peers(world):
    """Those that run here."""
    peers = {"adbc + pyarrow": "adbc", "connectorx + pyarrow": "connectorx", "duckdb": "duckdb"}
    try:
        sides.parquet(world, "duckdb", "--check")()
    except Failed:
        world.say("    duckdb is left out: its postgres extension cannot be loaded here")
        del peers["duckdb"]
    return {name: sides.parquet(world, tool, "big", f"{tool}.parquet") for name, tool in peers.items()}


def size_ratio(comparison, side, reference):
    return spread([a["bytes"] / b["bytes"] for a, b in zip(comparison.runs[side], comparison.runs[reference])])


def memory(world):
    """One round: the peaks of several differ by a few pages."""
    rows, settings = huge_group(world)
    cases = {f"{format_}, {count:,} rows": sides.worker(world, [group], **settings, export__format=format_)
             for format_ in FORMATS for group, count in (("mid", 100_000), ("huge", rows))}
    comparison = Comparison(world, 1, cases)
    found = []
    for format_ in FORMATS:
        small, large = (comparison.runs[f"{format_}, {count:,} rows"] for count in (100_000, rows))
        if any(run["rows"] != 100_000 for run in small) or any(run["rows"] != rows for run in large):
            raise Failed("not all rows were exported")
        pairs = [(a["peak_rss_kib"], b["peak_rss_kib"]) for a, b in zip(small, large)]
        found.append(finding(f"{format_}: peak RSS in MiB, 1 lane", spread([max(pair) / 1024 for pair in pairs]),
                             PEAK_MIB[format_]))
        found.append(finding(f"{format_}: peak RSS, {rows:,} rows / 100,000 rows", spread([b / a for a, b in pairs]), 1.05))
    return comparison, found


def beyond_one_part(comparison):
    """A Parquet file of 100,000 rows is smaller than one part of an upload, so that a worker needs no second one."""
    runs = {run["rows"]: run["peak_rss_kib"] for name, side in comparison.runs.items() if "parquet" in name and
            name.startswith(("worker", "parquet")) for run in side}
    big, huge = sorted(runs)[-2:]
    return finding(f"parquet: peak RSS, {huge:,} rows / {big:,} rows", spread([runs[huge] / runs[big]]), 1.05)


def run(world, rounds):
    peers = parquet_peers(world)
    comparison = Comparison(world, rounds, {
        "floor": sides.floor(world, "big"),
        **{worker(format_): sides.worker(world, ["big"], export__lanes=1, export__format=format_) for format_ in FORMATS},
        **peers})
    # jq takes minutes, and the difference is not a matter of percents: one round.
    json = Comparison(world, 1, {JQ: sides.jq(world, "big", "jq.jsonl.gz"),
                                 JQ_REFERENCE: sides.worker(world, ["big"], export__lanes=1, export__format="jsonl")})
    peaks, more = memory(world)
    comparison.runs.update(json.runs)
    sides.check_same_values(world, comparison, [name for name in comparison.runs if name != "floor"])
    found = [finding("big group as jsonl / floor of csv", comparison.ratio(worker("jsonl"), "floor"), 1.6),
             finding("big group as parquet, zstd / floor of csv", comparison.ratio(worker("parquet"), "floor"), 1.3),
             finding(f"{JQ} / worker, jsonl", comparison.ratio(JQ, JQ_REFERENCE), 1.0, at_most=False)]
    found += [finding(f"{name} / worker, parquet", comparison.ratio(name, worker("parquet")), 1.0, at_most=False)
              for name in peers]
    found.append(finding("parquet, zstd: size / pyarrow's", size_ratio(comparison, worker("parquet"), "adbc + pyarrow"), 1.1))
    comparison.runs.update(peaks.runs)
    return comparison, found + more + [beyond_one_part(comparison)]
