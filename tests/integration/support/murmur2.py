# SPDX-License-Identifier: Apache-2.0
"""The partition that Java clients choose for a key (org.apache.kafka.common.utils.Utils.murmur2, toPositive)."""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data):
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    for i in range(0, length - length % 4, 4):
        k = int.from_bytes(data[i:i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    tail = data[length - length % 4:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key, count):
    return (murmur2(key) & 0x7FFFFFFF) % count
