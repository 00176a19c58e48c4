/* SPDX-License-Identifier: Apache-2.0 */
/* src/format/format.c — the table of formats, and the way to each. */
#include "format/kind.h"

static const struct uex_encoder_kind *const kinds[] = {
    [UEX_FORMAT_CSV] = &uex_encoder_text,
    [UEX_FORMAT_JSONL] = &uex_encoder_text,
    [UEX_FORMAT_PARQUET] = &uex_encoder_parquet,
};

struct uex_encoder *uex_encoder_new(const struct uex_config *config, struct uex_compression_pool *pool)
{
    return kinds[config->export_format]->make(config, pool);
}

enum uex_error uex_encoder_begin(struct uex_encoder *encoder, const struct uex_encoding *encoding, struct uex_sink sink,
                                 struct uex_fault *fault)
{
    return encoder->kind->begin(encoder, encoding, sink, fault);
}

enum uex_error uex_encoder_add(struct uex_encoder *encoder, const struct uex_row *row, struct uex_fault *fault)
{
    return encoder->kind->add(encoder, row, fault);
}

enum uex_error uex_encoder_put(struct uex_encoder *encoder, struct uex_piece *piece, struct uex_fault *fault)
{
    return encoder->kind->put(encoder, piece, fault);
}

enum uex_error uex_encoder_finish(struct uex_encoder *encoder, struct uex_fault *fault)
{
    return encoder->kind->finish(encoder, fault);
}

uint64_t uex_encoder_bytes_out(const struct uex_encoder *encoder)
{
    return encoder->kind->bytes_out(encoder);
}

void uex_encoder_free(struct uex_encoder *encoder)
{
    if (encoder != NULL)
        encoder->kind->destroy(encoder);
}

size_t uex_encoder_piece_count(const struct uex_encoder *encoder, size_t reader_count)
{
    return encoder->kind->piece_count(encoder, reader_count);
}

struct uex_piece *uex_piece_new(struct uex_encoder *encoder, const struct uex_layout *layout)
{
    return encoder->kind->piece_make(encoder, layout);
}

enum uex_error uex_piece_add(struct uex_piece *piece, const struct uex_row *row, struct uex_fault *fault)
{
    return piece->kind->piece_add(piece, row, fault);
}

void uex_piece_free(struct uex_piece *piece)
{
    if (piece != NULL)
        piece->kind->piece_destroy(piece);
}

struct uex_piece_coder *uex_piece_coder_new(struct uex_encoder *encoder)
{
    return encoder->kind->coder_make(encoder);
}

void uex_piece_coder_begin(struct uex_piece_coder *coder)
{
    if (coder->kind->coder_begin != NULL)
        coder->kind->coder_begin(coder);
}

void uex_piece_coder_end(struct uex_piece_coder *coder)
{
    if (coder->kind->coder_end != NULL)
        coder->kind->coder_end(coder);
}

enum uex_error uex_piece_coder_encode(struct uex_piece_coder *coder, struct uex_piece *piece, struct uex_fault *fault)
{
    return coder->kind->coder_encode(coder, piece, fault);
}

void uex_piece_coder_free(struct uex_piece_coder *coder)
{
    if (coder != NULL)
        coder->kind->coder_destroy(coder);
}
