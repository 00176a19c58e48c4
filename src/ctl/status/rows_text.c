/* SPDX-License-Identifier: Apache-2.0 */
/* How rows of status look. */
#include "ctl/status/history.h"
#include "ctl/status/rows.h"

static const struct uex_column_of_table columns[] = {
    {"groupId", "GROUP", UEX_CELL_TEXT},
    {"outcome", "OUTCOME", UEX_CELL_TEXT},
    {"reason", "REASON", UEX_CELL_TEXT},
    {"runId", "RUN", UEX_CELL_TEXT},
    {"at", "AT", UEX_CELL_TIME},
    {"rows", "ROWS", UEX_CELL_NUMBER},
    {"durationMs", "MS", UEX_CELL_NUMBER},
    {"attempts", "ATTEMPTS", UEX_CELL_NUMBER},
    {"nextAttemptAt", "NEXT ATTEMPT", UEX_CELL_TIME},
    {"commandId", "COMMAND", UEX_CELL_ID},
    {"bytes", NULL, UEX_CELL_NUMBER},
    {"filePath", NULL, UEX_CELL_TEXT},
    {"sha256", NULL, UEX_CELL_TEXT},
    {"snapshotAt", NULL, UEX_CELL_TIME},
    {"lastExportedAt", NULL, UEX_CELL_TIME},
    {"error", NULL, UEX_CELL_TEXT},
    {"history", NULL, UEX_CELL_JSON}, /* last: it is there only where it was asked for */
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))
#define SHOWN_COUNT 10 /* those with a title stand first; the others are not worked out for the table */
#define OUTCOME_COLUMN 1

static const char *colour_of(size_t column, const char *cell)
{
    return column == OUTCOME_COLUMN ? uex_status_colour(cell) : NULL;
}

static const char *wall_time(int64_t wall_ms, char text[UEX_TIME_TEXT_SIZE])
{
    if (wall_ms == UEX_NO_TIME)
        return NULL;
    uex_time_format(wall_ms, text);
    return text;
}

static void add_row(struct uex_table *table, const struct uex_status_row *row, const char *history)
{
    char rows[UEX_CELL_SIZE], duration[UEX_CELL_SIZE], attempts[UEX_CELL_SIZE], bytes[UEX_CELL_SIZE];
    char at[UEX_TIME_TEXT_SIZE], next[UEX_TIME_TEXT_SIZE], snapshot[UEX_TIME_TEXT_SIZE], last[UEX_TIME_TEXT_SIZE];
    const char *cells[COLUMN_COUNT] = {
        row->group_id,
        uex_status_text(row->status),
        uex_cell_text(row->reason),
        uex_cell_text(row->run_id),
        wall_time(row->at_ms, at),
        uex_cell_number(row->rows, rows),
        uex_cell_number(row->duration_ms == UEX_NO_TIME ? UEX_UNKNOWN : (uint64_t)row->duration_ms, duration),
        uex_cell_number(row->attempts, attempts),
        wall_time(row->next_attempt_at_ms, next),
        uex_cell_text(row->command_id),
    };

    if (table->column_count > SHOWN_COUNT) {
        cells[SHOWN_COUNT] = uex_cell_number(row->bytes, bytes);
        cells[SHOWN_COUNT + 1] = uex_cell_text(row->file_path);
        cells[SHOWN_COUNT + 2] = uex_cell_text(row->sha256);
        cells[SHOWN_COUNT + 3] = wall_time(row->snapshot_at_ms, snapshot);
        cells[SHOWN_COUNT + 4] = wall_time(row->last_exported_at_ms, last);
        cells[SHOWN_COUNT + 5] = uex_cell_text(row->error);
        cells[SHOWN_COUNT + 6] = history;
    }
    uex_table_add(table, cells);
}

/* The columns of the document. */
static size_t column_count(const struct uex_status_rows *rows)
{
    return rows->history == NULL ? COLUMN_COUNT - 1 : COLUMN_COUNT;
}

void uex_status_rows_write(const struct uex_status_rows *rows, size_t count, enum uex_output format,
                           struct uex_buffer *out)
{
    struct uex_table table = {.columns = columns,
                              .column_count = format == UEX_OUTPUT_JSON ? column_count(rows) : SHOWN_COUNT,
                              .colour = colour_of};
    struct uex_buffer history = {0};

