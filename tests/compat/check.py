# SPDX-License-Identifier: Apache-2.0
"""A night end to end against the services of the environment (EXPORT_…), short: what has to hold with every version.

Prints one line of JSON: the versions that were met. Exit code 0 if all is right. The programs are in USERS_EXPORT_BIN.
"""
import atexit
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import psycopg
from botocore.config import Config
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

BIN = Path(os.environ["USERS_EXPORT_BIN"])
ADMIN_DSN = os.environ["USERS_EXPORT_ADMIN_DSN"]
BOOTSTRAP = os.environ["EXPORT_KAFKA_BOOTSTRAP_SERVERS"]
# The large one goes up in several parts; the killed worker is at it.
GROUPS = {"large": ("COST_BASED", 400_000), "small": ("COST_BASED", 3), "names": ("NON_COST_BASED", 60_000), "ünï/cøde %": ("COST_BASED", 7)}
ENCRYPTIONS = [found for found in os.environ.get("COMPAT_ENCRYPTION", "").split(",") if found]
QUICK = {"EXPORT_KAFKA_SESSION_TIMEOUT_MS": "6000", "EXPORT_KAFKA_HEARTBEAT_INTERVAL_MS": "500", "EXPORT_LOG_FORMAT": "json"}


def program(name, *arguments):
    done = subprocess.run([BIN / name, *arguments], env={**os.environ, **QUICK}, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{name} {' '.join(arguments)}: {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


def wait_for(condition, what, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


class Worker:
    def __init__(self, folder, number, **changes):
        self.path = Path(folder, f"worker-{number}.log")
        with open(self.path, "wb") as log:
            self.process = subprocess.Popen([BIN / "export-worker"], env={**os.environ, **QUICK, **changes}, stderr=log, stdin=subprocess.DEVNULL)
        atexit.register(self.process.kill)

    def text(self):
        return self.path.read_text(encoding="utf-8", errors="replace")

    def wait(self, text, seconds=90):
        wait_for(lambda: text in self.text() or self.process.poll() is not None, text, seconds)
        assert text in self.text(), self.text()[-3000:]

    def outcomes(self, kind):
        return self.text().count(f'"outcome":"{kind}"')

    def stop(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, self.text()[-3000:]


def make_groups():
    with psycopg.connect(ADMIN_DSN) as connection:
        for group, (kind, rows) in GROUPS.items():
            connection.execute("INSERT INTO matching_groups VALUES (%s, %s, true)", (group, kind))
            connection.execute("INSERT INTO users (username, group_id, display_name, date_of_birth, bio, smokes, preferred_min_age) "
                               "SELECT 'user.' || n, %s, 'User, \"' || n || '\"', date '1990-01-01' + n %% 9000, md5(n::text) || md5((-n)::text), n %% 2 = 0, 18 "
                               "FROM generate_series(1, %s) n", (group, rows))
    with psycopg.connect(ADMIN_DSN, autocommit=True) as connection:
        connection.execute("ANALYZE users")
        return connection.execute("SHOW server_version").fetchone()[0]


def results():
    reader = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "compat-reader", "enable.auto.commit": False, "isolation.level": "read_committed",
                       "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    partitions = reader.list_topics("flairbit-users", timeout=20).topics["flairbit-users"].partitions
    reader.assign([TopicPartition("flairbit-users", number, 0) for number in partitions])
    found, ended = {}, set()
    while len(ended) < len(partitions):
        message = reader.poll(30)
        assert message is not None, "the results cannot be read to their end"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
        else:
            found.setdefault(message.key().decode(), []).append((dict(message.headers()), json.loads(message.value())))
    reader.close()
    return found


def store():
    return boto3.client("s3", endpoint_url=os.environ["EXPORT_S3_ENDPOINT"], region_name=os.environ["EXPORT_S3_REGION"],
                        aws_access_key_id=os.environ["EXPORT_S3_ACCESS_KEY_ID"], aws_secret_access_key=os.environ["EXPORT_S3_SECRET_ACCESS_KEY"],
                        config=Config(s3={"addressing_style": "path"}))


def check_results():
    found = results()
    assert set(found) == set(GROUPS), set(found) ^ set(GROUPS)
    for group, (kind, rows) in GROUPS.items():
        parts = found[group]
        assert len(parts) == int(parts[0][0]["export-part-count"]), f"{group}: {len(parts)} announcements"
        assert int(parts[0][0]["export-row-count"]) == rows
        if kind == "NON_COST_BASED":
            assert sorted(name for _, value in parts for name in value["usernames"]) == sorted(f"user.{n}" for n in range(1, rows + 1))
            continue
        bucket, key = parts[0][1]["filePath"].removeprefix("s3://").split("/", 1)
        content = store().get_object(Bucket=bucket, Key=key)["Body"].read()
        assert hashlib.sha256(content).hexdigest() == parts[0][0]["export-sha256"].decode()
        assert gzip.decompress(content).count(b"\n") == rows + 1


def ask_for(group):
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "partitioner": "murmur2_random"})
    producer.produce("export-group", key=group.encode(), value=b"{}")
    assert producer.flush(30) == 0


def check_encryption(folder, encryption):
    """Asked for by the worker, seen on the objects by another client: one PUT and an upload in parts."""
    worker = Worker(folder, "sse-" + encryption.replace(":", "-"), EXPORT_S3_SSE=encryption)
    for number, group in enumerate(("small", "large"), 1):
        ask_for(group)
        wait_for(lambda: worker.outcomes("exported") == number, "an encrypted object")  # pylint: disable=cell-var-from-loop
        bucket, key = results()[group][-1][1]["filePath"].removeprefix("s3://").split("/", 1)
        seen = store().head_object(Bucket=bucket, Key=key).get("ServerSideEncryption")
        assert seen == encryption, f"{group}: asked for {encryption}, seen {seen}"
    worker.stop()


def check_lifecycle():
    """The rules that are shipped are taken. MinIO has none for unfinished uploads: it ends them itself, after a day."""
    client = store()
    rules = json.loads((Path(__file__).resolve().parents[2] / "deploy/s3/lifecycle.json").read_text(encoding="utf-8"))["Rules"]
    without = [rule for rule in rules if "AbortIncompleteMultipartUpload" not in rule]
    assert len(without) == len(rules) - 1
    for some, said in ((rules, "taken"), (without, "taken but for unfinished uploads")):
        try:
            client.put_bucket_lifecycle_configuration(Bucket="users-export", LifecycleConfiguration={"Rules": some})
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("NotImplemented", "MethodNotAllowed"):
                return "the server has none"
            continue
        assert len(client.get_bucket_lifecycle_configuration(Bucket="users-export")["Rules"]) == len(some)
        return said
    raise AssertionError("the rules are refused")


def ask_doctor():
    """All is well, within a while: of a broker that has just started the coordinators settle late."""
    deadline = time.monotonic() + 40
    while True:
        done = subprocess.run([BIN / "exportctl", "doctor", "--output=json"], env={**os.environ, **QUICK}, capture_output=True, text=True, check=False,
                              timeout=120)
        found = json.loads(done.stdout)
        wrong = [entry for entry in found if entry["result"] not in ("ok", "warn")]
        if found and not wrong:
            return found
        assert time.monotonic() < deadline, f"{wrong} {done.stderr}"


def main():
    folder = tempfile.mkdtemp(prefix="users-export-compat.")
    server = make_groups()
    try:
        store().create_bucket(Bucket="users-export")
    except store().exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "BucketAlreadyOwnedByYou", error
    program("exportctl", "topics", "create", "--partitions", "4", "--replication-factor", "1")
    program("exportctl", "topics", "check")
    first = Worker(folder, 1)
    first.wait('"event":"worker-ready"')
    doctor = ask_doctor()
    program("export-scheduler", "--run=compat")
    wait_for(lambda: first.outcomes("exported") > 0, "the first export")
    first.process.kill()  # in the middle of the large one, if it is not too quick
    first.process.wait(30)
    second = Worker(folder, 2)
    wait_for(lambda: set(results()) == set(GROUPS), "all groups, of two workers")
    check_results()
    program("export-scheduler", "--run=compat")  # the same run: duplicates
    wait_for(lambda: second.text().count('"reason":"duplicate"') >= len(GROUPS), "duplicates")
    check_results()
    program("exportctl", "verify", *GROUPS)
    second.stop()
    for encryption in ENCRYPTIONS:
        check_encryption(folder, encryption)
    lifecycle = check_lifecycle()
    wrong = [line for line in (first.text() + second.text()).splitlines() if '"outcome":"dead-lettered"' in line or '"outcome":"retried"' in line]
    assert not wrong, wrong
    assert "group-metadata-unknown" not in first.text() + second.text(), "src/kafka/group_metadata.c does not know this librdkafka's layout"
    cluster = AdminClient({"bootstrap.servers": BOOTSTRAP}).list_topics(timeout=10)
    print(json.dumps({"postgres": server, "brokers": len(cluster.brokers), "doctor": len(doctor),
                      "killed in the middle": "large" not in re.findall(r'"outcome":"exported","group":"([^"]+)"', first.text()),
                      "encryption": ENCRYPTIONS, "lifecycle rules": lifecycle}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
