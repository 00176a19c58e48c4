/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/codec.h — compresses pages.
 *
 * Source: Compression.md, "GZIP" (RFC 1952) and "ZSTD" (RFC 8878). Every page is compressed by itself. One thread at a
 * time.
 */
#ifndef EXPORT_PARQUET_CODEC_H
#define EXPORT_PARQUET_CODEC_H

#include "export/parquet.h"

struct uex_codec;
/* NULL: no memory. */
UEX_MUST_CHECK struct uex_codec *uex_codec_new(enum uex_parquet_codec kind);
/* parquet.thrift, CompressionCodec */
int32_t uex_codec_number(enum uex_parquet_codec kind);
/* What so many bytes become at most. */
size_t uex_codec_bound(struct uex_codec *codec, size_t in_bytes);
/* Compress into `out`, which has room for uex_codec_bound(). UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_codec_compress(struct uex_codec *codec, struct uex_bytes in, uint8_t *out,
                                                 size_t *used_bytes, struct uex_fault *fault);
void uex_codec_free(struct uex_codec *codec); /* accepts NULL */
#endif
