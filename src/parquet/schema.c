/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/schema.h"

/* parquet.thrift, ConvertedType and LogicalType: the numbers of both, where a kind has them. */
enum converted {
    CONVERTED_NONE = -1,
    CONVERTED_UTF8 = 0,
    CONVERTED_DECIMAL = 5,
    CONVERTED_DATE = 6,
    CONVERTED_TIMESTAMP_MICROS = 10,
    CONVERTED_JSON = 19
};
enum logical {
    LOGICAL_NONE = 0,
    LOGICAL_STRING = 1,
    LOGICAL_DECIMAL = 5,
    LOGICAL_DATE = 6,
    LOGICAL_TIMESTAMP = 8,
    LOGICAL_JSON = 12
};

struct kind_entry {
    enum uex_physical physical;
    size_t width_bytes;
    enum converted converted;
    enum logical logical;
};

static const struct kind_entry KINDS[] = {
    [UEX_PARQUET_TEXT] = {UEX_PHYSICAL_BYTE_ARRAY, 0, CONVERTED_UTF8, LOGICAL_STRING},
    [UEX_PARQUET_UUID] = {UEX_PHYSICAL_BYTE_ARRAY, 0, CONVERTED_UTF8, LOGICAL_STRING},
    [UEX_PARQUET_JSON] = {UEX_PHYSICAL_BYTE_ARRAY, 0, CONVERTED_JSON, LOGICAL_JSON},
    [UEX_PARQUET_JSONB] = {UEX_PHYSICAL_BYTE_ARRAY, 0, CONVERTED_JSON, LOGICAL_JSON},
    [UEX_PARQUET_BOOLEAN] = {UEX_PHYSICAL_BOOLEAN, 0, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_INT2] = {UEX_PHYSICAL_INT32, 4, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_INT4] = {UEX_PHYSICAL_INT32, 4, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_INT8] = {UEX_PHYSICAL_INT64, 8, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_FLOAT4] = {UEX_PHYSICAL_FLOAT, 4, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_FLOAT8] = {UEX_PHYSICAL_DOUBLE, 8, CONVERTED_NONE, LOGICAL_NONE},
    [UEX_PARQUET_DATE] = {UEX_PHYSICAL_INT32, 4, CONVERTED_DATE, LOGICAL_DATE},
    [UEX_PARQUET_TIMESTAMP] = {UEX_PHYSICAL_INT64, 8, CONVERTED_TIMESTAMP_MICROS, LOGICAL_TIMESTAMP},
    [UEX_PARQUET_TIMESTAMPTZ] = {UEX_PHYSICAL_INT64, 8, CONVERTED_TIMESTAMP_MICROS, LOGICAL_TIMESTAMP},
    [UEX_PARQUET_DECIMAL] = {UEX_PHYSICAL_FIXED, 16, CONVERTED_DECIMAL, LOGICAL_DECIMAL}, /* see decimal_type() */
    [UEX_PARQUET_NUMERIC] = {UEX_PHYSICAL_BYTE_ARRAY, 0, CONVERTED_UTF8, LOGICAL_STRING},
};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

/* The least bytes that hold all numbers of so many digits and a sign: 10^precision - 1 < 2^(8 * bytes - 1). */
static struct uex_parquet_type decimal_type(int precision)
{
    unsigned __int128 limit = 1;
    size_t width_bytes = 1;

    if (precision <= 9)
        return (struct uex_parquet_type){.physical = UEX_PHYSICAL_INT32, .width_bytes = 4};
    if (precision <= 18)
        return (struct uex_parquet_type){.physical = UEX_PHYSICAL_INT64, .width_bytes = 8};
    for (int i = 0; i < precision; i++)
        limit *= 10;
    while (width_bytes < 16 && (limit - 1) >> (8 * width_bytes - 1) != 0)
        width_bytes++;
    return (struct uex_parquet_type){.physical = UEX_PHYSICAL_FIXED, .width_bytes = width_bytes};
}

struct uex_parquet_type uex_parquet_type_of(const struct uex_parquet_column *column)
{
    const struct kind_entry *entry = &KINDS[column->kind];

    if (column->kind == UEX_PARQUET_DECIMAL)
        return decimal_type(column->precision);
    return (struct uex_parquet_type){.physical = entry->physical, .width_bytes = entry->width_bytes};
}

