/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/codec.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZSTD_LEVEL 1
#define GZIP_LEVEL 4
/* zlib's manual, deflateInit2(): 15 bits of window, and 16 for the gzip format. */
#define GZIP_WINDOW_BITS (15 + 16)
#define GZIP_MEMORY_LEVEL 8
/* RFC 1952, sections 2.3 and 2.3.1: header and trailer, which an old deflateBound() does not count. */
#define GZIP_FRAME_BYTES ((size_t)18)

struct uex_codec {
    enum uex_parquet_codec kind;
    ZSTD_CCtx *zstd;
    z_stream gzip;
    bool has_gzip;
};

struct uex_codec *uex_codec_new(enum uex_parquet_codec kind)
{
    struct uex_codec *codec = calloc(1, sizeof(*codec));
    bool made = codec != NULL;

    if (codec == NULL)
        return NULL;
    codec->kind = kind;
    if (kind == UEX_PARQUET_ZSTD) {
        codec->zstd = ZSTD_createCCtx();
        made = codec->zstd != NULL &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(codec->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL));
    } else if (kind == UEX_PARQUET_GZIP) {
        made = deflateInit2(&codec->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                            Z_DEFAULT_STRATEGY) == Z_OK;
        codec->has_gzip = made;
    }
    if (made)
        return codec;
    uex_codec_free(codec);
    return NULL;
}

int32_t uex_codec_number(enum uex_parquet_codec kind)
{
    return kind == UEX_PARQUET_ZSTD ? 6 : kind == UEX_PARQUET_GZIP ? 2 : 0;
}

size_t uex_codec_bound(struct uex_codec *codec, size_t in_bytes)
{
    if (codec->kind == UEX_PARQUET_ZSTD)
        return ZSTD_compressBound(in_bytes);
    return codec->kind == UEX_PARQUET_GZIP ? deflateBound(&codec->gzip, in_bytes) + GZIP_FRAME_BYTES : in_bytes;
}

static enum uex_error compress_zstd(struct uex_codec *codec, struct uex_bytes in, uint8_t *out, size_t *used_bytes,
                                    struct uex_fault *fault)
{
    *used_bytes = ZSTD_compress2(codec->zstd, out, ZSTD_compressBound(in.size_bytes), in.data, in.size_bytes);
    if (!ZSTD_isError(*used_bytes))
        return UEX_OK;
    if (ZSTD_getErrorCode(*used_bytes) == ZSTD_error_memory_allocation)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for compression");
    return uex_fail(fault, UEX_INTERNAL, "zstd: %s", ZSTD_getErrorName(*used_bytes));
}

static enum uex_error compress_gzip(struct uex_codec *codec, struct uex_bytes in, uint8_t *out, size_t *used_bytes,
                                    struct uex_fault *fault)
{
    z_stream *gzip = &codec->gzip;
    const size_t bound_bytes = uex_codec_bound(codec, in.size_bytes);

    /* A page has less than 2^31 bytes, so all goes in one call. */
    if (in.size_bytes > UINT32_MAX || bound_bytes > UINT32_MAX || deflateReset(gzip) != Z_OK)
        return uex_fail(fault, UEX_INTERNAL, "zlib: cannot begin a page");
    gzip->next_in = (Bytef *)(uintptr_t)in.data;
    gzip->avail_in = (uInt)in.size_bytes;
    gzip->next_out = out;
    gzip->avail_out = (uInt)bound_bytes;
    if (deflate(gzip, Z_FINISH) != Z_STREAM_END)
        return uex_fail(fault, UEX_INTERNAL, "zlib: a page could not be compressed");
    *used_bytes = bound_bytes - gzip->avail_out;
    return UEX_OK;
}

enum uex_error uex_codec_compress(struct uex_codec *codec, struct uex_bytes in, uint8_t *out, size_t *used_bytes,
                                  struct uex_fault *fault)
{
    if (codec->kind == UEX_PARQUET_ZSTD)
        return compress_zstd(codec, in, out, used_bytes, fault);
    if (codec->kind == UEX_PARQUET_GZIP)
        return compress_gzip(codec, in, out, used_bytes, fault);
    memcpy(out, in.data, in.size_bytes);
    *used_bytes = in.size_bytes;
    return UEX_OK;
}

void uex_codec_free(struct uex_codec *codec)
{
    if (codec == NULL)
        return;
    (void)ZSTD_freeCCtx(codec->zstd);
    if (codec->has_gzip)
        (void)deflateEnd(&codec->gzip);
    free(codec);
}
