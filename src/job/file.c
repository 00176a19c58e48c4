/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/file.c — a cost-based group's object: rows to encoder to store, nothing of it kept. */
#include "job/runner.h"

#include <stdio.h>

/* The sink of the compressor. */
struct object_sink {
    struct uex_object_store *store;
    struct uex_object_writer *writer;
    struct uex_fault *fault;
};

static enum uex_error write_object(void *context, struct uex_bytes data)
{
    struct object_sink *sink = context;

    return sink->store->write(sink->writer, data, sink->fault);
}

static enum uex_error begin_object(struct uex_job *job, struct uex_object_writer **writer)
{
    struct uex_object_store *store = job->runner->store;
    const enum uex_format format = job->runner->config->export_format;
    struct uex_object_tags tags = {.snapshot_at_ms = job->out->snapshot_at_ms,
                                   .format = uex_format_name(format),
                                   .content_type = uex_format_content_type(format)};
    enum uex_error err = store->begin(store, job->key, writer, &job->out->fault);

    if (err != UEX_OK)
        return err;
    (void)snprintf(tags.command_id, sizeof(tags.command_id), "%s", job->command_id);
    (void)snprintf(tags.layout_id, sizeof(tags.layout_id), "%s", job->layout->id);
    store->set_tags(*writer, &tags);
    return UEX_OK;
}

/* The first row comes before the object is begun: an empty group leaves nothing in the store, and the snapshot's time,
 * which is metadata of the object, is known. */
enum uex_error uex_job_pass_file(struct uex_job *job)
{
    struct uex_object_store *store = job->runner->store;
    struct uex_job_outcome *out = job->out;
    struct object_sink sink = {.store = store, .fault = &out->fault};
    struct uex_object_writer *writer = NULL;
    struct uex_job_source source = {0};
    enum uex_error err = uex_job_source_open(job, false, &source);

    if (err == UEX_END) {
        uex_job_source_close(&source);
        out->skip = UEX_SKIP_EMPTY;
        return UEX_OK;
    }
    if (err == UEX_OK)
        err = begin_object(job, &writer);
    if (err == UEX_OK) {
        sink.writer = writer;
        err = uex_job_write_file(job, &source, (struct uex_sink){.write = write_object, .context = &sink});
    }
    uex_job_source_close(&source);
    if (err != UEX_OK) {
        store->abort(writer);
        return err;
    }
    err = store->commit(writer, out->row_count, &out->object, &out->fault);
    if (err == UEX_OK)
        uex_job_rows_done(job);
    return err;
}
