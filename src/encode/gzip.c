/* SPDX-License-Identifier: Apache-2.0 */
#include "export/gzip.h"

#include <stdlib.h>

#include "encode/deflater.h"

#define OUT_BYTES ((size_t)256 << 10)
#define IN_BYTES ((size_t)64 << 10) /* rows are short and each call of a deflater costs: they gather here */

struct uex_gzip {
    const struct uex_deflater_kind *kind;
    void *deflater;
    struct uex_sink sink;
    enum uex_error error; /* sticks until the next begin */
    uint64_t bytes_in, bytes_out;
    size_t in_used, out_used;
    uint8_t in[IN_BYTES];
    uint8_t out[OUT_BYTES];
};

struct uex_gzip *uex_gzip_new(int level)
{
    struct uex_gzip *gzip = calloc(1, sizeof(*gzip));

    if (gzip == NULL)
        return NULL;
    level = level < 1 ? 1 : level > 9 ? 9 : level;
    gzip->kind = &uex_deflater_zlib;
#ifdef UEX_HAVE_ISAL
    if (level <= 3)
        gzip->kind = &uex_deflater_isal;
#endif
    gzip->deflater = gzip->kind->make(level);
    if (gzip->deflater == NULL) {
        free(gzip);
        return NULL;
    }
    gzip->error = UEX_INTERNAL; /* nothing is begun */
    return gzip;
}

void uex_gzip_begin(struct uex_gzip *gzip, struct uex_sink sink)
{
    gzip->sink = sink;
    gzip->bytes_in = 0;
    gzip->bytes_out = 0;
    gzip->in_used = 0;
    gzip->out_used = 0;
    gzip->error = gzip->kind->begin(gzip->deflater);
}

static enum uex_error hand_over(struct uex_gzip *gzip)
{
    size_t size_bytes = gzip->out_used;

    if (size_bytes == 0)
        return UEX_OK;
    gzip->out_used = 0;
    gzip->bytes_out += size_bytes;
    return gzip->sink.write(gzip->sink.context, uex_bytes_of(gzip->out, size_bytes));
}

/* Compress all of `data`; with `is_last` up to the trailer. */
static enum uex_error compress(struct uex_gzip *gzip, struct uex_bytes data, bool is_last)
{
    struct uex_deflater_io io = {.in = data};
    bool ended = false;

    while (io.in.size_bytes > 0 || (is_last && !ended)) {
        size_t in_before = io.in.size_bytes;

        io.out = gzip->out + gzip->out_used;
        io.out_bytes = OUT_BYTES - gzip->out_used;
        enum uex_error error = gzip->kind->step(gzip->deflater, &io, is_last, &ended);
        size_t made = (size_t)(io.out - gzip->out) - gzip->out_used;
        gzip->out_used += made;
        if (error == UEX_OK && made == 0 && io.in.size_bytes == in_before && !ended)
            error = UEX_INTERNAL; /* a step that does nothing would be repeated for ever */
        if (error == UEX_OK && gzip->out_used == OUT_BYTES)
            error = hand_over(gzip);
        if (error != UEX_OK)
            return error;
    }
    return UEX_OK;
}

static enum uex_error compress_gathered(struct uex_gzip *gzip, bool is_last)
{
    size_t size_bytes = gzip->in_used;

    gzip->in_used = 0;
    return compress(gzip, uex_bytes_of(gzip->in, size_bytes), is_last);
}

enum uex_error uex_gzip_write(struct uex_gzip *gzip, struct uex_bytes data)
{
    if (gzip->error != UEX_OK || data.size_bytes == 0)
        return gzip->error;
    gzip->bytes_in += data.size_bytes;
    if (data.size_bytes > IN_BYTES - gzip->in_used)
        gzip->error = compress_gathered(gzip, false);
    if (gzip->error != UEX_OK)
        return gzip->error;
    if (data.size_bytes >= IN_BYTES) {
        gzip->error = compress(gzip, data, false);
        return gzip->error;
    }
    memcpy(gzip->in + gzip->in_used, data.data, data.size_bytes);
    gzip->in_used += data.size_bytes;
    return UEX_OK;
}

enum uex_error uex_gzip_finish(struct uex_gzip *gzip)
{
    enum uex_error error = gzip->error;

    if (error == UEX_OK)
        error = compress_gathered(gzip, true);
    if (error == UEX_OK)
        error = hand_over(gzip);
    gzip->error = error == UEX_OK ? UEX_INTERNAL : error; /* the stream is over */
    return error;
}

uint64_t uex_gzip_bytes_in(const struct uex_gzip *gzip)
{
    return gzip->bytes_in;
}

uint64_t uex_gzip_bytes_out(const struct uex_gzip *gzip)
{
    return gzip->bytes_out;
}

void uex_gzip_free(struct uex_gzip *gzip)
{
    if (gzip == NULL)
        return;
    gzip->kind->destroy(gzip->deflater);
    free(gzip);
}
