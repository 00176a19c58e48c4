# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL behind something that ends TLS and sends records that are longer than what libpq reads at once."""
from world.records import LargeRecords

GROUPS = 60
ROWS = 40


def new_wide_group(world, group_type):
    """Rows of 3 to 5 kB."""
    group_id = world.new_group(0, group_type, kind="wide")
    world.postgres.execute("INSERT INTO users (username, group_id, bio) SELECT 'user' || n, %s, repeat('x', 3000 + (random() * 2000)::int) "
                           "FROM generate_series(1, %s) n", (group_id, ROWS))
    return group_id


def test_database__large_tls_records__every_export_ends_at_once(world):
    proxy = LargeRecords(world.postgres.primary, world.authority.issue("localhost", file="records"))
    groups = [new_wide_group(world, "NON_COST_BASED" if number % 6 == 0 else "COST_BASED") for number in range(GROUPS)]
    settings = {"EXPORT_POSTGRES_DSN": world.postgres.dsn(host="localhost", port=proxy.port, target_session_attrs=None),
                "EXPORT_POSTGRES_STALL_TIMEOUT": "5s", "EXPORT_EXPORT_LANES": "3"}
    worker = world.worker(**settings)
    try:
        worker.wait_text('"event":"worker-ready"')
        for group_id in groups:
            world.command(group_id)
        for group_id in groups:
            worker.wait_text(f'"group":"{group_id}"')
        code, said = world.run("export-scheduler", **settings)
        assert code == 0, said
        assert worker.stop() == 0
    finally:
        proxy.close()
    assert proxy.longest > 16384, "the proxy gathered too little for a long record"
    assert worker.text().count('"outcome":"exported"') >= GROUPS
    assert "database-stalled" not in worker.text(), worker.text()[-3000:]
    assert "no progress within" not in worker.text(), worker.text()[-3000:]
