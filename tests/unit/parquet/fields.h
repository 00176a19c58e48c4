/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/parquet/fields.h — fields in PostgreSQL's binary form, written out by hand. They live until the next
 * fields_reset(). */
#ifndef EXPORT_TEST_PARQUET_FIELDS_H
#define EXPORT_TEST_PARQUET_FIELDS_H

#include "export/copy_binary.h"

#include <stdlib.h>

#define FIELD_COUNT_MAX 4096

static void *fields_made[FIELD_COUNT_MAX];
static size_t fields_made_count;

static inline void fields_reset(void)
{
    while (fields_made_count > 0)
        free(fields_made[--fields_made_count]);
}

/* In a block of exactly that size, so that a sanitizer sees a read outside. */
static inline struct uex_copy_field field_bytes(const void *data, size_t size_bytes)
{
    uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);

    if (copy == NULL || fields_made_count == FIELD_COUNT_MAX)
        abort();
    fields_made[fields_made_count++] = copy;
    if (size_bytes > 0)
        memcpy(copy, data, size_bytes);
    return (struct uex_copy_field){.data = copy, .size_bytes = (int32_t)size_bytes};
}

static inline struct uex_copy_field field_null(void)
{
    return (struct uex_copy_field){.data = NULL, .size_bytes = -1};
}

static inline struct uex_copy_field field_text(const char *text)
{
    return field_bytes(text, strlen(text));
}

/* The lowest bytes, in network byte order. */
static inline struct uex_copy_field field_integer(int64_t value, size_t size_bytes)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * (size_bytes - 1 - i)));
    return field_bytes(bytes, size_bytes);
}

static inline struct uex_copy_field field_float4(float value)
{
    int32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return field_integer(bits, 4);
}

static inline struct uex_copy_field field_float8(double value)
{
    int64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return field_integer(bits, 8);
}

/* Of numeric_send(): weight, sign, display scale, and the digits to the base 10,000. */
static inline struct uex_copy_field field_numeric(int weight, unsigned sign, int display_scale, const int *digits,
                                                  size_t digit_count)
{
    uint8_t bytes[8 + 2 * 64];
    const unsigned words[] = {(unsigned)digit_count, (unsigned)weight & 0xffff, sign, (unsigned)display_scale};

    if (digit_count > 64)
        abort();
    for (size_t i = 0; i < 4 + digit_count; i++) {
        const unsigned word = i < 4 ? words[i] : (unsigned)digits[i - 4];

        bytes[2 * i] = (uint8_t)(word >> 8);
        bytes[2 * i + 1] = (uint8_t)word;
    }
    return field_bytes(bytes, 8 + 2 * digit_count);
}

#define FIELD_NUMERIC(weight, sign, display_scale, ...)                                                                \
    field_numeric((weight), (sign), (display_scale), (const int[]){__VA_ARGS__},                                       \
                  sizeof((const int[]){__VA_ARGS__}) / sizeof(int))
#endif
