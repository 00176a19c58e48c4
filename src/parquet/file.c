/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/file.c — a file: "PAR1", row groups, the footer, its length in four bytes, "PAR1".
 *
 * Source: apache/parquet-format, README.md, "File format"; parquet.thrift, FileMetaData, RowGroup, ColumnChunk,
 * ColumnMetaData. The metadata of a row group are written down when it is put, because only then its place in the file
 * is known, and nothing else is kept of it.
 */
#include "parquet/group.h"

#include <stdlib.h>

#include "parquet/load.h"

#define CREATED_BY "users-export version " UEX_VERSION
/* parquet.thrift, FileMetaData: "writers should always populate 1". */
#define FORMAT_VERSION 1
/* parquet.thrift, Encoding */
#define ENCODING_PLAIN 0
#define ENCODING_RLE 3
#define ENCODING_RLE_DICTIONARY 8
/* parquet.thrift, PageType */
#define PAGE_DATA 0
#define PAGE_DICTIONARY 2

static const uint8_t MAGIC[4] = {'P', 'A', 'R', '1'};

struct uex_parquet_file {
    const struct uex_parquet_format *format; /* borrowed */
    struct uex_sink sink;
    struct uex_buffer groups; /* RowGroup of each row group, one behind the other */
    uint64_t row_count, bytes_out;
    size_t group_count;
};

struct uex_parquet_file *uex_parquet_file_new(const struct uex_parquet_format *format)
{
    struct uex_parquet_file *file = calloc(1, sizeof(*file));

    if (file != NULL)
        file->format = format;
    return file;
}

void uex_parquet_file_begin(struct uex_parquet_file *file, struct uex_sink sink)
{
    file->sink = sink;
    uex_buffer_reset(&file->groups);
    file->row_count = file->bytes_out = 0;
    file->group_count = 0;
}

static enum uex_error emit(struct uex_parquet_file *file, struct uex_bytes data)
{
    file->bytes_out += data.size_bytes;
    return file->sink.write(file->sink.context, data);
}

static enum uex_error emit_magic(struct uex_parquet_file *file)
{
    return file->bytes_out > 0 ? UEX_OK : emit(file, uex_bytes_of(MAGIC, sizeof(MAGIC)));
}

/* PageEncodingStats: readers see from it that a dictionary has all values of a chunk. */
static void write_encoding_stats(const struct uex_chunk_facts *facts, struct uex_thrift_writer *writer)
{
    const bool has_dictionary = facts->dictionary_offset >= 0;

    uex_thrift_list(writer, 13, UEX_THRIFT_STRUCT, has_dictionary ? 2 : 1);
    if (has_dictionary) {
        uex_thrift_begin(writer);
        uex_thrift_i32(writer, 1, PAGE_DICTIONARY);
        uex_thrift_i32(writer, 2, ENCODING_PLAIN);
        uex_thrift_i32(writer, 3, 1);
        uex_thrift_end(writer);
    }
    uex_thrift_begin(writer);
    uex_thrift_i32(writer, 1, PAGE_DATA);
    uex_thrift_i32(writer, 2, has_dictionary ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN);
    uex_thrift_i32(writer, 3, facts->data_page_count);
    uex_thrift_end(writer);
}

static void write_encodings(const struct uex_chunk_facts *facts, struct uex_thrift_writer *writer)
{
    const bool has_dictionary = facts->dictionary_offset >= 0;

    uex_thrift_list(writer, 2, UEX_THRIFT_I32, has_dictionary ? 3 : 2);
    uex_thrift_element_i32(writer, ENCODING_PLAIN);
    uex_thrift_element_i32(writer, ENCODING_RLE);
    if (has_dictionary)
        uex_thrift_element_i32(writer, ENCODING_RLE_DICTIONARY);
}

/* ColumnChunk and its ColumnMetaData; `offset` is where the row group begins in the file. */
static void write_chunk(const struct uex_parquet_file *file, size_t index, const struct uex_chunk_facts *facts,
                        int64_t offset, struct uex_thrift_writer *writer)
{
    const struct uex_parquet_column *column = &file->format->columns[index];

    uex_thrift_begin(writer);
    uex_thrift_i64(writer, 2, 0); /* deprecated: "Writers should set this field to 0" */
    uex_thrift_begin_field(writer, 3);
    uex_thrift_i32(writer, 1, (int32_t)uex_parquet_type_of(column).physical);
    write_encodings(facts, writer);
    uex_thrift_list(writer, 3, UEX_THRIFT_BINARY, 1);
    uex_thrift_element_text(writer, column->name);
    uex_thrift_i32(writer, 4, uex_codec_number(file->format->codec));
    uex_thrift_i64(writer, 5, facts->value_count);
    uex_thrift_i64(writer, 6, facts->uncompressed_bytes);
    uex_thrift_i64(writer, 7, facts->compressed_bytes);
    uex_thrift_i64(writer, 9, offset + facts->data_offset);
    if (facts->dictionary_offset >= 0)
        uex_thrift_i64(writer, 11, offset + facts->dictionary_offset);
    uex_statistics_write(column, &facts->statistics, writer);
    write_encoding_stats(facts, writer);
    uex_thrift_end(writer);
    uex_thrift_end(writer);
}

