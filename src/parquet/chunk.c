/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/chunk.h"

#include <math.h>
#include <stdlib.h>

#include "parquet/load.h"
#include "parquet/numeric.h"

#define LENGTH_BYTES ((size_t)4)
#define UUID_BYTES ((size_t)16)
#define UUID_TEXT_BYTES ((size_t)36)
/* The manual, "Date/Time Types": days and microseconds count from 2000-01-01. */
#define EPOCH_DAYS 10957
#define EPOCH_US (EPOCH_DAYS * INT64_C(86400000000))
/* 0001-01-01 and 9999-12-31, in days since 1970-01-01. */
#define DAYS_MIN (-719162)
#define DAYS_MAX 2932896
#define US_MIN (DAYS_MIN * INT64_C(86400000000))
#define US_MAX ((DAYS_MAX + 1) * INT64_C(86400000000) - 1)

/* How many values it takes to see that a dictionary will not pay, and how many of a hundred are distinct then. */
static const struct {
    uint32_t value_count, distinct_percent_max;
} TRIALS[] = {{4096, 95}, {16384, 80}, {32768, 60}};
/* A dictionary has to save a fifth. */
#define PAYS_PERCENT_MAX 80

bool uex_chunk_init(struct uex_chunk *chunk, const struct uex_parquet_column *column)
{
    *chunk = (struct uex_chunk){.column = column, .type = uex_parquet_type_of(column)};
    if (column->kind == UEX_PARQUET_DECIMAL)
        chunk->limit = uex_numeric_limit(column->precision);
    chunk->present = calloc(1, UEX_PARQUET_GROUP_ROWS / 8);
    uex_chunk_reset(chunk, 0);
    return chunk->present != NULL;
}

static size_t measure_numeric(struct uex_copy_field field)
{
    struct uex_numeric numeric;

    if (!uex_numeric_read(field.data, (size_t)field.size_bytes, &numeric))
        return LENGTH_BYTES;
    return LENGTH_BYTES + uex_numeric_text_max_bytes(&numeric);
}

size_t uex_chunk_measure(const struct uex_chunk *chunk, struct uex_copy_field field)
{
    if (field.size_bytes < 0)
        return 0;
    if (chunk->type.width_bytes > 0)
        return chunk->type.width_bytes;
    switch (chunk->column->kind) {
    case UEX_PARQUET_BOOLEAN:
        return 1;
    case UEX_PARQUET_UUID:
        return LENGTH_BYTES + UUID_TEXT_BYTES;
    case UEX_PARQUET_NUMERIC:
        return measure_numeric(field);
    default:
        return LENGTH_BYTES + (size_t)field.size_bytes;
    }
}

/* Room for values; the first ones go behind the head. */
static uint8_t *reserve_values(struct uex_chunk *chunk, size_t size_bytes)
{
    uint8_t *place;

    if (chunk->values.used_bytes == 0) {
        if (uex_region_reserve(&chunk->values, UEX_CHUNK_HEAD_BYTES + size_bytes) == NULL)
            return NULL;
        chunk->values.used_bytes = UEX_CHUNK_HEAD_BYTES;
    }
    place = uex_region_reserve(&chunk->values, size_bytes);
    return place;
}

enum uex_error uex_chunk_make_plain(struct uex_chunk *chunk)
{
    const uint16_t *indexes = (const uint16_t *)(const void *)chunk->indexes.data;
    uint8_t *place = reserve_values(chunk, chunk->plain_bytes);

    if (place == NULL)
        return UEX_NO_MEMORY;
    for (uint32_t i = 0; i < chunk->value_count; i++) {
        struct uex_bytes entry = uex_dictionary_entry(&chunk->dictionary, indexes[i]);

        memcpy(place, entry.data, entry.size_bytes);
        place += entry.size_bytes;
    }
    chunk->values.used_bytes += chunk->plain_bytes;
    chunk->is_plain = true;
    uex_dictionary_reset(&chunk->dictionary);
    uex_region_reset(&chunk->indexes, 0);
    return UEX_OK;
}

bool uex_chunk_dictionary_pays(const struct uex_chunk *chunk)
{
    const size_t index_bytes = (size_t)chunk->value_count * uex_dictionary_width_bits(&chunk->dictionary) / 8;

    return chunk->dictionary.entry_count > 0 &&
           (chunk->dictionary.values.used_bytes + index_bytes) * 100 <= chunk->plain_bytes * PAYS_PERCENT_MAX;
}

