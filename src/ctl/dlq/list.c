/* SPDX-License-Identifier: Apache-2.0 */
/* dlq list. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/dlq/dlq.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"

#define LIMIT_MAX 1000000
#define COLUMN_STATE 8

struct counts {
    size_t open, done[UEX_DLQ_ACTION_COUNT];
};

static const char *colour(size_t column, const char *cell)
{
    if (column != COLUMN_STATE)
        return NULL;
    return strcmp(cell, "open") == 0 ? "31" : "32";
}

static void add_row(struct uex_table *table, const struct uex_record *record, const struct uex_dlq_done *last)
{
    struct uex_dead_letter letter;
    char place[40], partition[16], offset[24], at[UEX_TIME_TEXT_SIZE], done_at[UEX_TIME_TEXT_SIZE] = "";
    char attempts[24], from_partition[16], from_offset[24];

    uex_dead_letter_read(record, &letter);
    snprintf(place, sizeof(place), "%" PRId32 ":%" PRId64, record->partition, record->offset);
    snprintf(partition, sizeof(partition), "%" PRId32, record->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, record->offset);
    snprintf(attempts, sizeof(attempts), "%" PRId64, letter.attempts);
    snprintf(from_partition, sizeof(from_partition), "%" PRId32, letter.origin.partition);
    snprintf(from_offset, sizeof(from_offset), "%" PRId64, letter.origin.offset);
    uex_time_format(record->timestamp_ms, at);
    if (last != NULL)
        uex_time_format(last->at_ms, done_at);
    const char *const cells[] = {place,
                                 partition,
                                 offset,
                                 at,
                                 uex_dlq_group(record),
                                 letter.command_id[0] == 0 ? NULL : letter.command_id,
                                 letter.error_code[0] == 0 ? NULL : letter.error_code,
                                 letter.attempts < 0 ? NULL : attempts,
                                 last == NULL ? "open" : uex_dlq_action_text(last->action),
                                 done_at[0] == 0 ? NULL : done_at,
                                 last == NULL || last->by[0] == 0 ? NULL : last->by,
                                 letter.has_origin ? letter.origin.topic : NULL,
                                 letter.has_origin ? from_partition : NULL,
                                 letter.has_origin ? from_offset : NULL,
                                 letter.error[0] == 0 ? NULL : letter.error};

    uex_table_add(table, cells);
}

/* The newest `most` of those to be shown. All that match are counted, shown or not. */
static void fill_table(struct uex_table *table, struct uex_dlq_letters *letters, size_t most, struct counts *counts)
{
    size_t shown = 0, passed = 0, marks = 0;

    for (size_t i = 0; i < letters->count; i++) {
        const struct uex_dlq_done *done =
            uex_dlq_marks_find(&letters->marks, letters->items[i]->partition, letters->items[i]->offset, &marks);

        if (done == NULL)
            counts->open++;
        else
            counts->done[done[marks - 1].action]++;
        shown += done == NULL || !uex_ctl_options.open;
    }
    for (size_t i = 0; i < letters->count; i++) {
        const struct uex_record *record = letters->items[i];
        const struct uex_dlq_done *done =
            uex_dlq_marks_find(&letters->marks, record->partition, record->offset, &marks);

        if (done != NULL && uex_ctl_options.open)
            continue;
        if (passed++ + most >= shown)
            add_row(table, record, done == NULL ? NULL : &done[marks - 1]);
    }
}

static bool print_list(struct uex_dlq_letters *letters, size_t most, enum uex_output format)
{
    static const struct uex_column_of_table columns[] = {
        {"place", "PLACE", UEX_CELL_TEXT},
        {"partition", NULL, UEX_CELL_NUMBER},
        {"offset", NULL, UEX_CELL_NUMBER},
        {"at", "WHEN", UEX_CELL_TIME},
        {"groupId", "GROUP", UEX_CELL_TEXT},
        {"commandId", "COMMAND", UEX_CELL_ID},
        {"errorCode", "ERROR", UEX_CELL_TEXT},
        {"attempts", "ATTEMPTS", UEX_CELL_NUMBER},
        {"state", "STATE", UEX_CELL_TEXT},
        {"stateAt", NULL, UEX_CELL_TIME},
        {"stateBy", NULL, UEX_CELL_TEXT},
        {"originalTopic", NULL, UEX_CELL_TEXT},
        {"originalPartition", NULL, UEX_CELL_NUMBER},
        {"originalOffset", NULL, UEX_CELL_NUMBER},
        {"error", "TEXT", UEX_CELL_TEXT},
    };
    struct uex_table table = {
        .columns = columns, .column_count = sizeof(columns) / sizeof(columns[0]), .colour = colour};
    struct counts counts = {0};
    struct uex_buffer out = {0};
    bool printed = false;

    fill_table(&table, letters, most, &counts);
    if (format == UEX_OUTPUT_JSON || table.row_count > 0)
        uex_table_write(&table, format, &out);
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "\n");
    else
        uex_buffer_append_format(&out, "%s%zu dead letter%s: %zu open, %zu replayed, %zu discarded\n",
                                 table.row_count > 0 ? "\n" : "", letters->count, letters->count == 1 ? "" : "s",
                                 counts.open, counts.done[UEX_DLQ_REPLAYED], counts.done[UEX_DLQ_DISCARDED]);
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

int uex_dlq_list_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_dlq_filter filter = {0};
    struct uex_dlq_letters letters = {.filter = &filter};
    struct uex_fault fault = {0};
    long most = 0;
    int code = UEX_EXIT_USAGE;
    enum uex_error err = UEX_OK;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 1, LIMIT_MAX, LIMIT_MAX, &most) != UEX_OK ||
        uex_dlq_filter_make(operand_count, operands, false, &filter) != UEX_OK)
        goto done;
    err = uex_dlq_collect(config, &letters, &fault);
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    else
        code = print_list(&letters, (size_t)most, format) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    if (err == UEX_OK && uex_dlq_filter_report_missing(&filter))
        code = UEX_EXIT_FAILED;
done:
    uex_dlq_letters_clear(&letters);
    uex_dlq_filter_clear(&filter);
    return code;
}
