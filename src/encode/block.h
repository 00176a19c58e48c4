/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/block.h — the inside of a block, for the files of this module. */
#ifndef EXPORT_ENCODE_BLOCK_H
#define EXPORT_ENCODE_BLOCK_H

#include "encode/deflater.h"
#include "export/gzip.h"

struct uex_deflater {
    const struct uex_deflater_kind *kind;
    void *state;
    int level;
};

/* Memory comes from mmap(2): pages that were never touched cost nothing, and all goes back at once. */
struct uex_gzip_block {
    uint8_t *in, *out;
    size_t in_capacity, out_capacity;
    size_t in_used, out_used;
    uint32_t crc;
    enum uex_error error; /* of compressing */
};

/* Take as many bytes as there is room for; the count of those taken. */
size_t uex_gzip_block_fill(struct uex_gzip_block *block, struct uex_bytes data);
#endif
