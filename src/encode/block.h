/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/block.h — a block of text and its compressed form, for the files of this module. A block is one thread's
 * at a time; what the pool has is the pool's until uex_gzip_block_wait() returned. */
#ifndef EXPORT_ENCODE_BLOCK_H
#define EXPORT_ENCODE_BLOCK_H

#include "export/gzip.h"

#include <sys/queue.h>

/* Memory comes from mmap(2): pages that were never touched cost nothing, and all goes back at once. */
struct uex_gzip_block {
    uint8_t *in, *out;
    size_t in_capacity, out_capacity;
    size_t in_used, out_used;
    uint32_t crc;
    enum uex_error error; /* of compressing */
    /* In a pool: */
    struct uex_compression_pool *pool; /* NULL: in none */
    int level;
    bool done;                          /* guarded by the pool's lock, as is the queue */
    STAILQ_ENTRY(uex_gzip_block) queue; /* of blocks that wait for a thread */
};

/* Copy as many bytes as fit; returns how many. */
size_t uex_gzip_block_fill(struct uex_gzip_block *block, struct uex_bytes data);
/* Is it compressed, so that uex_gzip_block_wait() returns at once? */
UEX_MUST_CHECK bool uex_gzip_block_is_done(const struct uex_gzip_block *block);
/* Wait for the pool if it has the block. Its threads only compute, so this ends. */
void uex_gzip_block_wait(struct uex_gzip_block *block);
/* Wait for it, and empty it. */
void uex_gzip_block_reset(struct uex_gzip_block *block);
#endif
