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

enum uex_error uex_job_rows_open(struct uex_job *job, bool usernames_only, struct uex_rows **rows,
                                 struct uex_bytes *first)
{
    const struct uex_config *config = job->runner->config;
    struct uex_row_plan plan = {.masks = &job->runner->masks,
                                .mask_key = config->export_mask_key,
                                .guard = config->export_formula_guard,
                                .version = config->export_version_field,
                                .usernames_only = usernames_only};
    enum uex_error err;

    job->out->row_count = 0;
    job->out->text_bytes = 0;
    job->batch_row_count = 0;
    job->batch_started_ms = job->stream_started_ms = uex_monotonic_ms();
    job->compressing = false;
    show_progress(job);
    err = uex_postgres_rows_begin(job->runner->postgres, job->group_id, &plan, rows, &job->out->fault);
    if (err != UEX_OK)
        return err;
    err = (*rows)->next(*rows, first, &job->out->fault);
    job->out->snapshot_at_ms = (*rows)->snapshot_at_ms;
    if (err != UEX_OK) {
        (*rows)->destroy(*rows);
        *rows = NULL;
    }
    return err;
}

static void end_batch(struct uex_job *job)
{
    int64_t now_ms = uex_monotonic_ms();

    if (job->observer != NULL && job->observer->batch != NULL)
        job->observer->batch(job->observer->context, &job->out->group, job->batch_row_count,
                             now_ms - job->batch_started_ms);
    job->batch_row_count = 0;
    job->batch_started_ms = now_ms;
}

void uex_job_row_done(struct uex_job *job, uint64_t text_bytes)
{
    job->out->row_count++;
    job->out->text_bytes += text_bytes;
    job->batch_row_count++;
    if (job->batch_row_count >= (uint64_t)job->runner->config->export_batch_rows)
        end_batch(job);
    show_progress(job);
}

void uex_job_rows_done(struct uex_job *job)
{
    if (job->batch_row_count > 0)
        end_batch(job);
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

enum uex_error uex_job_write_csv(struct uex_job *job, struct uex_rows *rows, struct uex_bytes first,
                                 struct uex_sink sink)
{
    struct uex_gzip *gzip = job->runner->gzip;
    struct uex_bytes row = first;
    enum uex_error err;

    uex_gzip_begin(gzip, sink);
    job->compressing = true;
    err = write_header(job);
    while (err == UEX_OK) {
        err = uex_gzip_write(gzip, row);
        if (err != UEX_OK)
            return err;
        uex_job_row_done(job, row.size_bytes);
        err = rows->next(rows, &row, &job->out->fault);
    }
    return err == UEX_END ? uex_gzip_finish(gzip) : err;
}

/* What the object store could not do it has repeated itself; only the rows are read again from here. */
static bool database_may_recover(enum uex_error err)
{
    return err == UEX_DB_UNAVAILABLE || err == UEX_DB_TRANSIENT || err == UEX_DB_STALLED;
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
