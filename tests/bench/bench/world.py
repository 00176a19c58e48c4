# SPDX-License-Identifier: Apache-2.0
"""Where the sides run: the private services, their clients, the worker."""
import gzip
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import uuid

import boto3
import duckdb
import psycopg2
from botocore.config import Config
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from .measure import Failed, process_cpu_s, process_kib, tree_cpu_s

HERE = pathlib.Path(__file__).resolve().parent.parent
PEER_BUCKET = "bench-peers"
OUTCOME_LIMIT_S = 900


class World:
    def __init__(self, out_dir):
        self.out_dir = pathlib.Path(out_dir)
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.bin = pathlib.Path(os.environ["USERS_EXPORT_BIN"])
        self.broker = os.environ["EXPORT_KAFKA_BOOTSTRAP_SERVERS"]
        self.admin_dsn = os.environ["USERS_EXPORT_ADMIN_DSN"]
        self.environment = {**os.environ, **self._peer_environment()}
        self.s3 = boto3.client("s3", endpoint_url=os.environ["EXPORT_S3_ENDPOINT"], region_name="us-east-1",
                               aws_access_key_id=os.environ["EXPORT_S3_ACCESS_KEY_ID"],
                               aws_secret_access_key=os.environ["EXPORT_S3_SECRET_ACCESS_KEY"],
                               config=Config(s3={"addressing_style": "path"}, max_pool_connections=16))
        self._make_places()

    def _peer_environment(self):
        dsn = re.match(r"postgresql://([^:]+):([^@]+)@([^:]+):(\d+)/(\w+)", os.environ["EXPORT_POSTGRES_DSN"])
        user, password, host, port, database = dsn.groups()
        return {"PGUSER": user, "PGPASSWORD": password, "PGHOST": host, "PGPORT": port, "PGDATABASE": database,
                "KAFKA_BOOTSTRAP": self.broker, "KAFKA_TOPIC": "bench-results", "KAFKA_COMMANDS": "bench-commands",
                "S3_ENDPOINT": os.environ["EXPORT_S3_ENDPOINT"], "S3_BUCKET": PEER_BUCKET,
                "AWS_ACCESS_KEY_ID": os.environ["EXPORT_S3_ACCESS_KEY_ID"],
                "AWS_SECRET_ACCESS_KEY": os.environ["EXPORT_S3_SECRET_ACCESS_KEY"],
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "PYTHON": sys.executable}

    def _make_places(self):
        if PEER_BUCKET not in [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]:
            self.s3.create_bucket(Bucket=PEER_BUCKET)
        self.make_topics("bench-results", "bench-commands")
        self.exportctl("topics", "create", "--partitions", "4", "--replication-factor", "1")

    def make_topics(self, *names, partitions=4, **settings):
        admin = AdminClient({"bootstrap.servers": self.broker})
        have = admin.list_topics(timeout=10).topics
        new = [NewTopic(name, partitions, 1, config=settings) for name in names if name not in have]
        for future in (admin.create_topics(new) if new else {}).values():
            future.result()

    def exportctl(self, *arguments):
        subprocess.run([self.bin / "exportctl", *arguments], check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def servers_cpu_s(self):
        """What the services have used so far, by name."""
        folder = pathlib.Path(os.environ["BENCH_RUN_DIR"])
        pids = {name: int((folder / f"{name}.pid").read_text().split()[0]) for name in ("postgres", "s3", "kafka")}
        return {name: tree_cpu_s(pid) for name, pid in pids.items()}

    def log(self, name):
        return self.out_dir / f"{name}.log"

    def default_lanes(self):
        """export.lanes as the worker works it out here."""
        shown = subprocess.run([self.bin / "exportctl", "config", "show", "--output", "json"], check=True, text=True,
                               capture_output=True, env=self.environment)
        return int(json.loads(shown.stdout)["export.lanes"]["value"])

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def sql(self, text):
        connection = psycopg2.connect(self.admin_dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(text)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def producer(self, **settings):
        return Producer({"bootstrap.servers": self.broker, "enable.idempotence": True, "acks": "all", "linger.ms": 0,
                         "partitioner": "murmur2_random", **settings})

    def consumer_at_end(self, topic, isolation="read_committed"):
        """Reads what comes from now on."""
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": f"bench-{uuid.uuid4()}",
                             "enable.auto.commit": False, "isolation.level": isolation})
        for attempt in range(10):  # a topic that was just made has no leaders for a moment
            try:
                partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
                ends = [TopicPartition(topic, p, consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1])
                        for p in partitions]
                break
            except KafkaException:
                if attempt == 9:
                    raise
                time.sleep(0.5)
        consumer.assign(ends)
        consumer.poll(0.2)
        return consumer

    def rows_digest(self, bucket, key):
        """Rows of an object, whatever their order: their number and the sum of their hashes. One gzip member."""
        path = self.out_dir / "object.csv.gz"
        self.s3.download_file(bucket, key, str(path))
        count, total = 0, 0
        with gzip.open(path, "rb") as lines:
            for line in lines:
                count += 1
                total += int.from_bytes(hashlib.blake2b(line, digest_size=8).digest(), "big")
        size = path.stat().st_size
        path.unlink()
        return {"rows": count - 1, "digest": total % (1 << 64), "bytes": size}

    def values_digest(self, bucket, key):
        """The same of an object in whatever format, of the values' texts: DuckDB reads all three."""
        path = self.out_dir / pathlib.Path(key).name
        self.s3.download_file(bucket, key, str(path))
        with duckdb.connect() as connection:
            reader = {".csv.gz": "read_csv(?, header = true, all_varchar = true)", ".parquet": "read_parquet(?)",
                      ".jsonl.gz": "read_json(?, format = 'newline_delimited')"}
            source = next(call for ending, call in reader.items() if key.endswith(ending))
            names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)]).fetchall()]
            values = ", ".join(f'"{name}"::VARCHAR' for name in names)
            count, total = connection.execute(f"SELECT count(*), sum(hash([{values}])) FROM {source}", [str(path)]).fetchone()
        size = path.stat().st_size
        path.unlink()
        return {"rows": count, "digest": (names, int(total)), "bytes": size}


