/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/statistics.h"

#include <math.h>

#include "core/utf8.h"
#include "parquet/load.h"

#define LENGTH_BYTES ((size_t)4)

static void set_bound(struct uex_bound *bound, const uint8_t *data, size_t size_bytes)
{
    memcpy(bound->data, data, size_bytes);
    bound->size_bytes = size_bytes;
    bound->is_known = bound->is_exact = true;
}

static void set_bounds32(uint32_t min, uint32_t max, struct uex_statistics *out)
{
    uint8_t bytes[4];

    uex_store_le32(bytes, min);
    set_bound(&out->min, bytes, sizeof(bytes));
    uex_store_le32(bytes, max);
    set_bound(&out->max, bytes, sizeof(bytes));
}

static void set_bounds64(uint64_t min, uint64_t max, struct uex_statistics *out)
{
    uint8_t bytes[8];

    uex_store_le64(bytes, min);
    set_bound(&out->min, bytes, sizeof(bytes));
    uex_store_le64(bytes, max);
    set_bound(&out->max, bytes, sizeof(bytes));
}

static void bound_int32(const uint8_t *plain, size_t count, struct uex_statistics *out)
{
    int32_t min = INT32_MAX, max = INT32_MIN;

    for (size_t i = 0; i < count; i++) {
        const int32_t value = (int32_t)uex_load_le32(plain + 4 * i);

        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    set_bounds32((uint32_t)min, (uint32_t)max, out);
}

static void bound_int64(const uint8_t *plain, size_t count, struct uex_statistics *out)
{
    int64_t min = INT64_MAX, max = INT64_MIN;

    for (size_t i = 0; i < count; i++) {
        const int64_t value = (int64_t)uex_load_le64(plain + 8 * i);

        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    set_bounds64((uint64_t)min, (uint64_t)max, out);
}

static void bound_float(const uint8_t *plain, size_t count, struct uex_statistics *out)
{
    float min = INFINITY, max = -INFINITY;
    bool is_known = false;
    uint32_t bits, max_bits;

    for (size_t i = 0; i < count; i++) {
        float value;

        bits = uex_load_le32(plain + 4 * i);
        memcpy(&value, &bits, sizeof(value));
        is_known = is_known || !isnan(value);
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    if (!is_known)
        return;
    min = min == 0.0F ? -0.0F : min;
    max = max == 0.0F ? 0.0F : max;
    memcpy(&bits, &min, sizeof(bits));
    memcpy(&max_bits, &max, sizeof(max_bits));
    set_bounds32(bits, max_bits, out);
}

static void bound_double(const uint8_t *plain, size_t count, struct uex_statistics *out)
{
    double min = INFINITY, max = -INFINITY;
    bool is_known = false;
    uint64_t bits, max_bits;

    for (size_t i = 0; i < count; i++) {
        double value;

        bits = uex_load_le64(plain + 8 * i);
        memcpy(&value, &bits, sizeof(value));
        is_known = is_known || !isnan(value);
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    if (!is_known)
        return;
    min = min == 0.0 ? -0.0 : min;
    max = max == 0.0 ? 0.0 : max;
    memcpy(&bits, &min, sizeof(bits));
    memcpy(&max_bits, &max, sizeof(max_bits));
    set_bounds64(bits, max_bits, out);
}

/* Two's complement, big-endian: with the sign bit turned over the bytes compare as the numbers do. */
static int compare_fixed(const uint8_t *left, const uint8_t *right, size_t width_bytes)
{
    const uint8_t left_first = left[0] ^ 0x80, right_first = right[0] ^ 0x80;

    return left_first != right_first ? left_first - right_first : memcmp(left, right, width_bytes);
}

static void bound_fixed(const uint8_t *plain, size_t count, size_t width_bytes, struct uex_statistics *out)
{
    const uint8_t *min = plain, *max = plain;

    for (size_t i = 1; i < count; i++) {
        const uint8_t *value = plain + width_bytes * i;

        min = compare_fixed(value, min, width_bytes) < 0 ? value : min;
        max = compare_fixed(value, max, width_bytes) > 0 ? value : max;
    }
    set_bound(&out->min, min, width_bytes);
    set_bound(&out->max, max, width_bytes);
}

static void bound_boolean(const uint8_t *plain, size_t count, struct uex_statistics *out)
{
    bool has[2] = {false, false};

    for (size_t i = 0; i < count; i++)
        has[plain[i / 8] >> (i % 8) & 1] = true;
    set_bound(&out->min, (const uint8_t[]){has[0] ? 0 : 1}, 1);
    set_bound(&out->max, (const uint8_t[]){has[1] ? 1 : 0}, 1);
}

static int compare_text(struct uex_bytes left, struct uex_bytes right)
{
    const size_t shorter = left.size_bytes < right.size_bytes ? left.size_bytes : right.size_bytes;
    const int order = memcmp(left.data, right.data, shorter);

    return order != 0 ? order : (left.size_bytes > right.size_bytes) - (left.size_bytes < right.size_bytes);
}

/* Where the character begins that has the byte before `end`; whole characters stand before `end`. */
static size_t character_before(const uint8_t *text, size_t end)
{
    size_t at = end - 1;

    while (at > 0 && (text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* The whole characters of the first bytes; what is no UTF-8 has none. */
static size_t cut_text(struct uex_bytes text)
{
    size_t at = 0;

    while (at < UEX_BOUND_BYTES_MAX) {
        const struct uex_utf8_char next = uex_utf8_next(text.data + at, text.size_bytes - at);

        if (!next.valid || at + next.size_bytes > UEX_BOUND_BYTES_MAX)
            break;
        at += next.size_bytes;
    }
    return at;
}

static uint32_t decode(const uint8_t *text, size_t size_bytes)
{
    uint32_t code = size_bytes == 1 ? text[0] : text[0] & (0x7fu >> size_bytes);

    for (size_t i = 1; i < size_bytes; i++)
        code = code << 6 | (text[i] & 0x3f);
    return code;
}

/* RFC 3629, section 3. Returns the bytes. */
static size_t encode(uint32_t code, uint8_t *out)
{
    const size_t size_bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t FIRST[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = size_bytes - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(FIRST[size_bytes] | code);
    return size_bytes;
}

/* The least text of whole characters that is greater than all that begin so: the last character that has a next one
 * becomes that one, and what is behind it goes. False: there is none, or no room. */
static bool raise_text(struct uex_bound *bound)
{
    size_t end = bound->size_bytes;

    while (end > 0) {
        const size_t at = character_before(bound->data, end);
        uint32_t code = decode(bound->data + at, end - at) + 1;
        uint8_t next[4];
        size_t next_bytes;

        if (code == 0xd800) /* no surrogates in UTF-8 */
            code = 0xe000;
        next_bytes = code > 0x10ffff ? 0 : encode(code, next);
        if (next_bytes > 0 && at + next_bytes <= UEX_BOUND_BYTES_MAX) {
            memcpy(bound->data + at, next, next_bytes);
            bound->size_bytes = at + next_bytes;
            return true;
        }
        end = at;
    }
    return false;
}

static void bound_text_value(const struct uex_parquet_column *column, struct uex_bytes value, bool is_max,
                             struct uex_bound *out)
{
    const bool is_json = column->kind == UEX_PARQUET_JSON || column->kind == UEX_PARQUET_JSONB;

    if (value.size_bytes <= UEX_BOUND_BYTES_MAX) {
        set_bound(out, value.data, value.size_bytes);
        return;
    }
    if (is_json) /* a part of a document is none */
        return;
    set_bound(out, value.data, cut_text(value));
    out->is_exact = false;
    out->is_known = is_max ? raise_text(out) : out->size_bytes > 0;
}

static void bound_text(const struct uex_parquet_column *column, const uint8_t *plain, size_t count,
                       struct uex_statistics *out)
{
    struct uex_bytes min = {0}, max = {0};

    for (size_t i = 0; i < count; i++) {
        const struct uex_bytes value = uex_bytes_of(plain + LENGTH_BYTES, uex_load_le32(plain));

        plain += LENGTH_BYTES + value.size_bytes;
        if (i == 0 || compare_text(value, min) < 0)
            min = value;
        if (i == 0 || compare_text(value, max) > 0)
            max = value;
    }
    bound_text_value(column, min, false, &out->min);
    bound_text_value(column, max, true, &out->max);
}

void uex_statistics_bounds(const struct uex_parquet_column *column, struct uex_bytes plain, size_t count,
                           struct uex_statistics *out)
{
    const struct uex_parquet_type type = uex_parquet_type_of(column);

    out->min = out->max = (struct uex_bound){0};
    if (count == 0)
        return;
    switch (type.physical) {
    case UEX_PHYSICAL_BOOLEAN:
        bound_boolean(plain.data, count, out);
        return;
    case UEX_PHYSICAL_INT32:
        bound_int32(plain.data, count, out);
        return;
    case UEX_PHYSICAL_INT64:
        bound_int64(plain.data, count, out);
        return;
    case UEX_PHYSICAL_FLOAT:
        bound_float(plain.data, count, out);
        return;
    case UEX_PHYSICAL_DOUBLE:
        bound_double(plain.data, count, out);
        return;
    case UEX_PHYSICAL_FIXED:
        bound_fixed(plain.data, count, type.width_bytes, out);
        return;
    case UEX_PHYSICAL_BYTE_ARRAY:
        bound_text(column, plain.data, count, out);
        return;
    }
}

static bool is_floating(const struct uex_parquet_column *column)
{
    return column->kind == UEX_PARQUET_FLOAT4 || column->kind == UEX_PARQUET_FLOAT8;
}

void uex_statistics_write(const struct uex_parquet_column *column, const struct uex_statistics *statistics,
                          struct uex_thrift_writer *writer)
{
    const struct uex_bound *min = &statistics->min, *max = &statistics->max;

    uex_thrift_begin_field(writer, 12);
    uex_thrift_i64(writer, 3, (int64_t)statistics->null_count);
    if (max->is_known)
        uex_thrift_binary(writer, 5, uex_bytes_of(max->data, max->size_bytes));
    if (min->is_known)
        uex_thrift_binary(writer, 6, uex_bytes_of(min->data, min->size_bytes));
    if (max->is_known)
        uex_thrift_bool(writer, 7, max->is_exact);
    if (min->is_known)
        uex_thrift_bool(writer, 8, min->is_exact);
    if (is_floating(column))
        uex_thrift_i64(writer, 9, (int64_t)statistics->nan_count);
    uex_thrift_end(writer);
}
