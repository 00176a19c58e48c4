# SPDX-License-Identifier: Apache-2.0
"""A consumer of the results in Python: checks each one, and says when a night is complete.

It belongs to a consumer group and may be killed at any time. What it has done stands in a ledger (DIR/ledger.jsonl), which
is saved before the group's offsets are committed: a result that is read twice is done once. A list comes in parts: the
offset of a partition is not committed beyond the first part of a list that is not whole, so a restart reads all its parts.

It is one process with one ledger. Several processes of a group would need a ledger that they share, in a database. It knows
neither TLS nor SASL: add the settings of your cluster to `kafka` in Reader.
"""
import argparse
import csv
import hashlib
import json
import os
import socket
import sys
import zlib
from pathlib import Path

import boto3
from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

COLUMNS = ["username", "groupId", "displayName", "gender", "dateOfBirth", "location", "intent", "bio", "smokes", "drinks",
           "wantsKids", "education", "religion", "occupation", "preferredGenders", "preferredMinAge", "preferredMaxAge",
           "relationshipType", "openToLongDistance", "readyForMatching", "exportVersion"]
FIELDS = {"groupId", "filePath", "fileName", "contentType", "domainId", "usernames"}


class Refused(Exception):
    """A result is not as it has to be."""


class BeginningIsMissing(Exception):
    """A part comes without those before it."""


def setting(name, otherwise=None):
    return os.environ.get(name) or otherwise


# ---- objects

def open_object(file_path, s3):
    """The path is taken as it stands: a key is neither escaped nor decoded. Only file:/// has '%' as "%25"."""
    if file_path.startswith("file:///"):
        return open(file_path[len("file://"):].replace("%25", "%"), "rb")
    if not file_path.startswith("s3://"):
        raise Refused(f"cannot fetch this kind of path: {file_path}")
    bucket, _, key = file_path[len("s3://"):].partition("/")
    return s3.get_object(Bucket=bucket, Key=key)["Body"]


class Object:
    """Lines of an object's text, in one pass and without holding it in memory; digest and size of its bytes."""

    def __init__(self, stream):
        self._stream, self._digest, self.size = stream, hashlib.sha256(), 0

    @property
    def sha256(self):
        return self._digest.hexdigest()

    def lines(self):
        gzip, rest = zlib.decompressobj(wbits=31), b""
        while data := self._stream.read(1 << 16):
            self._digest.update(data)
            self.size += len(data)
            rest += gzip.decompress(data)
            *whole, rest = rest.split(b"\n")
            yield from (line.decode("utf-8") + "\n" for line in whole)
        if rest or not gzip.eof or gzip.unused_data:
            raise Refused("the object is not one complete gzip stream of whole lines")


def count_rows(lines, group_id):
    """The number of rows. NULL and "" are the same here, as they are for csv before Python 3.13: see schemas/READERS.md."""
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader(lines, strict=True, lineterminator="\n")
    if next(rows, None) != COLUMNS:
        raise Refused("the header line is not the one expected")
    count = 0
    for row in rows:
        count += 1
        if len(row) != len(COLUMNS) or row[1] != group_id or row[-1] != "1.0":
            raise Refused(f"row {count} has another shape, group or version")
    return count


def check_file(announced, s3):
    with open_object(announced["filePath"], s3) as stream:
        found = Object(stream)
        try:
            rows = count_rows(found.lines(), announced["groupId"])
        except (csv.Error, UnicodeDecodeError, zlib.error) as error:
            raise Refused(f"the object is no gzip file of CSV: {error}") from error
    if (rows, found.size, found.sha256) != (announced["rows"], announced["bytes"], announced["sha256"]):
        raise Refused(f"the object is not the one announced: {rows} rows, {found.size} bytes, sha256 {found.sha256}")


# ---- results

class Lists:
    """Lists of which not all parts have come, by partition, group and command."""

    def __init__(self):
        self._open = {}

    def add(self, message, part, part_count, command_id, names):
        """All names if this part completes the list, else None."""
        place = (message.partition(), message.key(), command_id)
        if part == 1:  # also of a list that is announced again
            self._open[place] = (message.offset(), 0, [])
        if place not in self._open:
            raise BeginningIsMissing(f"part {part} of {part_count} comes without those before it")
        first, seen, before = self._open[place]
        if seen != part - 1:
            raise Refused(f"part {part} of {part_count} follows part {seen}")
        before += names
        self._open[place] = (first, part, before)
        return self._open.pop(place)[2] if part == part_count else None

    def first_offset(self, partition):
        """Where the oldest unfinished list of a partition begins; None: there is none."""
        return min((first for (at, *_), (first, *_) in self._open.items() if at == partition), default=None)

    def forget(self, partitions):
        self._open = {place: held for place, held in self._open.items() if place[0] not in partitions}


