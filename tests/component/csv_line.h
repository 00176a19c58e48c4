/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/csv_line.h — one record of RFC 4180, read strictly; NULL is an empty field without quotes. */
#ifndef COMPONENT_CSV_LINE_H
#define COMPONENT_CSV_LINE_H

#include "export/buffer.h"

#define CSV_FIELDS_MAX 32

struct csv_line {
    char *fields[CSV_FIELDS_MAX]; /* NULL: NULL */
    size_t count;
};

static inline void csv_line_clear(struct csv_line *line)
{
    for (size_t i = 0; i < line->count; i++)
        free(line->fields[i]);
    *line = (struct csv_line){0};
}

/* Parse `text`, which ends with '\n'. False if it is not exactly one record. */
static inline bool csv_line_parse(struct uex_bytes text, struct csv_line *out)
{
    const char *at = (const char *)text.data, *end = at + text.size_bytes;

    for (;;) {
        struct uex_buffer field = {0};
        bool quoted = at < end && *at == '"';

        if (quoted) {
            for (at++; at < end && !(*at == '"' && !(at + 1 < end && at[1] == '"')); at++) {
                if (*at == '"')
                    at++;
                uex_buffer_append(&field, at, 1);
            }
            if (at++ == end)
                return false;
        } else {
            for (; at < end && *at != ',' && *at != '\n'; at++) {
                if (*at == '"' || *at == '\r')
                    return false;
                uex_buffer_append(&field, at, 1);
            }
        }
        if (out->count == CSV_FIELDS_MAX || at == end || (*at != ',' && *at != '\n'))
            return false;
        out->fields[out->count++] = quoted || field.size_bytes > 0 ? strdup(uex_buffer_text(&field)) : NULL;
        uex_buffer_clear(&field);
        if (*at++ == '\n')
            return at == end;
    }
}
#endif
