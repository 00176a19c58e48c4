/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/encoder.h — the formats of a file (export.format), and how rows become one.
 *
 * An encoder makes a file of rows and hands its bytes to a sink. Rows come one by one on its own thread, or in pieces:
 * rows that other threads have gathered and encoded by themselves. What a row is says the format: csv is text that the
 * server has made, and passes through; jsonl takes fields as their text, parquet in PostgreSQL's binary form.
 *
 * A format is a struct uex_encoder_kind in src/format, its line in the table there, and its names in
 * src/config/format.c. */
#ifndef EXPORT_ENCODER_H
#define EXPORT_ENCODER_H

#include "export/copy_binary.h"
#include "export/format.h"
#include "export/gzip.h"
#include "export/layout.h"

/* One row: its text with '\n', or its fields, and how many bytes came for it. Borrowed. */
struct uex_row {
    struct uex_bytes text;
    const struct uex_copy_field *fields; /* NULL: `text` */
};

/* What a file is of. Borrowed until the file is finished or given up. */
struct uex_encoding {
    const struct uex_layout *layout;   /* resolved */
    const char *group_id, *command_id; /* NULL: there is none */
    int64_t snapshot_at_ms;
};

/* One thread at a time. */
struct uex_encoder;
/* An encoder of export.format with a compressor of its own; `pool` is borrowed, NULL: none. NULL: no memory. It can be
 * used for one file after the other. */
UEX_MUST_CHECK struct uex_encoder *uex_encoder_new(const struct uex_config *config, struct uex_compression_pool *pool);
/* Begin a file; one that is not finished is given up. UEX_NO_MEMORY; errors of the sink come back as they are. */
UEX_MUST_CHECK enum uex_error uex_encoder_begin(struct uex_encoder *encoder, const struct uex_encoding *encoding,
                                                struct uex_sink sink, struct uex_fault *fault);
/* UEX_DB_DATA: the format cannot say a value; the text names its column. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_encoder_add(struct uex_encoder *encoder, const struct uex_row *row,
                                              struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_encoder_finish(struct uex_encoder *encoder, struct uex_fault *fault);
/* What went to the sink. */
uint64_t uex_encoder_bytes_out(const struct uex_encoder *encoder);
void uex_encoder_free(struct uex_encoder *encoder); /* accepts NULL */

/* How many pieces `reader_count` threads keep busy, and the encoder's thread with them. */
size_t uex_encoder_piece_count(const struct uex_encoder *encoder, size_t reader_count);

/* Rows of one thread, and what becomes of them. */
struct uex_piece;
/* For files of this layout. It is freed before the encoder, and before that begins a file of another layout. NULL: no
 * memory. */
UEX_MUST_CHECK struct uex_piece *uex_piece_new(struct uex_encoder *encoder, const struct uex_layout *layout);
/* UEX_LIMIT: no room for the row; hand the piece over first; an empty one takes a row of any size. Else as
 * uex_encoder_add(). */
UEX_MUST_CHECK enum uex_error uex_piece_add(struct uex_piece *piece, const struct uex_row *row,
                                            struct uex_fault *fault);
void uex_piece_free(struct uex_piece *piece); /* accepts NULL */
/* Append a piece that its thread has encoded behind all that was added, and empty it. */
UEX_MUST_CHECK enum uex_error uex_encoder_put(struct uex_encoder *encoder, struct uex_piece *piece,
                                              struct uex_fault *fault);

/* What a thread encodes pieces with. */
struct uex_piece_coder;
UEX_MUST_CHECK struct uex_piece_coder *uex_piece_coder_new(struct uex_encoder *encoder); /* NULL: no memory */
/* The calling thread encodes from now on until the end. */
void uex_piece_coder_begin(struct uex_piece_coder *coder);
void uex_piece_coder_end(struct uex_piece_coder *coder);
/* The piece is full: encode it, or hand it to the pool. An error comes with uex_encoder_put() at the latest. */
UEX_MUST_CHECK enum uex_error uex_piece_coder_encode(struct uex_piece_coder *coder, struct uex_piece *piece,
                                                     struct uex_fault *fault);
void uex_piece_coder_free(struct uex_piece_coder *coder); /* accepts NULL */
#endif
