/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/load.h — integers of any alignment: in network byte order, as PostgreSQL sends them, and little-endian,
 * as Parquet stores them. The caller has checked that the bytes are there. */
#ifndef EXPORT_PARQUET_LOAD_H
#define EXPORT_PARQUET_LOAD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t uex_load_be16(const uint8_t *data)
{
    uint16_t value;

    memcpy(&value, data, sizeof(value));
    return be16toh(value);
}

static inline uint32_t uex_load_be32(const uint8_t *data)
{
    uint32_t value;

    memcpy(&value, data, sizeof(value));
    return be32toh(value);
}

static inline uint64_t uex_load_be64(const uint8_t *data)
{
    uint64_t value;

    memcpy(&value, data, sizeof(value));
    return be64toh(value);
}

static inline uint32_t uex_load_le32(const uint8_t *data)
{
    uint32_t value;

    memcpy(&value, data, sizeof(value));
    return le32toh(value);
}

static inline uint64_t uex_load_le64(const uint8_t *data)
{
    uint64_t value;

    memcpy(&value, data, sizeof(value));
    return le64toh(value);
}

static inline void uex_store_le32(uint8_t *place, uint32_t value)
{
    value = htole32(value);
    memcpy(place, &value, sizeof(value));
}

static inline void uex_store_le64(uint8_t *place, uint64_t value)
{
    value = htole64(value);
    memcpy(place, &value, sizeof(value));
}
#endif
