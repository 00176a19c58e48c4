# SPDX-License-Identifier: Apache-2.0
"""One test's own way from command to result: topics, views, consumer group, object prefix, work directory, programs."""
import itertools
import json
import time
import uuid

from .database import Database
from .kafka import Reader
from .murmur2 import partition_of
from .programs import Worker, flags, parse_log, run

NAMESPACE = uuid.UUID("10731def-ce10-4a86-a579-f4438f52a638")
KINDS = ("command", "retry", "state", "progress", "result", "dlq", "run")
# Intervals of production would only make the tests wait; what is exactly-once does not depend on them.
QUICK = {"EXPORT_KAFKA_SESSION_TIMEOUT_MS": "6000", "EXPORT_KAFKA_HEARTBEAT_INTERVAL_MS": "500"}


class Pipe:
    def __init__(self, services, broker, store, folder, partitions=3):
        self.services, self.broker, self.store, self.folder = services, broker, store, folder
        self.suffix = "t" + uuid.uuid4().hex[:10]
        self.topic = {kind: f"{self.suffix}-{kind}" for kind in KINDS}
        self.group_id = f"{self.suffix}-workers"
        self.storage_url = f"s3://{self.suffix}-exports/some/prefix"
        self.database = Database(services.admin_dsn, services.worker_dsn, self.suffix)
        self.settings = {**services.settings, **QUICK,
                         **{f"EXPORT_TOPICS_{kind.upper()}": name for kind, name in self.topic.items()},
                         "EXPORT_KAFKA_GROUP_ID": self.group_id,
                         "EXPORT_POSTGRES_GROUP_VIEW": self.database.group_view,
                         "EXPORT_POSTGRES_USER_VIEW": self.database.user_view,
                         "EXPORT_STORAGE_URL": self.storage_url,
                         "EXPORT_EXPORT_WORK_DIR": str(folder / "work"),
                         "EXPORT_HTTP_LISTEN": "", "EXPORT_STARTUP_TIMEOUT": "20s"}
        self.workers = []
        self.schedulers = []
        self.programs = []
        self._readers = {}
        self._names = itertools.count(1)
        if partitions:
            self.create_topics(partitions)

    # -- programs ---------------------------------------------------------------------------------------------------
    def create_topics(self, partitions=3):
        done = self.ctl("topics", "create", f"--partitions={partitions}", "--replication-factor=1")
        assert done.code == 0, done
        return done

    def ctl(self, *arguments, timeout=60, **settings):
        return self._run("exportctl", arguments, settings, timeout)

    def scheduler(self, *arguments, timeout=60, prefix=(), **settings):
        return self._run("export-scheduler", arguments, settings, timeout, prefix)

    def _run(self, name, arguments, settings, timeout, prefix=()):
        done = run(name, list(arguments), {**self.settings, **settings}, timeout, prefix)
        self.programs.append(done)
        return done

    def worker(self, prefix=(), environ=None, **settings):
        """Start a worker; settings as export__mask='bio:null' (two underscores for the point)."""
        arguments = flags({name.replace("__", "."): value for name, value in settings.items()})
        path = self.folder / f"worker-{len(self.workers) + 1}.log"
        worker = Worker(arguments, {**self.settings, **(environ or {})}, path, prefix)
        self.workers.append(worker)
        return worker

    def start_scheduler(self, *arguments, **settings):
        """A scheduler in the background, as a worker is one."""
        path = self.folder / f"scheduler-{next(self._names)}.log"
        scheduler = Worker(list(arguments), {**self.settings, **settings}, path, name="export-scheduler")
        self.schedulers.append(scheduler)
        return scheduler

    def end_workers(self):
        """Each ends by itself or is ended, and with 0."""
        for worker in self.workers:
            if worker.running:
                worker.terminate()
            assert worker.wait(60) == 0

    # -- commands ---------------------------------------------------------------------------------------------------
    def new_group(self, group_type="COST_BASED", rows=0, active=True, group_id=None, **options):
        """A group with `rows` users; its id."""
        group_id = group_id or f"{self.suffix}-g{next(self._names)}"
        self.database.add_group(group_id, group_type, active)
        if rows:
            self.database.add_many(group_id, rows, **options)
        return group_id

    def new_small_groups(self, count):
        """Groups of 5 users, every fourth without a file; their ids."""
        self.database.execute("""
            INSERT INTO {s}_groups SELECT '{s}-' || n, CASE n %% 4 WHEN 0 THEN 'NON_COST_BASED' ELSE 'COST_BASED' END, true
                FROM generate_series(1, %d) n;
            INSERT INTO {s}_users (username, group_id) SELECT 'u' || n || '-' || m, '{s}-' || n
                FROM generate_series(1, %d) n, generate_series(1, 5) m""" % (count, count))
        return [f"{self.suffix}-{n}" for n in range(1, count + 1)]

    def send(self, group_id, value=None, **options):
        """Produce a command; `value` a dictionary or bytes, by default the smallest one that there is."""
        if value is None:
            value = {"groupId": group_id}
        if isinstance(value, dict):
            value = json.dumps(value).encode()
        key = options.pop("key", group_id.encode())
        return self.broker.send(self.topic["command"], key, value, **options)

    def send_id(self, group_id, **fields):
        """Produce a command with an id of its own; the id."""
        command_id = str(uuid.uuid4())
        self.send(group_id, {"groupId": group_id, "commandId": command_id, **fields})
        return command_id

    def partition_of(self, group_id):
        return partition_of(group_id.encode(), self.broker.partition_count(self.topic["command"]))

    def wrong_partition(self, group_id):
        return (self.partition_of(group_id) + 1) % self.broker.partition_count(self.topic["command"])

    # -- what came out ----------------------------------------------------------------------------------------------
    def reader(self, kind):
        if kind not in self._readers:
            self._readers[kind] = Reader(self.broker.bootstrap, self.topic[kind])
        return self._readers[kind]

    def new_reader(self, kind, isolation="read_committed"):
        """One of its own, for another thread; the caller closes it."""
        return Reader(self.broker.bootstrap, self.topic[kind], isolation)

    def results(self):
        return self.reader("result").drain()

    def dead_letters(self):
        return self.reader("dlq").drain()

    def states(self):
        """{group id: the newest state record's JSON}"""
        return {record.key.decode(): json.loads(record.value) for record in self.reader("state").drain()}

    def settle(self, timeout=60):
        """Until every command has its outcome: nothing is left behind the committed offsets, not even a marker."""
        deadline = time.monotonic() + timeout
        while True:
            lag = self.broker.lag(self.group_id, self.topic["command"])
            if not any(lag.values()):
                return
            assert any(worker.running for worker in self.workers), "the last worker has ended"
            assert time.monotonic() < deadline, f"after {timeout} s the lag of {self.topic['command']} is {lag}"
            time.sleep(0.1)

    def run_worker(self, timeout=60, **settings):
        """A worker that does everything that there is, and stops."""
        worker = self.worker(**settings)
        self.settle(timeout)
        assert worker.stop() == 0
        return worker

    def keys(self):
        return self.store.keys(self.storage_url)

    def object_url(self, group_segment, command_id, domain_id=None):
        return f"{self.storage_url}/{domain_id or self.services.domain_id}/{group_segment}/{command_id}.csv.gz"

    # -- the end ----------------------------------------------------------------------------------------------------
    def all_logs(self):
        return "".join([worker.text() for worker in self.workers + self.schedulers] + [done.said for done in self.programs])

    def close(self):
        for worker in self.workers + self.schedulers:
            worker.kill()
        for reader in self._readers.values():
            reader.close()
        self.broker.delete_topics(self.broker.topics(self.suffix))
        self.database.drop()

    def check_logs(self):
        """What holds for every test: log lines are JSON, and no secret is in them."""
        for worker in self.workers + self.schedulers:
            text = worker.text()
            # Of a killed one the last line may be a piece.
            parse_log(text if worker.process.returncode == 0 else text[:text.rfind("\n") + 1])
        for secret in self.services.secrets():
            assert secret not in self.all_logs(), "a secret is in the output of a program"
