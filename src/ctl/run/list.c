/* SPDX-License-Identifier: Apache-2.0 */
/* run list. */
#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/run/run.h"
#include "ctl/subcommands.h"
#include "run/records.h"

#define SHOWN_ON_TERMINAL 20
#define SHOWN_MOST 1000000
#define COLUMN_STATUS 1
#define CELL 32

static const char *colour(size_t column, const char *cell)
{
    if (column != COLUMN_STATUS)
        return NULL;
    return strcmp(cell, uex_run_status_text(UEX_RUN_COMPLETED)) == 0    ? "32"
           : strcmp(cell, uex_run_status_text(UEX_RUN_INCOMPLETE)) == 0 ? "31"
                                                                        : "33";
}

static void add_row(struct uex_table *table, const struct uex_run_record *record)
{
    const uint64_t counts[] = {record->groups,        record->exported,   record->skipped,
                               record->dead_lettered, record->unfinished, record->rows};
    char cells_of_counts[sizeof(counts) / sizeof(counts[0])][CELL], bytes[CELL] = "", took[CELL] = "";
    char started[UEX_TIME_TEXT_SIZE];

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        uex_output_count(counts[i], cells_of_counts[i]);
    if (record->bytes != UEX_UNKNOWN)
        uex_output_size(record->bytes, bytes);
    if (record->ended_at_ms != UEX_NO_TIME)
        uex_output_duration(record->ended_at_ms - record->started_at_ms, took);
    uex_time_format(record->started_at_ms, started);
    const char *const cells[] = {record->run_id,
                                 uex_run_status_text(record->status),
                                 cells_of_counts[0],
                                 cells_of_counts[1],
                                 cells_of_counts[2],
                                 cells_of_counts[3],
                                 cells_of_counts[4],
                                 cells_of_counts[5],
                                 bytes,
                                 started,
                                 took,
                                 uex_cell_text(record->requested_by)};

    uex_table_add(table, cells);
}

static void write_table(const struct uex_run_records *records, size_t most, struct uex_buffer *out)
{
    static const struct uex_column_of_table columns[] = {
        {"runId", "RUN", UEX_CELL_TEXT},
        {"status", "STATUS", UEX_CELL_TEXT},
        {"groups", "GROUPS", UEX_CELL_COUNT},
        {"exported", "EXPORTED", UEX_CELL_COUNT},
        {"skipped", "SKIPPED", UEX_CELL_COUNT},
        {"deadLettered", "DEAD", UEX_CELL_COUNT},
        {"unfinished", "UNFINISHED", UEX_CELL_COUNT},
        {"rows", "ROWS", UEX_CELL_COUNT},
        {"bytes", "SIZE", UEX_CELL_COUNT},
        {"startedAt", "STARTED", UEX_CELL_TIME},
        {"took", "TOOK", UEX_CELL_COUNT},
        {"requestedBy", "BY", UEX_CELL_TEXT},
    };
    struct uex_table table = {
        .columns = columns, .column_count = sizeof(columns) / sizeof(columns[0]), .colour = colour};
    size_t more = 0;

    for (size_t i = records->count; i-- > 0;) {
        if (records->items[i].is_foreign)
            continue;
        if (most > 0 && table.row_count >= most)
            more++;
        else
            add_row(&table, &records->items[i].record);
    }
    if (table.row_count > 0)
        uex_table_write(&table, UEX_OUTPUT_TABLE, out);
    else
        uex_buffer_append_text(out, "no run yet\n");
    if (more > 0)
        uex_buffer_append_format(out, "… and %zu more (--limit 0 shows all)\n", more);
    uex_table_clear(&table);
}

static void write_json(const struct uex_run_records *records, size_t most, struct uex_buffer *out)
{
    size_t shown = 0;

    uex_buffer_append_text(out, "[");
    for (size_t i = records->count; i-- > 0 && (most == 0 || shown < most);) {
        if (records->items[i].is_foreign)
            continue;
        uex_buffer_append_text(out, shown++ == 0 ? "\n  " : ",\n  ");
        uex_run_record_write_json(&records->items[i].record, out);
    }
    uex_buffer_append_text(out, shown == 0 ? "]\n" : "\n]\n");
}

int uex_run_list_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_run_records records = {0};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    struct uex_fault fault = {0};
    long most = 0, otherwise = uex_output_is_terminal() ? SHOWN_ON_TERMINAL : 0;
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_USAGE;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 0, SHOWN_MOST, otherwise, &most) != UEX_OK)
        return code;
    err = uex_ctl_read_runs(config, &records, &fault);
    if (err == UEX_OK && format == UEX_OUTPUT_JSON)
        write_json(&records, (size_t)most, &out);
    else if (err == UEX_OK)
        write_table(&records, (size_t)most, &out);
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    else
        code = uex_output_print(&out) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    uex_buffer_clear(&out);
    uex_run_records_clear(&records);
    return code;
}
