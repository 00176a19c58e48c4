/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/stream.c — see runner.h. */
#include "job/runner.h"

#include "export/backoff.h"

#include <stdatomic.h>

static void show_progress(const struct uex_job *job)
{
    uint64_t object_bytes = job->compressing ? uex_gzip_bytes_out(job->runner->gzip) : 0;

    if (job->progress == NULL)
        return;
    atomic_store_explicit(&job->progress->row_count, job->out->row_count, memory_order_relaxed);
    atomic_store_explicit(&job->progress->text_bytes, job->out->text_bytes, memory_order_relaxed);
    atomic_store_explicit(&job->progress->object_bytes, object_bytes, memory_order_relaxed);
}

static void begin_count(struct uex_job *job)
{
    job->out->row_count = 0;
    job->out->text_bytes = 0;
    job->batch_row_count = 0;
    job->batch_started_ms = job->stream_started_ms = uex_monotonic_ms();
    job->compressing = false;
    show_progress(job);
}

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

enum uex_error uex_job_source_open(struct uex_job *job, bool usernames_only, struct uex_job_source *source)
{
    const struct uex_config *config = job->runner->config;
    struct uex_row_plan plan = {.masks = &job->runner->masks,
                                .mask_key = config->export_mask_key,
                                .guard = config->export_formula_guard,
                                .version = config->export_version_field,
                                .usernames_only = usernames_only,
                                .expect_count = config->export_readers > 1 && !usernames_only &&
                                                !job->runner->cannot_share && !uex_job_is_short(job->runner)};
    enum uex_error err;

    *source = (struct uex_job_source){0};
    begin_count(job);
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

static void end_batch(struct uex_job *job, uint64_t row_count, int64_t duration_ms)
{
    if (job->observer != NULL && job->observer->batch != NULL)
        job->observer->batch(job->observer->context, &job->out->group, row_count, duration_ms);
}

/* Rows that came together share the time since the last batch ended. */
void uex_job_rows_passed(struct uex_job *job, uint64_t row_count, uint64_t text_bytes)
{
    const uint64_t batch_rows = (uint64_t)job->runner->config->export_batch_rows;

    job->out->row_count += row_count;
    job->out->text_bytes += text_bytes;
    job->batch_row_count += row_count;
    if (job->batch_row_count >= batch_rows) {
        int64_t now_ms = uex_monotonic_ms(), all_ms = now_ms - job->batch_started_ms;
        uint64_t all_rows = job->batch_row_count;

        for (; job->batch_row_count >= batch_rows; job->batch_row_count -= batch_rows)
            end_batch(job, batch_rows, all_ms * (int64_t)batch_rows / (int64_t)all_rows);
        job->batch_started_ms = now_ms - all_ms * (int64_t)job->batch_row_count / (int64_t)all_rows;
    }
    show_progress(job);
}

void uex_job_rows_done(struct uex_job *job)
{
    if (job->batch_row_count > 0)
        end_batch(job, job->batch_row_count, uex_monotonic_ms() - job->batch_started_ms);
    job->batch_row_count = 0;
    show_progress(job);
    job->out->csv_duration_ms = uex_monotonic_ms() - job->stream_started_ms;
}

static enum uex_error write_header(struct uex_job *job)
{
    struct uex_buffer header = {0};
    enum uex_error err = UEX_NO_MEMORY;

    uex_columns_header(job->runner->config->export_version_field, &header);
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
 * was just closed counts for a moment longer. */
static bool database_may_recover(enum uex_error err)
{
    return err == UEX_DB_UNAVAILABLE || err == UEX_DB_CONNECTIONS || err == UEX_DB_TRANSIENT || err == UEX_DB_STALLED;
}

enum uex_error uex_job_repeat(struct uex_job *job, enum uex_error (*pass)(struct uex_job *job))
{
    unsigned repetitions = (unsigned)job->runner->config->retry_attempts;

    for (unsigned made = 0;; made++) {
        enum uex_error err = pass(job);

        if (!database_may_recover(err) || made >= repetitions)
            return err;
        if (!uex_sleep_ms(uex_backoff_ms(made + 1), job->cancel))
            return uex_fail(&job->out->fault, UEX_CANCELLED, "the export was given up");
    }
}
