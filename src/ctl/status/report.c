/* SPDX-License-Identifier: Apache-2.0 */
/* From states, waiting commands and active groups to rows. */
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
#define OVERVIEW_WAIT_MS 10000
#define COMMANDS_WAIT_MS 30000

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
    const struct uex_status_wanted wanted = {
        .run_id = report->run_id, .group_ids = report->group_ids, .group_count = report->group_count};

    report->work = uex_status_work_start(report->config, &wanted);
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
    uex_status_work_free(report->work);
    report->work = NULL;
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
    struct uex_status_row *row = uex_status_row_of_state(group_id, (struct uex_bytes){0}, report->rows.rule);

    return row == NULL ? UEX_NO_MEMORY : uex_status_rows_put(&report->rows, row);
}

/* Does the outcome stay what it is while a command of the same run (or, without a run, any command) waits? A dead
 * letter that was replayed waits for its end once more; what was exported or skipped is not done again. */
static bool outcome_stands(const struct uex_status_report *report, enum uex_status status)
{
    if (status == UEX_STATUS_DEAD_LETTERED)
        return report->run_id == NULL;
    return uex_status_is_outcome(status) || status == UEX_STATUS_UNREADABLE || status == UEX_STATUS_RUNNING;
}

/* Groups with a command that waits or runs: it says so, where there is no outcome. */
static enum uex_error mark_waiting(struct uex_status_report *report)
{
    struct uex_status_rows *rows = &report->rows;
    bool is_running = false;

    for (const char *id = uex_status_work_next(report->work, NULL, &is_running); id != NULL;
         id = uex_status_work_next(report->work, id, &is_running)) {
        struct uex_status_row *row = uex_status_rows_find(rows, id);

        if (row == NULL && add_nothing(report, id) != UEX_OK)
            return UEX_NO_MEMORY;
        row = uex_status_rows_find(rows, id);
        if (!outcome_stands(report, row->status))
            uex_status_rows_set(rows, row, is_running ? UEX_STATUS_RUNNING : UEX_STATUS_QUEUED);
    }
    return UEX_OK;
}

/* A retried command whose next attempt has begun, and what 100 % are. */
static void mark_running(struct uex_status_report *report)
{
    struct uex_running *running = uex_status_work_running(report->work);

    for (size_t i = running->count; i-- > 0; i = i < running->count ? i : running->count) { /* some may go */
        struct uex_running_export *item = &running->items[i];
        struct uex_status_row *row = uex_status_rows_find(&report->rows, item->progress.group_id);
        const bool is_its_own = row != NULL && strcmp(row->command_id, item->progress.command_id) == 0;

        if (row == NULL)
            continue;
        item->last_rows = row->last_exported_rows;
        if (is_its_own && row->status == UEX_STATUS_RETRIED)
            uex_status_rows_set(&report->rows, row, UEX_STATUS_RUNNING);
        else if (is_its_own && uex_status_is_outcome(row->status))
            uex_running_end(running, row->command_id); /* its last record is older than its outcome */
    }
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

/* Groups that have an outcome in the run, or a command that waits for one. How many. */
static size_t want_known(struct uex_status_rows *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        rows->items[i]->is_wanted =
            uex_status_is_outcome(rows->items[i]->status) || rows->items[i]->status == UEX_STATUS_UNREADABLE ||
            rows->items[i]->status == UEX_STATUS_RUNNING || rows->items[i]->status == UEX_STATUS_QUEUED;
        count += rows->items[i]->is_wanted;
    }
    return count;
}

/* A run that has ended, and whose groups are all there: one that became active since does not belong to it, and the
 * database need not be asked. */
static bool has_all(const struct uex_status_report *report, size_t known_count)
{
    const uint64_t group_count =
        report->rows.runs == NULL ? UEX_UNKNOWN : uex_known_runs_ended_groups(report->rows.runs, report->run_id);

    return group_count != UEX_UNKNOWN && known_count >= group_count;
}

/* Else active groups belong to the run whether they were scheduled or not. */
static enum uex_error add_active(struct uex_status_report *report, const struct uex_group_list *active)
{
    struct uex_status_rows *rows = &report->rows;
    enum uex_error err = UEX_OK;

    for (const char *id = uex_group_list_next(active, NULL); id != NULL && err == UEX_OK;
         id = uex_group_list_next(active, id)) {
        if (uex_status_rows_find(rows, id) == NULL)
            err = add_nothing(report, id);
        if (err == UEX_OK)
            uex_status_rows_find(rows, id)->is_wanted = true;
    }
    return err;
}

static enum uex_error keep_run(struct uex_status_report *report)
{
    struct uex_group_list active = {0};
    enum uex_error err = UEX_OK;

    report->missing_known = has_all(report, want_known(&report->rows));
    if (!report->missing_known) {
        report->missing_known = finish_reading(report->active, DATABASE_WAIT_MS, &active, &report->why_not) == UEX_OK;
        report->active = NULL; /* else uex_status_clear() gives it up */
        err = add_active(report, &active);
        uex_group_list_clear(&active);
    }
    uex_status_rows_keep_wanted(&report->rows);
    return err;
}

enum uex_error uex_status_build(struct uex_status_report *report)
{
    const bool looks = report->run_id != NULL || report->group_count > 0;
    enum uex_error err = UEX_OK;

    uex_status_work_finish(report->work, looks ? COMMANDS_WAIT_MS : OVERVIEW_WAIT_MS);
    report->rows.waiting_unknown = looks && !uex_status_work_knows_all(report->work);
    err = mark_waiting(report);
    mark_running(report);
    if (err == UEX_OK && report->group_count > 0) {
        err = keep_asked(report);
    } else if (err == UEX_OK && report->run_id != NULL) {
        err = keep_run(report);
    }
    if (err == UEX_OK)
        uex_status_rows_finish(&report->rows);
    return err;
}
