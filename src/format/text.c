/* SPDX-License-Identifier: Apache-2.0 */
/* src/format/text.c — csv and jsonl: lines in one gzip member. Those of csv are the server's, as they come, behind a
 * header. */
#include "format/json_line.h"
#include "format/kind.h"

#include <stdlib.h>

/* Blocks beyond one for each reader: one that waits for the encoder's thread, one that it writes, and two for each
 * thread of the pool that the readers leave a CPU to: the one that it has, and the one that waits for it. */
#define SPARE_PIECES 2
#define POOL_PIECES_MAX 6

struct text_encoder {
    struct uex_encoder base; /* first */
    struct uex_gzip *gzip;
    struct uex_json_line line; /* jsonl only */
};

struct text_piece {
    struct uex_piece base; /* first */
    struct uex_gzip_block *block;
    struct uex_json_line line; /* jsonl only */
};

struct text_coder {
    struct uex_piece_coder base; /* first */
    struct uex_compressor *compressor;
};

static void text_destroy(struct uex_encoder *base)
{
    struct text_encoder *encoder = (struct text_encoder *)base;

    uex_gzip_free(encoder->gzip);
    uex_json_line_clear(&encoder->line);
    free(encoder);
}

static struct uex_encoder *text_make(const struct uex_config *config, struct uex_compression_pool *pool)
{
    struct text_encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return NULL;
    encoder->base = (struct uex_encoder){.kind = &uex_encoder_text, .config = config, .pool = pool};
    encoder->gzip = uex_gzip_new(config->export_compression_level, pool);
    if (encoder->gzip != NULL)
        return &encoder->base;
    text_destroy(&encoder->base);
    return NULL;
}

static enum uex_error text_begin(struct uex_encoder *base, const struct uex_encoding *encoding, struct uex_sink sink,
                                 struct uex_fault *fault)
{
    struct text_encoder *encoder = (struct text_encoder *)base;
    struct uex_buffer header = {0};
    enum uex_error err = UEX_OK;

    uex_gzip_begin(encoder->gzip, sink);
    if (base->config->export_format == UEX_FORMAT_JSONL)
        return uex_json_line_begin(&encoder->line, base->config, encoding->layout, fault);
    uex_layout_write_header(encoding->layout, base->config->export_version_field, &header);
    err = uex_buffer_failed(&header) ? uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the header of a file")
                                     : uex_gzip_write(encoder->gzip, uex_buffer_bytes(&header));
    uex_buffer_clear(&header);
    return err;
}

/* The text of a row as it stands in the file. */
static enum uex_error text_of(struct uex_json_line *line, const struct uex_row *row, struct uex_bytes *out,
                              struct uex_fault *fault)
{
    *out = row->text;
    return row->fields == NULL ? UEX_OK : uex_json_line_make(line, row->fields, out, fault);
}

static enum uex_error text_add(struct uex_encoder *base, const struct uex_row *row, struct uex_fault *fault)
{
    struct text_encoder *encoder = (struct text_encoder *)base;
    struct uex_bytes text;
    enum uex_error err = text_of(&encoder->line, row, &text, fault);

    return err == UEX_OK ? uex_gzip_write(encoder->gzip, text) : err;
}

static enum uex_error text_put(struct uex_encoder *base, struct uex_piece *piece, struct uex_fault *fault)
{
    (void)fault;
    return uex_gzip_put(((struct text_encoder *)base)->gzip, ((struct text_piece *)piece)->block);
}

static enum uex_error text_finish(struct uex_encoder *base, struct uex_fault *fault)
{
    (void)fault;
    return uex_gzip_finish(((struct text_encoder *)base)->gzip);
}

static uint64_t text_bytes_out(const struct uex_encoder *base)
{
    return uex_gzip_bytes_out(((const struct text_encoder *)base)->gzip);
}

/* ---- pieces: blocks of the gzip member */

static size_t text_piece_count(const struct uex_encoder *base, size_t reader_count)
{
    const int idle_count = uex_compression_pool_thread_max(base->pool) - (int)reader_count;
    const int pool_pieces = idle_count < 0 ? 0 : 2 * idle_count;

    return reader_count + SPARE_PIECES + (size_t)(pool_pieces < POOL_PIECES_MAX ? pool_pieces : POOL_PIECES_MAX);
}

static void text_piece_destroy(struct uex_piece *piece)
{
    uex_gzip_block_free(((struct text_piece *)piece)->block);
    uex_json_line_clear(&((struct text_piece *)piece)->line);
    free(piece);
}

static struct uex_piece *text_piece_make(struct uex_encoder *encoder, const struct uex_layout *layout)
{
    struct text_piece *piece = calloc(1, sizeof(*piece));
    enum uex_error err = UEX_OK;

    if (piece == NULL)
        return NULL;
    piece->base.kind = encoder->kind;
    piece->block = uex_gzip_block_new();
    if (encoder->config->export_format == UEX_FORMAT_JSONL)
        err = uex_json_line_begin(&piece->line, encoder->config, layout, NULL);
    if (piece->block != NULL && err == UEX_OK)
        return &piece->base;
    text_piece_destroy(&piece->base);
    return NULL;
}

static enum uex_error text_piece_add(struct uex_piece *piece, const struct uex_row *row, struct uex_fault *fault)
{
    struct text_piece *self = (struct text_piece *)piece;
    struct uex_bytes text;
    enum uex_error err = text_of(&self->line, row, &text, fault);

    if (err != UEX_OK)
        return err;
    err = uex_gzip_block_add(self->block, text);
    return err == UEX_OK || err == UEX_LIMIT ? err : uex_fail(fault, err, "not enough memory for a row");
}

static struct uex_piece_coder *text_coder_make(struct uex_encoder *encoder)
{
    struct text_coder *coder = calloc(1, sizeof(*coder));

    if (coder == NULL)
        return NULL;
    coder->base.kind = encoder->kind;
    coder->compressor = uex_compressor_new(encoder->config->export_compression_level, encoder->pool);
    if (coder->compressor != NULL)
        return &coder->base;
    free(coder);
    return NULL;
}

static void text_coder_begin(struct uex_piece_coder *coder)
{
    uex_compressor_begin(((struct text_coder *)coder)->compressor);
}

static void text_coder_end(struct uex_piece_coder *coder)
{
    uex_compressor_end(((struct text_coder *)coder)->compressor);
}

static enum uex_error text_coder_encode(struct uex_piece_coder *coder, struct uex_piece *piece, struct uex_fault *fault)
{
    (void)fault;
    uex_compressor_compress(((struct text_coder *)coder)->compressor, ((struct text_piece *)piece)->block);
    return UEX_OK;
}

static void text_coder_destroy(struct uex_piece_coder *coder)
{
    uex_compressor_free(((struct text_coder *)coder)->compressor);
    free(coder);
}

const struct uex_encoder_kind uex_encoder_text = {.make = text_make,
                                                  .begin = text_begin,
                                                  .add = text_add,
                                                  .put = text_put,
                                                  .finish = text_finish,
                                                  .bytes_out = text_bytes_out,
                                                  .destroy = text_destroy,
                                                  .piece_count = text_piece_count,
                                                  .piece_make = text_piece_make,
                                                  .piece_add = text_piece_add,
                                                  .piece_destroy = text_piece_destroy,
                                                  .coder_make = text_coder_make,
                                                  .coder_begin = text_coder_begin,
                                                  .coder_end = text_coder_end,
                                                  .coder_encode = text_coder_encode,
                                                  .coder_destroy = text_coder_destroy};
