/* SPDX-License-Identifier: Apache-2.0 */
#include "export/parquet_footer.h"

#include <stdlib.h>

#include "export/buffer.h"
#include "parquet/load.h"
#include "parquet/thrift.h"

static const uint8_t MAGIC[4] = {'P', 'A', 'R', '1'};
/* README.md, "Encryption": a file whose footer is encrypted. */
static const uint8_t MAGIC_ENCRYPTED[4] = {'P', 'A', 'R', 'E'};

static enum uex_error fail(struct uex_fault *fault, const char *reason)
{
    return uex_fail(fault, UEX_OBJECT_BROKEN, "not a complete Parquet file: %s", reason);
}

enum uex_error uex_parquet_footer_measure(struct uex_bytes tail, uint64_t file_bytes, size_t *footer_bytes,
                                          struct uex_fault *fault)
{
    const uint8_t *end;
    uint64_t size_bytes;

    if (tail.size_bytes < UEX_PARQUET_TAIL_BYTES || tail.size_bytes > file_bytes)
        return fail(fault, "it is too short");
    end = tail.data + tail.size_bytes - UEX_PARQUET_TAIL_BYTES;
    if (memcmp(end + 4, MAGIC_ENCRYPTED, sizeof(MAGIC_ENCRYPTED)) == 0)
        return fail(fault, "its footer is encrypted");
    if (memcmp(end + 4, MAGIC, sizeof(MAGIC)) != 0)
        return fail(fault, "it does not end with PAR1");
    size_bytes = (uint64_t)uex_load_le32(end) + UEX_PARQUET_TAIL_BYTES;
    if (size_bytes > file_bytes - (file_bytes < sizeof(MAGIC) ? file_bytes : sizeof(MAGIC)))
        return fail(fault, "its footer is longer than the file");
    if (size_bytes > UEX_BUFFER_CAP_BYTES)
        return fail(fault, "its footer is too long");
    *footer_bytes = (size_t)size_bytes;
    return UEX_OK;
}

/* An element of a list that has to be of structs. */
static size_t read_structs(struct uex_thrift_reader *reader)
{
    enum uex_thrift_type element;
    const size_t count = uex_thrift_read_list(reader, &element);

    if (count > 0 && element != UEX_THRIFT_STRUCT)
        reader->failed = true;
    return reader->failed ? 0 : count;
}

static bool is_integer(enum uex_thrift_type type)
{
    return type == UEX_THRIFT_I16 || type == UEX_THRIFT_I32 || type == UEX_THRIFT_I64;
}

struct schema_element {
    struct uex_bytes name;
    int64_t child_count; /* 0: a column */
};

static struct schema_element read_schema_element(struct uex_thrift_reader *reader)
{
    struct schema_element element = {.child_count = 0};
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(reader, &id, &type)) {
        if (id == 4 && type == UEX_THRIFT_BINARY)
            element.name = uex_thrift_read_binary(reader);
        else if (id == 5 && is_integer(type))
            element.child_count = uex_thrift_read_integer(reader);
        else
            uex_thrift_skip(reader, type);
    }
    return element;
}

/* The schema is a tree, depth first. Skip what stands below an element. */
static void skip_children(struct uex_thrift_reader *reader, int64_t child_count, size_t *left)
{
    int64_t open_count = child_count;

    if (child_count < 0 || child_count > (int64_t)*left) {
        reader->failed = true;
        return;
    }
    while (open_count > 0 && *left > 0 && !reader->failed) {
        const struct schema_element element = read_schema_element(reader);

        (*left)--;
        if (element.child_count < 0 || element.child_count > (int64_t)*left)
            reader->failed = true;
        else
            open_count += element.child_count - 1;
    }
    if (open_count != 0)
        reader->failed = true;
}

/* FileMetaData.schema: the root, and what stands below it. */
static enum uex_error read_schema(struct uex_thrift_reader *reader, struct uex_parquet_footer *out,
                                  struct uex_fault *fault)
{
    size_t left = read_structs(reader);
    struct schema_element root = {.child_count = 0};

    if (left > 0)
        root = read_schema_element(reader);
    if (left == 0 || reader->failed || root.child_count < 1 || root.child_count > (int64_t)(left - 1) ||
        out->columns != NULL)
        return fail(fault, "its schema is wrong");
    left--;
    if (root.child_count > (int64_t)UEX_PARQUET_FOOTER_COLUMNS_MAX)
        return fail(fault, "it has too many columns");
    out->columns = calloc((size_t)root.child_count, sizeof(*out->columns));
    if (out->columns == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the footer of a Parquet file");
    while (left > 0 && out->column_count < (size_t)root.child_count && !reader->failed) {
        const struct schema_element element = read_schema_element(reader);

        left--;
        if (element.name.data == NULL)
            reader->failed = true;
        out->columns[out->column_count++] = element.name;
        if (element.child_count != 0)
            skip_children(reader, element.child_count, &left);
    }
    if (reader->failed || left > 0 || out->column_count != (size_t)root.child_count)
        return fail(fault, "its schema is wrong");
    return UEX_OK;
}

/* RowGroup. -1: it does not say how many rows it has. */
static int64_t read_group(struct uex_thrift_reader *reader)
{
    int64_t row_count = -1;
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(reader, &id, &type)) {
        if (id == 3 && is_integer(type))
            row_count = uex_thrift_read_integer(reader);
        else
            uex_thrift_skip(reader, type);
    }
    return row_count;
}