/* RowGroup, without its ordinal, which has 16 bits only. */
static void write_group(struct uex_parquet_file *file, const struct uex_parquet_group *group)
{
    struct uex_thrift_writer writer = {.out = &file->groups};
    const int64_t offset = (int64_t)file->bytes_out;
    int64_t uncompressed_bytes = 0;

    uex_thrift_begin(&writer);
    uex_thrift_list(&writer, 1, UEX_THRIFT_STRUCT, file->format->column_count);
    for (size_t i = 0; i < file->format->column_count; i++) {
        write_chunk(file, i, &group->facts[i], offset, &writer);
        uncompressed_bytes += group->facts[i].uncompressed_bytes;
    }
    uex_thrift_i64(&writer, 2, uncompressed_bytes);
    uex_thrift_i64(&writer, 3, group->row_count);
    uex_thrift_i64(&writer, 5, offset);
    uex_thrift_i64(&writer, 6, (int64_t)group->out.used_bytes);
    uex_thrift_end(&writer);
}

static enum uex_error fail_footer(const struct uex_buffer *buffer, struct uex_fault *fault)
{
    if (buffer->size_bytes > UEX_BUFFER_CAP_BYTES / 2)
        return uex_fail(fault, UEX_LIMIT, "the footer of a Parquet file is too long; export.row_group may be greater");
    return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the footer of a Parquet file");
}

enum uex_error uex_parquet_file_put(struct uex_parquet_file *file, struct uex_parquet_group *group,
                                    struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    if (!group->is_encoded)
        return uex_fail(fault, UEX_INTERNAL, "internal error: a row group is not encoded");
    if (group->row_count > 0)
        err = emit_magic(file);
    if (err == UEX_OK && group->row_count > 0) {
        write_group(file, group);
        if (uex_buffer_failed(&file->groups))
            return fail_footer(&file->groups, fault);
        file->group_count++;
        file->row_count += group->row_count;
        err = emit(file, uex_bytes_of(group->out.data, group->out.used_bytes));
    }
    uex_parquet_group_reset(group);
    return err;
}

/* KeyValue */
static void write_pairs(const struct uex_parquet_pair *pairs, size_t pair_count, struct uex_thrift_writer *writer)
{
    if (pair_count == 0)
        return;
    uex_thrift_list(writer, 5, UEX_THRIFT_STRUCT, pair_count);
    for (size_t i = 0; i < pair_count; i++) {
        uex_thrift_begin(writer);
        uex_thrift_text(writer, 1, pairs[i].key);
        uex_thrift_text(writer, 2, pairs[i].value);
        uex_thrift_end(writer);
    }
}

/* ColumnOrder: of each column the order of its type; bounds mean nothing without it. */
static void write_column_orders(size_t column_count, struct uex_thrift_writer *writer)
{
    uex_thrift_list(writer, 7, UEX_THRIFT_STRUCT, column_count);
    for (size_t i = 0; i < column_count; i++) {
        uex_thrift_begin(writer);
        uex_thrift_begin_field(writer, 1);
        uex_thrift_end(writer);
        uex_thrift_end(writer);
    }
}

static void write_footer(const struct uex_parquet_file *file, const struct uex_parquet_pair *pairs, size_t pair_count,
                         struct uex_buffer *out)
{
    struct uex_thrift_writer writer = {.out = out};

    uex_thrift_begin(&writer);
    uex_thrift_i32(&writer, 1, FORMAT_VERSION);
    uex_parquet_write_schema(file->format, &writer);
    uex_thrift_i64(&writer, 3, (int64_t)file->row_count);
    uex_thrift_list(&writer, 4, UEX_THRIFT_STRUCT, file->group_count);
    uex_buffer_append_buffer(out, &file->groups);
    write_pairs(pairs, pair_count, &writer);
    uex_thrift_text(&writer, 6, CREATED_BY);
    write_column_orders(file->format->column_count, &writer);
    uex_thrift_end(&writer);
}

enum uex_error uex_parquet_file_finish(struct uex_parquet_file *file, const struct uex_parquet_pair *pairs,
                                       size_t pair_count, struct uex_fault *fault)
{
    struct uex_buffer footer = {0};
    uint8_t end[4 + sizeof(MAGIC)];
    enum uex_error err = emit_magic(file);

    write_footer(file, pairs, pair_count, &footer);
    uex_store_le32(end, (uint32_t)footer.size_bytes);
    memcpy(end + 4, MAGIC, sizeof(MAGIC));
    uex_buffer_append(&footer, end, sizeof(end));
    if (uex_buffer_failed(&footer))
        err = fail_footer(&footer, fault);
    else if (err == UEX_OK)
        err = emit(file, uex_buffer_bytes(&footer));
    uex_buffer_clear(&footer);
    return err;
}

uint64_t uex_parquet_file_row_count(const struct uex_parquet_file *file)
{
    return file->row_count;
}

uint64_t uex_parquet_file_bytes_out(const struct uex_parquet_file *file)
{
    return file->bytes_out;
}

void uex_parquet_file_free(struct uex_parquet_file *file)
{
    if (file == NULL)
        return;
    uex_buffer_clear(&file->groups);
    free(file);
}
