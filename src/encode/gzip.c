/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/gzip.c — one gzip member out of blocks that were compressed by themselves: a header, the blocks' deflate
 * data, one empty final block, the trailer with the checksums combined. */
#include "encode/block.h"
#include "encode/crew.h"

#include <stdlib.h>
#include <zlib.h>

#include "export/clock.h"

/* RFC 1952, section 2.3: deflate, no flags, no time, no extra flags, unknown operating system: nothing in it depends on
 * when and where. */
static const uint8_t HEADER[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
/* RFC 1951, section 3.2.6: a last block with fixed codes and nothing but its end. */
static const uint8_t FINAL_BLOCK[2] = {3, 0};
#define TRAILER_BYTES 8

/* Levels from here on are slower than any database gives rows. */
#define SLOW_LEVEL 4

/* A block in the order of the stream. */
struct slot {
    struct uex_gzip_block *block;
    struct uex_crew_task task;
    bool offered; /* a helper has it */
};

struct uex_gzip {
    struct uex_deflater *deflater;
    struct uex_sink sink;
    enum uex_error error; /* sticks until the next begin */
    bool begun;           /* the calling thread counts as working */
    uint64_t bytes_in, bytes_out;
    uint32_t crc;
    /* A ring: `waiting_count` blocks that are full and not yet in the stream, then the one being filled. */
    struct slot slots[UEX_GZIP_BLOCKS_MAX];
    size_t first, waiting_count, waiting_max;
    int64_t filled_at_us, compress_us; /* when the last block was full; how long compressing it took */
};

static struct slot *slot_at(struct uex_gzip *gzip, size_t index)
{
    return &gzip->slots[(gzip->first + index) % UEX_GZIP_BLOCKS_MAX];
}

struct uex_gzip *uex_gzip_new(int level)
{
    struct uex_gzip *gzip = calloc(1, sizeof(*gzip));

    if (gzip == NULL)
        return NULL;
    /* For each helper the block that it has, the one that waits for it, and one that is done behind a slower one. */
    gzip->waiting_max = 3 * (size_t)uex_crew_join() + 1;
    if (gzip->waiting_max > UEX_GZIP_BLOCKS_MAX - 1)
        gzip->waiting_max = UEX_GZIP_BLOCKS_MAX - 1;
    gzip->deflater = uex_deflater_new(level);
    gzip->slots[0].block = uex_gzip_block_new();
    gzip->error = UEX_INTERNAL; /* nothing is begun */
    if (gzip->deflater != NULL && gzip->slots[0].block != NULL)
        return gzip;
    uex_gzip_free(gzip);
    return NULL;
}

/* Wait for helpers that still have blocks of a stream that was given up, or has ended; keep one block. */
static void settle(struct uex_gzip *gzip)
{
    struct uex_gzip_block *kept = NULL;

    for (size_t i = 0; i < UEX_GZIP_BLOCKS_MAX; i++) {
        if (gzip->slots[i].offered)
            uex_crew_wait(&gzip->slots[i].task);
        gzip->slots[i].offered = false;
        if (kept == NULL)
            kept = gzip->slots[i].block;
        else
            uex_gzip_block_free(gzip->slots[i].block);
        gzip->slots[i].block = NULL;
    }
    gzip->first = gzip->waiting_count = 0;
    gzip->slots[0].block = kept;
    if (gzip->begun)
        uex_crew_end_work();
    gzip->begun = false;
}

static enum uex_error emit(struct uex_gzip *gzip, struct uex_bytes data)
{
    gzip->bytes_out += data.size_bytes;
    return gzip->sink.write(gzip->sink.context, data);
}

void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink)
{
    settle(gzip);
    uex_gzip_block_reset(gzip->slots[0].block);
    gzip->sink = sink;
    gzip->bytes_in = gzip->bytes_out = 0;
    gzip->crc = 0;
    gzip->filled_at_us = gzip->compress_us = 0;
    gzip->error = UEX_OK;
    gzip->begun = true;
    uex_crew_begin_work();
}

/* What a block holds goes behind what is there; the header goes with the first. */
static enum uex_error append(struct uex_gzip *gzip, const struct uex_gzip_block *block)
{
    enum uex_error err = block->error;

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
    struct slot *slot = slot_at(gzip, 0);
    enum uex_error err;

