/* SPDX-License-Identifier: Apache-2.0 */
/* What status prints around its rows, and what --check makes of them. */
#include <inttypes.h>

#include "ctl/status/history.h"
#include "ctl/status/status.h"

#define RUNNING_SHOWN 10 /* where rows are cut at all */

static void append_run(const struct uex_status_report *report, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "\"run\": ");
    uex_buffer_append_json(out, report->run_id);
}

void uex_status_print_counts(const struct uex_status_report *report, struct uex_buffer *out)
{
    bool is_partial = report->run_id != NULL && report->group_count == 0 && !report->missing_known;

    if (report->format == UEX_OUTPUT_JSON) {
        uex_buffer_append_text(out, "{\"event\": \"counts\", ");
        append_run(report, out);
        uex_buffer_append_text(out, ", \"counts\": {");
        uex_status_counts_write_json(&report->rows, out);
        uex_buffer_append_text(out, "}}\n");
        return;
    }
    if (report->run_id != NULL)
        uex_buffer_append_format(out, "run %s: ", report->run_id);
    uex_status_counts_write(&report->rows, out);
    uex_buffer_append_text(out, "\n");
    if (is_partial)
        uex_buffer_append_format(out, "groups that were not scheduled are unknown: %s\n", report->why_not.text);
}

void uex_status_print_overview(const struct uex_status_report *report, struct uex_buffer *out)
{
    const struct uex_overview *overview = uex_status_work_overview(report->work);

    if (report->format == UEX_OUTPUT_JSON) {
        uex_buffer_append_text(out, "{\"event\": \"overview\", \"overview\": ");
        uex_overview_write_json(overview, out);
        uex_buffer_append_text(out, "}\n");
        return;
    }
    uex_overview_write(overview, out);
    uex_buffer_append_text(out, "\n");
}

static void print_running_json(const struct uex_running *running, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < running->count; i++) {
        uex_buffer_append_text(out, i == 0 ? "\n  " : ",\n  ");
        uex_running_write_json(&running->items[i], out);
    }
    uex_buffer_append_text(out, running->count == 0 ? "]" : "\n]");
}

static void print_json(const struct uex_status_report *report, struct uex_buffer *out)
{
    char at[UEX_TIME_TEXT_SIZE];

    uex_time_format(uex_wall_ms(), at);
    uex_buffer_append_text(out, "{");
    append_run(report, out);
    uex_buffer_append_format(out, ", \"at\": \"%s\", \"groupCount\": %zu, \"counts\": {", at, report->rows.count);
    uex_status_counts_write_json(&report->rows, out);
    uex_buffer_append_format(out,
                             "}, \"missingKnown\": %s, \"missingNote\": ", report->missing_known ? "true" : "false");
    uex_buffer_append_json(out, report->why_not.text[0] == 0 ? NULL : report->why_not.text);
    uex_buffer_append_text(out, ", \"overview\": ");
    uex_overview_write_json(uex_status_work_overview(report->work), out);
    uex_buffer_append_text(out, ", \"running\": ");
    print_running_json(uex_status_work_running(report->work), out);
    uex_buffer_append_text(out, ", \"groups\": ");
    uex_status_rows_write(&report->rows, report->rows.count, UEX_OUTPUT_JSON, out);
    uex_buffer_append_text(out, "}\n");
}

/* Those of the groups that were asked for. */
static void print_running(const struct uex_status_report *report, struct uex_buffer *out)
{
    const struct uex_running *running = uex_status_work_running(report->work);
    size_t shown = 0, more = 0;

    for (size_t i = 0; i < running->count; i++) {
        if (!uex_status_is_asked(report, running->items[i].progress.group_id))
            continue;
        if (report->shown_max > 0 && shown == RUNNING_SHOWN) {
            more++;
            continue;
        }
        uex_running_write(&running->items[i], uex_wall_ms(), out);
        uex_buffer_append_text(out, "\n");
        shown++;
    }
    if (more > 0)
        uex_buffer_append_format(out, "… and %zu more running\n", more);
}

