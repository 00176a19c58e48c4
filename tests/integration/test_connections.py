# SPDX-License-Identifier: Apache-2.0
"""Fewer connections to the database than lanes is no outage: commands wait for one, and all is exported at the first
attempt, only slower. A lane without work keeps none."""
import contextlib
import json
import time
import urllib.parse

import psycopg

from support.checks import by_group, check_file, check_rows
from support.metrics import LISTEN, address_of, ask, scrape
from support.proxy import Proxy

GROUPS = 12
SETTINGS = {"log__level": "debug", "retry__delays": "1s,1s,1s"}


def wait_for(condition, timeout=30, what="a condition"):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
        time.sleep(0.1)


class Limited:
    """A role of this test that may have so many connections, and what it has now."""

    def __init__(self, pipe, limit):
        self.pipe, self.role = pipe, f"{pipe.suffix}_limited"
        user, _, rest = pipe.settings["EXPORT_POSTGRES_DSN"].partition("://")[2].partition(":")
        password = rest.split("@")[0]
        pipe.database.execute(f"CREATE ROLE {self.role} LOGIN PASSWORD '{password}' IN ROLE {user}")
        self.limit(limit)
        self.dsn = pipe.settings["EXPORT_POSTGRES_DSN"].replace(f"//{user}:", f"//{self.role}:")
        pipe.settings["EXPORT_POSTGRES_DSN"] = self.dsn

    def limit(self, limit):
        self.pipe.database.execute(f"ALTER ROLE {self.role} CONNECTION LIMIT {limit}")

    def count(self):
        with self.pipe.database.connect() as connection:
            return connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (self.role,)).fetchone()[0]

    @contextlib.contextmanager
    def all_taken(self, count):
        """Another application has them."""
        with contextlib.ExitStack() as held:
            for _ in range(count):
                held.enter_context(psycopg.connect(self.dsn, autocommit=True, connect_timeout=10))
            yield


def fill(pipe, seconds=0.3):
    """Groups whose exports take a moment, so that all lanes want a connection at the same time."""
    pipe.database.execute("INSERT INTO {s}_groups SELECT '{s}-' || n, 'COST_BASED', true FROM generate_series(1, %s) n",
                          (GROUPS,))
    pipe.database.execute("""
        INSERT INTO {s}_users (username, group_id) SELECT 'u' || n || '-' || m, '{s}-' || n
            FROM generate_series(1, %s) n, generate_series(1, 2) m""", (GROUPS,))
    pipe.database.execute("""
        CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users
            WHERE CASE WHEN username LIKE '%%-1' THEN pg_sleep(%s) IS NOT NULL ELSE true END""".replace("%s", str(seconds))
                          .replace("%%", "%"))
    return [f"{pipe.suffix}-{n}" for n in range(1, GROUPS + 1)]


def send_all(pipe, groups):
    pipe.broker.send_many(pipe.topic["command"], [(g.encode(), json.dumps({"groupId": g}).encode()) for g in groups])


def events(worker, name):
    return [line for line in worker.log() if line.get("event") == name]


def check_exported_once(pipe, groups):
    found = by_group(pipe.results())
    assert {g: len(found.get(g, [])) for g in groups} == {g: 1 for g in groups}
    states = pipe.states()
    assert {(states[g]["outcome"], states[g]["attempts"]) for g in groups} == {("exported", 1)}
    assert pipe.dead_letters() == []
    rows, _ = check_file(pipe, found[groups[0]][0], groups[0])
    check_rows(pipe, rows, groups[0])


def check_all_exported(pipe, groups):
    check_exported_once(pipe, groups)
    for worker in pipe.workers:
        assert events(worker, "breaker-open") == []


def behind_proxy(pipe):
    parts = urllib.parse.urlsplit(pipe.settings["EXPORT_POSTGRES_DSN"])
    user, at, address = parts.netloc.rpartition("@")
    proxy = Proxy(address)
    pipe.settings["EXPORT_POSTGRES_DSN"] = urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))
    return proxy


def test_one_worker__fewer_connections_than_lanes__everything_is_exported(pipe):
    groups = fill(pipe)
    limited = Limited(pipe, 2)
    send_all(pipe, groups)
    worker = pipe.worker(export__lanes="4", **SETTINGS)
    pipe.settle(120)
    check_all_exported(pipe, groups)
    short = events(worker, "connections-short")
    assert short and {line["code"] for line in short} == {"database-connections"}
    wait_for(lambda: limited.count() == 0, what="idle lanes that keep no connection")
    wait_for(lambda: len(events(worker, "connections-enough")) == len(events(worker, "connections-short")),
             what="the end of the shortage in the log")
    assert worker.stop() == 0


def test_two_workers__fewer_connections_than_lanes__everything_is_exported(new_pipe):
    pipe = new_pipe(partitions=6)
    groups = fill(pipe)
    limited = Limited(pipe, 4)
    workers = [pipe.worker(export__lanes="3", **SETTINGS) for _ in range(2)]
    for worker in workers:
        worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
    for _ in range(2):  # the second time some connections are there already
        send_all(pipe, groups)
        pipe.settle(120)
    assert {g: len(r) for g, r in by_group(pipe.results()).items()} == {g: 2 for g in groups}
    assert {(s["outcome"], s["attempts"]) for s in pipe.states().values()} == {("exported", 1)}
    assert pipe.dead_letters() == []
    assert sum(len(events(worker, "breaker-open")) for worker in workers) == 0
    wait_for(lambda: limited.count() == 0, what="idle lanes that keep no connection")
    pipe.end_workers()


