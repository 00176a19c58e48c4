/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/gzip.c — one gzip member out of blocks that were compressed by themselves: a header, the blocks' deflate
 * data, one empty final block, the trailer with the checksums combined. */
#include "encode/compressor.h"

#include <stdlib.h>
#include <zlib.h>

/* RFC 1952, section 2.3: deflate, no flags, no time, no extra flags, unknown operating system: nothing in it depends on
 * when and where. */
static const uint8_t HEADER[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
/* RFC 1951, section 3.2.6: a last block with fixed codes and nothing but its end. */
static const uint8_t FINAL_BLOCK[2] = {3, 0};
#define TRAILER_BYTES 8

struct uex_gzip {
    struct uex_compressor *compressor;
    struct uex_sink sink;
    enum uex_error error; /* sticks until the next begin */
    uint64_t bytes_in, bytes_out;
    uint32_t crc;
    /* A ring: `waiting_count` blocks that are full and not yet in the stream, then the one being filled. */
    struct uex_gzip_block *blocks[UEX_GZIP_BLOCKS_MAX];
    size_t first, waiting_count, waiting_max;
};

static struct uex_gzip_block **block_at(struct uex_gzip *gzip, size_t index)
{
    return &gzip->blocks[(gzip->first + index) % UEX_GZIP_BLOCKS_MAX];
}

struct uex_gzip *uex_gzip_new(int level, struct uex_compression_pool *pool)
{
    struct uex_gzip *gzip = calloc(1, sizeof(*gzip));

    if (gzip == NULL)
        return NULL;
    /* For each thread the block that it has, the one that waits for it, and one that is done behind a slower one. */
    gzip->waiting_max = 3 * (size_t)uex_compression_pool_thread_max(pool) + 1;
    if (gzip->waiting_max > UEX_GZIP_BLOCKS_MAX - 1)
        gzip->waiting_max = UEX_GZIP_BLOCKS_MAX - 1;
    gzip->compressor = uex_compressor_new(level, pool);
    gzip->blocks[0] = uex_gzip_block_new();
    gzip->error = UEX_INTERNAL; /* nothing is begun */
    if (gzip->compressor != NULL && gzip->blocks[0] != NULL)
        return gzip;
    uex_gzip_free(gzip);
    return NULL;
}

/* The stream was given up, or has ended: keep one block. */
static void forget_blocks(struct uex_gzip *gzip)
{
    struct uex_gzip_block *kept = NULL;

    for (size_t i = 0; i < UEX_GZIP_BLOCKS_MAX; i++) {
        if (kept == NULL)
            kept = gzip->blocks[i];
        else
            uex_gzip_block_free(gzip->blocks[i]);
        gzip->blocks[i] = NULL;
    }
    gzip->first = gzip->waiting_count = 0;
    gzip->blocks[0] = kept;
}

static enum uex_error emit(struct uex_gzip *gzip, struct uex_bytes data)
{
    gzip->bytes_out += data.size_bytes;
    return gzip->sink.write(gzip->sink.context, data);
}

void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink)
{
    forget_blocks(gzip);
    uex_gzip_block_reset(gzip->blocks[0]);
    gzip->sink = sink;
    gzip->bytes_in = gzip->bytes_out = 0;
    gzip->crc = 0;
    gzip->error = UEX_OK;
    uex_compressor_begin(gzip->compressor);
}

/* What a block holds goes behind what is there; the header goes with the first. */
static enum uex_error append(struct uex_gzip *gzip, struct uex_gzip_block *block)
{
    enum uex_error err;

    uex_gzip_block_wait(block);
    err = block->error;
    if (err == UEX_OK && gzip->bytes_out == 0)
        err = emit(gzip, uex_bytes_of(HEADER, sizeof(HEADER)));
    if (err != UEX_OK || block->in_used == 0)
        return err;
    gzip->crc = (uint32_t)crc32_combine(gzip->crc, block->crc, (z_off_t)block->in_used);
    gzip->bytes_in += block->in_used;
    return emit(gzip, uex_bytes_of(block->out, block->out_used));
}

