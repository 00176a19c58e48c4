# SPDX-License-Identifier: Apache-2.0
"""From a command on an idle system to its visible result, against the same work by bare clients, one after the other."""
import gzip
import io
import subprocess
import time

import psycopg2

from bench.measure import Comparison, finding
from bench.sides import PEERS
from bench.world import PEER_BUCKET, Worker

INTERVAL_S = 0.1
TIMES = 5


class Bare:
    """Warm clients: what a program would have open anyway."""

    def __init__(self, world):
        self.world = world
        self.copy = subprocess.check_output(["bash", "-c", '. "$0"; copy_sql s0001', str(PEERS / "copy.sh")], text=True)
        env = world.environment
        self.database = psycopg2.connect(host=env["PGHOST"], port=env["PGPORT"], user=env["PGUSER"],
                                         password=env["PGPASSWORD"], dbname=env["PGDATABASE"])
        self.producer = world.producer(**{"transactional.id": "bench-bare"})
        self.producer.init_transactions()
        self.run()

    def run(self):
        times = []
        for number in range(TIMES):
            time.sleep(0.5)  # idle: the markers of the transaction before are written
            start = time.monotonic()
            text = io.BytesIO()
            with self.database.cursor() as cursor:
                cursor.copy_expert(self.copy, text)
            self.database.rollback()
            self.world.s3.put_object(Bucket=PEER_BUCKET, Key=f"bare/{number}.csv.gz", Body=gzip.compress(text.getvalue(), 1))
            self.producer.begin_transaction()
            self.producer.produce("bench-results", "{}", "s0001")
            self.producer.commit_transaction()
            times.append(time.monotonic() - start)
        return {"seconds": sorted(times)[len(times) // 2]}


def run(world, rounds):
    bare = Bare(world)
    with Worker(world) as worker:
        def command():
            times = []
            for _ in range(TIMES):
                time.sleep(0.5)
                times.append(worker.export(["s0001"])["seconds"])
            return {"seconds": sorted(times)[len(times) // 2]}
        comparison = Comparison(world, rounds, {"bare": bare.run, "worker": command})
    beyond = [max(0.0, a["seconds"] - INTERVAL_S) / b["seconds"] for a, b in zip(comparison.runs["worker"], comparison.runs["bare"])]
    ratio = {"min": min(beyond), "median": sorted(beyond)[len(beyond) // 2], "max": max(beyond)}
    return comparison, [finding("one small group, beyond commit.interval / bare work", ratio, 3.0)]
