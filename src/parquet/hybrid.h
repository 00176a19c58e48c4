/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/hybrid.h — the RLE/bit-packing hybrid: definition levels, and indexes into a dictionary.
 *
 * Source: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid (RLE = 3)": runs, each behind a varint. Its lowest
 * bit says what follows: 1, groups of eight values packed from the least significant bit on; 0, one value in whole
 * bytes that is repeated. Without the length in front. Any thread.
 */
#ifndef EXPORT_PARQUET_HYBRID_H
#define EXPORT_PARQUET_HYBRID_H

#include "export/bytes.h"

/* What uex_hybrid_bits() and uex_hybrid_indexes() write at most for so many values of so many bits. */
static inline size_t uex_hybrid_max_bytes(size_t count, unsigned width_bits)
{
    return (count + 7) / 8 * width_bits + 32;
}

/* Values of one bit, from the lowest bit of the first byte on. Returns the bytes written. */
size_t uex_hybrid_bits(const uint8_t *bits, size_t count, uint8_t *out);
/* Values of 1 to 16 bits. */
size_t uex_hybrid_indexes(const uint16_t *indexes, size_t count, unsigned width_bits, uint8_t *out);
#endif
