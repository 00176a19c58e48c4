/* SPDX-License-Identifier: Apache-2.0 */
/* src/format/parquet.c — rows in binary form become row groups, and these a Parquet file (include/export/parquet.h). */
#include "format/kind.h"

#include <stdlib.h>

#include "export/clock.h"
#include "export/parquet.h"

/* What a layout is in Parquet. */
struct shape {
    const struct uex_layout *layout; /* that it is of; NULL: none yet */
    struct uex_parquet_column *columns;
    struct uex_parquet_format format;
};

struct parquet_encoder {
    struct uex_encoder base; /* first */
    struct shape shape;
    struct uex_parquet_file *file;
    struct uex_parquet_group *group; /* of rows that are added one by one */
    const struct uex_encoding *encoding;
};

struct parquet_piece {
    struct uex_piece base; /* first */
    struct uex_parquet_group *group;
};

/* ---- the layout as Parquet has it */

static enum uex_parquet_kind kind_of(enum uex_column_type type)
{
    switch (type) {
    case UEX_COLUMN_UUID:
        return UEX_PARQUET_UUID;
    case UEX_COLUMN_BOOLEAN:
        return UEX_PARQUET_BOOLEAN;
    case UEX_COLUMN_SMALLINT:
        return UEX_PARQUET_INT2;
    case UEX_COLUMN_INTEGER:
        return UEX_PARQUET_INT4;
    case UEX_COLUMN_BIGINT:
        return UEX_PARQUET_INT8;
    case UEX_COLUMN_REAL:
        return UEX_PARQUET_FLOAT4;
    case UEX_COLUMN_DOUBLE:
        return UEX_PARQUET_FLOAT8;
    case UEX_COLUMN_NUMERIC:
        return UEX_PARQUET_NUMERIC;
    case UEX_COLUMN_DATE:
        return UEX_PARQUET_DATE;
    case UEX_COLUMN_TIMESTAMP:
        return UEX_PARQUET_TIMESTAMP;
    case UEX_COLUMN_TIMESTAMPTZ:
        return UEX_PARQUET_TIMESTAMPTZ;
    case UEX_COLUMN_JSON:
        return UEX_PARQUET_JSON;
    case UEX_COLUMN_JSONB:
        return UEX_PARQUET_JSONB;
    case UEX_COLUMN_UNKNOWN:
    case UEX_COLUMN_TEXT:
        break;
    }
    return UEX_PARQUET_TEXT;
}

static void shape_column(const struct uex_layout_column *column, struct uex_parquet_column *out)
{
    *out = (struct uex_parquet_column){.name = column->name, .kind = UEX_PARQUET_TEXT};
    if (column->mask != UEX_MASK_NONE) /* masks make text */
        return;
    out->kind = kind_of(column->kind.type);
    if (out->kind == UEX_PARQUET_NUMERIC && column->kind.precision > 0)
        uex_parquet_decimal(out, column->kind.precision, column->kind.scale);
}

static void shape_clear(struct shape *shape)
{
    free(shape->columns);
    *shape = (struct shape){0};
}

/* UEX_NO_MEMORY, or UEX_OK: what export.columns allows, Parquet can have. */
static enum uex_error shape_make(const struct uex_config *config, const struct uex_layout *layout, struct shape *shape,
                                 struct uex_fault *fault)
{
    static const enum uex_parquet_codec codecs[] = {UEX_PARQUET_ZSTD, UEX_PARQUET_GZIP, UEX_PARQUET_NONE};
    size_t count = layout->column_count;