void uex_parquet_decimal(struct uex_parquet_column *column, int precision, int scale)
{
    /* PostgreSQL's manual, "Arbitrary Precision Numbers": a negative scale rounds left of the point; one that is
     * greater than the precision has zeros right of it. */
    if (scale < 0) {
        precision -= scale;
        scale = 0;
    } else if (scale > precision) {
        precision = scale;
    }
    *column = (struct uex_parquet_column){.name = column->name, .kind = UEX_PARQUET_NUMERIC};
    if (precision < 1 || precision > UEX_PARQUET_PRECISION_MAX)
        return;
    column->kind = UEX_PARQUET_DECIMAL;
    column->precision = precision;
    column->scale = scale;
}

enum uex_error uex_parquet_format_check(const struct uex_parquet_format *format, struct uex_fault *fault)
{
    if (format->column_count == 0)
        return uex_fail(fault, UEX_CONFIG, "a Parquet file needs a column");
    for (size_t i = 0; i < format->column_count; i++) {
        const struct uex_parquet_column *column = &format->columns[i];

        if (column->name == NULL || column->name[0] == '\0')
            return uex_fail(fault, UEX_CONFIG, "column %zu of a Parquet file needs a name", i + 1);
        if ((size_t)column->kind >= KIND_COUNT)
            return uex_fail(fault, UEX_CONFIG, "column %s: there is no such type", column->name);
        if (column->kind == UEX_PARQUET_DECIMAL &&
            (column->precision < 1 || column->precision > UEX_PARQUET_PRECISION_MAX || column->scale < 0 ||
             column->scale > column->precision))
            return uex_fail(fault, UEX_CONFIG, "column %s: Parquet has no DECIMAL(%d, %d)", column->name,
                            column->precision, column->scale);
        for (size_t j = 0; j < i; j++)
            if (strcmp(column->name, format->columns[j].name) == 0)
                return uex_fail(fault, UEX_CONFIG, "column %s is there twice", column->name);
    }
    return UEX_OK;
}

/* parquet.thrift, LogicalType: a union. */
static void write_logical(const struct uex_parquet_column *column, struct uex_thrift_writer *writer)
{
    const enum logical logical = KINDS[column->kind].logical;

    if (logical == LOGICAL_NONE)
        return;
    uex_thrift_begin_field(writer, 10);
    uex_thrift_begin_field(writer, (int16_t)logical);
    if (logical == LOGICAL_DECIMAL) { /* DecimalType */
        uex_thrift_i32(writer, 1, column->scale);
        uex_thrift_i32(writer, 2, column->precision);
    } else if (logical == LOGICAL_TIMESTAMP) { /* TimestampType, TimeUnit: MICROS is its second member */
        uex_thrift_bool(writer, 1, column->kind == UEX_PARQUET_TIMESTAMPTZ);
        uex_thrift_begin_field(writer, 2);
        uex_thrift_begin_field(writer, 2);
        uex_thrift_end(writer);
        uex_thrift_end(writer);
    }
    uex_thrift_end(writer);
    uex_thrift_end(writer);
}

/* parquet.thrift, SchemaElement */
static void write_element(const struct uex_parquet_column *column, struct uex_thrift_writer *writer)
{
    const struct uex_parquet_type type = uex_parquet_type_of(column);

    uex_thrift_begin(writer);
    uex_thrift_i32(writer, 1, (int32_t)type.physical);
    if (type.physical == UEX_PHYSICAL_FIXED)
        uex_thrift_i32(writer, 2, (int32_t)type.width_bytes);
    uex_thrift_i32(writer, 3, 1); /* FieldRepetitionType: OPTIONAL */
    uex_thrift_text(writer, 4, column->name);
    if (KINDS[column->kind].converted != CONVERTED_NONE)
        uex_thrift_i32(writer, 6, (int32_t)KINDS[column->kind].converted);
    if (column->kind == UEX_PARQUET_DECIMAL) {
        uex_thrift_i32(writer, 7, column->scale);
        uex_thrift_i32(writer, 8, column->precision);
    }
    write_logical(column, writer);
    uex_thrift_end(writer);
}

void uex_parquet_write_schema(const struct uex_parquet_format *format, struct uex_thrift_writer *writer)
{
    uex_thrift_list(writer, 2, UEX_THRIFT_STRUCT, format->column_count + 1);
    uex_thrift_begin(writer);
    uex_thrift_text(writer, 4, "schema");
    uex_thrift_i32(writer, 5, (int32_t)format->column_count);
    uex_thrift_end(writer);
    for (size_t i = 0; i < format->column_count; i++)
        write_element(&format->columns[i], writer);
}
