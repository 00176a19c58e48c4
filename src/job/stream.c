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

static enum uex_error write_header(struct uex_job *job)
{
    struct uex_buffer header = {0};
    enum uex_error err = UEX_NO_MEMORY;

    uex_layout_write_header(job->layout, job->runner->config->export_version_field, &header);
    if (!uex_buffer_failed(&header))
        err = uex_gzip_write(job->runner->gzip, uex_buffer_bytes(&header));
    uex_buffer_clear(&header);
    return err;
}

static enum uex_error write_rows(struct uex_job *job, struct uex_job_source *source)
{
    struct uex_gzip *gzip = job->runner->gzip;
    struct uex_bytes row = source->first;
    enum uex_error err = UEX_OK;

    while (err == UEX_OK) {
        err = uex_gzip_write(gzip, row);
        if (err != UEX_OK)
            return err;
        uex_job_rows_passed(job, 1, row.size_bytes);
        err = source->rows->next(source->rows, &row, &job->out->fault);
    }
    return err == UEX_END ? UEX_OK : err;
}

enum uex_error uex_job_write_csv(struct uex_job *job, struct uex_job_source *source, struct uex_sink sink)
{
    enum uex_error err;

    uex_gzip_begin(job->runner->gzip, sink);
    job->compressing = true;
    err = write_header(job);
    if (err == UEX_OK)
        err = source->shared != NULL ? uex_job_shared_write(source->shared) : write_rows(job, source);
    return err == UEX_OK ? uex_gzip_finish(job->runner->gzip) : err;
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
