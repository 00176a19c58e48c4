# SPDX-License-Identifier: Apache-2.0
"""Committed offsets with their metadata, from the broker's own topic: a client library shows metadata as a C string, which
it is not. Source: Apache Kafka, group-coordinator, OffsetCommitKey.json and OffsetCommitValue.json."""
import struct

from .kafka import Reader


def _string(data, at):
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2:at + 2 + length], at + 2 + length


def _compact_string(data, at):
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return data[at:at + length - 1], at + length - 1


def _key(data):
    """(group, topic, partition), or None for other kinds of records."""
    if struct.unpack_from(">h", data)[0] not in (0, 1):
        return None
    group, at = _string(data, 2)
    topic, at = _string(data, at)
    return group.decode(), topic.decode(), struct.unpack_from(">i", data, at)[0]


def _value(data):
    """(offset, metadata)"""
    (version,) = struct.unpack_from(">h", data)
    assert version in (3, 4), f"OffsetCommitValue version {version}"
    (offset,) = struct.unpack_from(">q", data, 2)
    return offset, (_string if version == 3 else _compact_string)(data, 14)[0]


def positions(bootstrap, group, topic):
    """{partition: (offset, metadata as bytes)} as it is committed now."""
    reader = Reader(bootstrap, "__consumer_offsets")
    found = {}
    try:
        for record in sorted(reader.drain(), key=lambda r: (r.partition, r.offset)):
            key = _key(record.key)
            if key and key[:2] == (group, topic):
                if record.value is None:
                    found.pop(key[2], None)
                else:
                    found[key[2]] = _value(record.value)
    finally:
        reader.close()
    return found
