/* SPDX-License-Identifier: Apache-2.0 */
/* src/format/kind.h — what a format must do (include/export/encoder.h), for the files of this module. */
#ifndef EXPORT_FORMAT_KIND_H
#define EXPORT_FORMAT_KIND_H

#include "export/encoder.h"

/* What encoders, pieces and coders of all formats begin with. */
struct uex_encoder {
    const struct uex_encoder_kind *kind;
    const struct uex_config *config;
    struct uex_compression_pool *pool; /* borrowed; NULL: none */
};
struct uex_piece {
    const struct uex_encoder_kind *kind;
};
struct uex_piece_coder {
    const struct uex_encoder_kind *kind;
};

struct uex_encoder_kind {
    struct uex_encoder *(*make)(const struct uex_config *config, struct uex_compression_pool *pool);
    enum uex_error (*begin)(struct uex_encoder *encoder, const struct uex_encoding *encoding, struct uex_sink sink,
                            struct uex_fault *fault);
    enum uex_error (*add)(struct uex_encoder *encoder, const struct uex_row *row, struct uex_fault *fault);
    enum uex_error (*put)(struct uex_encoder *encoder, struct uex_piece *piece, struct uex_fault *fault);
    enum uex_error (*finish)(struct uex_encoder *encoder, struct uex_fault *fault);
    uint64_t (*bytes_out)(const struct uex_encoder *encoder);
    void (*destroy)(struct uex_encoder *encoder);
    size_t (*piece_count)(const struct uex_encoder *encoder, size_t reader_count);
    struct uex_piece *(*piece_make)(struct uex_encoder *encoder, const struct uex_layout *layout);
    enum uex_error (*piece_add)(struct uex_piece *piece, const struct uex_row *row, struct uex_fault *fault);
    void (*piece_destroy)(struct uex_piece *piece);
    struct uex_piece_coder *(*coder_make)(struct uex_encoder *encoder);
    void (*coder_begin)(struct uex_piece_coder *coder); /* NULL: nothing to do */
    void (*coder_end)(struct uex_piece_coder *coder);   /* likewise */
    enum uex_error (*coder_encode)(struct uex_piece_coder *coder, struct uex_piece *piece, struct uex_fault *fault);
    void (*coder_destroy)(struct uex_piece_coder *coder);
};

extern const struct uex_encoder_kind uex_encoder_text; /* csv and jsonl */
extern const struct uex_encoder_kind uex_encoder_parquet;
#endif