/* Put the oldest waiting block into the stream. */
static enum uex_error append_first(struct uex_gzip *gzip)
{
    struct uex_gzip_block *block = *block_at(gzip, 0);
    enum uex_error err = append(gzip, block);

    uex_gzip_block_reset(block);
    gzip->first = (gzip->first + 1) % UEX_GZIP_BLOCKS_MAX;
    gzip->waiting_count--;
    return err;
}

/* The block being filled is full: compress it here or in the pool, append what is ready, and have an empty one next. */
static enum uex_error turn(struct uex_gzip *gzip)
{
    struct uex_gzip_block **next;
    enum uex_error err = UEX_OK;

    uex_compressor_compress(gzip->compressor, *block_at(gzip, gzip->waiting_count));
    gzip->waiting_count++;
    while (err == UEX_OK && gzip->waiting_count > 0 &&
           (gzip->waiting_count > gzip->waiting_max || uex_gzip_block_is_done(*block_at(gzip, 0))))
        err = append_first(gzip);
    next = block_at(gzip, gzip->waiting_count);
    if (*next == NULL && (*next = uex_gzip_block_new()) == NULL && err == UEX_OK)
        err = UEX_NO_MEMORY;
    return err;
}

enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data)
{
    while (gzip->error == UEX_OK && data.size_bytes > 0) {
        size_t taken = uex_gzip_block_fill(*block_at(gzip, gzip->waiting_count), data);

        data.data += taken;
        data.size_bytes -= taken;
        if (data.size_bytes > 0)
            gzip->error = turn(gzip);
    }
    return gzip->error;
}

static enum uex_error append_all(struct uex_gzip *gzip)
{
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && gzip->waiting_count > 0)
        err = append_first(gzip);
    return err;
}

/* All that was written goes to the sink. */
static enum uex_error flush(struct uex_gzip *gzip)
{
    struct uex_gzip_block *last = *block_at(gzip, gzip->waiting_count);

    if (gzip->error != UEX_OK)
        return gzip->error;
    uex_compressor_compress_here(gzip->compressor, last);
    gzip->error = append_all(gzip);
    if (gzip->error == UEX_OK)
        gzip->error = append(gzip, last);
    uex_gzip_block_reset(last);
    return gzip->error;
}

enum uex_error uex_gzip_put(struct uex_gzip *gzip, struct uex_gzip_block *block)
{
    if (gzip->error == UEX_OK && (gzip->waiting_count > 0 || gzip->blocks[gzip->first]->in_used > 0))
        (void)flush(gzip); /* the error stays */
    if (gzip->error == UEX_OK)
        gzip->error = append(gzip, block);
    uex_gzip_block_reset(block);
    return gzip->error;
}

enum uex_error uex_gzip_finish(struct uex_gzip *gzip)
{
    uint8_t end[sizeof(FINAL_BLOCK) + TRAILER_BYTES];
    enum uex_error err = flush(gzip);

    memcpy(end, FINAL_BLOCK, sizeof(FINAL_BLOCK));
    for (unsigned i = 0; i < 4; i++) {
        end[sizeof(FINAL_BLOCK) + i] = (uint8_t)(gzip->crc >> (8 * i));
        end[sizeof(FINAL_BLOCK) + 4 + i] = (uint8_t)(gzip->bytes_in >> (8 * i)); /* modulo 2^32, section 2.3.1 */
    }
    if (err == UEX_OK)
        err = emit(gzip, uex_bytes_of(end, sizeof(end)));
    gzip->error = err == UEX_OK ? UEX_INTERNAL : err; /* the stream is over */
    forget_blocks(gzip);
    uex_compressor_end(gzip->compressor);
    return err;
}

uint64_t uex_gzip_bytes_out(const struct uex_gzip *gzip)
{
    return gzip->bytes_out;
}

void uex_gzip_free(struct uex_gzip *gzip)
{
    if (gzip == NULL)
        return;
    for (size_t i = 0; i < UEX_GZIP_BLOCKS_MAX; i++)
        uex_gzip_block_free(gzip->blocks[i]);
    uex_compressor_free(gzip->compressor);
    free(gzip);
}
