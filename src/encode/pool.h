/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/pool.h — what compressors and blocks ask of the compression thread pool (include/export/gzip.h). Any
 * thread. */
#ifndef EXPORT_ENCODE_POOL_H
#define EXPORT_ENCODE_POOL_H

#include "encode/block.h"

/* The calling thread compresses itself from now on, until it leaves: it takes a CPU that the pool cannot have. Accepts
 * NULL. */
void uex_compression_pool_enter(struct uex_compression_pool *pool);
void uex_compression_pool_leave(struct uex_compression_pool *pool);

/* Hand a block over if there is a thread, with a CPU, for which no other block waits. False: compress it yourself; also
 * if `pool` is NULL. */
UEX_MUST_CHECK bool uex_compression_pool_offer(struct uex_compression_pool *pool, struct uex_gzip_block *block,
                                               int level);
UEX_MUST_CHECK bool uex_compression_pool_is_done(struct uex_compression_pool *pool, const struct uex_gzip_block *block);
void uex_compression_pool_wait(struct uex_compression_pool *pool, const struct uex_gzip_block *block);
#endif
