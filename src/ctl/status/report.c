/* SPDX-License-Identifier: Apache-2.0 */
/* From states and active groups to rows, and the document around them. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/status/status.h"
#include "export/group_list.h"
#include "export/program.h"
#include "export/thread.h"

#define APPLICATION_NAME "exportctl"
#define DATABASE_WAIT_MS 5000 /* on top of the time for reading the states */

/* ---- the active groups: read while the states are read from Kafka */

struct uex_active_groups {
    const struct uex_config *config;
    pthread_t thread;
    struct uex_cancel cancel;
    atomic_bool is_done;
    struct uex_group_list list;
    struct uex_fault fault;
    enum uex_error error;
};

static void *read_groups(void *context)
{
    struct uex_active_groups *groups = context;
    struct uex_postgres *postgres = uex_postgres_new(groups->config, APPLICATION_NAME);

    groups->error = postgres == NULL ? uex_fail(&groups->fault, UEX_NO_MEMORY, "no memory for a connection") : UEX_OK;
    if (postgres != NULL) {
        uex_postgres_set_cancel(postgres, &groups->cancel);
        groups->error = uex_postgres_each_active_group(postgres, uex_group_list_add, &groups->list, &groups->fault);
    }
    uex_postgres_free(postgres);
    atomic_store(&groups->is_done, true);
    return NULL;
}

/* NULL: there is no postgres.dsn, or no thread. */
static struct uex_active_groups *start_reading(const struct uex_config *config)
{
    struct uex_active_groups *groups = NULL;

    if (config->postgres_dsn == NULL || config->postgres_dsn[0] == 0)
        return NULL;
    groups = calloc(1, sizeof(*groups));
    if (groups == NULL)
        return NULL;
    groups->config = config;
    if (!uex_thread_start(&groups->thread, read_groups, groups)) {
        free(groups);
        return NULL;
    }
    return groups;
}

/* Wait `wait_ms` more at most, or until uex_program_cancel, and free it. NULL is UEX_NOT_FOUND. */
static enum uex_error finish_reading(struct uex_active_groups *groups, int64_t wait_ms, struct uex_group_list *out,
                                     struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error err = UEX_NOT_FOUND;

    if (groups == NULL)
        return uex_fail(fault, err, "postgres.dsn is not set");
    while (!atomic_load(&groups->is_done) && uex_monotonic_ms() < until_ms && uex_sleep_ms(10, &uex_program_cancel))
        continue;
    if (!atomic_load(&groups->is_done))
        uex_cancel_request(&groups->cancel); /* ends the waits of the connection */
    pthread_join(groups->thread, NULL);
    err = groups->error;
    if (err == UEX_OK)
        *out = groups->list;
    else if (err == UEX_CANCELLED)
        err = uex_fail(fault, UEX_DB_UNAVAILABLE, "the database did not answer within %" PRId64 " s", wait_ms / 1000);
    else
        err = uex_fail(fault, err, "%s", groups->fault.text[0] == 0 ? uex_error_sentence(err) : groups->fault.text);
    if (err != UEX_OK)
        uex_group_list_clear(&groups->list);
    free(groups);
    return err;
}

/* ---- the rows */

void uex_status_begin(struct uex_status_report *report)
{
    if (report->run_id != NULL && report->group_count == 0)
        report->active = start_reading(report->config);
}

void uex_status_clear(struct uex_status_report *report)
{
    struct uex_group_list unused = {0};
    struct uex_fault fault = {0};

    if (report->active != NULL && finish_reading(report->active, 0, &unused, &fault) == UEX_OK)
        uex_group_list_clear(&unused);
    report->active = NULL;
    uex_status_rows_clear(&report->rows);
}

bool uex_status_is_asked(const struct uex_status_report *report, const char *group_id)
{
    for (int i = 0; i < report->group_count; i++)
        if (strcmp(report->group_ids[i], group_id) == 0)
            return true;
    return report->group_count == 0;
}

static enum uex_error add_nothing(struct uex_status_report *report, const char *group_id)
{
    struct uex_status_row *row = uex_status_row_of_state(group_id, (struct uex_bytes){0}, report->run_id);

    return row == NULL ? UEX_NO_MEMORY : uex_status_rows_put(&report->rows, row);
}

/* Exactly the named groups, also those without a state. */
static enum uex_error keep_asked(struct uex_status_report *report)
{
    enum uex_error err = UEX_OK;

    for (int i = 0; i < report->group_count && err == UEX_OK; i++) {
        if (uex_status_rows_find(&report->rows, report->group_ids[i]) == NULL)
            err = add_nothing(report, report->group_ids[i]);
        if (err == UEX_OK)
            uex_status_rows_find(&report->rows, report->group_ids[i])->is_wanted = true;
    }
    uex_status_rows_keep_wanted(&report->rows);
    return err;
}

/* Active groups without an outcome in the run are missing. Other groups count only if they have an outcome in it. */
static enum uex_error keep_run(struct uex_status_report *report, const struct uex_group_list *active)
{
    struct uex_status_rows *rows = &report->rows;
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < rows->count; i++)
        rows->items[i]->is_wanted =
            uex_status_is_outcome(rows->items[i]->status) || rows->items[i]->status == UEX_STATUS_UNREADABLE;
    for (const char *id = uex_group_list_next(active, NULL); id != NULL && err == UEX_OK;
         id = uex_group_list_next(active, id)) {
        if (uex_status_rows_find(rows, id) == NULL)
            err = add_nothing(report, id);
        if (err == UEX_OK)
            uex_status_rows_find(rows, id)->is_wanted = true;
    }
    uex_status_rows_keep_wanted(rows);
    return err;
}

enum uex_error uex_status_build(struct uex_status_report *report)
{
    struct uex_group_list active = {0};
    enum uex_error err = UEX_OK;

    if (report->group_count > 0) {
        err = keep_asked(report);
    } else if (report->run_id != NULL) {
        report->missing_known = finish_reading(report->active, DATABASE_WAIT_MS, &active, &report->why_not) == UEX_OK;
        report->active = NULL;
        err = keep_run(report, &active);
    }
    uex_group_list_clear(&active);
    if (err == UEX_OK)
        uex_status_rows_finish(&report->rows);
    return err;
}

/* ---- the document */

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
        uex_buffer_append_format(out, "missing groups are unknown: %s\n", report->why_not.text);
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
    uex_buffer_append_text(out, ", \"groups\": ");
    uex_status_rows_write(&report->rows, report->rows.count, UEX_OUTPUT_JSON, out);
    uex_buffer_append_text(out, "}\n");
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
    uex_status_print_counts(report, out);
    if (count > 0) {
        uex_buffer_append_text(out, "\n");
        uex_status_rows_write(&report->rows, count, UEX_OUTPUT_TABLE, out);
    }
    if (count < report->rows.count)
        uex_buffer_append_format(out, "… and %zu more (--limit 0 shows all)\n", report->rows.count - count);
}
