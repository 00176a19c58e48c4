/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/thrift.h — Thrift's compact protocol, as far as Parquet's metadata need it: a writer, and a reader that
 * trusts nothing.
 *
 * Source: apache/thrift, doc/specs/thrift-compact-protocol.md; the section is named at each function. A struct is a run
 * of fields, each behind a header of its type and of the distance to the id of the field before it, and a stop byte.
 * One thread at a time.
 */
#ifndef EXPORT_PARQUET_THRIFT_H
#define EXPORT_PARQUET_THRIFT_H

#include "export/buffer.h"

/* "Struct encoding" and "List and Set": types of fields and of elements. */
enum uex_thrift_type {
    UEX_THRIFT_STOP = 0,
    UEX_THRIFT_TRUE = 1,
    UEX_THRIFT_FALSE = 2, /* in a list: any boolean */
    UEX_THRIFT_I8 = 3,
    UEX_THRIFT_I16 = 4,
    UEX_THRIFT_I32 = 5,
    UEX_THRIFT_I64 = 6,
    UEX_THRIFT_DOUBLE = 7,
    UEX_THRIFT_BINARY = 8,
    UEX_THRIFT_LIST = 9,
    UEX_THRIFT_SET = 10,
    UEX_THRIFT_MAP = 11,
    UEX_THRIFT_STRUCT = 12,
    UEX_THRIFT_UUID = 13
};

/* FileMetaData → RowGroup → ColumnChunk → ColumnMetaData → Statistics is the deepest that Parquet has (2.12). */
#define UEX_THRIFT_DEPTH_MAX 16

/* Writing. A failure sticks to `out`. Ids of fields rise within a struct. */
struct uex_thrift_writer {
    struct uex_buffer *out;
    int16_t last_id[UEX_THRIFT_DEPTH_MAX]; /* of each open struct */
    size_t depth;                          /* how many are open */
};

/* A struct that is no field: the outermost, or an element of a list. uex_thrift_end() closes it. */
void uex_thrift_begin(struct uex_thrift_writer *writer);
/* "Struct encoding": a field that is a struct, or a union. */
void uex_thrift_begin_field(struct uex_thrift_writer *writer, int16_t id);
void uex_thrift_end(struct uex_thrift_writer *writer);
/* "Integer encoding", "Enum encoding". */
void uex_thrift_i32(struct uex_thrift_writer *writer, int16_t id, int32_t value);
void uex_thrift_i64(struct uex_thrift_writer *writer, int16_t id, int64_t value);
/* "Boolean encoding": the value is in the header. */
void uex_thrift_bool(struct uex_thrift_writer *writer, int16_t id, bool value);
/* "Binary encoding", "String encoding". */
void uex_thrift_binary(struct uex_thrift_writer *writer, int16_t id, struct uex_bytes value);
void uex_thrift_text(struct uex_thrift_writer *writer, int16_t id, const char *value);
/* "List and Set": the header; `count` elements have to follow. */
void uex_thrift_list(struct uex_thrift_writer *writer, int16_t id, enum uex_thrift_type element, size_t count);
void uex_thrift_element_i32(struct uex_thrift_writer *writer, int32_t value);
void uex_thrift_element_text(struct uex_thrift_writer *writer, const char *value);

/* Reading. `failed` sticks: a cut, a length beyond the end, a type that there is not. After it all results are 0. */
struct uex_thrift_reader {
    const uint8_t *at, *end;
    bool failed;
};

struct uex_thrift_reader uex_thrift_reader_of(struct uex_bytes bytes);
/* The next field of a struct; `last_id` is 0 at its beginning. False: the struct has ended, or reading has failed. The
 * value follows, and has to be read or skipped. */
UEX_MUST_CHECK bool uex_thrift_next(struct uex_thrift_reader *reader, int16_t *last_id, enum uex_thrift_type *type);
int64_t uex_thrift_read_integer(struct uex_thrift_reader *reader);
/* Borrowed from the input. */
struct uex_bytes uex_thrift_read_binary(struct uex_thrift_reader *reader);
/* The header of a list; each of the elements has a byte at least, so a count beyond the input fails here. */
size_t uex_thrift_read_list(struct uex_thrift_reader *reader, enum uex_thrift_type *element);
/* Skip the value of a field. */
void uex_thrift_skip(struct uex_thrift_reader *reader, enum uex_thrift_type type);
/* Skip an element of a list, where a boolean has a byte of its own. */
void uex_thrift_skip_element(struct uex_thrift_reader *reader, enum uex_thrift_type type);
#endif
