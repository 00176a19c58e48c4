/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/partitioner.h"

/* The constants of MurmurHash2 and the seed that Kafka chose. */
#define MURMUR_M 0x5bd1e995U
#define MURMUR_R 24
#define KAFKA_SEED 0x9747b28cU

uint32_t uex_murmur2(struct uex_bytes data)
{
    const uint8_t *at = data.data;
    size_t left = data.size_bytes;
    uint32_t hash = KAFKA_SEED ^ (uint32_t)data.size_bytes;

    for (; left >= 4; at += 4, left -= 4) {
        uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

        word *= MURMUR_M;
        word ^= word >> MURMUR_R;
        word *= MURMUR_M;
        hash *= MURMUR_M;
        hash ^= word;
    }
    if (left >= 3)
        hash ^= (uint32_t)at[2] << 16;
    if (left >= 2)
        hash ^= (uint32_t)at[1] << 8;
    if (left >= 1) {
        hash ^= at[0];
        hash *= MURMUR_M;
    }
    hash ^= hash >> 13;
    hash *= MURMUR_M;
    hash ^= hash >> 15;
    return hash;
}

int32_t uex_partition_of(struct uex_bytes key, int32_t partition_count)
{
    if (partition_count < 1)
        return 0;
    return (int32_t)(uex_murmur2(key) & 0x7fffffffU) % partition_count;
}
