/* SPDX-License-Identifier: Apache-2.0 */
/* What became of each dead letter, printed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/dlq/replay.h"

enum uex_error uex_replay_report_add(struct uex_replay_report *report, const struct uex_record *record,
                                     struct uex_replay_row **out)
{
    const char *group_id = uex_dlq_group(record);
    char *copy = NULL;

    if (report->row_count >= UEX_REPLAY_ROWS_MAX)
        return UEX_LIMIT;
    if (report->row_count == report->row_capacity) {
        size_t capacity = report->row_capacity == 0 ? 256 : report->row_capacity * 2;
        void *rows = realloc(report->rows, capacity * sizeof(report->rows[0]));

        if (rows == NULL)
            return UEX_NO_MEMORY;
        report->rows = rows;
        report->row_capacity = capacity;
    }
    copy = group_id == NULL ? NULL : strdup(group_id);
    if (group_id != NULL && copy == NULL)
        return UEX_NO_MEMORY;
    *out = &report->rows[report->row_count++];
    **out = (struct uex_replay_row){
        .partition = record->partition, .offset = record->offset, .group_id = copy, .result = UEX_REPLAY_NOT_DONE};
    return UEX_OK;
}

void uex_replay_report_clear(struct uex_replay_report *report)
{
    for (size_t i = 0; i < report->row_count; i++)
        free(report->rows[i].group_id);
    free(report->rows);
    *report = (struct uex_replay_report){0};
}

static const struct {
    const char *code, *words;
} results[] = {
#define UEX_REPLAY_ROW(name, code, words) [UEX_REPLAY_##name] = {code, words},
    UEX_REPLAY_RESULTS(UEX_REPLAY_ROW)
#undef UEX_REPLAY_ROW
};

struct uex_replay_sums uex_replay_sum_up(const struct uex_replay_report *report)
{
    const size_t *counts = report->counts;

    return (struct uex_replay_sums){.done = counts[UEX_REPLAY_REPLAYED] + counts[UEX_REPLAY_DISCARDED] +
                                            counts[UEX_REPLAY_WOULD_REPLAY] + counts[UEX_REPLAY_WOULD_DISCARD],
                                    .left = counts[UEX_REPLAY_LEFT_REPLAYED] + counts[UEX_REPLAY_LEFT_DISCARDED] +
                                            counts[UEX_REPLAY_LEFT_ENDED],
                                    .failed = counts[UEX_REPLAY_NO_VALUE] + counts[UEX_REPLAY_NO_NEW_ID] +
                                              counts[UEX_REPLAY_REFUSED] + counts[UEX_REPLAY_NOT_DONE]};
}

static void add_table_row(struct uex_table *table, const struct uex_replay_row *row, enum uex_output format)
{
    char place[40], partition[16], offset[24], at[UEX_TIME_TEXT_SIZE] = "";
    const struct uex_status_row *outcome = row->outcome;

    if (outcome != NULL)
        uex_time_format(outcome->at_ms, at);
    const char *const cells[] = {place,
                                 partition,
                                 offset,
                                 row->group_id,
                                 row->command_id[0] == 0 ? NULL : row->command_id,
                                 row->new_id[0] == 0 ? NULL : row->new_id,
                                 format == UEX_OUTPUT_JSON ? results[row->result].code : results[row->result].words,
                                 outcome == NULL ? NULL : uex_status_text(outcome->status),
                                 outcome == NULL ? NULL : uex_cell_text(outcome->reason),
                                 outcome == NULL ? NULL : uex_cell_text(at),
                                 outcome == NULL ? NULL : uex_cell_text(outcome->file_path)};

    snprintf(place, sizeof(place), "%" PRId32 ":%" PRId64, row->partition, row->offset);
    snprintf(partition, sizeof(partition), "%" PRId32, row->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, row->offset);
    uex_table_add(table, cells);
}

static void write_sums(const struct uex_replay_report *report, enum uex_dlq_action action, bool dry_run,
                       struct uex_buffer *out)
{
    struct uex_replay_sums sums = uex_replay_sum_up(report);
    size_t all = sums.done + sums.left + sums.failed;

    if (all == 0) {
        uex_buffer_append_text(out, "no dead letter matches\n");
        return;
    }
    if (report->row_count < all)
        uex_buffer_append_format(out, "… and %zu more\n", all - report->row_count);
    uex_buffer_append_format(out, "\n%zu %s%s, %zu left, %zu failed%s\n", sums.done, dry_run ? "would be " : "",
                             uex_dlq_action_text(action), sums.left, sums.failed,
                             dry_run ? "; nothing was changed (--dry-run)" : "");
}

#define COLUMNS_WITHOUT_OUTCOME 7

bool uex_replay_report_print(const struct uex_replay_report *report, const struct uex_replay_order *order,
                             enum uex_output format)
{
    struct uex_column_of_table columns[] = {
        {"place", "PLACE", UEX_CELL_TEXT},   {"partition", NULL, UEX_CELL_NUMBER},  {"offset", NULL, UEX_CELL_NUMBER},
        {"groupId", "GROUP", UEX_CELL_TEXT}, {"commandId", "COMMAND", UEX_CELL_ID}, {"newCommandId", NULL, UEX_CELL_ID},
        {"result", "RESULT", UEX_CELL_TEXT}, {"outcome", NULL, UEX_CELL_TEXT},      {"reason", NULL, UEX_CELL_TEXT},
        {"at", NULL, UEX_CELL_TIME},         {"filePath", NULL, UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns,
                              .column_count =
                                  order->wait ? sizeof(columns) / sizeof(columns[0]) : COLUMNS_WITHOUT_OUTCOME};
    const enum uex_dlq_action action = order->action;
    const bool dry_run = order->dry_run;
    struct uex_replay_sums sums = uex_replay_sum_up(report);
    struct uex_buffer out = {0};
    bool printed = false;

    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].new_id[0] != 0)
            columns[5].title = "NEW COMMAND";
        add_table_row(&table, &report->rows[i], format);
    }
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_format(&out,
                                 "{\"action\": \"%s\", \"dryRun\": %s, \"done\": %zu, \"left\": %zu, \"failed\": %zu, "
                                 "\"letters\": ",
                                 action == UEX_DLQ_REPLAYED ? "replay" : "discard", dry_run ? "true" : "false",
                                 sums.done, sums.left, sums.failed);
    if (format == UEX_OUTPUT_JSON || table.row_count > 0)
        uex_table_write(&table, format, &out);
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "}\n");
    else
        write_sums(report, action, dry_run, &out);
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}
