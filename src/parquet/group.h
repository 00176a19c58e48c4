/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/group.h — what a file takes from an encoded group. */
#ifndef EXPORT_PARQUET_GROUP_H
#define EXPORT_PARQUET_GROUP_H

#include "parquet/pages.h"

struct uex_parquet_group {
    const struct uex_parquet_format *format; /* borrowed */
    struct uex_codec *codec;
    struct uex_chunk *chunks;        /* owned, one for each column */
    struct uex_chunk_facts *facts;   /* owned, likewise; of use when is_encoded */
    struct uex_region out, scratch;  /* the row group's bytes; one page */
    size_t group_bytes, value_bytes; /* how many it takes, and has */
    uint32_t row_count;
    bool is_encoded;
};
#endif
