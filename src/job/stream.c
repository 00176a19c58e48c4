/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/stream.c — see runner.h. */
#include "job/runner.h"

#include "export/backoff.h"

static bool is_big(const struct uex_rows *rows)
{
    return rows->expected_row_count != UEX_UNKNOWN && rows->expected_row_count >= UEX_JOB_SHARE_ROWS;
}

static enum uex_error open_rows(struct uex_job *job, const struct uex_row_plan *plan, struct uex_job_source *source)
{
    enum uex_error err =
        uex_postgres_rows_begin(job->runner->postgres, job->group_id, plan, &source->rows, &job->out->fault);

    if (err != UEX_OK)
        return err;
    err = source->rows->next(source->rows, &source->first, &job->out->fault);
    job->out->snapshot_at_ms = source->rows->snapshot_at_ms;
    return err;
}

enum uex_error uex_job_source_open(struct uex_job *job, bool list_only, struct uex_job_source *source)
{
    const struct uex_config *config = job->runner->config;
    struct uex_row_plan plan = {.mask_key = config->export_mask_key,
                                .list_only = list_only,
                                .expect_count = config->export_readers > 1 && !list_only &&
                                                !job->runner->cannot_share && !uex_job_is_short(job->runner)};
    enum uex_error err = uex_job_layout(job->runner, &job->layout, &job->out->fault);

    *source = (struct uex_job_source){0};
    if (err != UEX_OK)
        return err;
    plan.layout = job->layout;
    memcpy(job->out->layout_id, job->layout->id, sizeof(job->out->layout_id));
    uex_job_rows_begin(job);
    err = open_rows(job, &plan, source);
    if (err != UEX_OK || !plan.expect_count || !is_big(source->rows))
        return err;
    /* The stream is given up for the readers', which costs a big group next to nothing, and a small one nothing. */
    uex_job_source_close(source);
    plan.expect_count = false;
    err = uex_job_shared_open(job, &plan, &source->shared);
    return err == UEX_NOT_FOUND ? open_rows(job, &plan, source) : err;
}

void uex_job_source_close(struct uex_job_source *source)
{
    if (source->rows != NULL)
        source->rows->destroy(source->rows);
    uex_job_shared_close(source->shared);
    *source = (struct uex_job_source){0};
}

static enum uex_error write_rows(struct uex_job *job, struct uex_job_source *source)
{
    struct uex_rows *rows = source->rows;
    struct uex_row row = {.text = source->first, .fields = rows->fields};
    enum uex_error err = UEX_OK;

    while (err == UEX_OK) {
        err = uex_encoder_add(job->runner->encoder, &row, &job->out->fault);
        if (err != UEX_OK)
            return err;
        uex_job_rows_passed(job, 1, row.text.size_bytes);
        err = rows->next(rows, &row.text, &job->out->fault);
        row.fields = rows->fields;
    }
    return err == UEX_END ? UEX_OK : err;
}

enum uex_error uex_job_write_file(struct uex_job *job, struct uex_job_source *source, struct uex_sink sink)
{
    struct uex_encoder *encoder = job->runner->encoder;
    enum uex_error err;

    job->encoding = (struct uex_encoding){.layout = job->layout,
                                          .group_id = job->group_id,
                                          .command_id = job->command_id,
                                          .snapshot_at_ms = job->out->snapshot_at_ms};
    err = uex_encoder_begin(encoder, &job->encoding, sink, &job->out->fault);
    job->encoding_begun = true;
    if (err == UEX_OK)
        err = source->shared != NULL ? uex_job_shared_write(source->shared) : write_rows(job, source);
    return err == UEX_OK ? uex_encoder_finish(encoder, &job->out->fault) : err;
}

/* What the object store could not do it has repeated itself; only the rows are read again from here. A connection that
 * was just closed counts for a moment longer. A database that answers no query was waited for already. */
static bool database_may_recover(enum uex_error err)
{
    return err == UEX_DB_UNAVAILABLE || err == UEX_DB_CONNECTIONS || err == UEX_DB_TRANSIENT || err == UEX_DB_LAGGING ||
           err == UEX_DB_STALLED;
}

enum uex_error uex_job_repeat(struct uex_job *job, enum uex_error (*pass)(struct uex_job *job))
{
    unsigned repetitions = (unsigned)job->runner->config->retry_attempts;

    for (unsigned made = 0;; made++) {
        enum uex_error err = pass(job);

        if (!database_may_recover(err) || made >= repetitions)
            return err;
        if (!uex_sleep_ms(uex_backoff_ms(made + 1), job->cancel))
            return uex_fail(&job->out->fault, UEX_CANCELLED, "the export was cancelled");
    }
}
