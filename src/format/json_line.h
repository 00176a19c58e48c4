/* SPDX-License-Identifier: Apache-2.0 */
/* src/format/json_line.h — a row as a line of JSON Lines: one object, its members in the order of the layout.
 *
 * The server sends each field as the text that stands in JSON, strings without quotes and escapes (src/postgres/sql.c).
 * So a line is the members' names, known before, and the fields between them. The server can write the object itself
 * (row_to_json), but takes two to three times as long for it as for the same row as CSV. */
#ifndef EXPORT_FORMAT_JSON_LINE_H
#define EXPORT_FORMAT_JSON_LINE_H

#include "export/encoder.h"

struct uex_json_member {
    size_t head_at, head_bytes; /* `,"name":` in `heads` */
    bool is_string;             /* or a number, true, false, a document */
};

/* Zeroed: of no layout yet. One thread at a time. */
struct uex_json_line {
    struct uex_json_member *members;
    size_t member_count;
    struct uex_buffer heads, text;
    size_t max_bytes; /* of a line */
};

/* The members of a layout, with the version column where there is one. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_json_line_begin(struct uex_json_line *line, const struct uex_config *config,
                                                  const struct uex_layout *layout, struct uex_fault *fault);
/* The line of a row with its '\n'; it is valid until the next call. UEX_DB_DATA: it is longer than export.max_row.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_json_line_make(struct uex_json_line *line, const struct uex_copy_field *fields,
                                                 struct uex_bytes *out, struct uex_fault *fault);
void uex_json_line_clear(struct uex_json_line *line);
#endif
