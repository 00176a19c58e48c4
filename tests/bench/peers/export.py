# SPDX-License-Identifier: Apache-2.0
"""What a data engineer would write.

one GROUP KEY LEVEL                 export one group
many THREADS none|tx FROM TO LEVEL  export groups sFROM..sTO with persistent connections
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import boto3
from botocore.config import Config
from confluent_kafka import Producer

HERE = os.path.dirname(os.path.abspath(__file__))
TOPIC, BUCKET = os.environ["KAFKA_TOPIC"], os.environ["S3_BUCKET"]
COPY = subprocess.check_output(["bash", "-c", '. "$0"; copy_sql GROUP', os.path.join(HERE, "copy.sh")], text=True)


def s3_client():
    return boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(s3={"addressing_style": "path"}, max_pool_connections=16))


def pg():
    import psycopg2
    return psycopg2.connect(host=os.environ["PGHOST"], port=os.environ["PGPORT"], user=os.environ["PGUSER"], password=os.environ["PGPASSWORD"], dbname=os.environ["PGDATABASE"])


def producer(transactional_id=None):
    conf = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"], "enable.idempotence": True, "acks": "all", "linger.ms": 0}
    if transactional_id:
        conf["transactional.id"] = transactional_id
    p = Producer(conf)
    if transactional_id:
        p.init_transactions()
    return p


def message(group, key):
    return json.dumps({"groupId": group, "filePath": f"s3://{BUCKET}/{key}", "contentType": "application/gzip"})


def export_copy(db, s3, group, key, level):
    with tempfile.TemporaryFile() as spool:
        with gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=level, filename="") as gz, db.cursor() as cur:
            cur.copy_expert(COPY.replace("GROUP", group), gz, size=1 << 16)
        db.rollback()
        spool.seek(0)
        s3.upload_fileobj(spool, BUCKET, key, ExtraArgs={"ContentType": "application/gzip"})


def one(group, key, level):
    s3, kafka = s3_client(), producer()
    export_copy(pg(), s3, group, key, level)
    kafka.produce(TOPIC, message(group, key), group)
    if kafka.flush(30):
        sys.exit("not delivered")


def many(threads, mode, first, last, level):
    s3, shared = s3_client(), producer() if mode == "none" else None
    groups, lock, done = iter(range(first, last + 1)), threading.Lock(), threading.Event()

    def poll():
        while not done.is_set():
            shared.poll(0.05)

    def run(n):
        db, kafka = pg(), shared or producer(f"peers-python-{n}")
        while True:
            with lock:
                g = next(groups, None)
            if g is None:
                return
            group = f"s{g:04d}"
            key = f"python-{mode}/{group}.csv.gz"
            export_copy(db, s3, group, key, level)
            if mode == "tx":
                kafka.begin_transaction()
                kafka.produce(TOPIC, message(group, key), group)
                kafka.commit_transaction()
                continue
            delivered, errors = threading.Event(), []
            kafka.produce(TOPIC, message(group, key), group, on_delivery=lambda e, m: (errors.append(e) if e else None, delivered.set()))
            delivered.wait()
            if errors:
                raise SystemExit(str(errors[0]))

    if shared:
        threading.Thread(target=poll, daemon=True).start()
    start = time.monotonic()
    pool = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    s = time.monotonic() - start
    done.set()
    print(f"groups {last - first + 1} seconds {s:.3f} groups/s {(last - first + 1) / s:.1f}")


if sys.argv[1] == "one":
    one(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    many(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