/* Why named groups failed. */
static void print_errors(const struct uex_status_report *report, struct uex_buffer *out)
{
    bool any = false;

    for (size_t i = 0; report->group_count > 0 && i < report->rows.count; i++) {
        const struct uex_status_row *row = report->rows.items[i];

        if (row->error[0] == 0)
            continue;
        uex_buffer_append_format(out, "%s%s: ", any ? "" : "\n", row->group_id);
        uex_output_append_clean(out, row->error);
        uex_buffer_append_text(out, "\n");
        any = true;
    }
}

void uex_status_print(const struct uex_status_report *report, struct uex_buffer *out)
{
    size_t count = report->rows.count;

    if (report->format == UEX_OUTPUT_JSON) {
        print_json(report, out);
        return;
    }
    if (report->shown_max > 0 && count > report->shown_max)
        count = report->shown_max;
    uex_status_print_overview(report, out);
    print_running(report, out);
    uex_status_print_counts(report, out);
    if (count > 0) {
        uex_buffer_append_text(out, "\n");
        uex_status_rows_write(&report->rows, count, UEX_OUTPUT_TABLE, out);
    }
    if (count < report->rows.count)
        uex_buffer_append_format(out, "… and %zu more (--limit 0 shows all)\n", report->rows.count - count);
    print_errors(report, out);
    for (size_t i = 0; report->rows.history != NULL && i < report->rows.count; i++)
        uex_status_history_write(report->rows.history, report->rows.items[i]->group_id, out);
}

bool uex_status_run_is_known(const struct uex_status_report *report)
{
    const size_t *counts = report->rows.counts;
    size_t count = counts[UEX_STATUS_RUNNING] + counts[UEX_STATUS_QUEUED];

    for (int i = 0; i < UEX_STATUS_COUNT; i++)
        count += uex_status_is_outcome((enum uex_status)i) ? counts[i] : 0;
    return report->run_id == NULL || count > 0 || uex_known_runs_have(report->rows.runs, report->run_id);
}

/* ---- --check */

static void add_problem(struct uex_buffer *why, uint64_t count, const char *one, const char *many)
{
    if (count > 0)
        uex_buffer_append_format(why, "%s%" PRIu64 " %s", why->size_bytes == 0 ? "" : ", ", count,
                                 count == 1 ? one : many);
}

/* A figure that has to be 0. */
static void add_figure(struct uex_buffer *why, const struct uex_overview_figure *figure, const char *one,
                       const char *many)
{
    if (figure->count == UEX_UNKNOWN)
        uex_buffer_append_format(why, "%s%s unknown (%s)", why->size_bytes == 0 ? "" : ", ", many, figure->why_not);
    else
        add_problem(why, figure->count, one, many);
}

bool uex_status_is_all_right(const struct uex_status_report *report, struct uex_buffer *why)
{
    const struct uex_overview *overview = uex_status_work_overview(report->work);
    const bool is_run = report->run_id != NULL && report->group_count == 0;
    size_t not_empty = 0;

    for (size_t i = 0; i < report->rows.count; i++)
        not_empty += report->rows.items[i]->status == UEX_STATUS_SKIPPED &&
                     strcmp(report->rows.items[i]->reason, uex_skip_text(UEX_SKIP_EMPTY)) != 0;
    for (int i = 0; i < UEX_STATUS_COUNT; i++)
        if (i != UEX_STATUS_EXPORTED && i != UEX_STATUS_SKIPPED)
            add_problem(why, report->rows.counts[i], uex_status_text((enum uex_status)i),
                        uex_status_text((enum uex_status)i));
    add_problem(why, not_empty, "skipped though not empty", "skipped though not empty");
    if (is_run && !report->missing_known)
        uex_buffer_append_format(why, "%sgroups that were not scheduled are unknown (%s)",
                                 why->size_bytes == 0 ? "" : ", ", report->why_not.text);
    if (!is_run && report->group_count == 0) {
        add_figure(why, &overview->waiting, "command waits", "commands wait");
        add_figure(why, &overview->retrying, "command is retried", "commands are retried");
    }
    add_figure(why, &overview->open_letters, "open dead letter", "open dead letters");
    add_figure(why, &overview->breakers, "open circuit breaker", "open circuit breakers");
    return why->size_bytes == 0 && !why->failed;
}
