# SPDX-License-Identifier: Apache-2.0
"""Exports from a real standby: what time they say their data are of, and what is done about one that is behind."""
import datetime
import json
import re
import subprocess
import time

import pytest

from support.checks import result_of, utc
from support.csvfile import read_export
from support.programs import environment, program
from support.standby import primary_and_standby

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MASKED = ("--export.mask=bio:hash", "--export.mask_key=key")


@pytest.fixture(scope="module")
def servers():
    with primary_and_standby() as both:
        yield both


@pytest.fixture
def groups(servers):
    """A file, a list, and one that is large enough for several readers; the standby has them."""
    primary, standby = servers
    primary.execute("TRUNCATE users, matching_groups")
    primary.execute("INSERT INTO matching_groups VALUES ('file', 'COST_BASED'), ('list', 'NON_COST_BASED'), ('large', 'COST_BASED')")
    primary.execute("INSERT INTO users (username, group_id, bio) SELECT 'u' || n, g, 'b' FROM generate_series(1, 3) n, "
                    "unnest(ARRAY['file', 'list']) g")
    standby.catch_up()


def milliseconds(text):
    return (utc(text) - EPOCH) // datetime.timedelta(milliseconds=1)


def export(server, group_id="file", *flags):
    """(rows, time of the snapshot in ms, what it said), by exportctl."""
    settings = {"EXPORT_POSTGRES_DSN": server.dsn(), "EXPORT_RETRY_ATTEMPTS": "0", "EXPORT_LOG_LEVEL": "warn"}
    done = subprocess.run([program("exportctl"), "export", group_id, "--output=-", *flags], env=environment(settings),
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    said = done.stderr.decode()
    if done.returncode != 0:
        return None, None, said
    return len(read_export(done.stdout)), milliseconds(re.search(r"read at (\S+),", said)[1]), said


def now_ms():
    return time.time_ns() // 1_000_000


def worker_settings(server):
    return {"EXPORT_POSTGRES_DSN": server.dsn(), "EXPORT_POSTGRES_GROUP_VIEW": "export_group",
            "EXPORT_POSTGRES_USER_VIEW": "export_user"}


def test_replica__up_to_date__says_when_the_export_began(servers, groups):
    before = now_ms()
    for flags in ((), MASKED):
        rows, at_ms, _ = export(servers[1], "file", *flags)
        assert rows == 3 and before <= at_ms <= now_ms()


def test_replica__paused__says_the_last_commit_that_it_had(servers, groups):
    primary, standby = servers
    primary.execute("INSERT INTO users (username, group_id) SELECT 'l' || n, 'large' FROM generate_series(1, 110000) n")
    primary.execute("CREATE INDEX IF NOT EXISTS users_id ON users (id); ANALYZE users")
    standby.catch_up()
    with standby.paused():
        last_ms = standby.last_replayed_ms()
        time.sleep(0.05)  # a commit later than the last one by more than the precision of the times
        before_change_ms = now_ms()
        primary.execute("INSERT INTO users (username, group_id) VALUES ('new', 'file'), ('new', 'list'), ('new', 'large')")
        standby.receive()
        for group_id, count, flags in (("file", 3, ()), ("list", 3, ()), ("file", 3, MASKED),
                                       ("large", 110_000, ("--export.readers=3", "--export.key_column=id"))):
            rows, at_ms, said = export(standby, group_id, *flags)
            assert rows == count, said
            assert at_ms == last_ms <= before_change_ms, (group_id, flags)
    standby.catch_up()
    rows, at_ms, _ = export(standby)
    assert rows == 4 and at_ms >= before_change_ms


def test_replica__without_its_primary__says_the_last_commit_that_it_had(servers, groups):
    primary, standby = servers
    primary.stop()
    try:
        standby.wait(lambda: standby.value("SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)"), "the loss of the primary")
        rows, at_ms, _ = export(standby)
        assert rows == 3 and at_ms == standby.last_replayed_ms()
    finally:
        primary.start()
    standby.catch_up()


def test_replica__started_again_and_nothing_replayed__says_no_later_than_its_data(servers, groups):
    primary, standby = servers
    primary.execute("CHECKPOINT", database="postgres")
    standby.catch_up()
    standby.execute("CHECKPOINT", database="postgres")
    primary.stop()
    stopped_ms = now_ms()
    standby.stop()
    standby.start()
    try:
        rows, at_ms, _ = export(standby)
        assert rows == 3 and at_ms <= stopped_ms
    finally:
        primary.start()
    standby.catch_up()


def test_replica__further_behind_than_max_lag__is_tried_again_and_exported_when_it_has_caught_up(servers, groups, pipe):
    primary, standby = servers
    with standby.paused():
        last_ms = standby.last_replayed_ms()
        time.sleep(0.05)
        primary.execute("INSERT INTO users (username, group_id) VALUES ('new', 'file')")
        standby.receive()
        pipe.send("file")
        worker = pipe.worker(environ=worker_settings(standby), postgres__max_lag="40ms", retry__delays="500ms,500ms,1h",
                             retry__attempts="1")
        state = json.loads(pipe.reader("state").wait(lambda records: len(records) >= 1, what="the retry")[0].value)
    assert (state["outcome"], state["reason"]) == ("retried", "database-lagging")
    standby.catch_up()
    records = pipe.reader("result").wait(lambda records: len(records) == 1, what="the export")
    assert worker.stop() == 0
    headers = records[0].text_headers
    assert headers["export-row-count"] == "4" and milliseconds(headers["export-snapshot-at"]) > last_ms
    assert json.loads(pipe.reader("state").drain()[-1].value)["snapshotAt"] == headers["export-snapshot-at"]
    _, answer = pipe.store.get(json.loads(records[0].value)["filePath"])
    assert answer["Metadata"]["export-snapshot-at"] == headers["export-snapshot-at"]


def test_replica__behind_without_max_lag__is_announced_with_the_time_of_its_data(servers, groups, pipe):
    primary, standby = servers
    with standby.paused():
        last = standby.last_replayed_ms()
        time.sleep(0.05)
        primary.execute("INSERT INTO users (username, group_id) VALUES ('new', 'list')")
        standby.receive()
        pipe.send("list")
        pipe.worker(environ=worker_settings(standby))
        pipe.settle()
    headers = result_of(pipe, "list").text_headers
    assert headers["export-row-count"] == "3" and milliseconds(headers["export-snapshot-at"]) == last
    pipe.end_workers()


def test_replica__that_hides_how_far_it_is__has_its_clock_and_is_refused_with_max_lag(servers, groups, pipe):
    primary, standby = servers
    primary.execute("REVOKE EXECUTE ON FUNCTION pg_last_wal_receive_lsn() FROM PUBLIC")
    try:
        standby.catch_up()
        before = now_ms()
        rows, at_ms, _ = export(standby)
        assert rows == 3 and at_ms >= before
        assert export(primary, "file", "--postgres.max_lag=1h")[0] == 3, "a primary needs none of it"
        pipe.send("file")
        worker = pipe.worker(environ=worker_settings(standby), postgres__max_lag="1h", retry__attempts="0")
        state = json.loads(pipe.reader("state").wait(lambda records: len(records) >= 1, what="the retry")[0].value)
        assert (state["outcome"], state["reason"]) == ("retried", "database-lagging")
        assert worker.wait_log(lambda line: line["event"] == "replica-lag-hidden")
        assert worker.stop() == 0
    finally:
        primary.execute("GRANT EXECUTE ON FUNCTION pg_last_wal_receive_lsn() TO PUBLIC")
        standby.catch_up()


def test_primary__with_max_lag__is_exported_and_says_when_the_export_began(servers, groups):
    before = now_ms()
    rows, at_ms, _ = export(servers[0], "file", "--postgres.max_lag=1ms")
    assert rows == 3 and at_ms >= before
