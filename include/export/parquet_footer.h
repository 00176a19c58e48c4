/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/parquet_footer.h — reads the end of a Parquet file: how many rows it has, its columns, its key-value
 * metadata. The bytes may be anything: whatever they say, nothing outside of them is read, and what is allocated is
 * bounded.
 *
 * Source: apache/parquet-format, README.md, "File format": the footer, its length in four bytes (little-endian),
 * "PAR1"; parquet.thrift, FileMetaData. One thread at a time.
 */
#ifndef EXPORT_PARQUET_FOOTER_H
#define EXPORT_PARQUET_FOOTER_H

#include "export/error.h"

/* What stands behind the footer: its length and the magic number. */
#define UEX_PARQUET_TAIL_BYTES ((size_t)8)
#define UEX_PARQUET_FOOTER_COLUMNS_MAX ((size_t)2000)
#define UEX_PARQUET_FOOTER_PAIRS_MAX ((size_t)1000)

struct uex_parquet_footer_pair {
    struct uex_bytes key, value; /* an absent value: data is NULL */
};

/* uex_parquet_footer_clear() frees it. All bytes are borrowed from what was read. */
struct uex_parquet_footer {
    uint64_t row_count;
    uint64_t group_count;
    struct uex_bytes created_by;
    struct uex_bytes *columns; /* the names, in order; of a nested column only its outermost name */
    size_t column_count;
    struct uex_parquet_footer_pair *pairs;
    size_t pair_count;
};

/* How many bytes at the end of a file hold the footer, with UEX_PARQUET_TAIL_BYTES. `tail` is the end of a file of
 * `file_bytes`, at least UEX_PARQUET_TAIL_BYTES of it. UEX_OBJECT_BROKEN with the reason: it is no end of a Parquet
 * file, or the footer would not fit into the file, or be longer than UEX_BUFFER_CAP_BYTES. */
UEX_MUST_CHECK enum uex_error uex_parquet_footer_measure(struct uex_bytes tail, uint64_t file_bytes,
                                                         size_t *footer_bytes, struct uex_fault *fault);
/* Read a footer; `tail` is the end of a file and holds all of it. UEX_OBJECT_BROKEN with the reason: it is cut, its
 * lengths lie, something that every file has is missing, its row groups have not the rows that the file claims, it is
 * encrypted, or it has more columns or pairs than the maxima above. UEX_NO_MEMORY. `out` is empty after an error. */
UEX_MUST_CHECK enum uex_error uex_parquet_footer_read(struct uex_bytes tail, struct uex_parquet_footer *out,
                                                      struct uex_fault *fault);
/* The value of a key; data is NULL: there is none. */
struct uex_bytes uex_parquet_footer_value(const struct uex_parquet_footer *footer, const char *key);
void uex_parquet_footer_clear(struct uex_parquet_footer *footer); /* accepts an empty one */
#endif
