/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/deflater.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define WINDOW_BITS_GZIP (15 + 16) /* 32 KiB, with gzip's header and trailer */
#define MEMORY_LEVEL 8             /* zlib's own default */

static void destroy(void *deflater)
{
    z_stream *stream = deflater;

    if (stream == NULL)
        return;
    (void)deflateEnd(stream);
    free(stream);
}

static void *make(int level)
{
    z_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    if (deflateInit2(stream, level, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static enum uex_error begin(void *deflater)
{
    return deflateReset(deflater) == Z_OK ? UEX_OK : UEX_INTERNAL;
}

static enum uex_error step(void *deflater, struct uex_deflater_io *io, bool is_last, bool *ended)
{
    z_stream *stream = deflater;
    uInt in_bytes = io->in.size_bytes > UINT_MAX ? UINT_MAX : (uInt)io->in.size_bytes;
    uInt out_bytes = io->out_bytes > UINT_MAX ? UINT_MAX : (uInt)io->out_bytes;

    stream->next_in = (z_const Bytef *)io->in.data;
    stream->avail_in = in_bytes;
    stream->next_out = io->out;
    stream->avail_out = out_bytes;
    int result = deflate(stream, is_last && in_bytes == io->in.size_bytes ? Z_FINISH : Z_NO_FLUSH);
    io->in.data += in_bytes - stream->avail_in;
    io->in.size_bytes -= in_bytes - stream->avail_in;
    io->out += out_bytes - stream->avail_out;
    io->out_bytes -= out_bytes - stream->avail_out;
    *ended = result == Z_STREAM_END;
    /* Z_BUF_ERROR only says that there was nothing to do. */
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? UEX_OK : UEX_INTERNAL;
}

const struct uex_deflater_kind uex_deflater_zlib = {.make = make, .begin = begin, .step = step, .destroy = destroy};
