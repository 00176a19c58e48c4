/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/deflater.h — what a compression library must do for uex_gzip: turn bytes into one gzip member, piece by
 * piece, with a header that says neither time nor name, so that the same bytes always give the same object. One thread
 * at a time. */
#ifndef EXPORT_ENCODE_DEFLATER_H
#define EXPORT_ENCODE_DEFLATER_H

#include "export/error.h"

/* What is left to read and to fill; each step moves on in both. */
struct uex_deflater_io {
    struct uex_bytes in;
    uint8_t *out;
    size_t out_bytes;
};

struct uex_deflater_kind {
    void *(*make)(int level); /* NULL: no memory */
    enum uex_error (*begin)(void *deflater);
    /* Goes on until the input is taken in or the output is full. After `is_last` input `ended` tells that the trailer
     * is out. */
    enum uex_error (*step)(void *deflater, struct uex_deflater_io *io, bool is_last, bool *ended);
    void (*destroy)(void *deflater); /* accepts NULL */
};

extern const struct uex_deflater_kind uex_deflater_zlib; /* levels 1 to 9 */
#ifdef UEX_HAVE_ISAL
extern const struct uex_deflater_kind uex_deflater_isal; /* levels 1 to 3 */
#endif
#endif
