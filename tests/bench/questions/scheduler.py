# SPDX-License-Identifier: Apache-2.0
"""The scheduler's commands for 100,000 groups, against kcat sending the same records without a transaction."""
import uuid

from bench.measure import Comparison, finding, run_process

GROUPS = 100_000
TOPICS = ["--topics.command=bench-plan", "--topics.retry=bench-plan-retry", "--topics.state=bench-plan-state",
          "--topics.progress=bench-plan-progress", "--topics.result=bench-plan-result", "--topics.dlq=bench-plan-dlq"]


def run(world, rounds):
    world.sql(f"""CREATE OR REPLACE VIEW bench_plan AS SELECT 'plan-' || n AS group_id, 'COST_BASED'::text AS group_type, true AS active
                  FROM generate_series(1, {GROUPS}) n; GRANT SELECT ON bench_plan TO PUBLIC""")
    world.exportctl("topics", "create", "--partitions", "4", "--replication-factor", "1", *TOPICS)
    records = world.out_dir / "plan.records"
    with open(records, "w", encoding="utf-8") as out:
        for n in range(1, GROUPS + 1):
            out.write(f'plan-{n}\t{{"groupId":"plan-{n}","commandId":"{uuid.uuid4()}","runId":"2026-11-22",'
                      '"requestedAt":"2026-11-22T17:50:00.000Z","requestedBy":"export-scheduler"}\n')
    world.make_topics("bench-plan-bare")
    kcat = ["kcat", "-P", "-b", world.broker, "-t", "bench-plan-bare", "-K", "\t", "-X", "acks=all", "-X", "enable.idempotence=true",
            "-l", str(records)]
    comparison = Comparison(world, rounds, {
        "kcat": lambda: run_process(world, kcat, "kcat"),
        "scheduler": lambda: run_process(world, [str(world.bin / "export-scheduler"), "--run", str(uuid.uuid4()), *TOPICS,
                                                 "--postgres.group_view=bench_plan"], "scheduler")})
    return comparison, [finding(f"scheduler, {GROUPS} commands / kcat", comparison.ratio("scheduler", "kcat"), 2.0)]