    if (slot->offered)
        uex_crew_wait(&slot->task);
    slot->offered = false;
    err = append(gzip, slot->block);
    uex_gzip_block_reset(slot->block);
    gzip->first = (gzip->first + 1) % UEX_GZIP_BLOCKS_MAX;
    gzip->waiting_count--;
    return err;
}

/* Is compressing what holds the stream up, so that help is worth the hand-over? */
static bool wants_help(const struct uex_gzip *gzip)
{
    int64_t cycle_us = uex_monotonic_us() - gzip->filled_at_us;

    return gzip->deflater->level >= SLOW_LEVEL || gzip->compress_us * 10 > cycle_us * 7;
}

static void compress_here(struct uex_gzip *gzip, struct slot *slot)
{
    int64_t from_us = uex_monotonic_us();

    (void)!uex_gzip_block_compress(slot->block, gzip->deflater); /* the block keeps the error */
    gzip->compress_us = uex_monotonic_us() - from_us;
}

/* The block being filled is full: compress it here or by a helper, append what is ready, and have an empty one next. */
static enum uex_error turn(struct uex_gzip *gzip)
{
    struct slot *slot = slot_at(gzip, gzip->waiting_count);
    enum uex_error err = UEX_OK;

    slot->task = (struct uex_crew_task){.block = slot->block, .level = gzip->deflater->level};
    slot->offered = wants_help(gzip) && uex_crew_offer(&slot->task);
    gzip->filled_at_us = uex_monotonic_us();
    gzip->waiting_count++;
    if (!slot->offered)
        compress_here(gzip, slot);
    while (err == UEX_OK && gzip->waiting_count > 0 &&
           (gzip->waiting_count > gzip->waiting_max || !slot_at(gzip, 0)->offered ||
            uex_crew_is_done(&slot_at(gzip, 0)->task)))
        err = append_first(gzip);
    slot = slot_at(gzip, gzip->waiting_count);
    if (err == UEX_OK && slot->block == NULL && (slot->block = uex_gzip_block_new()) == NULL)
        err = UEX_NO_MEMORY;
    return err;
}

enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data)
{
    while (gzip->error == UEX_OK && data.size_bytes > 0) {
        size_t taken = uex_gzip_block_fill(slot_at(gzip, gzip->waiting_count)->block, data);

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

enum uex_error uex_gzip_flush(struct uex_gzip *gzip)
{
    struct slot *slot = slot_at(gzip, gzip->waiting_count);

    if (gzip->error != UEX_OK)
        return gzip->error;
    compress_here(gzip, slot);
    gzip->error = append_all(gzip);
    if (gzip->error == UEX_OK)
        gzip->error = append(gzip, slot->block);
    uex_gzip_block_reset(slot->block);
    return gzip->error;
}

enum uex_error uex_gzip_put(struct uex_gzip *gzip, struct uex_gzip_block *block)
{
    if (gzip->error == UEX_OK)
        gzip->error = append(gzip, block);
    uex_gzip_block_reset(block);
    return gzip->error;
}

enum uex_error uex_gzip_finish(struct uex_gzip *gzip)
{
    uint8_t end[sizeof(FINAL_BLOCK) + TRAILER_BYTES];
    enum uex_error err = uex_gzip_flush(gzip);

    memcpy(end, FINAL_BLOCK, sizeof(FINAL_BLOCK));
    for (unsigned i = 0; i < 4; i++) {
        end[sizeof(FINAL_BLOCK) + i] = (uint8_t)(gzip->crc >> (8 * i));
        end[sizeof(FINAL_BLOCK) + 4 + i] = (uint8_t)(gzip->bytes_in >> (8 * i)); /* modulo 2^32, section 2.3.1 */
    }
    if (err == UEX_OK)
        err = emit(gzip, uex_bytes_of(end, sizeof(end)));
    gzip->error = err == UEX_OK ? UEX_INTERNAL : err; /* the stream is over */
    settle(gzip);
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
    settle(gzip);
    uex_gzip_block_free(gzip->slots[0].block);
    uex_deflater_free(gzip->deflater);
    free(gzip);
    uex_crew_leave();
}
