/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/chunk.h — a column chunk while its rows come: the values of one column in one group. One thread at a
 * time. */
#ifndef EXPORT_PARQUET_CHUNK_H
#define EXPORT_PARQUET_CHUNK_H

#include "parquet/dictionary.h"
#include "parquet/hybrid.h"
#include "parquet/schema.h"

/* In front of the values: room for the definition levels of a page, so that both are compressed as they lie. Of a later
 * page the levels overwrite values of the page before it, which is written by then, and longer than this. */
#define UEX_CHUNK_HEAD_BYTES ((size_t)UEX_PARQUET_GROUP_ROWS / 8 + 64)

struct uex_chunk {
    const struct uex_parquet_column *column; /* borrowed */
    struct uex_parquet_type type;
    __int128 limit;       /* of a DECIMAL */
    uint8_t *present;     /* owned: a bit for each row of a group, 1: the value is not NULL */
    uint32_t value_count; /* without NULLs */
    uint64_t nan_count;
    /* Either the dictionary and an index for each value, or, if is_plain, the values in PLAIN form behind HEAD_BYTES.
     */
    bool is_plain;
    struct uex_dictionary dictionary;
    struct uex_region indexes; /* uint16_t */
    struct uex_region values;
    size_t plain_bytes; /* what the values are in PLAIN form, whichever they have now */
};

/* False: no memory; it can be freed. */
UEX_MUST_CHECK bool uex_chunk_init(struct uex_chunk *chunk, const struct uex_parquet_column *column);
/* What a field adds to plain_bytes, as an upper bound; what is wrong with it is found by uex_chunk_add(). */
size_t uex_chunk_measure(const struct uex_chunk *chunk, struct uex_copy_field field);
/* Add the value of row `row`, 0 to UEX_PARQUET_GROUP_ROWS - 1; rows come in order. Errors: as uex_parquet_group_add().
 */
UEX_MUST_CHECK enum uex_error uex_chunk_add(struct uex_chunk *chunk, uint32_t row, struct uex_copy_field field,
                                            struct uex_fault *fault);
/* Give up the dictionary: all values are in PLAIN form from now on. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_chunk_make_plain(struct uex_chunk *chunk);
/* Is the dictionary smaller than the values that it stands for, by so much that readers gain? */
UEX_MUST_CHECK bool uex_chunk_dictionary_pays(const struct uex_chunk *chunk);
void uex_chunk_reset(struct uex_chunk *chunk, uint32_t row_count);
/* The memory that it has used at most since it was made or trimmed. */
size_t uex_chunk_touched_bytes(const struct uex_chunk *chunk);
/* Give the memory of an empty chunk back. */
void uex_chunk_trim(struct uex_chunk *chunk);
void uex_chunk_free(struct uex_chunk *chunk);
#endif
