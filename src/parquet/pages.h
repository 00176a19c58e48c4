/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/pages.h — a column chunk becomes pages.
 *
 * Source: parquet.thrift, PageHeader, DataPageHeader, DictionaryPageHeader, ColumnMetaData; Encodings.md, "Plain" and
 * "Dictionary Encoding" (PLAIN in the dictionary page, RLE_DICTIONARY in data pages). Definition levels have one bit:
 * the column is OPTIONAL, and nothing stands above it. They stand in front of the values with their length in four
 * bytes
 * ("Run Length Encoding", data page v1). There are no repetition levels. One thread at a time.
 */
#ifndef EXPORT_PARQUET_PAGES_H
#define EXPORT_PARQUET_PAGES_H

#include "parquet/chunk.h"
#include "parquet/codec.h"
#include "parquet/statistics.h"

/* A page of values in PLAIN form ends when it has so many bytes. */
#define UEX_PAGE_BYTES ((size_t)1 << 20)

/* What the footer says of a chunk. Offsets count from the beginning of the row group. */
struct uex_chunk_facts {
    int64_t value_count;                          /* with NULLs */
    int64_t uncompressed_bytes, compressed_bytes; /* with the headers of pages */
    int64_t dictionary_offset;                    /* -1: there is none */
    int64_t data_offset;
    int32_t data_page_count;
    struct uex_statistics statistics;
};

/* Append the pages of `chunk`, which has `row_count` rows, to `out`. `scratch` is for this call. The chunk's values are
 * of no use afterwards. UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_pages_write(struct uex_chunk *chunk, uint32_t row_count, struct uex_codec *codec,
                                              struct uex_region *scratch, struct uex_region *out,
                                              struct uex_chunk_facts *facts, struct uex_fault *fault);
#endif
