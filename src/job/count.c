/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/count.c — see runner.h. */
#include "job/runner.h"

#include <stdatomic.h>

static void show_progress(const struct uex_job *job)
{
    uint64_t object_bytes = job->encoding_begun ? uex_encoder_bytes_out(job->runner->encoder) : 0;

    if (job->progress == NULL)
        return;
    atomic_store_explicit(&job->progress->row_count, job->out->row_count, memory_order_relaxed);
    atomic_store_explicit(&job->progress->text_bytes, job->out->text_bytes, memory_order_relaxed);
    atomic_store_explicit(&job->progress->object_bytes, object_bytes, memory_order_relaxed);
}

void uex_job_rows_begin(struct uex_job *job)
{
    job->out->row_count = 0;
    job->out->text_bytes = 0;
    job->batch_row_count = 0;
    job->batch_started_ms = job->stream_started_ms = uex_monotonic_ms();
    job->encoding_begun = false;
    show_progress(job);
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
