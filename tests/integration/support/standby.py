# SPDX-License-Identifier: Apache-2.0
"""A primary of its own and a replica of it, by PostgreSQL's own tools: initdb, pg_basebackup, streaming."""
import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from .services import ROOT

_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
fsync = off
full_page_writes = off
wal_retrieve_retry_interval = '200ms'
max_standby_streaming_delay = -1
"""


def _bin():
    named = os.environ.get("USERS_EXPORT_POSTGRES_BIN")
    return Path(named) if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _as_postgres(*command):
    """initdb and the server refuse to run as root."""
    prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--") if os.getuid() == 0 else ()
    return [*prefix, *map(str, command)]


def _run(*command):
    done = subprocess.run(_as_postgres(*command), cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Server:
    """One data folder and its server."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, _free_port(), None

    def configure(self):
        with open(self.folder / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(_SETTINGS.format(port=self.port, folder=self.folder))

    def start(self):
        with open(self.folder.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen(_as_postgres(_bin() / "postgres", "-D", self.folder), cwd="/", stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        self.wait(lambda: self.value("SELECT 1"), "an answer")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)  # a fast shutdown
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)

    def connect(self, user="postgres", database="users_export"):
        return psycopg.connect(host="127.0.0.1", port=self.port, user=user, dbname=database, autocommit=True, connect_timeout=10)

    def execute(self, statement, parameters=None, database="users_export"):
        with self.connect(database=database) as connection:
            connection.execute(statement, parameters)

    def value(self, query):
        with self.connect(database="postgres") as connection:
            return connection.execute(query).fetchone()[0]

    def dsn(self):
        return f"postgresql://export_worker@127.0.0.1:{self.port}/users_export"

    def wait(self, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                if condition():
                    return
            assert self.process.poll() is None, self.folder.with_suffix(".log").read_text()[-3000:]
            assert time.monotonic() < deadline, f"waited {timeout} s for {what}"
            time.sleep(0.05)


class Standby(Server):
    """A replica; what it has replayed is held and let go by the test."""

    def __init__(self, folder, primary):
        super().__init__(folder)
        self.primary = primary

    def catch_up(self):
        """Until it is connected and has replayed all that the primary has written."""
        written = self.primary.value("SELECT pg_current_wal_flush_lsn()::text")
        self.wait(lambda: self.value(f"SELECT pg_last_wal_replay_lsn() >= '{written}' AND pg_last_wal_receive_lsn() "
                                     "<= pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver)"), "catching up")

    def receive(self):
        """Until it has received all that the primary has written."""
        written = self.primary.value("SELECT pg_current_wal_flush_lsn()::text")
        self.wait(lambda: self.value(f"SELECT pg_last_wal_receive_lsn() >= '{written}'"), "the log")

    @contextlib.contextmanager
    def paused(self):
        """Its replay stands still for the time of the block."""
        self.execute("SELECT pg_wal_replay_pause()")
        self.wait(lambda: self.value("SELECT pg_get_wal_replay_pause_state() = 'paused'"), "the pause")
        try:
            yield
        finally:
            self.execute("SELECT pg_wal_replay_resume()")

    def last_replayed_ms(self):
        return self.value("SELECT floor(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint")


@contextlib.contextmanager
def primary_and_standby():
    """Both running, with the demo's schema and role, for the time of the block."""
    with tempfile.TemporaryDirectory(prefix="users-export-replica.", dir="/tmp") as name:
        os.chmod(name, 0o755)
        folder = Path(name)
        if os.getuid() == 0:
            subprocess.run(["chown", "postgres", name], check=True)
        primary = Server(folder / "primary")
        standby = Standby(folder / "standby", primary)
        _run(_bin() / "initdb", "-D", primary.folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
             "--no-sync", "--no-instructions")
        primary.configure()
        try:
            primary.start()
            primary.execute("CREATE DATABASE users_export", database="postgres")
            primary.execute("CREATE ROLE export_worker LOGIN")
            primary.execute((ROOT / "deploy/sql/schema.sql").read_text())
            primary.execute("GRANT SELECT ON export_group, export_user TO export_worker")
            _run(_bin() / "pg_basebackup", "-D", standby.folder, "-R", "-X", "stream", "-c", "fast", "--no-sync",
                 "-h", "127.0.0.1", "-p", primary.port, "-U", "postgres")
            standby.configure()
            standby.start()
            yield primary, standby
        finally:
            standby.stop()
            primary.stop()
