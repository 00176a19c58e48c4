/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/deflater.h — what a compression library must do for a block: turn bytes into deflate data (RFC 1951) that
 * refer to nothing before them, whose last block is not final, and which end at a byte (zlib's full flush). Such pieces
 * can stand one behind the other in one stream, in any order, no matter which thread made them. The same bytes always
 * give the same piece. One thread at a time. */
#ifndef EXPORT_ENCODE_DEFLATER_H
#define EXPORT_ENCODE_DEFLATER_H

#include "export/error.h"

struct uex_deflater_kind {
    void *(*make)(int level); /* NULL: no memory */
    /* `out_bytes` is at least uex_deflate_bound() of the input. */
    enum uex_error (*compress)(void *deflater, struct uex_bytes in, uint8_t *out, size_t out_bytes, size_t *used_bytes);
    void (*destroy)(void *deflater); /* accepts NULL */
};

extern const struct uex_deflater_kind uex_deflater_zlib; /* levels 1 to 9 */
#ifdef UEX_HAVE_ISAL
extern const struct uex_deflater_kind uex_deflater_isal; /* levels 1 to 3 */
#endif

/* Bytes that do not compress are stored, 5 bytes more for each 16 KiB at worst; the flush needs a few. */
static inline size_t uex_deflate_bound(size_t in_bytes)
{
    return in_bytes + in_bytes / 512 + 1024;
}

/* CRC-32 of gzip, by the fastest library there is. */
uint32_t uex_gzip_crc32(uint32_t crc, struct uex_bytes data);
#endif
