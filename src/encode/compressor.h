/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/compressor.h — the inside of a compressor, and what blocks ask of the thread pool (include/export/gzip.h),
 * for the files of this module. */
#ifndef EXPORT_ENCODE_COMPRESSOR_H
#define EXPORT_ENCODE_COMPRESSOR_H

#include "encode/block.h"
#include "encode/deflater.h"

struct uex_compressor {
    const struct uex_deflater_kind *kind;
    void *deflater;
    int level;
    struct uex_compression_pool *pool; /* borrowed; NULL: none */
    bool begun;                        /* its thread counts as compressing */
    int64_t filled_at_us, compress_us; /* when the last block was full; how long compressing it took */
};

/* Compress on the calling thread. The block keeps the error. */
void uex_compressor_compress_here(struct uex_compressor *compressor, struct uex_gzip_block *block);

/* Has the pool compressed the block? Any thread. */
UEX_MUST_CHECK bool uex_compression_pool_is_done(struct uex_compression_pool *pool, const struct uex_gzip_block *block);
void uex_compression_pool_wait(struct uex_compression_pool *pool, const struct uex_gzip_block *block);
#endif
