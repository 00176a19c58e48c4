/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/block.h"
#include "encode/compressor.h"

#include <stdlib.h>
#include <sys/mman.h>

static uint8_t *map(size_t size_bytes)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(struct uex_gzip_block *block)
{
    if (block->in != NULL)
        munmap(block->in, block->in_capacity);
    if (block->out != NULL)
        munmap(block->out, block->out_capacity);
    block->in = block->out = NULL;
    block->in_capacity = block->out_capacity = 0;
}

static bool make_room(struct uex_gzip_block *block, size_t in_bytes)
{
    unmap(block);
    block->in = map(in_bytes);
    block->out = map(uex_deflate_bound(in_bytes));
    if (block->in != NULL)
        block->in_capacity = in_bytes;
    if (block->out != NULL)
        block->out_capacity = uex_deflate_bound(in_bytes);
    if (block->in != NULL && block->out != NULL)
        return true;
    unmap(block);
    return false;
}

struct uex_gzip_block *uex_gzip_block_new(void)
{
    struct uex_gzip_block *block = calloc(1, sizeof(*block));

    if (block == NULL || make_room(block, UEX_GZIP_BLOCK_BYTES))
        return block;
    free(block);
    return NULL;
}

void uex_gzip_block_free(struct uex_gzip_block *block)
{
    if (block == NULL)
        return;
    uex_gzip_block_wait(block);
    unmap(block);
    free(block);
}

bool uex_gzip_block_is_done(const struct uex_gzip_block *block)
{
    return block->pool == NULL || uex_compression_pool_is_done(block->pool, block);
}

void uex_gzip_block_wait(struct uex_gzip_block *block)
{
    if (block->pool != NULL)
        uex_compression_pool_wait(block->pool, block);
    block->pool = NULL;
}

void uex_gzip_block_reset(struct uex_gzip_block *block)
{
    uex_gzip_block_wait(block);
    /* What one very long row needed is given back. Where that fails the block is as good as before. */
    if (block->in_capacity > UEX_GZIP_BLOCK_BYTES && !make_room(block, UEX_GZIP_BLOCK_BYTES))
        block->in_capacity = block->out_capacity = 0;
    block->in_used = block->out_used = 0;
    block->crc = 0;
    block->error = UEX_OK;
}

size_t uex_gzip_block_fill(struct uex_gzip_block *block, struct uex_bytes data)
{
    size_t room = block->in_capacity - block->in_used;
    size_t taken = data.size_bytes < room ? data.size_bytes : room;

    if (taken > 0)
        memcpy(block->in + block->in_used, data.data, taken);
    block->in_used += taken;
    return taken;
}

enum uex_error uex_gzip_block_add(struct uex_gzip_block *block, struct uex_bytes data)
{
    if (data.size_bytes > block->in_capacity - block->in_used) {
        if (block->in_used > 0)
            return UEX_LIMIT;
        if (!make_room(block, data.size_bytes > UEX_GZIP_BLOCK_BYTES ? data.size_bytes : UEX_GZIP_BLOCK_BYTES))
            return UEX_NO_MEMORY;
    }
    (void)uex_gzip_block_fill(block, data);
    return UEX_OK;
}