static bool is_hopeless(const struct uex_chunk *chunk)
{
    for (size_t i = 0; i < sizeof(TRIALS) / sizeof(TRIALS[0]); i++)
        if (chunk->value_count == TRIALS[i].value_count)
            return chunk->dictionary.entry_count >
                   (uint64_t)TRIALS[i].value_count * TRIALS[i].distinct_percent_max / 100;
    return false;
}

/* What uex_dictionary_put_…() said of the value that comes now. UEX_END: it has to go in PLAIN form. */
static enum uex_error keep_index(struct uex_chunk *chunk, int index, size_t plain_bytes)
{
    uint8_t *place;
    uint16_t narrow;

    if (index == UEX_DICTIONARY_NO_MEMORY)
        return UEX_NO_MEMORY;
    if (index == UEX_DICTIONARY_FULL) {
        enum uex_error err = uex_chunk_make_plain(chunk);

        return err == UEX_OK ? UEX_END : err;
    }
    place = uex_region_reserve(&chunk->indexes, sizeof(narrow));
    if (place == NULL)
        return UEX_NO_MEMORY;
    narrow = (uint16_t)index;
    memcpy(place, &narrow, sizeof(narrow));
    chunk->indexes.used_bytes += sizeof(narrow);
    chunk->plain_bytes += plain_bytes;
    chunk->value_count++;
    if (chunk->value_count % TRIALS[0].value_count == 0 && is_hopeless(chunk))
        return uex_chunk_make_plain(chunk);
    return UEX_OK;
}

static enum uex_error add_text(struct uex_chunk *chunk, const uint8_t *text, size_t size_bytes)
{
    uint8_t *place;

    if (!chunk->is_plain) {
        const int index = uex_dictionary_put_text(&chunk->dictionary, text, size_bytes);
        enum uex_error err = keep_index(chunk, index, LENGTH_BYTES + size_bytes);

        if (err != UEX_END)
            return err;
    }
    place = reserve_values(chunk, LENGTH_BYTES + size_bytes);
    if (place == NULL)
        return UEX_NO_MEMORY;
    uex_store_le32(place, (uint32_t)size_bytes);
    if (size_bytes > 0)
        memcpy(place + LENGTH_BYTES, text, size_bytes);
    chunk->values.used_bytes += LENGTH_BYTES + size_bytes;
    chunk->plain_bytes += LENGTH_BYTES + size_bytes;
    chunk->value_count++;
    return UEX_OK;
}

/* A value in PLAIN form. */
static enum uex_error add_fixed(struct uex_chunk *chunk, const uint8_t *value, size_t size_bytes)
{
    uint8_t *place;

    if (!chunk->is_plain) {
        const int index = uex_dictionary_put_fixed(&chunk->dictionary, value, size_bytes);
        enum uex_error err = keep_index(chunk, index, size_bytes);

        if (err != UEX_END)
            return err;
    }
    place = reserve_values(chunk, size_bytes);
    if (place == NULL)
        return UEX_NO_MEMORY;
    memcpy(place, value, size_bytes);
    chunk->values.used_bytes += size_bytes;
    chunk->plain_bytes += size_bytes;
    chunk->value_count++;
    return UEX_OK;
}

static enum uex_error add_int32(struct uex_chunk *chunk, int32_t value)
{
    uint8_t plain[4];

    uex_store_le32(plain, (uint32_t)value);
    return add_fixed(chunk, plain, sizeof(plain));
}

static enum uex_error add_int64(struct uex_chunk *chunk, int64_t value)
{
    uint8_t plain[8];

    uex_store_le64(plain, (uint64_t)value);
    return add_fixed(chunk, plain, sizeof(plain));
}

/* Encodings.md, "Plain": a bit for each, from the lowest on. */
static enum uex_error add_boolean(struct uex_chunk *chunk, bool value)
{
    const unsigned bit = chunk->value_count % 8;

    if (bit == 0) {
        uint8_t *place = reserve_values(chunk, 1);

        if (place == NULL)
            return UEX_NO_MEMORY;
        *place = 0;
        chunk->values.used_bytes++;
        chunk->plain_bytes++;
    }
    if (value)
        chunk->values.data[chunk->values.used_bytes - 1] |= (uint8_t)(1u << bit);
    chunk->value_count++;
    return UEX_OK;
}

static enum uex_error fail_type(const struct uex_chunk *chunk, struct uex_fault *fault)
{
    return uex_fail(fault, UEX_DB_DATA, "database: column %s has a value that is not of its type", chunk->column->name);
}