    table.cells.cap_bytes = SIZE_MAX / 2;
    for (size_t i = 0; i < count && i < rows->count; i++) {
        uex_buffer_reset(&history);
        if (rows->history != NULL)
            uex_status_history_write_json(rows->history, rows->items[i]->group_id, &history);
        add_row(&table, rows->items[i], uex_buffer_text(&history));
    }
    uex_buffer_clear(&history);
    uex_table_write(&table, format, out);
    uex_table_clear(&table);
}

void uex_status_counts_write(const struct uex_status_rows *rows, struct uex_buffer *out)
{
    const char *separator = ": ";
    char text[UEX_CELL_SIZE];

    uex_output_count(rows->count, text);
    uex_buffer_append_format(out, "%s group%s", text, rows->count == 1 ? "" : "s");
    for (int i = 0; i < UEX_STATUS_COUNT; i++) {
        if (rows->counts[i] == 0)
            continue;
        uex_output_count(rows->counts[i], text);
        uex_buffer_append_format(out, "%s%s %s", separator, text, uex_status_text((enum uex_status)i));
        separator = ", ";
    }
}

void uex_status_counts_write_json(const struct uex_status_rows *rows, struct uex_buffer *out)
{
    size_t open_count = 0;

    for (int i = 0; i < UEX_STATUS_COUNT; i++) {
        uex_buffer_append_format(out, "\"%s\": %zu, ", uex_status_text((enum uex_status)i), rows->counts[i]);
        open_count += uex_status_is_open((enum uex_status)i) ? rows->counts[i] : 0;
    }
    uex_buffer_append_format(out, "\"missing\": %zu", open_count);
}

static void append_coloured(struct uex_buffer *out, const char *text)
{
    const char *colour = uex_screen()->is_coloured ? uex_status_colour(text) : NULL;

    if (colour == NULL)
        uex_buffer_append_text(out, text);
    else
        uex_buffer_append_format(out, "\033[%sm%s\033[0m", colour, text);
}

void uex_status_row_write(const struct uex_status_row *row, struct uex_buffer *out)
{
    char text[UEX_CELL_SIZE], at[UEX_OUTPUT_TIME_SIZE];

    uex_output_append_name(out, row->group_id);
    uex_buffer_append_text(out, "  ");
    append_coloured(out, uex_status_text(row->status));
    if (row->reason[0] != 0) {
        uex_buffer_append_text(out, "  ");
        uex_output_append_clean(out, row->reason);
    }
    if (row->rows != UEX_UNKNOWN) {
        uex_output_count(row->rows, text);
        uex_buffer_append_format(out, "  %s rows", text);
    }
    if (row->duration_ms != UEX_NO_TIME) {
        uex_output_duration(row->duration_ms, text);
        uex_buffer_append_format(out, "  in %s", text);
    }
    if (row->next_attempt_at_ms != UEX_NO_TIME) {
        uex_output_time(row->next_attempt_at_ms, at);
        uex_buffer_append_format(out, "  next attempt at %s", at);
    }
    if (row->file_path[0] != 0) {
        uex_buffer_append_text(out, "  ");
        uex_output_append_clean(out, row->file_path);
    }
}

void uex_status_row_write_json(const struct uex_status_row *row, struct uex_buffer *out)
{
    struct uex_table table = {.columns = columns, .column_count = COLUMN_COUNT - 1};
    struct uex_buffer array = {0};
    const char *object = NULL;

    add_row(&table, row, NULL);
    uex_table_write(&table, UEX_OUTPUT_JSON, &array);
    object = uex_buffer_failed(&array) ? NULL : strchr(uex_buffer_text(&array), '{'); /* "[\n  {…}\n]" */
    out->failed = out->failed || object == NULL;
    if (object != NULL) {
        uex_buffer_append_text(out, "{\"event\": \"outcome\", ");
        uex_buffer_append(out, object + 1, strlen(object) - strlen("{") - strlen("\n]"));
    }
    uex_buffer_clear(&array);
    uex_table_clear(&table);
}
