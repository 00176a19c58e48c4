/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/parquet.h — writes Parquet files of one flat table from rows in PostgreSQL's binary form, as a stream.
 *
 * Two parts. A *group* (struct uex_parquet_group) collects rows column by column until it is full, and makes a row
 * group of them: encoded, compressed, with its statistics. A *file* (struct uex_parquet_file) puts row groups one
 * behind the other into a sink, in the order in which they are given, and closes with the footer. Several threads may
 * fill groups for one file, and one group can be encoded while the next is filled:
 *
 *     uex_parquet_group_add() … until UEX_LIMIT    the thread that reads rows
 *     uex_parquet_group_encode()                   any thread
 *     uex_parquet_file_put()                       the thread that owns the file; the group is empty then
 *     uex_parquet_file_finish()
 *
 * Source: apache/parquet-format 2.12 (parquet.thrift, Encodings.md, LogicalTypes.md, Compression.md), cited in the
 * private headers of src/parquet where each is followed. What the files are made of was chosen so that all common
 * readers know it: data pages of version 1, definition levels in the RLE/bit-packed hybrid, PLAIN values, or a
 * dictionary for the whole column chunk where it pays. No column is nested; all are OPTIONAL.
 */
#ifndef EXPORT_PARQUET_H
#define EXPORT_PARQUET_H

#include "export/copy_binary.h"

/* A group is full with so many bytes of values, unless it is set; and with so many rows. */
#define UEX_PARQUET_GROUP_BYTES ((size_t)16 << 20)
#define UEX_PARQUET_GROUP_ROWS ((uint32_t)131072)
/* The digits that DECIMAL can have. */
#define UEX_PARQUET_PRECISION_MAX 38

/* What comes from PostgreSQL, and what it becomes. */
enum uex_parquet_kind {
    UEX_PARQUET_TEXT,        /* text, varchar, char, citext, enum: STRING */
    UEX_PARQUET_UUID,        /* uuid: STRING, 36 characters */
    UEX_PARQUET_JSON,        /* json: JSON */
    UEX_PARQUET_JSONB,       /* jsonb: JSON */
    UEX_PARQUET_BOOLEAN,     /* boolean: BOOLEAN */
    UEX_PARQUET_INT2,        /* smallint: INT32 */
    UEX_PARQUET_INT4,        /* integer: INT32 */
    UEX_PARQUET_INT8,        /* bigint: INT64 */
    UEX_PARQUET_FLOAT4,      /* real: FLOAT */
    UEX_PARQUET_FLOAT8,      /* double precision: DOUBLE */
    UEX_PARQUET_DATE,        /* date: DATE. Years 0001 to 9999 */
    UEX_PARQUET_TIMESTAMP,   /* timestamp: TIMESTAMP(MICROS, isAdjustedToUTC = false). Years 0001 to 9999 */
    UEX_PARQUET_TIMESTAMPTZ, /* timestamptz: TIMESTAMP(MICROS, isAdjustedToUTC = true). Years 0001 to 9999, in UTC */
    UEX_PARQUET_DECIMAL,     /* numeric(precision, scale): DECIMAL(precision, scale) */
    UEX_PARQUET_NUMERIC      /* numeric: STRING, the text that PostgreSQL prints, also NaN, Infinity and -Infinity */
};

struct uex_parquet_column {
    const char *name; /* UTF-8, borrowed */
    enum uex_parquet_kind kind;
    int precision, scale; /* of UEX_PARQUET_DECIMAL: 1 to 38, and 0 to the precision */
};

enum uex_parquet_codec { UEX_PARQUET_ZSTD, UEX_PARQUET_GZIP, UEX_PARQUET_NONE };

/* What a file is like. Borrowed by groups and files; neither it nor its columns change while there is one. */
struct uex_parquet_format {
    const struct uex_parquet_column *columns;
    size_t column_count;
    enum uex_parquet_codec codec;
    size_t group_bytes; /* 0: UEX_PARQUET_GROUP_BYTES */
};