static enum uex_error fail_time(const struct uex_chunk *chunk, struct uex_fault *fault)
{
    return uex_fail(fault, UEX_DB_DATA,
                    "database: column %s has a date or time that is infinite, or outside of the years "
                    "0001 to 9999",
                    chunk->column->name);
}

static enum uex_error add_date(struct uex_chunk *chunk, const uint8_t *data, struct uex_fault *fault)
{
    const int64_t days = (int64_t)(int32_t)uex_load_be32(data) + EPOCH_DAYS;

    if (days < DAYS_MIN || days > DAYS_MAX)
        return fail_time(chunk, fault);
    return add_int32(chunk, (int32_t)days);
}

static enum uex_error add_timestamp(struct uex_chunk *chunk, const uint8_t *data, struct uex_fault *fault)
{
    const int64_t us = (int64_t)uex_load_be64(data);

    if (us < US_MIN - EPOCH_US || us > US_MAX - EPOCH_US)
        return fail_time(chunk, fault);
    return add_int64(chunk, us + EPOCH_US);
}

static enum uex_error add_float4(struct uex_chunk *chunk, const uint8_t *data)
{
    const uint32_t bits = uex_load_be32(data);
    float value;

    memcpy(&value, &bits, sizeof(value));
    chunk->nan_count += isnan(value) ? 1 : 0;
    return add_int32(chunk, (int32_t)bits);
}

static enum uex_error add_float8(struct uex_chunk *chunk, const uint8_t *data)
{
    const uint64_t bits = uex_load_be64(data);
    double value;

    memcpy(&value, &bits, sizeof(value));
    chunk->nan_count += isnan(value) ? 1 : 0;
    return add_int64(chunk, (int64_t)bits);
}

/* RFC 9562, section 4. */
static enum uex_error add_uuid(struct uex_chunk *chunk, const uint8_t *data)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t text[UUID_TEXT_BYTES], *place = text;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *place++ = '-';
        *place++ = (uint8_t)DIGITS[data[i] >> 4];
        *place++ = (uint8_t)DIGITS[data[i] & 15];
    }
    return add_text(chunk, text, sizeof(text));
}

/* LogicalTypes.md, "DECIMAL": big-endian two's complement where it is neither INT32 nor INT64. */
static enum uex_error add_scaled(struct uex_chunk *chunk, __int128 value)
{
    const size_t width_bytes = chunk->type.width_bytes;
    uint8_t plain[16];

    if (chunk->type.physical == UEX_PHYSICAL_INT32)
        return add_int32(chunk, (int32_t)value);
    if (chunk->type.physical == UEX_PHYSICAL_INT64)
        return add_int64(chunk, (int64_t)value);
    for (size_t i = 0; i < width_bytes; i++)
        plain[i] = (uint8_t)((unsigned __int128)value >> (8 * (width_bytes - 1 - i)));
    return add_fixed(chunk, plain, width_bytes);
}

static enum uex_error add_decimal(struct uex_chunk *chunk, struct uex_copy_field field, struct uex_fault *fault)
{
    struct uex_numeric numeric;
    __int128 value;

    if (!uex_numeric_read(field.data, (size_t)field.size_bytes, &numeric))
        return fail_type(chunk, fault);
    if (!uex_numeric_scaled(&numeric, chunk->column->scale, chunk->limit, &value))
        return uex_fail(fault, UEX_DB_DATA,
                        "database: column %s has a number that is no DECIMAL(%d, %d): NaN, infinite, or "
                        "of more digits",
                        chunk->column->name, chunk->column->precision, chunk->column->scale);
    return add_scaled(chunk, value);
}

static enum uex_error add_numeric_text(struct uex_chunk *chunk, const struct uex_numeric *numeric)
{
    char short_text[256];
    const size_t max_bytes = uex_numeric_text_max_bytes(numeric);
    char *text = max_bytes <= sizeof(short_text) ? short_text : malloc(max_bytes);
    enum uex_error err;

    if (text == NULL)
        return UEX_NO_MEMORY;
    err = add_text(chunk, (const uint8_t *)text, uex_numeric_text(numeric, text));
    if (text != short_text)
        free(text);
    return err;
}

static enum uex_error add_numeric(struct uex_chunk *chunk, struct uex_copy_field field, struct uex_fault *fault)
{
    struct uex_numeric numeric;

    if (!uex_numeric_read(field.data, (size_t)field.size_bytes, &numeric))
        return fail_type(chunk, fault);
    return add_numeric_text(chunk, &numeric);
}

/* Of a value whose size was checked, or may be any. */
static enum uex_error add_value(struct uex_chunk *chunk, struct uex_copy_field field, struct uex_fault *fault)
{
    const size_t size_bytes = (size_t)field.size_bytes;

