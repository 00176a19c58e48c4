/* SPDX-License-Identifier: Apache-2.0 */
/* dlq replay, dlq discard. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/dlq/act.h"
#include "ctl/options.h"
#include "ctl/verbs.h"
#include "ctl/who.h"

static const struct {
    const char *code, *words;
} results[] = {
#define UEX_DLQ_RESULT_ROW(name, code, words) [UEX_DLQ_##name##_RESULT] = {code, words},
    UEX_DLQ_RESULTS(UEX_DLQ_RESULT_ROW)
#undef UEX_DLQ_RESULT_ROW
};

/* What the letters came to, in three numbers. */
struct sums {
    size_t done, left, failed;
};

static struct sums sum_up(const struct uex_dlq_report *report)
{
    const size_t *counts = report->counts;

    return (struct sums){.done = counts[UEX_DLQ_REPLAYED_RESULT] + counts[UEX_DLQ_DISCARDED_RESULT] +
                                 counts[UEX_DLQ_WOULD_REPLAY_RESULT] + counts[UEX_DLQ_WOULD_DISCARD_RESULT],
                         .left = counts[UEX_DLQ_LEFT_REPLAYED_RESULT] + counts[UEX_DLQ_LEFT_DISCARDED_RESULT] +
                                 counts[UEX_DLQ_LEFT_ENDED_RESULT],
                         .failed = counts[UEX_DLQ_NO_VALUE_RESULT] + counts[UEX_DLQ_NO_NEW_ID_RESULT] +
                                   counts[UEX_DLQ_REFUSED_RESULT] + counts[UEX_DLQ_NOT_DONE_RESULT]};
}

static void add_row(struct uex_table *table, const struct uex_dlq_row *row, enum uex_output format)
{
    char place[40], partition[16], offset[24];
    const char *const cells[] = {place,
                                 partition,
                                 offset,
                                 row->group_id,
                                 row->command_id[0] == 0 ? NULL : row->command_id,
                                 row->new_id[0] == 0 ? NULL : row->new_id,
                                 format == UEX_OUTPUT_JSON ? results[row->result].code : results[row->result].words};

    snprintf(place, sizeof(place), "%" PRId32 ":%" PRId64, row->partition, row->offset);
    snprintf(partition, sizeof(partition), "%" PRId32, row->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, row->offset);
    uex_table_add(table, cells);
}

static void write_sums(const struct uex_dlq_report *report, enum uex_dlq_action action, bool dry_run,
                       struct uex_buffer *out)
{
    struct sums sums = sum_up(report);
    size_t all = sums.done + sums.left + sums.failed;

    if (all == 0) {
        uex_buffer_append_text(out, "no dead letter fits\n");
        return;
    }
    if (report->row_count < all)
        uex_buffer_append_format(out, "… and %zu more\n", all - report->row_count);
    uex_buffer_append_format(out, "\n%zu %s%s, %zu left as they are, %zu could not be%s\n", sums.done,
                             dry_run ? "would be " : "", uex_dlq_action_text(action), sums.left, sums.failed,
                             dry_run ? "; nothing was done (--dry-run)" : "");
}

bool uex_dlq_report_print(const struct uex_dlq_report *report, enum uex_dlq_action action, bool dry_run,
                          enum uex_output format)
{
    struct uex_column_of_table columns[] = {
        {"place", "PLACE", false},   {"partition", NULL, true},       {"offset", NULL, true},
        {"groupId", "GROUP", false}, {"commandId", "COMMAND", false}, {"newCommandId", NULL, false},
        {"result", "RESULT", false},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct sums sums = sum_up(report);
    struct uex_buffer out = {0};
    bool printed = false;

    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].new_id[0] != 0)
            columns[5].title = "NEW COMMAND";
        add_row(&table, &report->rows[i], format);
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

static int run(const struct uex_config *config, enum uex_dlq_action action, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_dlq_filter filter = {0};
    struct uex_dlq_report report = {0};
    struct uex_fault fault = {0};
    char who[UEX_WHO_SIZE];
    struct uex_dlq_order order = {.config = config,
                                  .action = action,
                                  .filter = &filter,
                                  .by = uex_ctl_options.by != NULL ? uex_ctl_options.by : who,
                                  .reason = uex_ctl_options.reason != NULL ? uex_ctl_options.reason : "",
                                  .again = uex_dlq_options.again,
                                  .dry_run = uex_dlq_options.dry_run};
    int code = UEX_EXIT_USAGE;
    enum uex_error err = UEX_OK;

    uex_ctl_who(who);
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_text("--by", uex_ctl_options.by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--reason", uex_ctl_options.reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_dlq_filter_make(operand_count, operands, true, &filter) != UEX_OK)
        goto done;
    err = uex_dlq_act(&order, &report, &fault);
    code = err == UEX_OK && sum_up(&report).failed == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    /* What was done is told also when it broke off; before the first letter there is nothing to tell. */
    if ((err == UEX_OK || sum_up(&report).done > 0) && !uex_dlq_report_print(&report, action, order.dry_run, format))
        code = UEX_EXIT_FAILED;
    if (err == UEX_OK && uex_dlq_filter_complain(&filter))
        code = UEX_EXIT_FAILED;
    if (err == UEX_TIMEOUT)
        uex_output_complain("whether the last letters were %s is not known; the same command again does none twice",
                            uex_dlq_action_text(action));
    if (err != UEX_OK) {
        uex_output_complain("%s (%s); %zu were %s", fault.text[0] == 0 ? uex_error_sentence(err) : fault.text,
                            uex_error_code(err), sum_up(&report).done, uex_dlq_action_text(action));
        /* Of unknown end is not "could not be reached", which says that nothing was done. */
        code = err == UEX_TIMEOUT ? UEX_EXIT_FAILED : uex_exit_of(err);
    }
done:
    uex_dlq_report_clear(&report);
    uex_dlq_filter_clear(&filter);
    return code;
}

int uex_dlq_replay_run(const struct uex_config *config, int operand_count, char **operands)
{
    return run(config, UEX_DLQ_REPLAYED, operand_count, operands);
}

int uex_dlq_discard_run(const struct uex_config *config, int operand_count, char **operands)
{
    if (uex_ctl_options.reason == NULL) {
        uex_output_complain("--reason is needed: why is nobody to run these commands?");
        return UEX_EXIT_USAGE;
    }
    return run(config, UEX_DLQ_DISCARDED, operand_count, operands);
}