/* Set kind, precision and scale of a column that is numeric(precision, scale) in PostgreSQL, where the scale may be
 * negative, or greater than the precision. DECIMAL if 38 digits hold all its values, else NUMERIC. Any thread. */
void uex_parquet_decimal(struct uex_parquet_column *column, int precision, int scale);
/* UEX_CONFIG with a text: no column, a column without a name, two of one name, a precision or a scale that DECIMAL does
 * not have. Everything else expects a format for which this is UEX_OK. Any thread. */
UEX_MUST_CHECK enum uex_error uex_parquet_format_check(const struct uex_parquet_format *format,
                                                       struct uex_fault *fault);

/* Rows on their way into a row group. One thread at a time. */
struct uex_parquet_group;
/* NULL: no memory. What a group holds at most: its values (group_bytes, or one row that is greater), dictionaries (less
 * than as much again), and after uex_parquet_group_encode() their compressed form. What one row has made great is given
 * back with uex_parquet_file_put(). */
UEX_MUST_CHECK struct uex_parquet_group *uex_parquet_group_new(const struct uex_parquet_format *format);
/* Add a row, a field for each column; values are copied. UEX_LIMIT: the group has no room for the row; encode it and
 * put it into the file, and add the row again: an empty group takes a row of any size. UEX_DB_DATA with the column's
 * name: a value that Parquet's type cannot say (infinity, a year outside 0001 to 9999, NaN or too many digits for a
 * DECIMAL), or one that is no value of the column's type. UEX_NO_MEMORY. After an error other than UEX_LIMIT the group
 * holds a part of the row, and can only be reset or freed. */
UEX_MUST_CHECK enum uex_error uex_parquet_group_add(struct uex_parquet_group *group,
                                                    const struct uex_copy_field *fields, struct uex_fault *fault);
uint32_t uex_parquet_group_row_count(const struct uex_parquet_group *group);
/* Make the row group; a group without rows becomes none. From now on until it is put or reset no row can be added. The
 * same rows give the same bytes. UEX_NO_MEMORY, UEX_INTERNAL (a compression library failed). */
UEX_MUST_CHECK enum uex_error uex_parquet_group_encode(struct uex_parquet_group *group, struct uex_fault *fault);
/* Forget all rows. */
void uex_parquet_group_reset(struct uex_parquet_group *group);
void uex_parquet_group_free(struct uex_parquet_group *group); /* accepts NULL */

/* One entry of a file's key-value metadata. */
struct uex_parquet_pair {
    const char *key, *value; /* UTF-8, borrowed */
};

/* A file being written. One thread at a time. Memory: what the footer says of each column chunk, some 150 bytes. */
struct uex_parquet_file;
/* NULL: no memory. */
UEX_MUST_CHECK struct uex_parquet_file *uex_parquet_file_new(const struct uex_parquet_format *format);
/* Begin a file; one that was not finished is forgotten. */
void uex_parquet_file_begin(struct uex_parquet_file *file, struct uex_sink sink);
/* Append an encoded group of the same format, and reset it. UEX_NO_MEMORY, UEX_LIMIT (a footer of more than 64 MiB),
 * and what the sink returns: then the file is of no use. */
UEX_MUST_CHECK enum uex_error uex_parquet_file_put(struct uex_parquet_file *file, struct uex_parquet_group *group,
                                                   struct uex_fault *fault);
/* Write the footer; errors as above. A file without a row has one too. */
UEX_MUST_CHECK enum uex_error uex_parquet_file_finish(struct uex_parquet_file *file,
                                                      const struct uex_parquet_pair *pairs, size_t pair_count,
                                                      struct uex_fault *fault);
/* What was put, and what went to the sink. */
uint64_t uex_parquet_file_row_count(const struct uex_parquet_file *file);
uint64_t uex_parquet_file_bytes_out(const struct uex_parquet_file *file);
void uex_parquet_file_free(struct uex_parquet_file *file); /* accepts NULL */
#endif
