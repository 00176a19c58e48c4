/* SPDX-License-Identifier: Apache-2.0 */
/* copy_to_parquet CODEC GROUP_BYTES COLUMN… <COPY in binary form >a Parquet file
 *
 * For tests with independent readers, and for measuring. A column is NAME:KIND, of a numeric
 * NAME:decimal:PRECISION:SCALE. Exit code 1: an error, which stands in the standard error output with its code. */
#include "export/parquet.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS_MAX 1600

static const char *const KIND_NAMES[] = {
    [UEX_PARQUET_TEXT] = "text",
    [UEX_PARQUET_UUID] = "uuid",
    [UEX_PARQUET_JSON] = "json",
    [UEX_PARQUET_JSONB] = "jsonb",
    [UEX_PARQUET_BOOLEAN] = "boolean",
    [UEX_PARQUET_INT2] = "int2",
    [UEX_PARQUET_INT4] = "int4",
    [UEX_PARQUET_INT8] = "int8",
    [UEX_PARQUET_FLOAT4] = "float4",
    [UEX_PARQUET_FLOAT8] = "float8",
    [UEX_PARQUET_DATE] = "date",
    [UEX_PARQUET_TIMESTAMP] = "timestamp",
    [UEX_PARQUET_TIMESTAMPTZ] = "timestamptz",
    [UEX_PARQUET_DECIMAL] = "decimal",
    [UEX_PARQUET_NUMERIC] = "numeric",
};

static struct uex_parquet_column columns[COLUMNS_MAX];
static struct uex_copy_field fields[COLUMNS_MAX];

/* The input, of which a part is in memory. */
static struct {
    uint8_t *data;
    size_t from, to, capacity;
} input;

static void fail(enum uex_error err, const char *text)
{
    (void)fprintf(stderr, "%s: %s\n", uex_error_code(err), text);
    exit(1);
}

static bool read_column(char *argument, struct uex_parquet_column *column)
{
    char *kind = strchr(argument, ':'), *precision = NULL, *scale = NULL;

    if (kind == NULL)
        return false;
    *kind++ = '\0';
    column->name = argument;
    precision = strchr(kind, ':');
    scale = precision == NULL ? NULL : strchr(precision + 1, ':');
    if (scale != NULL) {
        *precision = '\0';
        uex_parquet_decimal(column, atoi(precision + 1), atoi(scale + 1));
        return true;
    }
    for (size_t i = 0; i < sizeof(KIND_NAMES) / sizeof(KIND_NAMES[0]); i++) {
        if (strcmp(KIND_NAMES[i], kind) == 0) {
            column->kind = (enum uex_parquet_kind)i;
            return true;
        }
    }
    return false;
}

/* At least so many bytes are there; false: the input ends before. */
static bool have(size_t size_bytes)
{
    if (input.to - input.from >= size_bytes)
        return true;
    if (input.from > 0) {
        memmove(input.data, input.data + input.from, input.to - input.from);
        input.to -= input.from;
        input.from = 0;
    }
    if (input.capacity < size_bytes) {
        input.capacity = size_bytes < ((size_t)1 << 20) ? (size_t)1 << 20 : size_bytes;
        input.data = realloc(input.data, input.capacity);
        if (input.data == NULL)
            fail(UEX_NO_MEMORY, "the input");
    }
    while (input.to < size_bytes) {
        size_t got = fread(input.data + input.to, 1, input.capacity - input.to, stdin);

        if (got == 0)
            return false;
        input.to += got;
    }
    return true;
}

