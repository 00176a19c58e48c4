/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/hybrid.h"

#include "parquet/load.h"

/* A repeated run ends the packed one before it, and is worth its headers from so many bits on. */
#define RUN_BITS_MIN ((size_t)64)

static uint8_t *put_varint(uint8_t *place, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        *place++ = (uint8_t)(value | 0x80);
    *place++ = (uint8_t)value;
    return place;
}

static uint8_t *put_packed_header(uint8_t *place, size_t group_count)
{
    return put_varint(place, group_count << 1 | 1);
}

static uint8_t *put_repeated(uint8_t *place, size_t count, unsigned width_bits, uint16_t value)
{
    place = put_varint(place, count << 1);
    *place++ = (uint8_t)value;
    if (width_bits > 8)
        *place++ = (uint8_t)(value >> 8);
    return place;
}

/* How many whole bytes from `at` on are all zeros or all ones as the first is; 0: it is neither. */
static size_t same_bytes(const uint8_t *bits, size_t at, size_t byte_count)
{
    size_t end = at;

    if (bits[at] != 0 && bits[at] != 0xff)
        return 0;
    while (end < byte_count && bits[end] == bits[at])
        end++;
    return end - at;
}

size_t uex_hybrid_bits(const uint8_t *bits, size_t count, uint8_t *out)
{
    const size_t whole_bytes = count / 8, byte_count = (count + 7) / 8;
    uint8_t *place = out;
    size_t packed_from = 0, at = 0;

    while (at < whole_bytes) {
        size_t same = same_bytes(bits, at, whole_bytes);

        if (8 * same < RUN_BITS_MIN && !(same > 0 && same == byte_count)) {
            at += same == 0 ? 1 : same;
            continue;
        }
        if (at > packed_from) {
            place = put_packed_header(place, at - packed_from);
            memcpy(place, bits + packed_from, at - packed_from);
            place += at - packed_from;
        }
        place = put_repeated(place, 8 * same, 1, bits[at] & 1);
        at += same;
        packed_from = at;
    }
    if (byte_count > packed_from) {
        place = put_packed_header(place, byte_count - packed_from);
        memcpy(place, bits + packed_from, byte_count - packed_from);
        place += byte_count - packed_from;
    }
    return (size_t)(place - out);
}

/* Eight values of up to 16 bits, behind one another. */
static void pack_group(const uint16_t *values, unsigned width_bits, uint8_t *place)
{
    uint64_t low = 0, high = 0;
    uint8_t bytes[16];

    for (unsigned i = 0; i < 4; i++) {
        low |= (uint64_t)values[i] << (i * width_bits);
        high |= (uint64_t)values[i + 4] << (i * width_bits);
    }
    if (width_bits == 16) {
        uex_store_le64(bytes, low);
        uex_store_le64(bytes + 8, high);
    } else {
        uex_store_le64(bytes, low | high << (4 * width_bits));
        uex_store_le64(bytes + 8, high >> (64 - 4 * width_bits));
    }
    memcpy(place, bytes, width_bits);
}

static uint8_t *put_packed(uint8_t *place, const uint16_t *indexes, size_t count, unsigned width_bits)
{
    uint16_t last[8] = {0};
    size_t at = 0;

    if (count == 0)
        return place;
    place = put_packed_header(place, (count + 7) / 8);
    for (; at + 8 <= count; at += 8, place += width_bits)
        pack_group(indexes + at, width_bits, place);
    if (at < count) {
        memcpy(last, indexes + at, (count - at) * sizeof(last[0]));
        pack_group(last, width_bits, place);
        place += width_bits;
    }
    return place;
}

static size_t same_indexes(const uint16_t *indexes, size_t at, size_t count)
{
    size_t end = at + 1;

    while (end < count && indexes[end] == indexes[at])
        end++;
    return end - at;
}

size_t uex_hybrid_indexes(const uint16_t *indexes, size_t count, unsigned width_bits, uint8_t *out)
{
    uint8_t *place = out;
    size_t packed_from = 0, at = 0;

    while (at < count) {
        size_t same = same_indexes(indexes, at, count);

        /* A packed run in the middle has to end behind a group of eight, so runs are looked for only there. */
        if (same < 8 || same * width_bits < RUN_BITS_MIN) {
            at += 8;
            continue;
        }
        place = put_packed(place, indexes + packed_from, at - packed_from, width_bits);
        place = put_repeated(place, same, width_bits, indexes[at]);
        at += same;
        packed_from = at;
    }
    place = put_packed(place, indexes + packed_from, count - packed_from, width_bits);
    return (size_t)(place - out);
}
