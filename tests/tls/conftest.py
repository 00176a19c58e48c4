# SPDX-License-Identifier: Apache-2.0
"""One world for the session. Every test starts the real programs against it, changing one thing."""
import itertools
import secrets as random
import shutil
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("world")

from world.authority import Authority
from world.kafka import Kafka
from world.postgres import Postgres
from world.processes import Server, Worker, free_port, listens, run
from world.s3 import S3

DOMAIN = "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
# Production's intervals would only make the tests wait.
QUICK = {"EXPORT_KAFKA_SESSION_TIMEOUT_MS": "6000", "EXPORT_KAFKA_HEARTBEAT_INTERVAL_MS": "500", "EXPORT_STARTUP_TIMEOUT": "20s",
         "EXPORT_HTTP_LISTEN": "", "EXPORT_LOG_FORMAT": "json", "EXPORT_RETRY_DELAYS": "2s,5m,30m"}


class World:
    def __init__(self, folder):
        self.folder = folder
        self.secret = {name: random.token_hex(12) for name in ("kafka", "postgres", "s3", "redis")}
        self.authority = Authority(folder / "ca")
        self.stranger = Authority(folder / "stranger", "a stranger")
        self.kafka = Kafka(folder / "kafka", self.authority,
                           {name: self.secret["kafka"] for name in ("users-export-worker", "users-export-scheduler", "users-export-operator")})
        self.postgres = Postgres(folder, self.authority, self.secret["postgres"])
        self.s3 = S3(folder, self.authority, self.secret["s3"])
        self._numbers = itertools.count(1)
        self.workers = []
        self.said = []

    def start(self):
        for service in (self.kafka, self.postgres, self.s3):
            service.start()
        self.s3.make_user("export-worker")
        self.s3.make_user("nobody")
        self.s3.make_bucket()
        self.s3.allow("export-worker")
        return self

    def stop(self):
        for service in (self.s3, self.postgres, self.kafka):
            service.stop()

    def settings(self, user="users-export-worker", **changes):
        found = {**QUICK, "EXPORT_KAFKA_BOOTSTRAP_SERVERS": f"localhost:{self.kafka.scram_port}", "EXPORT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                 "EXPORT_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "EXPORT_KAFKA_SASL_USERNAME": user,
                 "EXPORT_KAFKA_SASL_PASSWORD": self.secret["kafka"], "EXPORT_KAFKA_SSL_CA_LOCATION": str(self.authority.ca),
                 "EXPORT_POSTGRES_DSN": self.postgres.dsn(), "EXPORT_STORAGE_URL": "s3://users-export/exports",
                 "EXPORT_S3_ENDPOINT": self.s3.endpoint, "EXPORT_S3_CA_FILE": str(self.authority.ca),
                 "EXPORT_S3_ACCESS_KEY_ID": "export-worker", "EXPORT_S3_SECRET_ACCESS_KEY": self.secret["s3"],
                 "EXPORT_EXPORT_DOMAIN_ID": DOMAIN, "EXPORT_EXPORT_WORK_DIR": str(self.folder / "work")}
        found.update(changes)
        return {name: value for name, value in found.items() if value is not None}

    def run(self, program, *arguments, timeout=90, **changes):
        user = "users-export-scheduler" if program == "export-scheduler" else "users-export-worker"
        code, said = run(program, *arguments, env=self.settings(user, **changes), timeout=timeout)
        self.said.append(said)
        return code, said

    def worker(self, *arguments, **changes):
        worker = Worker(self.settings(**changes), self.folder / f"worker-{next(self._numbers)}.log", arguments)
        self.workers.append(worker)
        return worker

    def new_group(self, rows=3, group_type="COST_BASED", kind="group"):
        """kind `slow`: 10 ms a row; `retried`: its rows cannot be read for now."""
        group_id = f"{kind}-{next(self._numbers)}"
        self.postgres.add_group(group_id, rows, group_type)
        return group_id

    def command(self, group_id, partition=None):
        self.kafka.send("export-group", group_id.encode(), b"{}", partition)

    def results(self, group_id):
        return [record for record in self.kafka.read("flairbit-users") if record.key() == group_id.encode()]


@pytest.fixture(scope="session")
def world():
    folder = Path(tempfile.mkdtemp(prefix="users-export-tls."))
    folder.chmod(0o755)
    made = World(folder)
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def after(request):
    """No worker outlives its test, and no secret is in what was said."""
    yield
    if "world" not in request.fixturenames:
        return
    made = request.getfixturevalue("world")
    for worker in made.workers:
        worker.kill()
    everything = "".join(worker.text() for worker in made.workers) + "".join(made.said)
    made.workers.clear()
    made.said.clear()
    for name, secret in made.secret.items():
        assert secret not in everything, f"the secret of {name} was said"


@pytest.fixture(scope="session")
def redis_server(world):
    """(url without TLS, url with TLS), a server that asks for a password on both."""
    plain, tls = free_port(), free_port()
    certificate, key = world.authority.issue("localhost", file="redis")
    config = world.folder / "redis.conf"
    config.write_text(f"bind 127.0.0.1\nport {plain}\ntls-port {tls}\ntls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {world.authority.ca}\n"
                      f"tls-auth-clients no\nrequirepass {world.secret['redis']}\nsave \"\"\nappendonly no\ndaemonize no\ndir {world.folder}\n", encoding="ascii")
    server = Server("redis", ["redis-server", config], world.folder / "redis.log").start(lambda: listens(plain) and listens(tls))
    yield plain, tls
    server.stop()
