# SPDX-License-Identifier: Apache-2.0
"""An outage is not the command's fault: however long it is, every command is exported afterwards at its first attempt.
And one bad command is no outage."""
import contextlib
import json
import os
import secrets
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path

import psycopg
import pytest

from support.checks import by_group, check_file, check_rows
from support.failing import Failing
from support.metrics import LISTEN, address_of, ask, scrape
from support.objects import Store
from support.proxy import Proxy
from support.refusing import error, refusing

LANES = 2
# Waits of production would only make the tests longer.
QUICK = {"export__lanes": str(LANES), "s3__connect_timeout": "2s", "s3__stall_timeout": "3s", "postgres__stall_timeout": "10s",
         "retry__delays": "1s,1s,1s", "retry__attempts": "1", "log__level": "debug"}
SIZES = [pytest.param((60, 20), id="60-commands-20s"),
         pytest.param((300, 300), id="300-commands-5min", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]


def fill(pipe, count):
    """`count` groups of 2 rows; each export takes a moment, so that the outage comes in the middle."""
    pipe.database.execute("""
        INSERT INTO {s}_groups SELECT '{s}-' || n, 'COST_BASED', true FROM generate_series(1, %s) n""", (count,))
    pipe.database.execute("""
        INSERT INTO {s}_users (username, group_id) SELECT 'u' || n || '-' || m, '{s}-' || n
            FROM generate_series(1, %s) n, generate_series(1, 2) m""", (count,))
    pipe.database.execute("""
        CREATE OR REPLACE VIEW {s}_user AS SELECT * FROM {s}_users
            WHERE CASE WHEN username LIKE '%-1' THEN pg_sleep(0.2) IS NOT NULL ELSE true END""")
    return [f"{pipe.suffix}-{n}" for n in range(1, count + 1)]


def send_all(pipe, groups):
    pipe.broker.send_many(pipe.topic["command"], [(g.encode(), json.dumps({"groupId": g}).encode()) for g in groups])


def events(worker, name):
    return [line for line in worker.log() if line.get("event") == name]


def tier_ends(pipe):
    return {topic: sum(pipe.broker.end_offsets(topic).values()) for topic in pipe.broker.topics(pipe.topic["retry"])}


def check_all_exported(pipe, groups):
    """Once each, at the first attempt; nothing in the tiers or among the dead letters, not even an aborted record."""
    found = by_group(pipe.results())
    assert {g: len(found.get(g, [])) for g in groups} == {g: 1 for g in groups}
    states = pipe.states()
    assert {(states[g]["outcome"], states[g]["attempts"]) for g in groups} == {("exported", 1)}
    assert pipe.dead_letters() == []
    assert set(tier_ends(pipe).values()) == {0}
    assert len(pipe.keys()) == len(groups)
    for group_id in groups[:: len(groups) // 5]:
        rows, _ = check_file(pipe, found[group_id][0], group_id)
        check_rows(pipe, rows, group_id)


def check_nothing_taken_while_open(worker):
    """From the opening of a breaker to its end no lane begins anything; what a lane had taken just before may be said late."""
    late, is_open = 0, set()
    for line in worker.log():
        if line.get("event") == "breaker-open":
            is_open.add(line["dependency"])
        elif line.get("event") == "breaker-closed":
            is_open.discard(line["dependency"])
        elif line["event"] == "command-taken" and is_open:
            late += 1
    assert not is_open
    assert late <= LANES * len(events(worker, "breaker-open"))


def run_through(pipe, size, outage, dependency, **settings):
    """Commands are under way, then the outage comes, lasts and goes."""
    count, seconds = size
    groups = fill(pipe, count)
    send_all(pipe, groups[:count // 6])
    worker = pipe.worker(**{**QUICK, **LISTEN, **settings})
    address = address_of(worker)
    pipe.reader("result").wait(lambda records: len(records) >= count // 6)
    send_all(pipe, groups[count // 6:])
    with outage:
        began = time.monotonic()
        opened = worker.wait_log(lambda line: line.get("event") == "breaker-open", 60, "the breaker")
        assert [line["dependency"] for line in opened] == [dependency]
        # While it lasts the worker is healthy, and says what is not.
        while True:
            assert ask(address, "/readyz")[0] == 200 and ask(address, "/livez")[0] == 200
            assert scrape(address).value("users_export_breaker_open", dependency=dependency) == 1
            if time.monotonic() - began > seconds:
                break
            time.sleep(1)
        assert len(pipe.results()) < count, "the outage came too late"
        assert pipe.dead_letters() == []
    if seconds >= 120:
        said = [line for line in worker.log() if line["event"] == "breaker-wait"]
        assert seconds // 60 - 2 <= len(said) <= seconds // 60 + 1, "it is said once a minute"
    pipe.settle(60 + count)
    assert scrape(address).value("users_export_breaker_open", dependency=dependency) == 0
    assert worker.stop() == 0
    check_all_exported(pipe, groups)
    check_nothing_taken_while_open(worker)
    return worker


# -- gone ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", SIZES)
def test_store__gone__everything_is_exported_afterwards(pipe, services, size):
    run_through(pipe, size, services.stopped("s3"), "store")
    assert pipe.store.uploads(pipe.storage_url) == []


@pytest.mark.parametrize("size", SIZES)
def test_database__gone__everything_is_exported_afterwards(pipe, services, size):
    run_through(pipe, size, services.stopped("postgres"), "postgres")


@contextlib.contextmanager
def hanging(proxy):
    """Connections are taken, and nothing is ever answered."""
    proxy.hang()
    try:
        yield
    finally:
        proxy.cut()
        proxy.up()


@pytest.mark.parametrize("variable, dependency", [("EXPORT_S3_ENDPOINT", "store"), ("EXPORT_POSTGRES_DSN", "postgres")])
def test_dependency__hangs__everything_is_exported_afterwards(pipe, variable, dependency):
    parts = urllib.parse.urlsplit(pipe.settings[variable])
    user, at, address = parts.netloc.rpartition("@")
    proxy = Proxy(address)
    pipe.settings[variable] = urllib.parse.urlunsplit(parts._replace(netloc=user + at + proxy.address))
    run_through(pipe, (40, 10), hanging(proxy), dependency)


# -- credentials and what is missing for everybody ----------------------------------------------------------------------

@contextlib.contextmanager
def own_role(pipe):
    """A role of the test's own with the worker's rights; a function that gives it another password at once."""
    role, good = f"{pipe.suffix}_reader", secrets.token_hex(8)

    def set_password(password):
        with psycopg.connect(pipe.services.admin_dsn, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {role} PASSWORD '{password}'")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))

    @contextlib.contextmanager
    def revoked():
        set_password(secrets.token_hex(8))
        try:
            yield
        finally:
            set_password(good)

    pipe.database.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{good}' IN ROLE export_worker")
    parts = urllib.parse.urlsplit(pipe.settings["EXPORT_POSTGRES_DSN"])
    pipe.settings["EXPORT_POSTGRES_DSN"] = urllib.parse.urlunsplit(
        parts._replace(netloc=f"{role}:{good}@{parts.netloc.rpartition('@')[2]}"))
    try:
        yield revoked()
    finally:
        for worker in pipe.workers:
            worker.kill()
        pipe.database.execute(f"DROP ROLE {role}")


def test_database__password_revoked_and_restored__is_an_outage(pipe):
    with own_role(pipe) as revoked:
        worker = run_through(pipe, (60, 8), revoked, "postgres")
    assert {line["code"] for line in events(worker, "breaker-open")} == {"database-authentication"}


class Gateway:
    """An S3 server of the test's own whose credentials can change: the program that the private services run."""

    def __init__(self, services, folder):
        with open(Path(services.run_dir) / "s3.pid", encoding="ascii") as file:
            self._program = os.readlink(f"/proc/{int(file.read().split()[0])}/exe")
        self._data, self._log = folder / "data", folder / "gateway.log"
        self._data.mkdir(parents=True)
        self._more = ()
        try:
            os.setxattr(self._data, "user.users-export", b"1")
        except OSError:
            (folder / "metadata").mkdir()
            self._more = ("--sidecar", str(folder / "metadata"))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.good = ("the-key", secrets.token_hex(16))
        self._process = None
        self.start(*self.good)

    @property
    def settings(self):
        return {"EXPORT_S3_ENDPOINT": f"http://127.0.0.1:{self._port}", "EXPORT_S3_ACCESS_KEY_ID": self.good[0],
                "EXPORT_S3_SECRET_ACCESS_KEY": self.good[1]}

    def start(self, key_id, secret):
        self.stop()
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--port", f"127.0.0.1:{self._port}", "--region", "us-east-1", "--health", "/health", "posix",
                 *self._more, str(self._data)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "ROOT_ACCESS_KEY": key_id, "ROOT_SECRET_KEY": secret})
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if ask(f"127.0.0.1:{self._port}", "/health")[0] == 200:
                    return
            assert time.monotonic() < deadline, "the gateway does not start"
            time.sleep(0.1)

    def stop(self):
        if self._process:
            self._process.kill()
            self._process.wait(20)

    @contextlib.contextmanager
    def other_credentials(self, key_id, secret):
        self.start(key_id or self.good[0], secret or self.good[1])
        try:
            yield
        finally:
            self.start(*self.good)


@pytest.mark.parametrize("key_id, secret", [("another-key", None), (None, "another-secret")], ids=["key", "secret"])
def test_store__key_revoked_and_restored__is_an_outage(pipe, services, key_id, secret):
    gateway = Gateway(services, pipe.folder / "gateway")
    try:
        pipe.settings.update(gateway.settings)
        pipe.store = Store(pipe.settings)
        worker = run_through(pipe, (60, 8), gateway.other_credentials(key_id, secret), "store")
        codes = {line["code"] for line in events(worker, "breaker-open")}
        # Between two gateways nothing listens for a moment.
        assert codes <= {"store-authentication", "store-unavailable"} and codes
        assert gateway.good[1] not in pipe.all_logs()
    finally:
        gateway.stop()


@contextlib.contextmanager
def renamed(pipe, there, back):
    pipe.database.execute(there)
    try:
        yield
    finally:
        pipe.database.execute(back)


@pytest.mark.parametrize("there, back", [
    ("ALTER VIEW {s}_user RENAME TO {s}_away", "ALTER VIEW {s}_away RENAME TO {s}_user"),
    ("ALTER VIEW {s}_user RENAME COLUMN bio TO life", "ALTER VIEW {s}_user RENAME COLUMN life TO bio"),
    ("ALTER VIEW {s}_group RENAME TO {s}_away", "ALTER VIEW {s}_away RENAME TO {s}_group"),
    ("REVOKE SELECT ON {s}_user FROM export_worker", "GRANT SELECT ON {s}_user TO export_worker"),
], ids=["user-view", "column", "group-view", "right"])
def test_database__missing_for_everybody__is_an_outage(pipe, there, back):
    run_through(pipe, (40, 5), renamed(pipe, there, back), "postgres")


# -- a command's own fault ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [60, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_command__that_always_fails__is_dead_lettered_and_no_breaker_opens(pipe, count):
    failing = Failing(pipe.database)
    groups = [pipe.new_group(rows=2) for _ in range(count)]
    cancelled, refused = groups[count // 3], groups[count // 2]
    failing.fail(cancelled, "57014")
    with refusing(pipe.settings["EXPORT_S3_ENDPOINT"],
                  lambda _, path, __: error(500, "InternalError") if f"/{refused}/" in path else None) as proxy:
        pipe.settings["EXPORT_S3_ENDPOINT"] = proxy.url
        send_all(pipe, groups)
        worker = pipe.worker(**QUICK)
        pipe.reader("dlq").wait(lambda records: len(records) >= 2, 120, "two dead letters")
        pipe.settle(60 + count)
        assert worker.stop() == 0
        assert proxy.refused >= 8, "4 attempts of 2 steps"
    letters = {r.key.decode(): (r.headers["export-error-code"], r.headers["export-attempts"]) for r in pipe.dead_letters()}
    assert letters == {cancelled: (b"database-transient", b"4"), refused: (b"store-unavailable", b"4")}
    found = by_group(pipe.results())
    assert {g: len(r) for g, r in found.items()} == {g: 1 for g in groups if g not in letters}
    states = pipe.states()
    assert {states[g]["attempts"] for g in found} == {1}
    assert events(worker, "breaker-open") == []