class Worker:
    """A real worker with the settings given; `with` starts and ends it. No version field: the rows of every side are the
    same then."""

    def __init__(self, world, **settings):
        self.world = world
        self.command_topic = settings.get("topics__command", "export-group")
        self.result_topic = settings.get("topics__result", "flairbit-users")
        self.arguments = ["--export.version_field=none", "--log.level=info"]
        self.arguments += [f"--{name.replace('__', '.')}={value}" for name, value in settings.items()]

    def __enter__(self):
        """A first command waits already: once it is exported, partitions are assigned and connections made."""
        self.log_path = self.world.log("worker")
        self.log_file = open(self.log_path, "ab")
        self.results = self.world.consumer_at_end(self.result_topic)
        self.producer = self.world.producer()
        first = self.send(["s0001"])
        start = time.monotonic()
        self.process = subprocess.Popen([self.world.bin / "export-worker", *self.arguments], stderr=self.log_file,
                                        stdin=subprocess.DEVNULL, env=self.world.environment)
        try:
            self.take_results(first, limit_s=120)
        except Failed:
            self.__exit__()
            raise
        self.start_s = time.monotonic() - start
        return self

    def __exit__(self, *_):
        self.results.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log_file.close()

    def send(self, groups):
        """A command for each; their ids."""
        ids = set()
        for group in groups:
            command_id = str(uuid.uuid4())
            ids.add(command_id)
            self.producer.produce(self.command_topic, json.dumps({"commandId": command_id}), group)
            self.producer.poll(0)
        if self.producer.flush(60):
            raise Failed("commands were not delivered")
        return ids

    def take_results(self, ids, limit_s=OUTCOME_LIMIT_S):
        """The results of these commands, as (time seen, value, headers)."""
        seen, count, deadline = [], len(ids), time.monotonic() + limit_s
        while len(seen) < count:
            message = self.results.poll(0.5)
            if self.process.poll() is not None:
                raise Failed(f"the worker ended, see {self.log_path}")
            if time.monotonic() > deadline:
                raise Failed(f"{len(seen)} of {count} results came within {limit_s} s")
            if message is None or message.error():
                continue
            headers = dict(message.headers())
            if headers["export-command-id"].decode() in ids:
                seen.append((time.monotonic(), json.loads(message.value()), headers))
        return seen

    def export(self, groups):
        """From the first command to the last visible result."""
        pid = self.process.pid
        user, system = process_cpu_s(pid)
        start = time.monotonic()
        results = self.take_results(self.send(groups))
        user_after, system_after = process_cpu_s(pid)
        last = max(results, key=lambda result: result[0])
        return {"seconds": last[0] - start, "user_s": user_after - user, "system_s": system_after - system,
                "peak_rss_kib": process_kib(pid, "VmHWM"), "groups": len(groups),
                "rows": sum(int(headers["export-row-count"]) for _, _, headers in results),
                "bytes": sum(int(headers["export-byte-count"]) for _, _, headers in results),
                "path": last[1]["filePath"]}


def topics_of(name):
    """Settings for topics of one's own."""
    return {f"topics__{kind}": f"{name}-{kind}" for kind in ("command", "retry", "state", "progress", "result", "dlq")}


def export_once(world, groups, **settings):
    with Worker(world, **settings) as worker:
        return worker.export(groups)


def place_of(path):
    """Bucket and key of s3://bucket/key."""
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return bucket, key
