# SPDX-License-Identifier: Apache-2.0
"""Everything of one run of cycles: services, brokers, links, workers, database, readers."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import uuid

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from support.kafka import record_of
from support.objects import Store
from support.programs import Worker, run
from support.services import _parse_env, _script

from .brokers import Brokers, free_port
from .checks import Checks
from .commands import GROUPS, GROWING, id_of_record
from .database import Database
from .ledger import Ledger
from .links import Proxy
from .reader import NotNow, Reader
from .runs import Runs

WORKERS = (1, 2, 3)
PARTITIONS = 4
DELAYS = "1s,2s,3s"
NOTICE_S = 3.0  # a consumer notices a new topic by its position, which must be beyond the end: see README.md
DEAD_LETTER_BYTES = 1_000_000
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

# Waits of production would only make a cycle longer; what is exactly-once does not depend on them.
QUICK = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_HEARTBEAT_INTERVAL_MS": "500", "KAFKA_TRANSACTION_TIMEOUT_MS": "5000",
         "KAFKA_RECONNECT_BACKOFF_MAX_MS": "500", "RETRY_DELAYS": DELAYS, "RETRY_ATTEMPTS": "2", "COMMIT_INTERVAL": "50ms",
         "POSTGRES_STALL_TIMEOUT": "5s", "REDIS_TTL": "2s", "S3_CONNECT_TIMEOUT": "1s", "S3_STALL_TIMEOUT": "3s",
         "EXPORT_LANES": "3", "STARTUP_TIMEOUT": "60s", "SHUTDOWN_TIMEOUT": "5s", "LOG_LEVEL": "debug", "HTTP_LISTEN": ""}


class World:
    def __init__(self, folder, broker_count, overrides=None):
        self.folder, self.broker_count = folder, broker_count
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        self._closing = contextlib.ExitStack()
        self.overrides = dict(overrides or {})
        self.workers = {}                     # number: Worker
        self.started = []                     # all workers ever
        self.expected_ends = set()            # pids that the harness ended
        self.rows_added = []                  # cycle of each growth of the groups
        self.held_dead_letter = None          # of a command that can be replayed now
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    # -- start ---------------------------------------------------------------------------------------------------------
    def _open(self):
        folder = self.folder
        self.run_dir = str(folder / "services")
        self._closing.callback(lambda: _script("stop", run_dir=self.run_dir))
        _script("start", "postgres", "s3", "redis", "--owner", str(os.getpid()), run_dir=self.run_dir)
        self.env = _parse_env(_script("env", run_dir=self.run_dir))
        self.proxy = Proxy(folder)
        self._closing.callback(self.proxy.close)
        taken = set()
        self.brokers = Brokers(self.broker_count, folder / "kafka", WORKERS, self.proxy, taken)
        self._closing.callback(self.brokers.close)
        self.brokers.wait_ready()
        self.database = Database(self.env["USERS_EXPORT_ADMIN_DSN"])
        self._fill()
        self._open_links(taken)
        name = "chaos-" + uuid.uuid4().hex[:8]
        self.group_id = name
        self.topics = {kind: f"{name}-{kind}" for kind in ("command", "retry", "state", "progress", "result", "dlq", "run")}
        self.tiers = [f"{self.topics['retry']}-{n}" for n in range(len(DELAYS.split(",")))]
        self.sources = {self.topics["command"], *self.tiers}
        self.storage_url = f"s3://{name}/exports"
        self._create_topics()
        self._limit(self.topics["dlq"], DEAD_LETTER_BYTES)
        self.store = Store(self.env)
        self.store.ensure_bucket(name)
        self._producer = self._new_producer()
        self._unplaced = []  # commands whose offset the producer was not told, with their partitions
        self._touch_group()
        self.ledger = Ledger(self.topics, self.tiers, PARTITIONS)
        topics = [name for kind, name in self.topics.items() if kind not in ("retry", "progress", "run")] + self.tiers
        self.reader = Reader(self.brokers.bootstrap, self.group_id, topics, PARTITIONS, self.ledger)
        self._closing.callback(self.reader.close)
        self.checks = Checks(self)
        self.runs = Runs(self)
        self._mount_work_dirs()
        for number in WORKERS:
            self.start_worker(number)

    def _new_producer(self):
        return Producer({"bootstrap.servers": self.brokers.bootstrap, "log_level": 0, "linger.ms": 0,
                         "partitioner": "murmur2_random", "message.max.bytes": 5_000_000,
                         "enable.idempotence": True, "reconnect.backoff.max.ms": 500})

    def _create_topics(self):
        """Those that are not there."""
        done = run("exportctl", ["topics", "create", f"--partitions={PARTITIONS}",
                                 f"--replication-factor={self.broker_count}"], self.settings(1, direct=True), 90)
        assert done.code == 0, done

    def remake_topic(self, topic, pause_s):
        """Delete a topic under the workers and create it again, at once or after a pause. Only in quiet."""
        admin = AdminClient({"bootstrap.servers": self.brokers.bootstrap, "log_level": 0})
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        settings = {name: entry.value for name, entry in admin.describe_configs([resource])[resource].result(30).items()
                    if not entry.is_default}
        self.ledger.begin_anew(topic)
        admin.delete_topics([topic], operation_timeout=30)[topic].result(30)
        time.sleep(pause_s)
        deadline = time.monotonic() + 30
        while True:  # its name is free once it is gone
            try:
                admin.create_topics([NewTopic(topic, PARTITIONS, self.broker_count, config=settings)])[topic].result(30)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        while topic not in admin.list_topics(timeout=10).topics:
            assert time.monotonic() < deadline, f"{topic} is not created"
            time.sleep(0.02)
        self.reader.begin_anew(topic)
        time.sleep(NOTICE_S)
        self._producer = self._new_producer()  # the old one remembers a topic that is no more

    def _limit(self, topic, size):
        """A topic that refuses larger records."""
        entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        admin = AdminClient({"bootstrap.servers": self.brokers.bootstrap, "log_level": 0})
        admin.incremental_alter_configs([resource])[resource].result(30)

    def _touch_group(self):
        """The broker makes its topic of offsets when it is first asked for a group."""
        deadline = time.monotonic() + 60
        from confluent_kafka import Consumer
        consumer = Consumer({"bootstrap.servers": self.brokers.bootstrap, "group.id": "chaos-touch", "log_level": 0})
        try:
            consumer.subscribe([self.topics["command"]])
            while not consumer.assignment():
                assert time.monotonic() < deadline, "the group coordinator does not answer"
                consumer.poll(0.1)
        finally:
            consumer.close()

    def _fill(self):
        for group_id, (group_type, users, options) in GROUPS.items():
            self.database.add_group(group_id, group_type, options.get("active", True))
            if users:
                self.database.add_users(group_id, 1, users, options.get("bio", 1), options.get("name", 0))
            if "code" in options or "sleep_s" in options:
                self.database.weather(group_id, options.get("code", ""), 1e6, options.get("sleep_s", 0.0))

    def _open_links(self, taken):
        targets = {name: int(re.search(r":(\d+)", address.rpartition("@")[2] or address)[1]) for name, address in (
            ("postgres", self.env["EXPORT_POSTGRES_DSN"]), ("redis", self.env["EXPORT_REDIS_URL"]),
            ("s3", self.env["EXPORT_S3_ENDPOINT"]))}
        self.link_ports = {}
        for number in WORKERS:
            for name, target in targets.items():
                port = self.link_ports[number, name] = free_port(taken)
                self.proxy.open(f"w{number}-{name}", "http" if name == "s3" else "tcp", port, target)

    def _mount_work_dirs(self):
        """Small file systems, so that one can be full; without the right to mount, plain folders."""
        self.work_mounted = os.geteuid() == 0
        for number in WORKERS:
            path = self.folder / f"work-{number}"
            path.mkdir()
            if self.work_mounted:
                done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "users-export-chaos", str(path)],
                                      check=False, capture_output=True)
                self.work_mounted = done.returncode == 0
                if self.work_mounted:
                    self._closing.callback(subprocess.run, ["umount", "-l", str(path)], check=False)

    def resize_work_dir(self, number, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder / f"work-{number}")], check=True,
                       capture_output=True)

    # -- workers -------------------------------------------------------------------------------------------------------
    def settings(self, number, direct=False):
        def through(address, name):
            host, _, rest = address.rpartition("@")
            changed = re.sub(r":\d+", f":{self.link_ports[number, name]}", rest if host else address.partition("://")[2], count=1)
            return f"{host}@{changed}" if host else f"{address.partition('://')[0]}://{changed}"

        values = {**QUICK, "KAFKA_GROUP_ID": self.group_id, "STORAGE_URL": self.storage_url,
                  "KAFKA_BOOTSTRAP_SERVERS": self.brokers.bootstrap if direct else self.brokers.bootstrap_of(number),
                  **{f"TOPICS_{kind.upper()}": name for kind, name in self.topics.items()},
                  "POSTGRES_GROUP_VIEW": "chaos_group", "POSTGRES_USER_VIEW": "chaos_user",
                  "POSTGRES_DSN": through(self.env["EXPORT_POSTGRES_DSN"], "postgres"),
                  "REDIS_URL": through(self.env["EXPORT_REDIS_URL"], "redis"),
                  "S3_ENDPOINT": through(self.env["EXPORT_S3_ENDPOINT"], "s3"),
                  "EXPORT_WORK_DIR": str(self.folder / f"work-{number}"), **self.overrides}
        if direct:  # a program that is no worker
            values = {name: value for name, value in values.items() if name.startswith(("KAFKA_B", "KAFKA_G", "TOPICS", "RETRY"))}
        base = {name: value for name, value in self.env.items() if name.startswith("EXPORT_")}
        return {**base, **{f"EXPORT_{name}": value for name, value in values.items()}}

    def start_worker(self, number, environ=None):
        path = self.folder / f"worker-{number}-{len(self.started) + 1}.log"
        self.proxy.started(f"w{number}")
        worker = Worker([], {**self.settings(number), **(environ or {})}, path)
        worker.number = number
        self.workers[number] = worker
        self.started.append(worker)
        return worker

    def kill_worker(self, number):
        worker = self.workers[number]
        self.expected_ends.add(worker.pid)
        if worker.running:
            os.kill(worker.pid, signal.SIGKILL)
        worker.process.wait(20)

    def end_worker(self, number, timeout=25):
        """SIGTERM; waits."""
        worker = self.workers[number]
        self.expected_ends.add(worker.pid)
        code = worker.stop(timeout)
        if code != 0:
            self.checks.blame("false", f"a worker ended with {code} after SIGTERM: {worker.log_path}")

    def heal_workers(self):
        for number, worker in list(self.workers.items()):
            if worker.running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)
            else:
                self.start_worker(number)

    def check_workers(self):
        for worker in self.started:
            if not worker.running and worker.pid not in self.expected_ends:
                self.expected_ends.add(worker.pid)
                self.checks.blame("false", f"a worker ended by itself with {worker.process.returncode}: {worker.log_path}: "
                                           f"{worker.text()[-1500:]}")

    # -- services ------------------------------------------------------------------------------------------------------
    def service(self, verb, name):
        _script(verb, name, run_dir=self.run_dir)

    def signal_service(self, name, number):
        with open(f"{self.run_dir}/{name}.pid", encoding="ascii") as file:
            os.kill(int(file.read().split()[0]), number)

    # -- commands ------------------------------------------------------------------------------------------------------
    def grow(self, cycle):
        """Every small group gets one more user, so that exporting it again would not give the same file."""
        self.rows_added.append(cycle)
        number = 1_000_000 + len(self.rows_added)
        for group_id in GROWING:
            self.database.add_users(group_id, number, number, prefix="new")

    def grown_since(self, command):
        return sum(1 for cycle in self.rows_added if cycle > command.cycle)

    def send(self, command):
        """Produce without waiting; the command knows its place when flush() has returned."""
        def delivered(error, message):
            if error is not None:
                raise RuntimeError(f"the harness cannot send: {error}")
            if message.offset() is None:  # taken, but the answer was lost: the broker only says that it knows it already
                self._unplaced.append((command, message.partition()))
            else:
                self._place(command, record_of(message))

        self.ledger.expect(command)
        options = {}
        if command.wrong_partition:
            options["partition"] = (self.ledger.home_of(command) + 1) % PARTITIONS
        elif command.key is None:
            options["partition"] = self.ledger.home_of(command)
        self._producer.produce(self.topics["command"], key=command.key, value=command.value, headers=command.headers,
                               on_delivery=delivered, **options)
        self._producer.poll(0)

    def announce(self, topic, key, value, headers):
        """Produce a record that is no command, and wait until Kafka has it."""
        self._producer.produce(topic, key=key, value=value, headers=headers)
        assert self._producer.flush(60) == 0, f"Kafka did not take a record of {topic}"

    def flush(self, timeout=60):
        deadline = time.monotonic() + timeout
        assert self._producer.flush(timeout) == 0, "Kafka did not take the harness' commands"
        while self._unplaced:
            command, partition = self._unplaced.pop()
            while not (found := self.ledger.in_command_at(command, partition)):
                assert time.monotonic() < deadline, f"a command that Kafka took is not to be read: {command}"
                time.sleep(0.1)
            self._place(command, found[0].record)

    def _place(self, command, record):
        command.sent = record
        if not command.command_id and command.reason != "malformed-command":
            command.command_id = id_of_record(self.brokers.cluster_id, record)

    # -- quiet ---------------------------------------------------------------------------------------------------------
    def behind(self):
        """{source partition: (committed offset, end)} where they differ; None while not all has been read."""
        ends = self.reader.ends()
        if not self.reader.drained(ends):
            return None
        with self.ledger.lock:
            committed = {place: position.offset for place, position in self.ledger.positions.items()}
        return {place: (committed.get(place), end) for place, end in ends.items()
                if place[0] in self.sources and committed.get(place, 0) != end}

    def settled(self):
        """Lag 0 in the command topic and every tier, and everything read up to the high watermarks."""
        try:
            ends = self.reader.ends()
            return self.behind() == {} and self.reader.ends() == ends
        except NotNow:
            return False

    def lag(self):
        try:
            behind = self.behind()
            return "not all that there is can be read: is a transaction open?" if behind is None else behind
        except NotNow as error:
            return str(error)

    def close(self):
        for worker in self.started:
            if worker.running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGCONT)
                worker.kill()
        self._closing.close()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
