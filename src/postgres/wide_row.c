/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/wide_row.h"

#include <stdlib.h>

/* Beside the row's own bytes: TLS records (of any size, so a wide margin) and what came before the row. */
#define SLACK_BYTES ((uint64_t)1 << 20)

/* 0: a configuration that a test made by hand has no bound. */
static uint64_t bound_bytes(const struct uex_postgres *postgres)
{
    return postgres->config->export_max_row_bytes == 0 ? UINT64_MAX / 2
                                                       : (uint64_t)postgres->config->export_max_row_bytes;
}

bool uex_pg_row_is_wide(const struct uex_postgres *postgres, size_t row_bytes)
{
    return row_bytes > bound_bytes(postgres);
}

uint64_t uex_pg_row_sent_max_bytes(const struct uex_postgres *postgres)
{
    uint64_t bound = bound_bytes(postgres);

    return bound + bound / 4 + SLACK_BYTES;
}

static bool is_wide_type(enum uex_column_type type)
{
    return type == UEX_COLUMN_UNKNOWN || type == UEX_COLUMN_TEXT || type == UEX_COLUMN_JSON ||
           type == UEX_COLUMN_JSONB || type == UEX_COLUMN_NUMERIC;
}

static bool is_looked_at(const struct uex_layout *layout, size_t index, bool list_only)
{
    return is_wide_type(layout->columns[index].kind.type) && layout->columns[index].mask == UEX_MASK_NONE &&
           (!list_only || index == layout->list_index);
}

/* `SELECT max(octet_length(…)), … FROM the view` of the group: 0 for a column that is not looked at. */
static enum uex_error ask_widths(struct uex_postgres *postgres, const char *group_id, const struct uex_layout *layout,
                                 bool list_only, PGresult **out, struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    enum uex_error err = UEX_OK;

    uex_buffer_append_text(&sql, "SELECT ");
    for (size_t i = 0; err == UEX_OK && i < layout->column_count; i++) {
        const char *name = layout->columns[i].view_name;

        uex_buffer_append_text(&sql, i == 0 ? "" : ", ");
        if (!is_looked_at(layout, i, list_only)) {
            uex_buffer_append_text(&sql, "0");
            continue;
        }
        uex_buffer_append_text(&sql, "max(octet_length(");
        err = uex_pg_append_identifier(postgres, name, strlen(name), &sql, fault);
        uex_buffer_append_text(&sql, "::text))");
    }
    if (err == UEX_OK)
        err = uex_pg_append_from(postgres, group_id, &sql, fault);
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = UEX_NO_MEMORY;
    if (err == UEX_OK)
        err = uex_pg_long_query(postgres, uex_buffer_text(&sql), 0, NULL, out, fault);
    uex_buffer_clear(&sql);
    return err;
}

/* `total_bytes`: no row has wider values than these together. */
static const struct uex_layout_column *widest_column(const PGresult *result, const struct uex_layout *layout,
                                                     uint64_t *total_bytes)
{
    const struct uex_layout_column *widest = NULL;
    unsigned long long widest_bytes = 0;

    *total_bytes = 0;
    for (int i = 0; PQntuples(result) == 1 && i < PQnfields(result) && (size_t)i < layout->column_count; i++) {
        unsigned long long width = strtoull(PQgetvalue(result, 0, i), NULL, 10);

        *total_bytes += width;
        if (width > widest_bytes) {
            widest_bytes = width;
            widest = &layout->columns[i];
        }
    }
    return widest;
}

enum uex_error uex_pg_fail_wide(struct uex_postgres *postgres, const char *group_id, const struct uex_layout *layout,
                                bool list_only, bool seen, struct uex_fault *fault)
{
    const struct uex_layout_column *column = NULL;
    PGresult *result = NULL;
    uint64_t total_bytes = 0;
    bool reading = postgres->reading;

    /* A stream in its middle ends with its connection; the stream's owner still gives it back. */
    uex_pg_settle(postgres);
    postgres->reading = false;
    if (uex_pg_open(postgres, NULL) == UEX_OK &&
        ask_widths(postgres, group_id, layout, list_only, &result, NULL) == UEX_OK)
        column = widest_column(result, layout, &total_bytes);
    PQclear(result);
    postgres->reading = reading;
    /* What came was no row: in CSV a value takes twice its bytes at most. */
    if (!seen && column != NULL && total_bytes < bound_bytes(postgres) / 4)
        return uex_fail(fault, UEX_DB_STALLED, "database: the server keeps sending, but no row");
    if (column == NULL)
        return uex_fail(fault, UEX_DB_DATA, "database: a row is wider than export.max_row (%lld bytes)",
                        (long long)postgres->config->export_max_row_bytes);
    return uex_fail(fault, UEX_DB_DATA,
                    "database: a row is wider than export.max_row (%lld bytes); the group's widest values are in "
                    "column %s (%s)",
                    (long long)postgres->config->export_max_row_bytes, column->view_name, column->name);
}