    switch (chunk->column->kind) {
    case UEX_PARQUET_TEXT:
    case UEX_PARQUET_JSON:
        return add_text(chunk, field.data, size_bytes);
    case UEX_PARQUET_JSONB: /* jsonb_send(): a byte of its version, 1 */
        if (size_bytes < 1 || field.data[0] != 1)
            return fail_type(chunk, fault);
        return add_text(chunk, field.data + 1, size_bytes - 1);
    case UEX_PARQUET_UUID:
        return add_uuid(chunk, field.data);
    case UEX_PARQUET_BOOLEAN:
        return add_boolean(chunk, field.data[0] != 0);
    case UEX_PARQUET_INT2:
        return add_int32(chunk, (int16_t)uex_load_be16(field.data));
    case UEX_PARQUET_INT4:
        return add_int32(chunk, (int32_t)uex_load_be32(field.data));
    case UEX_PARQUET_INT8:
        return add_int64(chunk, (int64_t)uex_load_be64(field.data));
    case UEX_PARQUET_FLOAT4:
        return add_float4(chunk, field.data);
    case UEX_PARQUET_FLOAT8:
        return add_float8(chunk, field.data);
    case UEX_PARQUET_DATE:
        return add_date(chunk, field.data, fault);
    case UEX_PARQUET_TIMESTAMP:
    case UEX_PARQUET_TIMESTAMPTZ:
        return add_timestamp(chunk, field.data, fault);
    case UEX_PARQUET_DECIMAL:
        return add_decimal(chunk, field, fault);
    case UEX_PARQUET_NUMERIC:
        return add_numeric(chunk, field, fault);
    }
    return fail_type(chunk, fault);
}

/* The bytes of a value in PostgreSQL's binary form, where they are always as many; 0: any number. */
static size_t sent_bytes(enum uex_parquet_kind kind)
{
    switch (kind) {
    case UEX_PARQUET_BOOLEAN:
        return 1;
    case UEX_PARQUET_INT2:
        return 2;
    case UEX_PARQUET_INT4:
    case UEX_PARQUET_FLOAT4:
    case UEX_PARQUET_DATE:
        return 4;
    case UEX_PARQUET_INT8:
    case UEX_PARQUET_FLOAT8:
    case UEX_PARQUET_TIMESTAMP:
    case UEX_PARQUET_TIMESTAMPTZ:
        return 8;
    case UEX_PARQUET_UUID:
        return UUID_BYTES;
    default:
        return 0;
    }
}

enum uex_error uex_chunk_add(struct uex_chunk *chunk, uint32_t row, struct uex_copy_field field,
                             struct uex_fault *fault)
{
    enum uex_error err;
    size_t expected_bytes;

    if (field.size_bytes < 0)
        return UEX_OK;
    expected_bytes = sent_bytes(chunk->column->kind);
    if (expected_bytes != 0 && (size_t)field.size_bytes != expected_bytes)
        return fail_type(chunk, fault);
    err = add_value(chunk, field, fault);
    if (err == UEX_NO_MEMORY)
        return uex_fail(fault, err, "not enough memory for a row group");
    chunk->present[row / 8] |= (uint8_t)(1u << (row % 8));
    return err;
}

void uex_chunk_reset(struct uex_chunk *chunk, uint32_t row_count)
{
    if (chunk->present != NULL)
        memset(chunk->present, 0, (row_count + 7) / 8);
    chunk->value_count = 0;
    chunk->nan_count = 0;
    chunk->plain_bytes = 0;
    chunk->is_plain = chunk->type.physical == UEX_PHYSICAL_BOOLEAN;
    uex_dictionary_reset(&chunk->dictionary);
    uex_region_reset(&chunk->indexes, 0);
    uex_region_reset(&chunk->values, 0);
}

size_t uex_chunk_touched_bytes(const struct uex_chunk *chunk)
{
    return chunk->values.touched_bytes + chunk->indexes.touched_bytes + chunk->dictionary.values.touched_bytes +
           chunk->dictionary.entry_capacity * (sizeof(struct uex_dictionary_entry) + 2 * sizeof(uint64_t));
}

void uex_chunk_trim(struct uex_chunk *chunk)
{
    uex_region_free(&chunk->values);
    uex_region_free(&chunk->indexes);
    uex_dictionary_free(&chunk->dictionary);
}

void uex_chunk_free(struct uex_chunk *chunk)
{
    uex_chunk_trim(chunk);
    free(chunk->present);
    chunk->present = NULL;
}
