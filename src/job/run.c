/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/run.c — one command from its check for an object to its outcome. */
#include "job/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/backoff.h"

#define RACES_MAX 3

/* The command's domain, else the configuration's. */
static enum uex_error choose_domain(struct uex_job_runner *runner, const struct uex_command *command,
                                    struct uex_job_outcome *out)
{
    const char *domain_id = command->domain_id[0] != '\0' ? command->domain_id : runner->config->export_domain_id;

    if (domain_id == NULL || domain_id[0] == '\0')
        return uex_fail(&out->fault, UEX_NO_DOMAIN, "no domain id: set domainId in the command or export.domain_id");
    (void)snprintf(out->domain_id, sizeof(out->domain_id), "%s", domain_id);
    if (runner->store != NULL)
        memcpy(runner->store->domain_id, out->domain_id, sizeof(out->domain_id));
    return UEX_OK;
}

enum uex_error uex_job_find_group(struct uex_job *job)
{
    struct uex_catalogue *catalogue = job->runner->catalogue;
    struct uex_group *group = &job->out->group;
    enum uex_error err = catalogue->find(catalogue, job->group_id, group, &job->out->fault);

    if (err == UEX_NOT_FOUND) {
        job->out->skip = UEX_SKIP_UNKNOWN_GROUP;
        return UEX_OK;
    }
    if (err != UEX_OK)
        return err;
    if (job->observer != NULL && job->observer->group_known != NULL)
        job->observer->group_known(job->observer->context, group);
    if (!group->active)
        job->out->skip = UEX_SKIP_INACTIVE;
    else if (group->type == UEX_GROUP_INVALID)
        job->out->skip = UEX_SKIP_INVALID_GROUP_TYPE;
    return UEX_OK;
}

/* A group that is skipped may be announced as empty: with the layout that its rows would have had. */
static void note_layout(struct uex_job *job)
{
    const struct uex_layout *layout = job->runner->services->resolved;

    if (layout != NULL)
        memcpy(job->out->layout_id, layout->id, sizeof(job->out->layout_id));
}

/* The order of these steps decides which outcome a command has, and settles races with another worker: object,
 * incomplete uploads, group, rows (docs/engine.md). */
static enum uex_error attempt(struct uex_job *job)
{
    struct uex_object_store *store = job->runner->store;
    struct uex_job_outcome *out = job->out;
    enum uex_error err;

    if (uex_cancel_requested(job->cancel))
        return uex_fail(&out->fault, UEX_CANCELLED, "the export was cancelled");
    err = uex_job_prepare_store(job->runner, &out->fault);
    if (err == UEX_OK)
        err = uex_job_announce(job);
    if (err != UEX_NOT_FOUND)
        return err;
    err = store->abort_incomplete(store, job->key, &out->fault);
    note_layout(job);
    if (err == UEX_OK)
        err = uex_job_find_group(job);
    if (err != UEX_OK || out->skip != UEX_SKIP_NONE)
        return err;
    return uex_job_repeat(job, out->group.type == UEX_GROUP_FILE ? uex_job_pass_file : uex_job_pass_list);
}

/* Two workers can be at one command for a moment. Whoever finds the name taken looks who won; the job is run again,
 * which announces the winner's object if it is this command's. */
static enum uex_error attempt_until_decided(struct uex_job *job)
{
    for (unsigned again = 0;; again++) {
        enum uex_error err = attempt(job);

        if (err != UEX_STORE_RACE && err != UEX_OBJECT_EXISTS)
            return err;
        if (again == RACES_MAX)
            return err == UEX_STORE_RACE ? err
                                         : uex_fail(&job->out->fault, UEX_STORE_RACE,
                                                    "other workers created and removed the object meanwhile");
        if (!uex_sleep_ms(uex_backoff_ms(again + 1), job->cancel))
            return uex_fail(&job->out->fault, UEX_CANCELLED, "the export was cancelled");
        uex_job_outcome_reset(job->out);
    }
}

static void begin_outcome(struct uex_job_outcome *out, const char *group_id)
{
    *out = (struct uex_job_outcome){.started_at_ms = uex_wall_ms(), .group = {.type = UEX_GROUP_INVALID}};
    uex_job_outcome_reset(out);
    (void)snprintf(out->group.group_id, sizeof(out->group.group_id), "%s", group_id);
}

static void end_outcome(struct uex_job *job, enum uex_error err, int64_t start_ms)
{
    struct uex_job_outcome *out = job->out;
    struct uex_fault fault = out->fault;

    /* What fails after the wish to stop fails because of it, or does not matter. */
    if (err != UEX_OK && uex_cancel_requested(job->cancel))
        err = UEX_CANCELLED;
    if (err != UEX_OK) {
        uint64_t row_count = out->row_count, text_bytes = out->text_bytes;

        uex_job_outcome_reset(out);
        out->row_count = row_count;
        out->text_bytes = text_bytes;
        if (fault.error != err)
            (void)uex_fail(&fault, err, "%s", uex_error_sentence(err));
        out->fault = fault;
        out->error = err;
    } else {
        out->fault = (struct uex_fault){0};
    }
    out->duration_ms = uex_monotonic_ms() - start_ms;
}