def test_worker__another_application_has_all_connections__waits_and_says_so(pipe):
    groups = fill(pipe, 0.05)
    limited = Limited(pipe, 3)
    worker = pipe.worker(export__lanes="2", **SETTINGS, **LISTEN)
    address = address_of(worker)
    worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
    wait_for(lambda: limited.count() == 0, what="connection of the start that is closed")
    with limited.all_taken(3):
        send_all(pipe, groups)
        wait_for(lambda: scrape(address).value("users_export_lanes_waiting_for_connection") == 2, what="waiting lanes")
        time.sleep(5)
        status, text = ask(address, "/readyz?verbose")[:2]
        assert status == 200 and json.loads(text)["lanes_waiting_for_connection"] == 2
        assert json.loads(text)["breakers"] == {"postgres": "closed", "store": "closed"}
        assert pipe.results() == [] and pipe.dead_letters() == []
        assert len(events(worker, "connections-short")) == 1
        # Each try takes a command for a moment: they are few.
        assert len([line for line in worker.log() if line["event"] == "command-taken"]) < 10
    pipe.settle(120)
    check_all_exported(pipe, groups)
    assert scrape(address).value("users_export_lanes_waiting_for_connection") == 0
    assert worker.stop() == 0


def test_breaker__database_is_back_without_a_free_connection__closes_and_the_commands_wait(pipe):
    groups = fill(pipe, 0.05)
    limited = Limited(pipe, 2)
    proxy = behind_proxy(pipe)
    worker = pipe.worker(export__lanes="2", retry__attempts="1", **SETTINGS)
    worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
    wait_for(lambda: limited.count() == 0, what="connection of the start that is closed")
    with limited.all_taken(2):
        with proxy.outage():
            send_all(pipe, groups)
            worker.wait_log(lambda line: line.get("event") == "breaker-open", 60, "the breaker")
        worker.wait_log(lambda line: line.get("event") == "breaker-closed", 60, "the end of the outage")
        worker.wait_log(lambda line: line.get("event") == "connections-short", 60, "the shortage")
        assert pipe.results() == []
    pipe.settle(120)
    assert len(events(worker, "breaker-open")) == 1
    check_exported_once(pipe, groups)
    assert worker.stop() == 0


def test_database__takes_logins_and_answers_no_query__is_an_outage(pipe):
    groups = fill(pipe, 0.05)
    proxy = behind_proxy(pipe)
    worker = pipe.worker(export__lanes="2", retry__attempts="1", postgres__stall_timeout="2s", **SETTINGS, **LISTEN)
    address = address_of(worker)
    worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
    proxy.mute()
    send_all(pipe, groups)
    worker.wait_log(lambda line: line.get("event") == "breaker-open", 60, "the breaker")
    time.sleep(8)
    assert {line["code"] for line in events(worker, "breaker-open")} == {"database-silent"}
    assert events(worker, "breaker-closed") == []
    assert scrape(address).value("users_export_breaker_open", dependency="postgres") == 1
    assert pipe.results() == [] and pipe.dead_letters() == []
    proxy.up()
    pipe.settle(120)
    assert len(events(worker, "breaker-open")) == len(events(worker, "breaker-closed")) == 1
    check_exported_once(pipe, groups)
    assert worker.stop() == 0


def test_worker_that_starts__no_free_connection__joins_and_waits(pipe):
    groups = fill(pipe, 0.05)
    limited = Limited(pipe, 2)
    send_all(pipe, groups)
    with limited.all_taken(2):
        worker = pipe.worker(export__lanes="2", startup__timeout="5s", **SETTINGS)
        worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
        time.sleep(8)
        assert worker.running and pipe.results() == []
        assert {line["code"] for line in events(worker, "connections-short")} == {"database-connections"}
    pipe.settle(120)
    check_all_exported(pipe, groups)
    assert worker.stop() == 0


def test_worker_that_starts__no_free_connection_and_no_view__says_so_with_the_first_connection(pipe):
    groups = fill(pipe, 0.05)
    limited = Limited(pipe, 2)
    send_all(pipe, groups)
    with limited.all_taken(2):
        worker = pipe.worker(export__lanes="2", postgres__user_view="no_such_view", **SETTINGS)
        worker.wait_log(lambda line: line["event"] == "worker-ready", 30, "the worker")
        assert events(worker, "breaker-open") == []
    opened = worker.wait_log(lambda line: line.get("event") == "breaker-open", 60, "the breaker")
    assert {line["code"] for line in opened} == {"database-schema"}
    assert pipe.results() == [] and pipe.dead_letters() == []
    assert worker.stop() == 0


def test_idle_lanes__after_their_exports__keep_no_connection_and_connect_again(pipe):
    groups = fill(pipe, 0.05)
    limited = Limited(pipe, 10)
    worker = pipe.worker(export__lanes="4", **SETTINGS)
    for _ in range(2):
        send_all(pipe, groups)
        pipe.settle(60)
        wait_for(lambda: limited.count() == 0, what="idle lanes that keep no connection")
    assert events(worker, "connections-short") == []
    assert worker.stop() == 0
