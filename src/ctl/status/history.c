/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/history.h"

#include "ctl/status/rows.h"

static const struct uex_column_of_table columns[] = {
    {"at", "AT", UEX_CELL_TIME},     {"outcome", "OUTCOME", UEX_CELL_TEXT}, {"reason", "REASON", UEX_CELL_TEXT},
    {"runId", "RUN", UEX_CELL_TEXT}, {"commandId", "COMMAND", UEX_CELL_ID},
};

static const char *colour_of(size_t column, const char *cell)
{
    return column == 1 ? uex_status_colour(cell) : NULL;
}

static void add(struct uex_table *table, int64_t at_ms, enum uex_outcome_kind outcome, const char *reason,
                const char *run_id, const char *command_id)
{
    char at[UEX_TIME_TEXT_SIZE];

    uex_time_format(at_ms, at);
    const char *const cells[] = {uex_cell_text(at), uex_outcome_text(outcome), uex_cell_text(reason),
                                 uex_cell_text(run_id), uex_cell_text(command_id)};

    uex_table_add(table, cells);
}

static void add_all(struct uex_table *table, struct uex_bytes value)
{
    struct uex_group_state_view view = {0};
    char command_id[UEX_UUID_TEXT_SIZE];
    enum uex_error err = value.data == NULL ? UEX_NOT_FOUND : uex_group_state_view_read(value, &view, NULL);

    if (err == UEX_OK && view.record.outcome == UEX_OUTCOME_RETRIED)
        add(table, view.record.at_ms, view.record.outcome, view.record.reason, view.record.run_id,
            view.record.command_id);
    for (size_t i = err == UEX_OK ? view.memory.recent_count : 0; i-- > 0;) {
        const struct uex_recent_view *entry = &view.memory.recent[i];

        uex_uuid_from_bytes(entry->command_id, command_id);
        add(table, entry->at_ms, entry->outcome, entry->reason, entry->run_id, command_id);
    }
    uex_group_state_view_clear(&view);
}

static void write_history(const struct uex_state_set *states, const char *group_id, enum uex_output format,
                          struct uex_buffer *out)
{
    struct uex_table table = {
        .columns = columns, .column_count = sizeof(columns) / sizeof(columns[0]), .colour = colour_of};

    add_all(&table, uex_state_set_find(states, group_id));
    if (format == UEX_OUTPUT_TABLE && table.row_count > 0)
        uex_buffer_append_format(out, "\nhistory of %s, newest first\n\n", group_id);
    if (format == UEX_OUTPUT_JSON || table.row_count > 0)
        uex_table_write(&table, format, out);
    uex_table_clear(&table);
}

void uex_status_history_write(const struct uex_state_set *states, const char *group_id, struct uex_buffer *out)
{
    write_history(states, group_id, UEX_OUTPUT_TABLE, out);
}

void uex_status_history_write_json(const struct uex_state_set *states, const char *group_id, struct uex_buffer *out)
{
    write_history(states, group_id, UEX_OUTPUT_JSON, out);
}