void uex_job_run(struct uex_job_runner *runner, const struct uex_command *command, const struct uex_cancel *cancel,
                 struct uex_job_progress *progress, const struct uex_job_observer *observer,
                 struct uex_job_outcome *out)
{
    struct uex_buffer key = {0};
    struct uex_job job = {.runner = runner,
                          .group_id = command->group_id,
                          .command_id = command->command_id,
                          .cancel = cancel,
                          .progress = progress,
                          .observer = observer,
                          .out = out};
    const uint64_t use_count = uex_postgres_use_count(runner->postgres);
    int64_t start_ms = uex_monotonic_ms();
    enum uex_error err;

    begin_outcome(out, command->group_id);
    uex_job_borrow_cancel(runner, cancel);
    err = choose_domain(runner, command, out);
    if (err == UEX_OK) {
        uex_object_key(out->domain_id, command->group_id, command->command_id,
                       uex_format_ending(runner->config->export_format), &key);
        job.key = uex_buffer_text(&key);
        err = uex_buffer_failed(&key) ? UEX_NO_MEMORY : attempt_until_decided(&job);
    }
    end_outcome(&job, err, start_ms);
    out->had_connection = uex_postgres_use_count(runner->postgres) != use_count;
    uex_job_borrow_cancel(runner, NULL);
    uex_buffer_clear(&key);
}

/* The sink of an export without store: what passes is counted and digested. */
struct plain_sink {
    struct uex_sink sink;
    struct uex_digest *digest;
    bool begun;
};

static enum uex_error write_plain(void *context, struct uex_bytes data)
{
    struct plain_sink *plain = context;
    enum uex_error err = uex_digest_add(plain->digest, data);

    plain->begun = true;
    return err == UEX_OK ? plain->sink.write(plain->sink.context, data) : err;
}

static enum uex_error pass_plain(struct uex_job *job, struct plain_sink *plain)
{
    struct uex_job_outcome *out = job->out;
    struct uex_job_source source = {0};
    enum uex_error err = uex_job_source_open(job, false, &source);

    if (err == UEX_OK)
        err = uex_job_write_file(job, &source, (struct uex_sink){.write = write_plain, .context = plain});
    uex_job_source_close(&source);
    if (err == UEX_END) {
        out->skip = UEX_SKIP_EMPTY;
        return UEX_OK;
    }
    if (err == UEX_OK)
        err = uex_digest_finish(plain->digest, out->object.sha256);
    if (err != UEX_OK)
        return err;
    uex_job_rows_done(job);
    out->object.has_sha256 = true;
    out->object.row_count = out->row_count;
    out->object.size_bytes = uex_encoder_bytes_out(job->runner->encoder);
    out->object.snapshot_at_ms = out->snapshot_at_ms;
    return UEX_OK;
}

/* As uex_job_repeat(), but what has gone into the sink cannot be taken back. */
static enum uex_error repeat_plain(struct uex_job *job, struct plain_sink *plain)
{
    for (unsigned made = 0;; made++) {
        enum uex_error err = pass_plain(job, plain);

        if (plain->begun || uex_error_disposition(err) != UEX_DISPOSITION_RETRY_STEP ||
            made >= (unsigned)job->runner->config->retry_attempts)
            return err;
        if (!uex_sleep_ms(uex_backoff_ms(made + 1), job->cancel))
            return UEX_CANCELLED;
    }
}

enum uex_error uex_job_export_to(struct uex_job_runner *runner, const char *group_id, struct uex_sink sink,
                                 const struct uex_cancel *cancel, struct uex_job_progress *progress,
                                 struct uex_job_outcome *out)
{
    struct plain_sink plain = {.sink = sink, .digest = uex_digest_new()};
    struct uex_job job = {.runner = runner, .group_id = group_id, .cancel = cancel, .progress = progress, .out = out};
    int64_t start_ms = uex_monotonic_ms();
    enum uex_error err = plain.digest == NULL ? UEX_NO_MEMORY : UEX_OK;

    begin_outcome(out, group_id);
    uex_job_borrow_cancel(runner, cancel);
    if (err == UEX_OK)
        err = uex_job_find_group(&job);
    if (err == UEX_OK && out->skip == UEX_SKIP_NONE)
        err = repeat_plain(&job, &plain);
    end_outcome(&job, err, start_ms);
    uex_job_borrow_cancel(runner, NULL);
    uex_digest_free(plain.digest);
    return out->error;
}

void uex_job_outcome_reset(struct uex_job_outcome *out)
{
    uex_object_facts_clear(&out->object);
    out->object =
        (struct uex_object_facts){.size_bytes = UEX_UNKNOWN, .row_count = UEX_UNKNOWN, .snapshot_at_ms = UEX_NO_TIME};
    uex_spool_free(out->lists);
    out->lists = NULL;
    free(out->parts);
    out->parts = NULL;
    out->part_count = 0;
    out->error = UEX_OK;
    out->fault = (struct uex_fault){0};
    out->skip = UEX_SKIP_NONE;
    out->object_was_there = false;
    out->layout_id[0] = '\0';
    out->row_count = UEX_UNKNOWN;
    out->text_bytes = 0;
    out->snapshot_at_ms = UEX_NO_TIME;
    out->csv_duration_ms = 0;
}

void uex_job_outcome_clear(struct uex_job_outcome *outcome)
{
    if (outcome == NULL)
        return;
    uex_job_outcome_reset(outcome);
    *outcome = (struct uex_job_outcome){0};
}
