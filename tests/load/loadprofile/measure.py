# SPDX-License-Identifier: Apache-2.0
"""What each part takes, second by second, and how far the work is."""
import json
import os
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

TICKS = os.sysconf("SC_CLK_TCK")
TOPIC, GROUP = "export-group", "export-workers"


def stat(pid):
    """(utime + stime, cutime + cstime) in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def memory_mib(pid, shared):
    """Resident memory; of processes that share it, each one's part."""
    try:
        name, file = ("Pss:", "smaps_rollup") if shared else ("VmRSS:", "status")
        for line in Path(f"/proc/{pid}/{file}").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    except PermissionError:
        pass
    return 0.0


def count(pid, what):
    try:
        return len(os.listdir(f"/proc/{pid}/{what}"))
    except PermissionError:
        return 0


class Part:
    """One process, or a server with its children. CPU of children that have ended is in their parent's account."""

    def __init__(self, pid, family):
        self.pid, self.family = pid, family
        self.samples = []  # (time, cpu seconds, MiB, handles, threads)

    def look(self, now):
        try:
            own, ended = stat(self.pid)
            pids = [self.pid] + (children(self.pid) if self.family else [])
            cpu, mib = own + (ended if self.family else 0), 0.0
            for pid in pids:
                try:
                    cpu += stat(pid)[0] if pid != self.pid else 0
                    mib += memory_mib(pid, self.family)
                except (FileNotFoundError, ProcessLookupError, IndexError):
                    pass
            self.samples.append((now, cpu, mib, count(self.pid, "fd"), count(self.pid, "task")))
        except (FileNotFoundError, ProcessLookupError):
            pass

    def cpu(self, since=0.0):
        found = [sample for sample in self.samples if sample[0] >= since]
        return found[-1][1] - found[0][1] if found else 0.0

    def peak_mib(self):
        return max((sample[2] for sample in self.samples), default=0.0)


class Outcomes:
    """The workers' audit lines, read as they are written."""

    def __init__(self):
        self.paths, self.offsets = [], {}
        self.total, self.rows, self.bytes, self.kinds, self.durations = 0, 0, 0, {}, []
        self.strange = []

    def add(self, path):
        self.paths.append(path)
        self.offsets[path] = 0

    def look(self):
        for path in self.paths:
            with open(path, "rb") as file:
                file.seek(self.offsets[path])
                content = file.read()
            end = content.rfind(b"\n") + 1
            self.offsets[path] += end
            for line in content[:end].splitlines():
                self.take(line)

    def take(self, line):
        try:
            event = json.loads(line)
        except ValueError:
            self.strange.append(line.decode(errors="replace"))
            return
        if event.get("event") == "outcome":
            self.total += 1
            self.rows += event.get("rows", 0)
            self.bytes += event.get("bytes", 0)
            self.durations.append(event.get("duration_ms", 0))
            key = " ".join(filter(None, (event["outcome"], event.get("reason"))))
            self.kinds[key] = self.kinds.get(key, 0) + 1
        elif event.get("level") in ("warn", "error"):
            self.strange.append(line.decode(errors="replace"))


class Lag:
    """Of the workers' consumer group, as any tool sees it: the end of each partition less the committed position."""

    def __init__(self, bootstrap):
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "enable.auto.commit": False, "log_level": 0,
                                  "isolation.level": "read_uncommitted"})  # the end, not the last stable offset
        self.partitions = [TopicPartition(TOPIC, number) for number in self.consumer.list_topics(TOPIC, timeout=20).topics[TOPIC].partitions]
        self.ends = [0] * len(self.partitions)

    def look(self, ask_ends):
        try:
            if ask_ends:
                self.ends = [self.consumer.get_watermark_offsets(partition, timeout=10, cached=False)[1] for partition in self.partitions]
            places = [max(found.offset, 0) for found in self.consumer.committed(self.partitions, timeout=10)]
            return sum(max(end - place, 0) for end, place in zip(self.ends, places))
        except KafkaException:
            return None


class Meter(threading.Thread):
    def __init__(self, bootstrap, interval_s=1.0):
        super().__init__(daemon=True)
        self.interval_s, self.parts, self.outcomes, self.lag = interval_s, {}, Outcomes(), Lag(bootstrap)
        self.points = []  # (time, outcomes, rows, lag)
        self.start_time, self.ended, self.still_growing = time.monotonic(), threading.Event(), True
        self.failure = None

    def part(self, name, pid, family=False):
        self.parts[name] = Part(pid, family)

    def now(self):
        return time.monotonic() - self.start_time

    def run(self):
        try:
            while not self.ended.wait(self.interval_s):
                self.look()
        except Exception as error:  # said by whoever waits
            self.failure = error

    def look(self):
        now = self.now()
        for part in list(self.parts.values()):
            part.look(now)
        self.outcomes.look()
        self.points.append((now, self.outcomes.total, self.outcomes.rows, self.lag.look(self.still_growing)))

    def close(self):
        self.ended.set()
        self.join(30)
        self.lag.consumer.close()