/* FileMetaData.row_groups: how many there are, and the rows of all. */
static enum uex_error read_groups(struct uex_thrift_reader *reader, struct uex_parquet_footer *out,
                                  uint64_t *total_row_count, struct uex_fault *fault)
{
    out->group_count = read_structs(reader);
    for (uint64_t i = 0; i < out->group_count && !reader->failed; i++) {
        const int64_t row_count = read_group(reader);

        if (row_count < 0 || (uint64_t)row_count > UEX_COUNT_MAX - *total_row_count)
            return fail(fault, "a row group has no count of rows");
        *total_row_count += (uint64_t)row_count;
    }
    return UEX_OK;
}

/* KeyValue */
static struct uex_parquet_footer_pair read_pair(struct uex_thrift_reader *reader)
{
    struct uex_parquet_footer_pair pair = {.key = {0}};
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(reader, &id, &type)) {
        if (id == 1 && type == UEX_THRIFT_BINARY)
            pair.key = uex_thrift_read_binary(reader);
        else if (id == 2 && type == UEX_THRIFT_BINARY)
            pair.value = uex_thrift_read_binary(reader);
        else
            uex_thrift_skip(reader, type);
    }
    if (pair.key.data == NULL)
        reader->failed = true;
    return pair;
}

static enum uex_error read_pairs(struct uex_thrift_reader *reader, struct uex_parquet_footer *out,
                                 struct uex_fault *fault)
{
    const size_t count = read_structs(reader);

    if (count > UEX_PARQUET_FOOTER_PAIRS_MAX || out->pairs != NULL)
        return fail(fault, "it has too much key-value metadata");
    if (count == 0)
        return UEX_OK;
    out->pairs = calloc(count, sizeof(*out->pairs));
    if (out->pairs == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the footer of a Parquet file");
    for (; out->pair_count < count && !reader->failed; out->pair_count++)
        out->pairs[out->pair_count] = read_pair(reader);
    return UEX_OK;
}

struct claims {
    int64_t row_count; /* FileMetaData.num_rows; -1: missing */
    uint64_t group_row_count;
    bool has_groups;
};

static enum uex_error read_field(struct uex_thrift_reader *reader, int16_t id, enum uex_thrift_type type,
                                 struct uex_parquet_footer *out, struct claims *claims, struct uex_fault *fault)
{
    if (id == 2 && type == UEX_THRIFT_LIST)
        return read_schema(reader, out, fault);
    if (id == 3 && is_integer(type)) {
        claims->row_count = uex_thrift_read_integer(reader);
        return UEX_OK;
    }
    if (id == 4 && type == UEX_THRIFT_LIST && !claims->has_groups) {
        claims->has_groups = true;
        return read_groups(reader, out, &claims->group_row_count, fault);
    }
    if (id == 5 && type == UEX_THRIFT_LIST)
        return read_pairs(reader, out, fault);
    if (id == 6 && type == UEX_THRIFT_BINARY)
        out->created_by = uex_thrift_read_binary(reader);
    else
        uex_thrift_skip(reader, type);
    return UEX_OK;
}

static enum uex_error read_metadata(struct uex_thrift_reader *reader, struct uex_parquet_footer *out,
                                    struct uex_fault *fault)
{
    struct claims claims = {.row_count = -1};
    enum uex_error err = UEX_OK;
    enum uex_thrift_type type;
    int16_t id = 0;

    while (err == UEX_OK && uex_thrift_next(reader, &id, &type))
        err = read_field(reader, id, type, out, &claims, fault);
    if (err != UEX_OK)
        return err;
    if (reader->failed)
        return fail(fault, "its footer cannot be read");
    if (out->columns == NULL || claims.row_count < 0 || !claims.has_groups)
        return fail(fault, "its footer lacks what every file has");
    if (claims.group_row_count != (uint64_t)claims.row_count)
        return fail(fault, "its row groups have another number of rows than the file");
    out->row_count = claims.group_row_count;
    return UEX_OK;
}

enum uex_error uex_parquet_footer_read(struct uex_bytes tail, struct uex_parquet_footer *out, struct uex_fault *fault)
{
    struct uex_thrift_reader reader;
    size_t footer_bytes = 0;
    enum uex_error err;

    *out = (struct uex_parquet_footer){0};
    err = uex_parquet_footer_measure(tail, UINT64_MAX, &footer_bytes, fault);
    if (err == UEX_OK && footer_bytes > tail.size_bytes)
        err = fail(fault, "its footer is cut off");
    if (err != UEX_OK)
        return err;
    reader = uex_thrift_reader_of(
        uex_bytes_of(tail.data + tail.size_bytes - footer_bytes, footer_bytes - UEX_PARQUET_TAIL_BYTES));
    err = read_metadata(&reader, out, fault);
    if (err != UEX_OK)
        uex_parquet_footer_clear(out);
    return err;
}

struct uex_bytes uex_parquet_footer_value(const struct uex_parquet_footer *footer, const char *key)
{
    const size_t key_bytes = strlen(key);

    for (size_t i = 0; i < footer->pair_count; i++) {
        const struct uex_parquet_footer_pair *pair = &footer->pairs[i];

        if (pair->key.size_bytes == key_bytes && memcmp(pair->key.data, key, key_bytes) == 0)
            return pair->value;
    }
    return (struct uex_bytes){0};
}

void uex_parquet_footer_clear(struct uex_parquet_footer *footer)
{
    free(footer->columns);
    free(footer->pairs);
    *footer = (struct uex_parquet_footer){0};
}
