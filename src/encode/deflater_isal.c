/* SPDX-License-Identifier: Apache-2.0 */
#ifdef UEX_HAVE_ISAL
#include "encode/deflater.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define ALIGNMENT 64 /* of a cache line, as igzip_lib.h asks for the stream's tables */

struct isal {
    struct isal_zstream stream;
    uint32_t level;
    uint32_t level_size;
    uint8_t *level_buffer; /* owned */
};

static void destroy(void *deflater)
{
    struct isal *isal = deflater;

    if (isal == NULL)
        return;
    free(isal->level_buffer);
    free(isal);
}

static void *make(int level)
{
    static const uint32_t SIZES[] = {0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT, ISAL_DEF_LVL3_DEFAULT};
    struct isal *isal = NULL;

    if (level < 1 || level > 3 || posix_memalign((void **)&isal, ALIGNMENT, sizeof(*isal)) != 0)
        return NULL;
    memset(isal, 0, sizeof(*isal));
    isal->level = (uint32_t)level;
    isal->level_size = SIZES[level];
    isal->level_buffer = calloc(1, isal->level_size);
    if (isal->level_buffer == NULL) {
        destroy(isal);
        return NULL;
    }
    return isal;
}

/* The stateless call takes the whole block where it stands: nothing is copied into a window of its own. */
static enum uex_error compress_block(void *deflater, struct uex_bytes in, uint8_t *out, size_t out_bytes,
                                     size_t *used_bytes)
{
    struct isal *isal = deflater;
    struct isal_zstream *stream = &isal->stream;

    if (in.size_bytes > UINT32_MAX / 2 || out_bytes > UINT32_MAX)
        return UEX_LIMIT; /* ISA-L counts in 32 bits */
    isal_deflate_stateless_init(stream);
    stream->level = isal->level;
    stream->level_buf = isal->level_buffer;
    stream->level_buf_size = isal->level_size;
    stream->gzip_flag = IGZIP_DEFLATE;
    stream->flush = FULL_FLUSH;
    stream->end_of_stream = 0;
    stream->next_in = (uint8_t *)(uintptr_t)in.data; /* only read */
    stream->avail_in = (uint32_t)in.size_bytes;
    stream->next_out = out;
    stream->avail_out = (uint32_t)out_bytes;
    if (isal_deflate_stateless(stream) != COMP_OK || stream->avail_in != 0)
        return UEX_INTERNAL;
    *used_bytes = out_bytes - stream->avail_out;
    return UEX_OK;
}

uint32_t uex_gzip_crc32(uint32_t crc, struct uex_bytes data)
{
    return crc32_gzip_refl(crc, data.data, data.size_bytes);
}

const struct uex_deflater_kind uex_deflater_isal = {.make = make, .compress = compress_block, .destroy = destroy};
#endif
