# SPDX-License-Identifier: Apache-2.0
"""The independent reader: a read_committed consumer of all topics, and of the broker's own topic of committed offsets."""
import base64
import contextlib
import queue
import struct
import threading
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from support.kafka import record_of

OFFSETS = "__consumer_offsets"


class NotNow(Exception):
    """Kafka does not answer: ask later."""


@dataclass(frozen=True)
class Position:
    """What a committed offset says: everything below `base` is finished, and `above`."""
    offset: int
    base: int
    above: frozenset

    def finished(self, offset):
        return offset < self.base or offset in self.above

    def includes(self, other):
        """No offset that `other` calls finished is open here."""
        if self.base < other.base:
            return all(offset in self.above for offset in range(self.base, other.base)) and other.above <= self.above
        return all(self.finished(offset) for offset in other.above)


def position_of(offset, metadata):
    """The bitmap stands in the metadata: 'uex1;n=<partitions>;…;b=<base64>', lowest bit first, from the offset on."""
    above, base = set(), offset
    if metadata and metadata.startswith("uex1;"):
        for field in metadata.split(";")[1:]:
            name, _, value = field.partition("=")
            if name == "b":
                for index, byte in enumerate(base64.b64decode(value)):
                    above |= {offset + index * 8 + bit for bit in range(8) if byte >> bit & 1}
    while base in above:
        above.discard(base)
        base += 1
    return Position(offset, base, frozenset(above))


class _Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from(">" + form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self, form="h"):
        size = self.number(form)
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def compact_text(self):
        size, shift = 0, 0
        while True:
            byte = self.number("B")
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        self.at += size - 1
        return self.data[self.at - size + 1:self.at].decode()


def offset_commit_of(key, value):
    """(group, topic, partition, offset, metadata) of a record of the offsets topic, or None if it is something else; the
    offset is None where Kafka forgets it.
    Source: Apache Kafka, group-coordinator/src/main/resources/common/message/OffsetCommit{Key,Value}.json."""
    if key is None:
        return None
    fields = _Bytes(key)
    if fields.number("h") not in (0, 1):
        return None
    group, topic, partition = fields.text(), fields.text(), fields.number("i")
    if value is None:
        return group, topic, partition, None, None
    fields = _Bytes(value)
    version = fields.number("h")
    offset = fields.number("q")
    if version >= 3:
        fields.number("i")
    metadata = fields.compact_text() if version >= 4 else fields.text()
    return group, topic, partition, offset, metadata


class Reader(threading.Thread):
    """Reads all the time; `ledger` gets each record with the time of its arrival, and each committed position in order."""

    def __init__(self, bootstrap, group_id, topics, partitions, ledger):
        super().__init__(daemon=True)
        self._group_id, self._ledger = group_id, ledger
        self.topics = topics
        self._brokers = bootstrap
        self._admin = self._new_admin()
        counts = {name: partitions for name in topics}
        counts[OFFSETS] = len(self._admin.list_topics(OFFSETS, timeout=20).topics[OFFSETS].partitions)
        self._places = [(name, number) for name, count in counts.items() for number in range(count)]
        self._reached = dict.fromkeys(self._places, 0)
        self._consumer = self._new_consumer()
        self._anew = queue.Queue()  # (topic that was created again, event to be set when it is read from its beginning)
        self._end = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        try:
            while not self._end.is_set():
                with contextlib.suppress(queue.Empty):
                    self._read_anew(*self._anew.get_nowait())
                for message in self._consumer.consume(200, 0.1):
                    self._take(message)
        except Exception as error:  # seen by whoever waits for the reader
            self.failure = error
        finally:
            self._consumer.close()

    def _take(self, message):
        place = (message.topic(), message.partition())
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._reached[place] = max(self._reached[place], message.offset())
            return  # everything else passes by itself
        if message.topic() != OFFSETS:
            self._ledger.record(record_of(message), time.time())
        else:
            commit = offset_commit_of(message.key(), message.value())
            if commit and commit[0] == self._group_id and commit[3] is None:
                self._ledger.position_gone(commit[1], commit[2])
            elif commit and commit[0] == self._group_id:
                self._ledger.position(commit[1], commit[2], position_of(commit[3], commit[4]), time.time())
        self._reached[place] = max(self._reached[place], message.offset() + 1)

    def _new_consumer(self):
        consumer = Consumer({"bootstrap.servers": self._brokers, "group.id": "chaos-reader", "log_level": 0,
                             "enable.auto.commit": False, "isolation.level": "read_committed",
                             "auto.offset.reset": "earliest", "enable.partition.eof": True, "check.crcs": True,
                             "fetch.wait.max.ms": 50, "reconnect.backoff.max.ms": 500,
                             "topic.metadata.refresh.interval.ms": 2000})
        consumer.assign([TopicPartition(name, number, self._reached[name, number]) for name, number in self._places])
        return consumer

    def _read_anew(self, topic, done):
        self._consumer.close()
        self._reached.update({place: 0 for place in self._places if place[0] == topic})
        self._consumer = self._new_consumer()
        self._admin = self._new_admin()
        done.set()

    def begin_anew(self, topic):
        """A topic was deleted and created again; all of it had been read."""
        done = threading.Event()
        self._anew.put((topic, done))
        assert done.wait(30), self.failure

    def _new_admin(self):
        return AdminClient({"bootstrap.servers": self._brokers, "log_level": 0, "socket.timeout.ms": 5000})

    def ends(self, timeout=5.0):
        """{(topic, partition): high watermark}"""
        asked = {TopicPartition(name, number): OffsetSpec.latest() for name, number in self._places}
        try:
            futures = self._admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED,
                                               request_timeout=timeout)
            return {(place.topic, place.partition): future.result(timeout).offset for place, future in futures.items()}
        except (KafkaException, TimeoutError) as error:
            self._admin = self._new_admin()  # librdkafka keeps a leader's old epoch for ever
            raise NotNow(str(error)) from None

    def drained(self, ends):
        """Has everything before `ends` been read? The last stable offset must have got there for it."""
        if self.failure:
            raise self.failure
        return all(self._reached[place] >= end for place, end in ends.items())

    def drain(self, timeout, ends=None):
        """Read up to the high watermarks of now."""
        ends = ends or self.ends()
        deadline = time.monotonic() + timeout
        while not self.drained(ends):
            if time.monotonic() > deadline:
                open_places = {place: (self._reached[place], end) for place, end in ends.items()
                               if self._reached[place] < end}
                raise NotNow(f"not read to the end, an open transaction? {open_places}")
            time.sleep(0.01)
        return ends

    def positions(self, timeout=5.0):
        """{(topic, partition): Position} as committed now, pending ones awaited. From the broker's own topic: a client
        library shows metadata as a C string, which it is not."""
        self.drain(timeout, {place: end for place, end in self.ends(timeout).items() if place[0] == OFFSETS})
        with self._ledger.lock:
            return dict(self._ledger.positions)

    def close(self):
        self._end.set()
        with contextlib.suppress(RuntimeError):
            self.join(10)