    shape_clear(shape);
    shape->columns = calloc(count + 1, sizeof(*shape->columns));
    if (shape->columns == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of a file");
    for (size_t i = 0; i < count; i++)
        shape_column(&layout->columns[i], &shape->columns[i]);
    if (config->export_version_field == UEX_VERSION_COLUMN)
        shape->columns[count++] =
            (struct uex_parquet_column){.name = UEX_VERSION_COLUMN_NAME, .kind = UEX_PARQUET_TEXT};
    shape->format = (struct uex_parquet_format){.columns = shape->columns,
                                                .column_count = count,
                                                .codec = codecs[config->export_parquet_codec],
                                                .group_bytes = (size_t)config->export_row_group_bytes};
    shape->layout = layout;
    return uex_parquet_format_check(&shape->format, fault);
}

/* ---- the file */

static void forget_shape(struct parquet_encoder *encoder)
{
    uex_parquet_group_free(encoder->group);
    uex_parquet_file_free(encoder->file);
    encoder->group = NULL;
    encoder->file = NULL;
    shape_clear(&encoder->shape);
}

static void parquet_destroy(struct uex_encoder *base)
{
    forget_shape((struct parquet_encoder *)base);
    free(base);
}

static struct uex_encoder *parquet_make(const struct uex_config *config, struct uex_compression_pool *pool)
{
    struct parquet_encoder *encoder = calloc(1, sizeof(*encoder));

    if (encoder == NULL)
        return NULL;
    encoder->base = (struct uex_encoder){.kind = &uex_encoder_parquet, .config = config, .pool = pool};
    return &encoder->base;
}

/* The shape of this layout, and a file of it. */
static enum uex_error take_shape(struct parquet_encoder *encoder, const struct uex_layout *layout,
                                 struct uex_fault *fault)
{
    enum uex_error err;

    if (encoder->shape.layout == layout)
        return UEX_OK;
    forget_shape(encoder);
    err = shape_make(encoder->base.config, layout, &encoder->shape, fault);
    if (err == UEX_OK && (encoder->file = uex_parquet_file_new(&encoder->shape.format)) == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a file");
    if (err != UEX_OK)
        forget_shape(encoder);
    return err;
}

static enum uex_error parquet_begin(struct uex_encoder *base, const struct uex_encoding *encoding, struct uex_sink sink,
                                    struct uex_fault *fault)
{
    struct parquet_encoder *encoder = (struct parquet_encoder *)base;
    enum uex_error err = take_shape(encoder, encoding->layout, fault);

    if (err != UEX_OK)
        return err;
    if (encoder->group != NULL)
        uex_parquet_group_reset(encoder->group);
    encoder->encoding = encoding;
    uex_parquet_file_begin(encoder->file, sink);
    return UEX_OK;
}

static enum uex_error put_group(struct parquet_encoder *encoder, struct uex_fault *fault)
{
    enum uex_error err = uex_parquet_group_encode(encoder->group, fault);

    return err == UEX_OK ? uex_parquet_file_put(encoder->file, encoder->group, fault) : err;
}

static enum uex_error parquet_add(struct uex_encoder *base, const struct uex_row *row, struct uex_fault *fault)
{
    struct parquet_encoder *encoder = (struct parquet_encoder *)base;
    enum uex_error err;

    if (encoder->group == NULL && (encoder->group = uex_parquet_group_new(&encoder->shape.format)) == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a row group");
    err = uex_parquet_group_add(encoder->group, row->fields, fault);
    if (err != UEX_LIMIT)
        return err;
    err = put_group(encoder, fault);
    return err == UEX_OK ? uex_parquet_group_add(encoder->group, row->fields, fault) : err;
}

static enum uex_error parquet_put(struct uex_encoder *base, struct uex_piece *piece, struct uex_fault *fault)
{
    return uex_parquet_file_put(((struct parquet_encoder *)base)->file, ((struct parquet_piece *)piece)->group, fault);
}

static enum uex_error parquet_finish(struct uex_encoder *base, struct uex_fault *fault)
{
    struct parquet_encoder *encoder = (struct parquet_encoder *)base;
    const struct uex_encoding *encoding = encoder->encoding;
    struct uex_parquet_pair pairs[5];
    char snapshot_at[UEX_TIME_TEXT_SIZE];
    size_t count = 0;
    enum uex_error err = UEX_OK;

