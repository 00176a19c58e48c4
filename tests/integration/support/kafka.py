# SPDX-License-Identifier: Apache-2.0
"""Kafka as confluent-kafka sees it: producing commands, reading what is committed, committed offsets."""
import time
from dataclasses import dataclass, replace

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

COORDINATOR_STARTS = (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE,
                      KafkaError.NOT_COORDINATOR, KafkaError.UNSTABLE_OFFSET_COMMIT)


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    header_list: tuple

    @property
    def headers(self):
        """By name; a name that stands twice is a mistake wherever the programs write."""
        names = [name for name, _ in self.header_list]
        assert len(names) == len(set(names)), f"a header stands twice: {names}"
        return dict(self.header_list)

    @property
    def text_headers(self):
        return {name: value.decode() for name, value in self.header_list if not name.startswith(("retry_", "kafka_"))}


def record_of(message):
    return Record(message.topic(), message.partition(), message.offset(), message.timestamp()[1], message.key(),
                  message.value(), tuple(message.headers() or ()))


def end_offset(consumer, topic, partition, timeout=20):
    """The high watermark; a partition that is new, or whose broker restarts, has no leader for a moment."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)[1]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Reader:
    """Reads all partitions of a topic from the beginning, independently of any group."""

    def __init__(self, bootstrap, topic, isolation="read_committed"):
        self.topic = topic
        self.records = []
        common = {"log_level": 0, "bootstrap.servers": bootstrap, "group.id": "independent-reader", "enable.auto.commit": False}
        self._ends = Consumer({**common, "isolation.level": "read_uncommitted"})
        self._consumer = Consumer({**common, "isolation.level": isolation, "auto.offset.reset": "earliest",
                                   "enable.partition.eof": True, "fetch.wait.max.ms": 50, "check.crcs": True})
        partitions = self._ends.list_topics(topic, timeout=20).topics[topic].partitions
        self._reached = {number: -1 for number in partitions}
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])

    def poll(self, seconds=0.1):
        message = self._consumer.poll(seconds)
        if message is None:
            return
        if message.error() is None:
            self.records.append(record_of(message))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            self._reached[message.partition()] = message.offset()
        elif not message.error().retriable() and message.error().code() not in (
                KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            raise AssertionError(message.error())

    def end_offsets(self):
        return {number: end_offset(self._ends, self.topic, number) for number in self._reached}

    def drain(self, timeout=40):
        """Everything up to the high watermarks of now, beyond open transactions; all records so far."""
        ends = self.end_offsets()
        deadline = time.monotonic() + timeout
        while any(self._reached[number] < end for number, end in ends.items()):
            assert time.monotonic() < deadline, (
                f"{self.topic}: not read to its end within {timeout} s (an open transaction?): {self._reached} of {ends}")
            self.poll()
        return self.records

    def wait(self, condition, timeout=60, what="records"):
        """Until condition(records) is true."""
        deadline = time.monotonic() + timeout
        while not condition(self.records):
            assert time.monotonic() < deadline, (
                f"{self.topic}: waited {timeout} s for {what}; there are {len(self.records)} records")
            self.poll()
        return self.records

    def close(self):
        self._consumer.close()
        self._ends.close()


class Broker:
    """Everything that is no reader."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.admin = AdminClient({"log_level": 0, "bootstrap.servers": bootstrap})
        self._producer = Producer({"log_level": 0, "bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 1,
                                   "message.max.bytes": 20_000_000})
        self._watermarks = Consumer({"log_level": 0, "bootstrap.servers": bootstrap, "group.id": "independent-watermarks",
                                     "isolation.level": "read_uncommitted"})

    def partition_count(self, topic):
        found = self.admin.list_topics(topic, timeout=20).topics[topic]
        assert found.error is None, found.error
        return len(found.partitions)

    def topics(self, prefix):
        return [name for name in self.admin.list_topics(timeout=20).topics if name.startswith(prefix)]

    def send(self, topic, key, value, partition=None, headers=None, timestamp_ms=None):
        """Produce one record as any client would, and wait for it; returns it as stored."""
        stored = []

        def delivered(error, message):
            assert error is None, error
            stored.append(message)

        options = {"on_delivery": delivered}
        if partition is not None:
            options["partition"] = partition
        if headers:
            options["headers"] = headers
        if timestamp_ms is not None:
            options["timestamp"] = timestamp_ms
        self._producer.produce(topic, key=key, value=value, **options)
        assert self._producer.flush(20) == 0
        # A delivery report does not repeat the headers.
        return replace(record_of(stored[0]), header_list=tuple(headers or ()))

    def send_many(self, topic, pairs):
        for key, value in pairs:
            self._producer.produce(topic, key=key, value=value)
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def end_offsets(self, topic):
        return {number: end_offset(self._watermarks, topic, number) for number in range(self.partition_count(topic))}

    def committed(self, group, topic):
        """{partition: offset or None}"""
        asked = [TopicPartition(topic, number) for number in range(self.partition_count(topic))]
        deadline = time.monotonic() + 60
        while True:
            future = self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, asked)],
                                                            require_stable=True)
            try:
                answer = future[group].result(timeout=20).topic_partitions
                break
            except KafkaException as error:  # a coordinator that has just started, or an open transaction
                if not error.args[0].retriable() and error.args[0].code() not in COORDINATOR_STARTS:
                    raise
                assert time.monotonic() < deadline, str(error)
                time.sleep(0.5)
        return {p.partition: p.offset if p.offset >= 0 else None for p in answer}

    def lag(self, group, topic):
        """{partition: records (control records too) between the committed offset and the end}"""
        committed = self.committed(group, topic)
        return {number: end - (committed[number] or 0) for number, end in self.end_offsets(topic).items()}

    def set_topic(self, topic, **values):
        changes = [ConfigEntry(name.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
                   for name, value in values.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=changes)
        for future in self.admin.incremental_alter_configs([resource]).values():
            future.result(timeout=20)
        expected = {change.name: change.value for change in changes}
        deadline = time.monotonic() + 20
        while not expected.items() <= self.topic_settings(topic).items():
            assert time.monotonic() < deadline, f"{topic} does not show {expected}"
            time.sleep(0.05)

    def topic_settings(self, topic):
        resource = ConfigResource(ResourceType.TOPIC, topic)
        found = list(self.admin.describe_configs([resource]).values())[0].result(timeout=20)
        return {name: entry.value for name, entry in found.items()}

    def members(self, group):
        return self.admin.describe_consumer_groups([group])[group].result(timeout=20).members

    def forget_group(self, group, timeout=30):
        """Delete the committed offsets of a group whose members are gone."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.admin.delete_consumer_groups([group])[group].result(timeout=20)
            except Exception as error:  # the coordinator may still hold a member that was killed
                assert time.monotonic() < deadline, error
                time.sleep(0.3)

    def create_topic(self, name, partitions, **values):
        settings = {key.replace("_", "."): str(value) for key, value in values.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(timeout=20)

    def delete_topics(self, names):
        if not names:
            return
        for future in self.admin.delete_topics(list(names), operation_timeout=20).values():
            future.exception(timeout=30)
        deadline = time.monotonic() + 20
        while set(names) & set(self.topics("")):
            assert time.monotonic() < deadline, f"still there: {names}"
            time.sleep(0.05)
