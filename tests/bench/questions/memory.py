# SPDX-License-Identifier: Apache-2.0
"""The peak of a worker with one lane, for a group of 100,000 rows and for one of 5,000,000."""
from bench import sides
from bench.measure import Comparison, Failed, finding, spread
from bench.world import topics_of

SETTINGS = topics_of("bench-memory")
# The rest of what the big group's rows are, as a group of its own: so much of the big one, again and again.
VIEWS = """
CREATE OR REPLACE VIEW bench_huge AS SELECT * FROM export_user UNION ALL
SELECT username, 'huge'::text, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids, education,
       religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type, open_to_long_distance,
       ready_for_matching, sent_to_matching_service, id
FROM (SELECT u.* FROM generate_series(1, 3) n CROSS JOIN users u WHERE u.group_id = 'big' LIMIT {rows}) r;
CREATE OR REPLACE VIEW bench_huge_group AS SELECT * FROM export_group UNION ALL SELECT 'huge', 'COST_BASED', true;
GRANT SELECT ON bench_huge, bench_huge_group TO PUBLIC"""


def huge_group(world):
    """The rows of group `huge`, and the settings of a worker with one lane that exports it or `mid`."""
    rows = world.sql("SELECT count(*) FROM users WHERE group_id = 'big'")[0][0] * 5 // 2
    world.sql(VIEWS.format(rows=rows))
    world.exportctl("topics", "create", "--partitions", "4", "--replication-factor", "1",
                    *[f"--{name.replace('__', '.')}={value}" for name, value in SETTINGS.items()])
    return rows, {**SETTINGS, "export__lanes": 1, "postgres__user_view": "bench_huge", "postgres__group_view": "bench_huge_group"}


def run(world, rounds):
    rows, settings = huge_group(world)
    comparison = Comparison(world, rounds, {"100,000 rows": sides.worker(world, ["mid"], **settings),
                                            f"{rows:,} rows": sides.worker(world, ["huge"], **settings)})
    small, large = comparison.runs.values()
    if any(run["rows"] != 100_000 for run in small) or any(run["rows"] != rows for run in large):
        raise Failed("not all rows were exported")
    return comparison, [
        finding("peak RSS in MiB, 1 lane", spread([max(a["peak_rss_kib"], b["peak_rss_kib"]) / 1024 for a, b in zip(small, large)]), 48),
        finding(f"peak RSS, {rows:,} rows / 100,000 rows", spread([b["peak_rss_kib"] / a["peak_rss_kib"] for a, b in zip(small, large)]),
                1.05)]
