# SPDX-License-Identifier: Apache-2.0
"""A primary that asks for TLS, a client certificate and a password, and a streaming replica of it."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from .processes import ROOT, Server, free_port, wait_for

HBA = """
local all all trust
hostssl replication replicator 127.0.0.1/32 scram-sha-256
hostssl all export_worker 127.0.0.1/32 scram-sha-256 clientcert=verify-full
hostssl all postgres 127.0.0.1/32 scram-sha-256
"""
# Groups that take their time (progress is said once a second), and groups that fail as a lock would make them.
KINDS_OF_GROUPS = """
CREATE FUNCTION as_its_kind(id text) RETURNS boolean LANGUAGE plpgsql STABLE COST 100000 AS $$
BEGIN
    IF id LIKE 'slow-%' THEN PERFORM pg_sleep(0.01); END IF;
    IF id LIKE 'retried-%' THEN RAISE EXCEPTION 'this group fails' USING ERRCODE = '55P03'; END IF;
    RETURN true;
END $$;
CREATE OR REPLACE VIEW export_user AS
SELECT username, group_id, display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids, education, religion, occupation,
       preferred_genders, preferred_min_age, preferred_max_age, relationship_type, open_to_long_distance, ready_for_matching, sent_to_matching_service
FROM users WHERE as_its_kind(group_id);
"""


def binaries():
    return Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])


def as_postgres(command):
    """initdb and postgres refuse root."""
    if os.getuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *map(str, command)]
    return list(map(str, command))


def quietly(command, **options):
    done = subprocess.run(as_postgres(command), capture_output=True, text=True, timeout=120, check=False, cwd="/", **options)
    assert done.returncode == 0, done.stderr


class Node:
    """One server: a data directory, its certificates, a port."""

    def __init__(self, name, log):
        self.name, self.port = name, free_port()
        self.data = Path(tempfile.mkdtemp(prefix="users-export-tls-pg."))
        self.certificates = Path(tempfile.mkdtemp(prefix="users-export-tls-pg."))
        for folder in (self.data, self.certificates):
            shutil.chown(folder, "postgres") if os.getuid() == 0 else None
            folder.chmod(0o700)
        self.server = Server(name, as_postgres([binaries() / "postgres", "-D", self.data]), log, cwd="/", env={**os.environ, "HOME": "/"})

    def install(self, certificate, key, ca):
        for path, name in ((certificate, "server.crt"), (key, "server.key"), (ca, "client-ca.crt")):
            target = self.certificates / name
            shutil.copy(path, target)
            target.chmod(0o600)
            if os.getuid() == 0:
                shutil.chown(target, "postgres")

    def configure(self, ssl=True):
        with open(self.data / "users-export.conf", "w", encoding="ascii") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.data}'\nfsync = off\n"
                       f"ssl = {'on' if ssl else 'off'}\nssl_cert_file = '{self.certificates}/server.crt'\n"
                       f"ssl_key_file = '{self.certificates}/server.key'\nssl_ca_file = '{self.certificates}/client-ca.crt'\n"
                       "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\nlog_statement = all\nlog_connections = on\n"
                       "max_connections = 60\nshared_buffers = 64MB\n")
        with open(self.data / "pg_hba.conf", "w", encoding="ascii") as file:
            file.write(HBA)

    def start(self):
        pid = self.data / "postmaster.pid"
        pid.unlink(missing_ok=True)
        self.server.start(lambda: subprocess.run(["pg_isready", "-q", "-h", str(self.data), "-p", str(self.port)], check=False).returncode == 0, 60)
        return self

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)

    def stop(self):
        self.server.stop(signal.SIGINT)

    def remove(self):
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.certificates, ignore_errors=True)

    def connect(self, database="users_export"):
        """As superuser, by the socket."""
        return psycopg.connect(host=str(self.data), port=self.port, user="postgres", dbname=database, autocommit=True)


class Postgres:
    def __init__(self, folder, authority, password):
        self.authority, self.password = authority, password
        self.primary, self.replica = Node("primary", folder / "primary.log"), Node("replica", folder / "replica.log")
        self.good = authority.issue("localhost", file="postgres")
        self.client = authority.issue("export_worker", hosts=())

    def start(self):
        primary, replica = self.primary, self.replica
        quietly([binaries() / "initdb", "-D", primary.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
        with open(primary.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write("include 'users-export.conf'\n")
        for node in (primary, replica):
            node.install(*self.good, self.authority.ca)
        primary.configure()
        primary.start()
        with primary.connect("postgres") as connection:
            connection.execute("CREATE DATABASE users_export")
            connection.execute(f"CREATE ROLE replicator LOGIN REPLICATION PASSWORD '{self.password}'")
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(primary.data), "-p", str(primary.port), "-U", "postgres", "-d",
                        "users_export", "-v", f"worker_password={self.password}", "-f", ROOT / "deploy/sql/schema.sql", "-f",
                        ROOT / "deploy/sql/roles.sql"], check=True, timeout=60)
        with primary.connect() as connection:
            connection.execute(KINDS_OF_GROUPS)
        shutil.rmtree(replica.data)
        quietly([binaries() / "pg_basebackup", "-D", replica.data, "-R", "-X", "stream", "-c", "fast", "-d",
                 f"host=localhost port={primary.port} user=replicator sslmode=require"], env={**os.environ, "PGPASSWORD": self.password, "HOME": "/"})
        replica.configure()
        replica.start()
        return self

    def stop(self):
        self.replica.remove()
        self.primary.remove()

    def execute(self, statement, parameters=None):
        with self.primary.connect() as connection:
            connection.execute(statement, parameters)
        self.settle()

    def settle(self):
        """Until the replica has what the primary has."""
        if self.replica.server.process is None or self.replica.server.process.poll() is not None:
            return
        with self.primary.connect() as connection:
            end = connection.execute("SELECT pg_current_wal_lsn()").fetchone()[0]

        def there():
            with self.replica.connect() as connection:
                return connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (end,)).fetchone()[0]

        wait_for(there, "the replica")

    def dsn(self, nodes=None, **changes):
        nodes = nodes or (self.replica, self.primary)
        values = {"host": ",".join(["localhost"] * len(nodes)), "port": ",".join(str(node.port) for node in nodes), "dbname": "users_export",
                  "user": "export_worker", "password": self.password, "target_session_attrs": "prefer-standby", "sslmode": "verify-full",
                  "sslrootcert": self.authority.ca, "sslcert": self.client[0], "sslkey": self.client[1], "connect_timeout": 5, **changes}
        return " ".join(f"{name}={value}" for name, value in values.items() if value is not None)

    def add_group(self, group_id, rows, group_type="COST_BASED"):
        with self.primary.connect() as connection:
            connection.execute("INSERT INTO matching_groups (group_id, group_type) VALUES (%s, %s)", (group_id, group_type))
            connection.execute("INSERT INTO users (username, group_id, bio) SELECT 'user' || n, %s, 'x' FROM generate_series(1, %s) n",
                               (group_id, rows))
        self.settle()
