/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/group.h"

#include <stdlib.h>

struct uex_parquet_group *uex_parquet_group_new(const struct uex_parquet_format *format)
{
    struct uex_parquet_group *group = calloc(1, sizeof(*group));
    bool made;

    if (group == NULL)
        return NULL;
    group->format = format;
    group->group_bytes = format->group_bytes == 0 ? UEX_PARQUET_GROUP_BYTES : format->group_bytes;
    group->codec = uex_codec_new(format->codec);
    group->chunks = calloc(format->column_count, sizeof(*group->chunks));
    group->facts = calloc(format->column_count, sizeof(*group->facts));
    made = group->codec != NULL && group->chunks != NULL && group->facts != NULL;
    for (size_t i = 0; made && i < format->column_count; i++)
        made = uex_chunk_init(&group->chunks[i], &format->columns[i]);
    if (made)
        return group;
    uex_parquet_group_free(group);
    return NULL;
}

static size_t measure(const struct uex_parquet_group *group, const struct uex_copy_field *fields)
{
    size_t total_bytes = 0;

    for (size_t i = 0; i < group->format->column_count; i++)
        total_bytes += uex_chunk_measure(&group->chunks[i], fields[i]);
    return total_bytes;
}

enum uex_error uex_parquet_group_add(struct uex_parquet_group *group, const struct uex_copy_field *fields,
                                     struct uex_fault *fault)
{
    const size_t more_bytes = measure(group, fields);

    if (group->is_encoded || group->row_count == UEX_PARQUET_GROUP_ROWS ||
        (group->row_count > 0 &&
         (group->value_bytes > group->group_bytes || more_bytes > group->group_bytes - group->value_bytes)))
        return uex_fail(fault, UEX_LIMIT, "the row group is full");
    for (size_t i = 0; i < group->format->column_count; i++) {
        enum uex_error err = uex_chunk_add(&group->chunks[i], group->row_count, fields[i], fault);

        if (err != UEX_OK)
            return err;
    }
    group->value_bytes += more_bytes;
    group->row_count++;
    return UEX_OK;
}

uint32_t uex_parquet_group_row_count(const struct uex_parquet_group *group)
{
    return group->row_count;
}

enum uex_error uex_parquet_group_encode(struct uex_parquet_group *group, struct uex_fault *fault)
{
    if (group->is_encoded)
        return UEX_OK;
    uex_region_reset(&group->out, 0);
    for (size_t i = 0; i < group->format->column_count && group->row_count > 0; i++) {
        enum uex_error err = uex_pages_write(&group->chunks[i], group->row_count, group->codec, &group->scratch,
                                             &group->out, &group->facts[i], fault);

        if (err != UEX_OK)
            return err;
    }
    group->is_encoded = true;
    return UEX_OK;
}

/* What columns keep adds up where the rows change from one group to the next: now this one was great, then that one. */
static void trim(struct uex_parquet_group *group)
{
    const size_t kept_bytes = 2 * (group->group_bytes + group->format->column_count * UEX_CHUNK_HEAD_BYTES);
    size_t touched_bytes = group->out.touched_bytes + group->scratch.touched_bytes;

    for (size_t i = 0; i < group->format->column_count; i++)
        touched_bytes += uex_chunk_touched_bytes(&group->chunks[i]);
    if (touched_bytes <= kept_bytes)
        return;
    for (size_t i = 0; i < group->format->column_count; i++)
        uex_chunk_trim(&group->chunks[i]);
    uex_region_free(&group->out);
    uex_region_free(&group->scratch);
}

void uex_parquet_group_reset(struct uex_parquet_group *group)
{
    /* A row that failed may have left the mark of its first values. */
    const uint32_t rows = group->row_count == UEX_PARQUET_GROUP_ROWS ? group->row_count : group->row_count + 1;

    for (size_t i = 0; i < group->format->column_count; i++)
        uex_chunk_reset(&group->chunks[i], rows);
    uex_region_reset(&group->out, 0);
    uex_region_reset(&group->scratch, 0);
    trim(group);
    group->value_bytes = 0;
    group->row_count = 0;
    group->is_encoded = false;
}

void uex_parquet_group_free(struct uex_parquet_group *group)
{
    if (group == NULL)
        return;
    for (size_t i = 0; group->chunks != NULL && i < group->format->column_count; i++)
        uex_chunk_free(&group->chunks[i]);
    free(group->chunks);
    free(group->facts);
    uex_region_free(&group->out);
    uex_region_free(&group->scratch);
    uex_codec_free(group->codec);
    free(group);
}
