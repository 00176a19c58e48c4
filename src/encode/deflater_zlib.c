/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/deflater.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define WINDOW_BITS_RAW (-15) /* 32 KiB, without header and trailer */
#define MEMORY_LEVEL 8        /* zlib's own default */

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
    if (deflateInit2(stream, level, Z_DEFLATED, WINDOW_BITS_RAW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static enum uex_error compress_block(void *deflater, struct uex_bytes in, uint8_t *out, size_t out_bytes,
                                     size_t *used_bytes)
{
    z_stream *stream = deflater;

    if (in.size_bytes > UINT_MAX || out_bytes > UINT_MAX)
        return UEX_LIMIT;
    if (deflateReset(stream) != Z_OK)
        return UEX_INTERNAL;
    stream->next_in = (z_const Bytef *)in.data;
    stream->avail_in = (uInt)in.size_bytes;
    stream->next_out = out;
    stream->avail_out = (uInt)out_bytes;
    /* Z_BUF_ERROR only means that there was nothing to do. */
    int result = deflate(stream, Z_FULL_FLUSH);
    if ((result != Z_OK && result != Z_BUF_ERROR) || stream->avail_in != 0 || stream->avail_out == 0)
        return UEX_INTERNAL;
    *used_bytes = out_bytes - stream->avail_out;
    return UEX_OK;
}

#ifndef UEX_HAVE_ISAL
uint32_t uex_gzip_crc32(uint32_t crc, struct uex_bytes data)
{
    return (uint32_t)crc32_z(crc, data.data, data.size_bytes);
}
#endif

const struct uex_deflater_kind uex_deflater_zlib = {.make = make, .compress = compress_block, .destroy = destroy};
