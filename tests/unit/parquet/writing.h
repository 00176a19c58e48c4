/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/parquet/writing.h — a file of every kind of column, into a buffer. */
#ifndef EXPORT_TEST_PARQUET_WRITING_H
#define EXPORT_TEST_PARQUET_WRITING_H

#include "export/buffer.h"
#include "export/parquet.h"

#include <math.h>

#include "fields.h"

static const struct uex_parquet_column WRITING_COLUMNS[] = {
    {.name = "text", .kind = UEX_PARQUET_TEXT},
    {.name = "uuid", .kind = UEX_PARQUET_UUID},
    {.name = "json", .kind = UEX_PARQUET_JSON},
    {.name = "jsonb", .kind = UEX_PARQUET_JSONB},
    {.name = "boolean", .kind = UEX_PARQUET_BOOLEAN},
    {.name = "int2", .kind = UEX_PARQUET_INT2},
    {.name = "int4", .kind = UEX_PARQUET_INT4},
    {.name = "int8", .kind = UEX_PARQUET_INT8},
    {.name = "float4", .kind = UEX_PARQUET_FLOAT4},
    {.name = "float8", .kind = UEX_PARQUET_FLOAT8},
    {.name = "date", .kind = UEX_PARQUET_DATE},
    {.name = "timestamp", .kind = UEX_PARQUET_TIMESTAMP},
    {.name = "timestamptz", .kind = UEX_PARQUET_TIMESTAMPTZ},
    {.name = "decimal_9_2", .kind = UEX_PARQUET_DECIMAL, .precision = 9, .scale = 2},
    {.name = "decimal_18_0", .kind = UEX_PARQUET_DECIMAL, .precision = 18, .scale = 0},
    {.name = "decimal_38_10", .kind = UEX_PARQUET_DECIMAL, .precision = 38, .scale = 10},
    {.name = "numeric", .kind = UEX_PARQUET_NUMERIC},
    {.name = "same", .kind = UEX_PARQUET_TEXT},
};
#define WRITING_COLUMN_COUNT (sizeof(WRITING_COLUMNS) / sizeof(WRITING_COLUMNS[0]))

static const struct uex_parquet_pair WRITING_PAIRS[] = {{"export-version", "1.0"}, {"export-group-id", "caf\xc3\xa9"}};

static enum uex_error writing_sink_write(void *context, struct uex_bytes data)
{
    struct uex_buffer *out = context;

    uex_buffer_append(out, data.data, data.size_bytes);
    return uex_buffer_failed(out) ? UEX_NO_MEMORY : UEX_OK;
}

static inline struct uex_sink writing_sink(struct uex_buffer *out)
{
    return (struct uex_sink){.write = writing_sink_write, .context = out};
}

/* Row `number` of the table: every third field of a row is NULL, but in the first and in the last column. */
static inline void writing_row(unsigned number, struct uex_copy_field *fields)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "row %u", number);

    fields[0] = field_bytes(text, (size_t)length);
    fields[1] = field_bytes((const char[16]){(char)number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16);
    length = snprintf(text, sizeof(text), "{\"n\": %u}", number);
    fields[2] = field_bytes(text, (size_t)length);
    length = snprintf(text, sizeof(text), "\1[%u]", number % 3);
    fields[3] = field_bytes(text, (size_t)length);
    fields[4] = field_integer(number % 2, 1);
    fields[5] = field_integer((int64_t)number - 2, 2);
    fields[6] = field_integer((int64_t)number * -100000, 4);
    fields[7] = field_integer((int64_t)number << 40, 8);
    fields[8] = field_float4((float)number / 4);
    fields[9] = field_float8(number == 5 ? NAN : number / -8.0);
    fields[10] = field_integer((int64_t)number * 1000 - 2000, 4);
    fields[11] = field_integer((int64_t)number * 1000000001 - 1, 8);
    fields[12] = field_integer((int64_t)number * -86400000000, 8);
    fields[13] = FIELD_NUMERIC(0, number % 2 == 0 ? 0x4000 : 0, 2, (int)number + 1, 2500);
    fields[14] = FIELD_NUMERIC(1, 0, 0, (int)number + 1, 7);
    fields[15] = FIELD_NUMERIC(0, 0x4000, 4, (int)number + 1, 42);
    fields[16] = FIELD_NUMERIC(-1, 0, 4, (int)number + 1);
    fields[17] = field_text("1.0");
    for (unsigned i = 1; i + 1 < WRITING_COLUMN_COUNT; i++)
        if ((i + number) % 3 == 0)
            fields[i] = field_null();
}

static inline enum uex_error writing_put(struct uex_parquet_file *file, struct uex_parquet_group *group,
                                         struct uex_fault *fault)
{
    enum uex_error err = uex_parquet_group_encode(group, fault);

    return err == UEX_OK ? uex_parquet_file_put(file, group, fault) : err;
}

/* The rows 0 to row_count - 1, in groups of group_rows. */
static inline enum uex_error writing_write(const struct uex_parquet_format *format, unsigned row_count,
                                           unsigned group_rows, struct uex_buffer *out)
{
    struct uex_parquet_group *group = uex_parquet_group_new(format);
    struct uex_parquet_file *file = uex_parquet_file_new(format);
    struct uex_copy_field fields[WRITING_COLUMN_COUNT];
    struct uex_fault fault = {0};
    enum uex_error err = group == NULL || file == NULL ? UEX_NO_MEMORY : UEX_OK;

    if (err == UEX_OK)
        uex_parquet_file_begin(file, writing_sink(out));
    for (unsigned row = 0; row < row_count && err == UEX_OK; row++) {
        writing_row(row, fields);
        err = uex_parquet_group_add(group, fields, &fault);
        if (err == UEX_OK && (row % group_rows == group_rows - 1 || row == row_count - 1))
            err = writing_put(file, group, &fault);
    }
    if (err == UEX_OK)
        err = uex_parquet_file_finish(file, WRITING_PAIRS, 2, &fault);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
    return err;
}
#endif