static uint32_t be32_at(size_t at)
{
    const uint8_t *data = input.data + input.from + at;

    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* The bytes that the server sends as one message: a row, or the trailer, and the header before the first. */
static struct uex_bytes next_message(bool is_first)
{
    size_t size_bytes = is_first && have(19) ? 19 + be32_at(15) : 0;
    unsigned count;

    if (!have(size_bytes + 2))
        return uex_bytes_of(input.data + input.from, input.to - input.from);
    count = (unsigned)(input.data[input.from + size_bytes] << 8 | input.data[input.from + size_bytes + 1]);
    size_bytes += 2;
    for (unsigned i = 0; count != 0xffff && i < count; i++) {
        uint32_t field_bytes = have(size_bytes + 4) ? be32_at(size_bytes) : 0;

        size_bytes += 4 + (field_bytes == UINT32_MAX ? 0 : field_bytes);
        if (!have(size_bytes))
            return uex_bytes_of(input.data + input.from, input.to - input.from);
    }
    return uex_bytes_of(input.data + input.from, size_bytes);
}

static enum uex_error write_output(void *context, struct uex_bytes data)
{
    return fwrite(data.data, 1, data.size_bytes, context) == data.size_bytes ? UEX_OK : UEX_STORE_FULL;
}

static enum uex_error put(struct uex_parquet_file *file, struct uex_parquet_group *group, struct uex_fault *fault)
{
    enum uex_error err = uex_parquet_group_encode(group, fault);

    return err == UEX_OK ? uex_parquet_file_put(file, group, fault) : err;
}

static enum uex_error copy_rows(struct uex_parquet_file *file, struct uex_parquet_group *group, size_t column_count,
                                struct uex_fault *fault)
{
    struct uex_copy_binary stream = {.field_count = column_count};

    for (;;) {
        struct uex_bytes message = next_message(!stream.has_header);
        enum uex_error err = uex_copy_binary_read(&stream, message, fields, fault);

        if (err == UEX_OK) {
            err = uex_parquet_group_add(group, fields, fault);
            if (err == UEX_LIMIT) {
                err = put(file, group, fault);
                if (err == UEX_OK)
                    err = uex_parquet_group_add(group, fields, fault);
            }
        }
        if (err != UEX_OK)
            return err == UEX_END ? put(file, group, fault) : err;
        input.from += message.size_bytes;
    }
}

int main(int argc, char **argv)
{
    struct uex_parquet_format format = {.columns = columns};
    const struct uex_parquet_pair pairs[] = {{"export-version", "1.0"}, {"empty", ""}};
    struct uex_parquet_group *group = NULL;
    struct uex_parquet_file *file = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (argc < 4 || argc - 3 > COLUMNS_MAX)
        fail(UEX_CONFIG, "copy_to_parquet CODEC GROUP_BYTES COLUMN…");
    format.codec = strcmp(argv[1], "zstd") == 0   ? UEX_PARQUET_ZSTD
                   : strcmp(argv[1], "gzip") == 0 ? UEX_PARQUET_GZIP
                                                  : UEX_PARQUET_NONE;
    format.group_bytes = strtoul(argv[2], NULL, 10);
    format.column_count = (size_t)argc - 3;
    for (size_t i = 0; i < format.column_count; i++)
        if (!read_column(argv[3 + i], &columns[i]))
            fail(UEX_CONFIG, argv[3 + i]);
    err = uex_parquet_format_check(&format, &fault);
    if (err != UEX_OK)
        fail(err, fault.text);
    group = uex_parquet_group_new(&format);
    file = uex_parquet_file_new(&format);
    if (group == NULL || file == NULL)
        fail(UEX_NO_MEMORY, "a group and a file");
    uex_parquet_file_begin(file, (struct uex_sink){.write = write_output, .context = stdout});
    err = copy_rows(file, group, format.column_count, &fault);
    if (err == UEX_OK)
        err = uex_parquet_file_finish(file, pairs, sizeof(pairs) / sizeof(pairs[0]), &fault);
    if (err == UEX_OK && fflush(stdout) != 0)
        err = uex_fail(&fault, UEX_STORE_FULL, "the output");
    if (err != UEX_OK)
        fail(err, fault.text);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
    free(input.data);
    return 0;
}