    if (encoder->group != NULL && uex_parquet_group_row_count(encoder->group) > 0)
        err = put_group(encoder, fault);
    if (err != UEX_OK)
        return err;
    uex_time_format(encoding->snapshot_at_ms, snapshot_at);
    pairs[count++] = (struct uex_parquet_pair){"export-version", encoding->layout->version};
    pairs[count++] = (struct uex_parquet_pair){"export-layout", encoding->layout->id};
    pairs[count++] = (struct uex_parquet_pair){"export-snapshot-at", snapshot_at};
    pairs[count++] = (struct uex_parquet_pair){"export-group-id", encoding->group_id};
    if (encoding->command_id != NULL)
        pairs[count++] = (struct uex_parquet_pair){"export-command-id", encoding->command_id};
    return uex_parquet_file_finish(encoder->file, pairs, count, fault);
}

static uint64_t parquet_bytes_out(const struct uex_encoder *base)
{
    const struct parquet_encoder *encoder = (const struct parquet_encoder *)base;

    return encoder->file == NULL ? 0 : uex_parquet_file_bytes_out(encoder->file);
}

/* ---- pieces: row groups */

/* A group is big, so there is one more than readers: the one that is written. */
static size_t parquet_piece_count(const struct uex_encoder *encoder, size_t reader_count)
{
    (void)encoder;
    return reader_count + 1;
}

static void parquet_piece_destroy(struct uex_piece *base)
{
    struct parquet_piece *piece = (struct parquet_piece *)base;

    uex_parquet_group_free(piece->group);
    free(piece);
}

static struct uex_piece *parquet_piece_make(struct uex_encoder *base, const struct uex_layout *layout)
{
    struct parquet_encoder *encoder = (struct parquet_encoder *)base;
    struct parquet_piece *piece = calloc(1, sizeof(*piece));

    if (piece == NULL)
        return NULL;
    piece->base.kind = base->kind;
    if (take_shape(encoder, layout, NULL) == UEX_OK)
        piece->group = uex_parquet_group_new(&encoder->shape.format);
    if (piece->group != NULL)
        return &piece->base;
    parquet_piece_destroy(&piece->base);
    return NULL;
}

static enum uex_error parquet_piece_add(struct uex_piece *piece, const struct uex_row *row, struct uex_fault *fault)
{
    return uex_parquet_group_add(((struct parquet_piece *)piece)->group, row->fields, fault);
}

static struct uex_piece_coder *parquet_coder_make(struct uex_encoder *encoder)
{
    struct uex_piece_coder *coder = calloc(1, sizeof(*coder));

    if (coder != NULL)
        coder->kind = encoder->kind;
    return coder;
}

static enum uex_error parquet_coder_encode(struct uex_piece_coder *coder, struct uex_piece *piece,
                                           struct uex_fault *fault)
{
    (void)coder;
    return uex_parquet_group_encode(((struct parquet_piece *)piece)->group, fault);
}

static void parquet_coder_destroy(struct uex_piece_coder *coder)
{
    free(coder);
}

const struct uex_encoder_kind uex_encoder_parquet = {.make = parquet_make,
                                                     .begin = parquet_begin,
                                                     .add = parquet_add,
                                                     .put = parquet_put,
                                                     .finish = parquet_finish,
                                                     .bytes_out = parquet_bytes_out,
                                                     .destroy = parquet_destroy,
                                                     .piece_count = parquet_piece_count,
                                                     .piece_make = parquet_piece_make,
                                                     .piece_add = parquet_piece_add,
                                                     .piece_destroy = parquet_piece_destroy,
                                                     .coder_make = parquet_coder_make,
                                                     .coder_encode = parquet_coder_encode,
                                                     .coder_destroy = parquet_coder_destroy};
