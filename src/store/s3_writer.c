/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_writer.h"

#include <stdlib.h>
#include <sys/mman.h>

#define WAIT_SLICE_MS 50
#define KEEP_BYTES ((size_t)1 << 20)
#define COMPLETION_MAX_BYTES ((size_t)4 << 20) /* 10,000 parts of at most 400 bytes each */

/* `whole`: with all pages at once, so that a large object takes its memory when it becomes large, and no more later. */
static uint8_t *buffer_map(bool whole)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (whole ? MAP_POPULATE : 0);
    void *memory = mmap(NULL, UEX_S3_PART_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void buffer_unmap(uint8_t **memory)
{
    if (*memory != NULL)
        munmap(*memory, UEX_S3_PART_BYTES);
    *memory = NULL;
}

void uex_s3_forget_spare(struct uex_s3_store *store)
{
    buffer_unmap(&store->spare_part);
}

/* A small object's buffer, with the few pages that it touched, is the next one's. */
static void buffer_keep(struct uex_s3_writer *writer)
{
    if (writer->part_count > 0 || writer->filling_bytes > KEEP_BYTES || writer->store->spare_part != NULL)
        return;
    writer->store->spare_part = writer->filling;
    writer->filling = NULL;
}

static void writer_free(struct uex_s3_writer *writer)
{
    buffer_keep(writer);
    buffer_unmap(&writer->filling);
    buffer_unmap(&writer->in_flight);
    uex_buffer_clear(&writer->completion);
    uex_digest_free(writer->base.digest);
    free(writer->upload_id);
    free(writer->whole_key);
    free(writer);
}

enum uex_error uex_s3_begin(struct uex_object_store *base, const char *key, struct uex_object_writer **out,
                            struct uex_fault *fault)
{
    struct uex_s3_writer *writer = calloc(1, sizeof(*writer));
    enum uex_error err;

    if (writer == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for an object");
    writer->store = (struct uex_s3_store *)base;
    writer->base.store = base;
    writer->base.meta.row_count = UEX_UNKNOWN;
    writer->base.meta.version = writer->store->settings->config->export_version;
    writer->completion.cap_bytes = COMPLETION_MAX_BYTES;
    writer->base.digest = uex_digest_new();
    writer->upload_id = calloc(1, UEX_S3_UPLOAD_ID_SIZE);
    writer->filling = writer->store->spare_part != NULL ? writer->store->spare_part : buffer_map(false);
    writer->store->spare_part = NULL;
    if (writer->base.digest == NULL || writer->upload_id == NULL || writer->filling == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object");
    else
        err = uex_s3_whole_key(writer->store, key, &writer->whole_key, fault);
    if (err != UEX_OK) {
        writer_free(writer);
        return err;
    }
    *out = &writer->base;
    return UEX_OK;
}

void uex_s3_set_tags(struct uex_object_writer *base, const struct uex_object_tags *tags)
{
    base->meta.tags = *tags;
    base->meta.has_tags = true;
}

/* The thread and the client for parts, made for the first object that needs them. */
static enum uex_error ensure_part_thread(struct uex_s3_store *store, struct uex_fault *fault)
{
    if (store->part_client == NULL)
        store->part_client = uex_s3_client_new(store->settings, store->service->credentials, &store->base);
    if (store->parts == NULL)
        store->parts = uex_task_thread_new();
    if (store->part_client == NULL || store->parts == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for uploading parts");
    return UEX_OK;
}

/* Wait until the part on its way has arrived, and note its ETag. Bounded by the part's own limits. */
static enum uex_error await_part(struct uex_s3_writer *writer, struct uex_fault *fault)
{
    if (!writer->part_is_in_flight)
        return UEX_OK;
    while (!uex_task_thread_wait(writer->store->parts, &writer->task, WAIT_SLICE_MS))
        if (uex_cancel_requested(writer->store->base.cancel))
            uex_cancel_request(&writer->stop);
    writer->part_is_in_flight = false;
    if (writer->part.result != UEX_OK) {
        if (fault != NULL)
            *fault = writer->part.fault;
        return writer->part.result;
    }
    uex_buffer_append_format(&writer->completion, "<Part><PartNumber>%u</PartNumber><ETag>", writer->part.number);
    uex_s3_xml_escape(&writer->completion, writer->part.etag);
    uex_buffer_append_text(&writer->completion, "</ETag>");
    uex_s3_checksum_append(writer->part.checksum, writer->part.checksum_text, &writer->completion);
    uex_buffer_append_text(&writer->completion, "</Part>");
    if (uex_buffer_failed(&writer->completion))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the list of parts");
    return UEX_OK;
}

/* Send what is filled as the next part, once the one before has arrived. */
static enum uex_error send_part(struct uex_s3_writer *writer, struct uex_fault *fault)
{
    struct uex_s3_store *store = writer->store;
    enum uex_error err = ensure_part_thread(store, fault);

    if (err == UEX_OK && writer->upload_id[0] == '\0')
        err = uex_s3_upload_create(store, writer->whole_key, &writer->base.meta, uex_s3_repetitions(store),
                                   writer->upload_id, &writer->stray_upload, fault);
    if (err == UEX_OK)
        err = await_part(writer, fault);
    if (err != UEX_OK)
        return err;
    if (writer->part_count == UEX_S3_PARTS_MAX)
        return uex_fail(fault, UEX_LIMIT, "an object has more than %d parts of 8 MiB", UEX_S3_PARTS_MAX);
    if (writer->in_flight == NULL && (writer->in_flight = buffer_map(true)) == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a part");
    uint8_t *empty = writer->in_flight;
    writer->in_flight = writer->filling;
    writer->filling = empty;
    writer->part = (struct uex_s3_part){.client = store->part_client,
                                        .whole_key = writer->whole_key,
                                        .upload_id = writer->upload_id,
                                        .number = ++writer->part_count,
                                        .data = uex_bytes_of(writer->in_flight, writer->filling_bytes),
                                        .cancel = &writer->stop,
                                        .repetitions = uex_s3_repetitions(store),
                                        .checksum = store->settings->config->s3_checksum};
    writer->filling_bytes = 0;
    writer->task.run = uex_s3_part_run;
    writer->task.context = &writer->part;
    err = uex_task_thread_submit(store->parts, &writer->task);
    if (err != UEX_OK)
        return uex_fail(fault, err, "no thread for uploading parts");
    writer->part_is_in_flight = true;
    return UEX_OK;
}

enum uex_error uex_s3_write(struct uex_object_writer *base, struct uex_bytes data, struct uex_fault *fault)
{
    struct uex_s3_writer *writer = (struct uex_s3_writer *)base;

    if (uex_cancel_requested(base->store->cancel))
        return uex_fail(fault, UEX_CANCELLED, "writing an object was cancelled");
    if (uex_digest_add(base->digest, data) != UEX_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "the digest of an object failed");
    while (data.size_bytes > 0) {
        /* A full part goes only when there is more: what fits one PUT needs no upload. */
        if (writer->filling_bytes == UEX_S3_PART_BYTES) {
            enum uex_error err = send_part(writer, fault);
            if (err != UEX_OK)
                return err;
        }
        size_t room = UEX_S3_PART_BYTES - writer->filling_bytes;
        size_t size = data.size_bytes < room ? data.size_bytes : room;
        memcpy(writer->filling + writer->filling_bytes, data.data, size);
        writer->filling_bytes += size;
        base->size_bytes += size;
        data.data += size;
        data.size_bytes -= size;
    }
    return UEX_OK;
}

/* Leave nothing in the store: stop the part on its way, then abort the upload (a part that arrives after the abort
 * would stay), then uploads that a lost answer to CreateMultipartUpload may have left. Best effort: the next attempt
 * tries again. */
static void clean_up(struct uex_s3_writer *writer, bool abort_upload)
{
    struct uex_fault ignored;

    if (writer->part_is_in_flight) {
        uex_cancel_request(&writer->stop);
        (void)await_part(writer, NULL);
    }
    if (abort_upload && writer->upload_id[0] != '\0')
        (void)!uex_s3_upload_abort(writer->store, writer->whole_key, writer->upload_id, &ignored);
    if (writer->stray_upload) {
        uex_s3_uploads_forget(&writer->store->service->uploads);
        (void)!uex_s3_uploads_abort(writer->store, writer->whole_key, writer->store->base.cancel,
                                    UEX_S3_INCOMPLETE_LIMIT_MS, NULL, &ignored);
    }
}

enum uex_error uex_s3_commit(struct uex_object_writer *base, uint64_t row_count, struct uex_object_facts *facts,
                             struct uex_fault *fault)
{
    struct uex_s3_writer *writer = (struct uex_s3_writer *)base;
    struct uex_buffer url = {0};
    enum uex_error err = UEX_OK;

    uex_object_facts_init(facts);
    uex_buffer_append_format(&url, "s3://%s/%s", writer->store->settings->url.bucket, writer->whole_key);
    if (uex_buffer_failed(&url))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object's URL");
    base->meta.row_count = row_count;
    if (err == UEX_OK && uex_digest_finish(base->digest, base->meta.sha256) != UEX_OK)
        err = uex_fail(fault, UEX_NO_MEMORY, "the digest of an object failed");
    base->meta.has_sha256 = err == UEX_OK;
    if (err == UEX_OK && writer->upload_id[0] == '\0') {
        err = uex_s3_publish_put(writer, fault);
    } else if (err == UEX_OK) {
        err = send_part(writer, fault);
        if (err == UEX_OK)
            err = await_part(writer, fault);
        /* Completing can take a while: the memory of the parts is not needed for it. */
        buffer_unmap(&writer->filling);
        buffer_unmap(&writer->in_flight);
        if (err == UEX_OK)
            err = uex_s3_publish_upload(writer, fault);
    }
    if (err == UEX_OK) {
        uex_object_facts_written(facts, (char *)url.data, &base->meta, base->size_bytes);
        uex_s3_seen_published(&writer->store->service->seen, writer->store->base.domain_id,
                              writer->upload_id[0] != '\0');
    } else {
        uex_buffer_clear(&url);
    }
    clean_up(writer, err != UEX_OK);
    writer_free(writer);
    return err;
}

void uex_s3_abort(struct uex_object_writer *base)
{
    struct uex_s3_writer *writer = (struct uex_s3_writer *)base;

    if (writer == NULL)
        return;
    clean_up(writer, true);
    writer_free(writer);
}
