/* SPDX-License-Identifier: Apache-2.0 */
#ifdef UEX_HAVE_ISAL
#include "encode/deflater.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#define STEP_MAX_BYTES ((size_t)1 << 30) /* ISA-L counts in 32 bits */
#define ALIGNMENT 64                     /* of a cache line, as igzip_lib.h asks for the stream's tables */

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

static enum uex_error begin(void *deflater)
{
    struct isal *isal = deflater;

    isal_deflate_init(&isal->stream);
    isal->stream.level = isal->level;
    isal->stream.level_buf = isal->level_buffer;
    isal->stream.level_buf_size = isal->level_size;
    isal->stream.gzip_flag = IGZIP_GZIP;
    isal->stream.flush = NO_FLUSH;
    return UEX_OK;
}

/* total_in, which becomes the trailer's length, wraps at 4 GiB, as RFC 1952, section 2.3.1 wants it (ISIZE). */
static enum uex_error step(void *deflater, struct uex_deflater_io *io, bool is_last, bool *ended)
{
    struct isal_zstream *stream = &((struct isal *)deflater)->stream;
    size_t in_bytes = io->in.size_bytes > STEP_MAX_BYTES ? STEP_MAX_BYTES : io->in.size_bytes;
    size_t out_bytes = io->out_bytes > STEP_MAX_BYTES ? STEP_MAX_BYTES : io->out_bytes;

    stream->next_in = (uint8_t *)(uintptr_t)io->in.data; /* only read */
    stream->avail_in = (uint32_t)in_bytes;
    stream->next_out = io->out;
    stream->avail_out = (uint32_t)out_bytes;
    stream->end_of_stream = is_last && in_bytes == io->in.size_bytes;
    int result = isal_deflate(stream);
    io->in.data += in_bytes - stream->avail_in;
    io->in.size_bytes -= in_bytes - stream->avail_in;
    io->out += out_bytes - stream->avail_out;
    io->out_bytes -= out_bytes - stream->avail_out;
    *ended = stream->internal_state.state == ZSTATE_END;
    return result == COMP_OK ? UEX_OK : UEX_INTERNAL;
}

const struct uex_deflater_kind uex_deflater_isal = {.make = make, .begin = begin, .step = step, .destroy = destroy};
#endif