def read_result(message):
    """(value, headers), both as they have to be."""
    value = json.loads(message.value())
    headers = {name: text.decode("utf-8") for name, text in message.headers() or ()}
    if set(value) != FIELDS or value["groupId"].encode() != message.key():
        raise Refused("the value does not have exactly the six fields, or the key is not the groupId")
    if (value["filePath"] is None) == (value["usernames"] is None):
        raise Refused("neither a file nor a list of usernames")
    return value, headers


# ---- what was done

class Ledger:
    """One line for each result that was done, and for each run that has ended. `done`: the ids of commands;
    `groups`: {run: its exported groups}; `runs`: {run: when it ended}. Here it is a file; a service has it in its database,
    in one transaction with the data."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "ledger.jsonl"
        self.done, self.groups, self.runs, whole = set(), {}, {}, 0
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # else this process was killed while it wrote
                    whole += len(line)
                    self._note(json.loads(line))
            os.truncate(self._path, whole)
        self._file = open(self._path, "ab", buffering=0)  # a line that was written outlives this process

    def _note(self, entry):
        if "run" in entry:
            self.runs[entry["run"]] = entry["endedAt"]
            return
        self.done.add(entry["commandId"])
        if entry["outcome"] == "exported":
            self.groups.setdefault(entry["runId"], set()).add(entry["groupId"])

    def add(self, entry):
        self._file.write((json.dumps(entry, ensure_ascii=False) + "\n").encode())
        self._note(entry)

    def save(self):
        os.fsync(self._file.fileno())


class Reader:
    def __init__(self, options):
        self.options = options
        self.results_topic = setting("EXPORT_TOPICS_RESULT", "flairbit-users")
        self.run_topic = setting("EXPORT_TOPICS_RUN", "export-group-run")
        self.ledger, self.lists = Ledger(Path(options.into)), Lists()
        self.next = {}  # {partition: the offset behind what was taken since the last commit}
        self.reached = {}  # {partition: its end when it was last reached}
        self.whole = set()  # partitions of which a whole result was read
        self.waiting = {}  # {run: (its record, ends of the partitions)}: completed, and not everything was read yet
        kafka = {"bootstrap.servers": setting("EXPORT_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")}
        self.admin = AdminClient(kafka)
        # read_committed is what makes a result visible once and whole; other readers would see aborted ones.
        common = {**kafka, "isolation.level": "read_committed", "enable.auto.commit": False, "auto.offset.reset": "earliest",
                  "enable.partition.eof": True, "max.poll.interval.ms": 1800000}  # 100 large objects are fetched in that time
        # A static member: who starts again on this machine gets the partitions at once, without the session's timeout.
        self.results = Consumer({**common, "group.id": options.group, "group.instance.id": socket.gethostname()})
        self.runs = Consumer({**common, "group.id": options.group + "-runs"})  # reads all of it at each start
        self.s3 = boto3.client("s3", endpoint_url=setting("EXPORT_S3_ENDPOINT"),
                               region_name=setting("EXPORT_S3_REGION", "us-east-1"),
                               aws_access_key_id=setting("EXPORT_S3_ACCESS_KEY_ID"),
                               aws_secret_access_key=setting("EXPORT_S3_SECRET_ACCESS_KEY"))

    def say(self, **line):
        print(json.dumps(line, ensure_ascii=False), flush=True)

    # ---- results

    def done(self, value, headers, usernames):
        """One whole result: check it, do what is to be done with it, and note it."""
        announced = {"groupId": value["groupId"], "commandId": headers["export-command-id"], "runId": headers["export-run-id"],
                     "outcome": "skipped" if "export-reason" in headers else "exported",
                     "rows": int(headers["export-row-count"])}
        if announced["commandId"] in self.ledger.done:
            return
        if usernames is None:
            announced |= {"filePath": value["filePath"], "sha256": headers["export-sha256"],
                          "bytes": int(headers["export-byte-count"])}
            check_file(announced, self.s3)
        elif len(usernames) != announced["rows"]:
            raise Refused(f"{len(usernames)} usernames, announced were {announced['rows']}")
        # Here the group's users are replaced by those of the file or the list; an empty list drops them.
        self.ledger.add(announced)
        self.say(**announced, **({} if usernames is None else {"usernames": len(usernames)}))

    def take(self, message):
        value, headers = read_result(message)
        partition, names = message.partition(), value["usernames"]
        if names is not None:
            try:
                names = self.lists.add(message, int(headers["export-part"]), int(headers["export-part-count"]),
                                       headers["export-command-id"], names)
            except BeginningIsMissing as missing:
                if partition in self.whole:
                    raise Refused(str(missing)) from missing
                names = None  # what came first is older than the topic's retention
        if value["filePath"] is not None or names is not None:
            self.done(value, headers, names)
            self.whole.add(partition)
        self.next[partition] = message.offset() + 1

    def commit(self):
        """Not beyond a list that has begun. After an error nothing is committed: the next start reads it again."""
        offsets = []
        for partition, after in self.next.items():
            first = self.lists.first_offset(partition)
            offsets.append(TopicPartition(self.results_topic, partition, after if first is None else first))
        if offsets:
            self.ledger.save()
            self.results.commit(offsets=offsets, asynchronous=False)
        self.next.clear()

    def revoked(self, _, partitions):
        """Another member goes on with these, from what is committed."""
        numbers = {partition.partition for partition in partitions}
        self.lists.forget(numbers)
        for number in numbers:
            self.reached.pop(number, None)

    # ---- runs

    def partitions(self, topic):
        found = self.admin.list_topics(topic, timeout=30).topics[topic]
        if found.error is not None or not found.partitions:
            raise Refused(f"topic {topic}: {found.error}")
        return list(found.partitions)

    def ends(self):
        """Where the partitions end now, open transactions included: behind one, results of the run may be hidden still."""
        asked = {TopicPartition(self.results_topic, number): OffsetSpec.latest() for number in self.partitions(self.results_topic)}
        return {at.partition: found.result(timeout=30).offset for at, found in self.admin.list_offsets(asked).items()}

    def read_runs(self):
        """The newest record of each run counts."""
        while (message := self.runs.poll(0)) is not None:
            if message.error() or message.value() is None:
                continue
            run = json.loads(message.value())
            if run["version"] != 1:
                raise Refused(f"a run record of version {run['version']}")
            self.waiting.pop(run["runId"], None)
            is_news = self.ledger.runs.get(run["runId"]) != run["endedAt"] or run["runId"] == self.options.run
            if run["status"] == "completed" and is_news:
                self.waiting[run["runId"]] = run, self.ends()
                print(f"run {run['runId']} is completed; reading up to its end", file=sys.stderr)
            elif run["status"] == "incomplete" and run["runId"] == self.options.run:
                print(f"run {run['runId']} is incomplete: {run['unfinished']} groups have not ended; waiting", file=sys.stderr)

    def complete_runs(self):
        """Runs of which everything was read. All results of a run are committed before its end is."""
        for run_id, (run, ends) in list(self.waiting.items()):
            if any(self.reached.get(number, -1) < end for number, end in ends.items()):
                continue
            del self.waiting[run_id]
            have = len(self.ledger.groups.get(run_id, ()))
            if have >= run["exported"]:
                yield run
                continue
            self.note(run, complete=False)  # so it is said once
            missing = (f"run {run_id}: {have} of {run['exported']} results are there; the others are older than the topic's "
                       "retention, or than this group")
            if run_id == self.options.run:
                raise Refused(missing)
            print(missing, file=sys.stderr)

    # ---- the loop

    def start(self):
        self.partitions(self.results_topic), self.partitions(self.run_topic)
        self.runs.assign([TopicPartition(self.run_topic, 0, 0)])
        self.results.subscribe([self.results_topic], on_revoke=self.revoked, on_lost=self.revoked)

    def read(self):
        """Until the run that was asked for is complete; without one for ever."""
        self.start()
        while True:
            for message in self.results.consume(100, 0.5):
                if message.error() is None:
                    try:
                        self.take(message)
                    except Exception as error:  # of an unreachable store too: the next start tries again
                        raise Refused(f"partition {message.partition()} offset {message.offset()}: {error}") from error
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self.reached[message.partition()] = message.offset()
                elif message.error().fatal():
                    raise Refused(message.error().str())
            self.commit()
            self.read_runs()
            for run in self.complete_runs():
                if self.options.run in (None, run["runId"]):
                    self.night(run)
                if self.options.run == run["runId"]:
                    return

    def night(self, run):
        """Here begins what needs the whole night. It is noted afterwards: killed in between, it begins a second time."""
        self.say(run=run["runId"], groups=run["groups"], exported=run["exported"], skipped=run["skipped"],
                 deadLettered=run["deadLettered"], rows=run["rows"])
        self.note(run, complete=True)

    def note(self, run, complete):
        self.ledger.add({"run": run["runId"], "endedAt": run["endedAt"], "complete": complete})
        self.ledger.save()

    def close(self):
        self.results.close()
        self.runs.close()


def main():
    parser = argparse.ArgumentParser(
        description="Reads results as a member of a consumer group, checks each against its object, prints one JSON line for "
        "each, and one for each run (night) of which everything was read.",
        epilog="Settings are those of the exporter's environment: EXPORT_KAFKA_BOOTSTRAP_SERVERS, EXPORT_TOPICS_RESULT, "
        "EXPORT_TOPICS_RUN, EXPORT_S3_ENDPOINT, EXPORT_S3_REGION, EXPORT_S3_ACCESS_KEY_ID, EXPORT_S3_SECRET_ACCESS_KEY. "
        "Exit code 1: a result is not as it has to be, or its object cannot be had; the error says which one. It may be "
        "killed and started again at any time.")
    parser.add_argument("--into", metavar="DIR", default="flairbit-reader",
                        help="the folder of the ledger, the same one at each start (default: ./%(default)s)")
    parser.add_argument("--run", metavar="ID", help="end when this run is complete; without it the reader stays")
    parser.add_argument("--group", default="flairbit", help="the consumer group (default: %(default)s)")
    reader = Reader(parser.parse_args())
    try:
        reader.read()
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        reader.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
