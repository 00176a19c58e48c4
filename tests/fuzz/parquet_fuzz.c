/* SPDX-License-Identifier: Apache-2.0 */
/* COPY's binary form on its way into a Parquet file. The first bytes choose columns, codec and the size of groups; the
 * rest is messages, each behind its length in two bytes. What becomes a file has a footer with as many rows as were
 * taken. */
#include <stdlib.h>

#include "export/buffer.h"
#include "export/parquet.h"
#include "export/parquet_footer.h"

#define COLUMNS_MAX 8

static const char *const NAMES[COLUMNS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h"};

static enum uex_error keep(void *context, struct uex_bytes data)
{
    uex_buffer_append(context, data.data, data.size_bytes);
    return UEX_OK;
}

static uint8_t take(struct uex_bytes *input)
{
    if (input->size_bytes == 0)
        return 0;
    input->size_bytes--;
    return *input->data++;
}

static void choose_column(struct uex_bytes *input, struct uex_parquet_column *column)
{
    const uint8_t kind = take(input) % (UEX_PARQUET_NUMERIC + 1);

    column->kind = (enum uex_parquet_kind)kind;
    if (column->kind == UEX_PARQUET_DECIMAL)
        uex_parquet_decimal(column, take(input) % 40, take(input) % 40 - 2);
}

static struct uex_bytes take_message(struct uex_bytes *input)
{
    size_t size_bytes = (size_t)take(input) << 8;
    struct uex_bytes message = {0};

    size_bytes |= take(input);
    message = uex_bytes_of(input->data, size_bytes < input->size_bytes ? size_bytes : input->size_bytes);
    input->data += message.size_bytes;
    input->size_bytes -= message.size_bytes;
    return message;
}

static enum uex_error put(struct uex_parquet_file *file, struct uex_parquet_group *group, struct uex_fault *fault)
{
    enum uex_error error = uex_parquet_group_encode(group, fault);

    return error == UEX_OK ? uex_parquet_file_put(file, group, fault) : error;
}

static enum uex_error add_row(struct uex_parquet_file *file, struct uex_parquet_group *group,
                              const struct uex_copy_field *fields, struct uex_fault *fault)
{
    enum uex_error error = uex_parquet_group_add(group, fields, fault);

    if (error != UEX_LIMIT)
        return error;
    error = put(file, group, fault);
    if (error == UEX_OK)
        error = uex_parquet_group_add(group, fields, fault);
    if (error == UEX_LIMIT)
        abort(); /* an empty group takes any row */
    return error;
}

static enum uex_error write_rows(struct uex_parquet_file *file, struct uex_parquet_group *group, size_t column_count,
                                 struct uex_bytes input, uint64_t *row_count)
{
    struct uex_copy_binary stream = {.field_count = column_count};
    struct uex_copy_field fields[COLUMNS_MAX];
    enum uex_error error = UEX_OK;

    while (input.size_bytes > 0) {
        struct uex_fault fault = {0};

        error = uex_copy_binary_read(&stream, take_message(&input), fields, &fault);
        if (error == UEX_OK) {
            error = add_row(file, group, fields, &fault);
            *row_count += error == UEX_OK ? 1 : 0;
        }
        if (error == UEX_DB_DATA || error == UEX_DB_QUERY) {
            if (fault.text[0] == '\0')
                abort();
            return error;
        }
        if (error == UEX_END)
            return put(file, group, &fault);
    }
    return UEX_DB_QUERY;
}

static void check_file(const struct uex_buffer *out, size_t column_count, uint64_t row_count)
{
    struct uex_parquet_footer footer;

    if (uex_buffer_failed(out))
        return;
    if (uex_parquet_footer_read(uex_buffer_bytes(out), &footer, NULL) != UEX_OK || footer.row_count != row_count ||
        footer.column_count != column_count)
        abort();
    uex_parquet_footer_clear(&footer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_parquet_column columns[COLUMNS_MAX];
    struct uex_parquet_format format = {.columns = columns};
    struct uex_bytes input = uex_bytes_of(data, size_bytes);
    struct uex_parquet_group *group = NULL;
    struct uex_parquet_file *file = NULL;
    struct uex_buffer out = {0};
    uint64_t row_count = 0;

    format.column_count = (size_t)(take(&input) % COLUMNS_MAX) + 1;
    format.codec = (enum uex_parquet_codec)(take(&input) % 3);
    format.group_bytes = take(&input);
    for (size_t i = 0; i < format.column_count; i++) {
        columns[i] = (struct uex_parquet_column){.name = NAMES[i]};
        choose_column(&input, &columns[i]);
    }
    if (uex_parquet_format_check(&format, NULL) != UEX_OK)
        abort();
    group = uex_parquet_group_new(&format);
    file = uex_parquet_file_new(&format);
    if (group != NULL && file != NULL) {
        uex_parquet_file_begin(file, (struct uex_sink){.write = keep, .context = &out});
        if (write_rows(file, group, format.column_count, input, &row_count) == UEX_OK &&
            uex_parquet_file_finish(file, NULL, 0, NULL) == UEX_OK)
            check_file(&out, format.column_count, row_count);
    }
    uex_buffer_clear(&out);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
    return 0;
}
