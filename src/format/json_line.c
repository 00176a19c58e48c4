/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json_line.h"

#include <stdlib.h>

#include "core/json_plain.h"

/* A line beyond this has made the buffer big for good: it is not kept. */
#define KEEP_LINE_BYTES ((size_t)1 << 20)
/* `null`, or two quotes. */
#define MEMBER_ROOM_BYTES ((size_t)4)

static bool is_string(const struct uex_layout_column *column)
{
    if (column->mask != UEX_MASK_NONE) /* masks make text */
        return true;
    switch (column->kind.type) {
    case UEX_COLUMN_BOOLEAN:
    case UEX_COLUMN_SMALLINT:
    case UEX_COLUMN_INTEGER:
    case UEX_COLUMN_BIGINT:
    case UEX_COLUMN_REAL:
    case UEX_COLUMN_DOUBLE:
    case UEX_COLUMN_NUMERIC:
    case UEX_COLUMN_JSON:
    case UEX_COLUMN_JSONB:
        return false;
    case UEX_COLUMN_UNKNOWN:
    case UEX_COLUMN_TEXT:
    case UEX_COLUMN_UUID:
    case UEX_COLUMN_DATE:
    case UEX_COLUMN_TIMESTAMP:
    case UEX_COLUMN_TIMESTAMPTZ:
        break;
    }
    return true;
}

static void add_member(struct uex_json_line *line, const char *name, bool string)
{
    struct uex_json_member *member = &line->members[line->member_count];

    member->head_at = line->heads.size_bytes;
    member->is_string = string;
    uex_buffer_append_text(&line->heads, line->member_count == 0 ? "{" : ",");
    uex_buffer_append_json(&line->heads, name);
    uex_buffer_append_text(&line->heads, ":");
    member->head_bytes = line->heads.size_bytes - member->head_at;
    line->member_count++;
}

enum uex_error uex_json_line_begin(struct uex_json_line *line, const struct uex_config *config,
                                   const struct uex_layout *layout, struct uex_fault *fault)
{
    uex_json_line_clear(line);
    line->max_bytes = config->export_max_row_bytes == 0 ? SIZE_MAX / 2 : (size_t)config->export_max_row_bytes;
    line->text.cap_bytes = line->max_bytes + (layout->column_count + 1) * MEMBER_ROOM_BYTES;
    line->members = calloc(layout->column_count + 1, sizeof(*line->members));
    if (line->members == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of a file");
    for (size_t i = 0; i < layout->column_count; i++)
        add_member(line, layout->columns[i].name, is_string(&layout->columns[i]));
    if (config->export_version_field == UEX_VERSION_COLUMN)
        add_member(line, UEX_VERSION_COLUMN_NAME, true);
    return uex_buffer_failed(&line->heads)
               ? uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of a file")
               : UEX_OK;
}

/* What the members from `first` on take at most, and the line's end, where nothing is to be escaped. */
static size_t room_for(const struct uex_json_line *line, const struct uex_copy_field *fields, size_t first)
{
    size_t bytes = line->heads.size_bytes - line->members[first].head_at + strlen("}\n");

    for (size_t i = first; i < line->member_count; i++)
        bytes += MEMBER_ROOM_BYTES + (fields[i].size_bytes < 0 ? 0 : (size_t)fields[i].size_bytes);
    return bytes;
}

static uint8_t *put(uint8_t *place, const void *data, size_t size_bytes)
{
    memcpy(place, data, size_bytes);
    return place + size_bytes;
}

/* A string with something to escape, and room for what follows it. NULL: there is none. */
static uint8_t *put_escaped(struct uex_json_line *line, const struct uex_copy_field *fields, size_t index,
                            const uint8_t *place)
{
    struct uex_buffer *text = &line->text;

    text->size_bytes = (size_t)(place - text->data);
    uex_buffer_append_json_bytes(text, uex_bytes_of(fields[index].data, (size_t)fields[index].size_bytes));
    return index + 1 < line->member_count ? uex_buffer_reserve(text, room_for(line, fields, index + 1))
                                          : uex_buffer_reserve(text, strlen("}\n"));
}

static uint8_t *put_member(struct uex_json_line *line, const struct uex_copy_field *fields, size_t index,
                           uint8_t *place)
{
    const struct uex_json_member *member = &line->members[index];
    const struct uex_copy_field *field = &fields[index];

    place = put(place, line->heads.data + member->head_at, member->head_bytes);
    if (field->size_bytes < 0)
        return put(place, "null", 4);
    if (!member->is_string)
        return put(place, field->data, (size_t)field->size_bytes);
    if (uex_json_skip_plain(field->data, field->data + field->size_bytes) != field->data + field->size_bytes)
        return put_escaped(line, fields, index, place);
    *place++ = '"';
    place = put(place, field->data, (size_t)field->size_bytes);
    *place++ = '"';
    return place;
}

/* Bytes of a string between its quotes. */
static size_t measure_string(const struct uex_copy_field *field)
{
    size_t bytes = 0;

    for (int32_t i = 0; i < field->size_bytes; i++) {
        const uint8_t byte = field->data[i];

        if (byte == '"' || byte == '\\' || (byte >= '\b' && byte <= '\r' && byte != '\v'))
            bytes += 2;
        else
            bytes += byte < 0x20 ? 6 : 1;
    }
    return bytes;
}

/* The line was not made: why? */
static enum uex_error fail_line(const struct uex_json_line *line, const struct uex_copy_field *fields,
                                struct uex_fault *fault)
{
    size_t bytes = line->heads.size_bytes + strlen("}\n");

    for (size_t i = 0; i < line->member_count; i++) {
        if (fields[i].size_bytes < 0)
            bytes += strlen("null");
        else
            bytes +=
                line->members[i].is_string ? strlen("\"\"") + measure_string(&fields[i]) : (size_t)fields[i].size_bytes;
    }
    return bytes > line->max_bytes
               ? uex_fail(fault, UEX_DB_DATA,
                          "database: a row is wider, as a line of JSON, than export.max_row (%zu bytes)",
                          line->max_bytes)
               : uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a row");
}

enum uex_error uex_json_line_make(struct uex_json_line *line, const struct uex_copy_field *fields,
                                  struct uex_bytes *out, struct uex_fault *fault)
{
    struct uex_buffer *text = &line->text;
    uint8_t *place;

    if (text->capacity_bytes > KEEP_LINE_BYTES)
        uex_buffer_clear(text);
    uex_buffer_reset(text);
    place = uex_buffer_reserve(text, room_for(line, fields, 0));
    for (size_t i = 0; place != NULL && i < line->member_count; i++)
        place = put_member(line, fields, i, place);
    if (place == NULL)
        return fail_line(line, fields, fault);
    place = put(place, "}\n", 2);
    text->size_bytes = (size_t)(place - text->data);
    *out = uex_buffer_bytes(text);
    return text->size_bytes > line->max_bytes ? fail_line(line, fields, fault) : UEX_OK;
}

void uex_json_line_clear(struct uex_json_line *line)
{
    free(line->members);
    uex_buffer_clear(&line->heads);
    uex_buffer_clear(&line->text);
    *line = (struct uex_json_line){0};
}
