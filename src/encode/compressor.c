/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/compressor.c — see include/export/gzip.h. */
#include "encode/compressor.h"
#include "encode/pool.h"

#include <stdlib.h>

#include "export/clock.h"

/* Levels from here on are slower than any database gives rows. */
#define SLOW_LEVEL 4

struct uex_compressor *uex_compressor_new(int level, struct uex_compression_pool *pool)
{
    struct uex_compressor *compressor = calloc(1, sizeof(*compressor));

    if (compressor == NULL)
        return NULL;
    compressor->pool = pool;
    compressor->level = level < 1 ? 1 : level > 9 ? 9 : level;
    compressor->kind = &uex_deflater_zlib;
#ifdef UEX_HAVE_ISAL
    if (compressor->level <= 3)
        compressor->kind = &uex_deflater_isal;
#endif
    compressor->deflater = compressor->kind->make(compressor->level);
    if (compressor->deflater != NULL)
        return compressor;
    free(compressor);
    return NULL;
}

void uex_compressor_free(struct uex_compressor *compressor)
{
    if (compressor == NULL)
        return;
    uex_compressor_end(compressor);
    compressor->kind->destroy(compressor->deflater);
    free(compressor);
}

void uex_compressor_begin(struct uex_compressor *compressor)
{
    uex_compressor_end(compressor);
    compressor->filled_at_us = compressor->compress_us = 0;
    compressor->begun = true;
    uex_compression_pool_enter(compressor->pool);
}

void uex_compressor_end(struct uex_compressor *compressor)
{
    if (compressor->begun)
        uex_compression_pool_leave(compressor->pool);
    compressor->begun = false;
}

void uex_compressor_compress_here(struct uex_compressor *compressor, struct uex_gzip_block *block)
{
    const struct uex_bytes in = uex_bytes_of(block->in, block->in_used);
    const int64_t from_us = uex_monotonic_us();

    block->out_used = 0;
    block->error = UEX_OK;
    if (in.size_bytes == 0)
        return;
    block->crc = uex_gzip_crc32(0, in);
    block->error =
        compressor->kind->compress(compressor->deflater, in, block->out, block->out_capacity, &block->out_used);
    compressor->compress_us = uex_monotonic_us() - from_us;
}

/* Is compressing what holds this thread up, so that help is worth the hand-over? */
static bool wants_help(const struct uex_compressor *compressor)
{
    const int64_t cycle_us = uex_monotonic_us() - compressor->filled_at_us;

    return compressor->level >= SLOW_LEVEL || compressor->compress_us * 10 > cycle_us * 7;
}

void uex_compressor_compress(struct uex_compressor *compressor, struct uex_gzip_block *block)
{
    const bool offered =
        wants_help(compressor) && uex_compression_pool_offer(compressor->pool, block, compressor->level);

    compressor->filled_at_us = uex_monotonic_us();
    if (!offered)
        uex_compressor_compress_here(compressor, block);
}
