# SPDX-License-Identifier: Apache-2.0
"""A night of 1,000,000 groups whose outcomes are there already: what the scheduler takes from its last command to the
run's end, without and with the manifest, against a plain consumer of the state topic; and its peak of memory."""
import datetime
import json
import os
import uuid

from bench.measure import Comparison, Failed, finding, run_process, spread
from bench.world import topics_of
from questions.restore import state_of

GROUPS = int(os.environ.get("BENCH_RUN_GROUPS", 1_000_000))
RUN = "2026-11-22"
SETTINGS = {**topics_of("bench-runs"), "topics__run": "bench-runs-run"}
TOPICS = [f"--{name.replace('__', '.')}={value}" for name, value in SETTINGS.items()]
STATE = SETTINGS["topics__state"]
BATCH = 50_000  # states in one transaction


def write_states(world):
    """Each group has ended: exported, and every fiftieth was skipped."""
    producer = world.producer(**{"transactional.id": f"bench-runs-{uuid.uuid4()}", "linger.ms": 5})
    producer.init_transactions()
    for first in range(1, GROUPS + 1, BATCH):
        producer.begin_transaction()
        for n in range(first, min(first + BATCH, GROUPS + 1)):
            state = state_of(f"run-{n}")
            if n % 50 == 0:
                state["outcome"], state["reason"], state["recent"][0]["outcome"] = "skipped", "empty", "skipped"
                state["filePath"] = state["sha256"] = state["rows"] = state["bytes"] = state["lastExported"] = None
            producer.produce(STATE, json.dumps(state, separators=(",", ":")), f"run-{n}")
            producer.poll(0)
        producer.commit_transaction()


def events_of(path, offset):
    """{event: (seconds, line)} of what the scheduler has logged since."""
    found = {}
    with open(path, encoding="utf-8") as log:
        log.seek(offset)
        for text in log:
            line = json.loads(text)
            found[line["event"]] = (datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp(), line)
    return found


def schedule(world, *settings):
    """A start of the run; the time is that from its last command on."""
    path = world.log("runs")
    offset = path.stat().st_size if path.exists() else 0
    run = run_process(world, [str(world.bin / "export-scheduler"), f"--run={RUN}", "--again", *TOPICS, "--log.level=info",
                              "--postgres.group_view=bench_runs", "--schedule.wait=10m", *settings], "runs")
    events = events_of(path, offset)
    ended = events["run-completed"][1]
    if (ended["groups"], ended["exported"], ended["skipped"]) != (GROUPS, GROUPS - GROUPS // 50, GROUPS // 50):
        raise Failed(f"the run's end is not what was made up: {ended}")
    return {**run, "whole_s": run["seconds"], "seconds": events["run-completed"][0] - events["scheduled"][0],
            "manifest": ended.get("manifest")}


def run(world, rounds):
    world.sql(f"""CREATE OR REPLACE VIEW bench_runs AS SELECT 'run-' || n AS group_id, 'COST_BASED'::text AS group_type, true AS active
                  FROM generate_series(1, {GROUPS}) n; GRANT SELECT ON bench_runs TO PUBLIC""")
    world.exportctl("topics", "create", "--partitions", "4", "--replication-factor", "1", *TOPICS)
    world.say(f"    {GROUPS} states are written")
    write_states(world)
    kcat = ["kcat", "-C", "-b", world.broker, "-t", STATE, "-o", "beginning", "-e", "-q", "-f", "", "-X",
            "isolation.level=read_committed"]
    comparison = Comparison(world, rounds, {
        "plain consumer (kcat)": lambda: run_process(world, kcat, "kcat"),
        "followed to the end": lambda: schedule(world),
        "followed, with the manifest": lambda: schedule(world, "--schedule.manifest=true")})
    if not all(taken["manifest"] for taken in comparison.runs["followed, with the manifest"]):
        raise Failed("there is no manifest")
    peaks = spread([taken["peak_rss_kib"] / 1024 for taken in comparison.runs["followed, with the manifest"]])
    plain = "plain consumer (kcat)"
    return comparison, [
        finding(f"{GROUPS} groups followed / plain consumer", comparison.ratio("followed to the end", plain), 1.5),
        finding("the same with the manifest / plain consumer", comparison.ratio("followed, with the manifest", plain), 1.5),
        finding("scheduler's peak RSS in MiB, the whole night", peaks, 200)]
