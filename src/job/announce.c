/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/announce.c — an object that an earlier attempt at this command left complete is announced, not made again. */
#include "job/runner.h"

#include <stdlib.h>

#include "export/file_reader.h"

struct back_reading {
    struct uex_file_reader *reader;
    struct uex_fault fault; /* of the reader; the store's text for a failed sink says less */
};

static enum uex_error write_to_reader(void *context, struct uex_bytes data)
{
    struct back_reading *reading = context;

    return uex_file_reader_write(reading->reader, data, &reading->fault);
}

static enum uex_error compare(const struct uex_object_facts *object, const struct uex_file_facts *facts,
                              struct uex_fault *fault)
{
    if (object->has_sha256 && memcmp(object->sha256, facts->sha256, sizeof(facts->sha256)) != 0)
        return uex_fail(fault, UEX_OBJECT_BROKEN, "the existing object differs from its metadata (SHA-256)");
    if (object->size_bytes != UEX_UNKNOWN && object->size_bytes != facts->size_bytes)
        return uex_fail(fault, UEX_OBJECT_BROKEN, "the existing object could not be read to its end");
    return UEX_OK;
}

static enum uex_error read_back(struct uex_job *job, struct uex_object_facts *object)
{
    struct uex_object_store *store = job->runner->store;
    struct uex_fault *fault = &job->out->fault;
    struct back_reading reading = {.reader = uex_file_reader_new(job->runner->config->export_format)};
    struct uex_file_facts facts = {0};
    enum uex_error err;

    if (reading.reader == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory to read an object");
    err = store->read(store, job->key, (struct uex_sink){.write = write_to_reader, .context = &reading}, fault);
    if (err != UEX_OK && reading.fault.error == err)
        *fault = reading.fault;
    if (err == UEX_OK)
        err = uex_file_reader_finish(reading.reader, &facts, fault);
    if (err == UEX_OK)
        err = compare(object, &facts, fault);
    if (err == UEX_OK) {
        object->row_count = facts.row_count;
        object->size_bytes = facts.size_bytes;
        object->has_sha256 = true;
        memcpy(object->sha256, facts.sha256, sizeof(facts.sha256));
        job->out->text_bytes = facts.text_bytes;
    }
    uex_file_reader_free(reading.reader);
    return err;
}

enum uex_error uex_job_announce(struct uex_job *job)
{
    struct uex_object_store *store = job->runner->store;
    struct uex_job_outcome *out = job->out;
    struct uex_object_facts *object = &out->object;
    enum uex_error err = store->find(store, job->key, object, &out->fault);

    if (err != UEX_OK)
        return err;
    if (strcmp(object->command_id, job->command_id) != 0)
        return uex_fail(&out->fault, UEX_OBJECT_CONFLICT, "the object's name is taken by an object %s",
                        object->command_id[0] == '\0' ? "that is not an export" : "of another command");
    if (!object->has_sha256 || object->row_count == UEX_UNKNOWN || object->size_bytes == UEX_UNKNOWN)
        err = read_back(job, object);
    if (err != UEX_OK)
        return err == UEX_NOT_FOUND ? uex_fail(&out->fault, UEX_STORE_RACE, "the object was removed while it was read")
                                    : err;
    out->object_was_there = true;
    memcpy(out->layout_id, object->layout_id, sizeof(out->layout_id));
    out->row_count = object->row_count;
    out->snapshot_at_ms = object->snapshot_at_ms;
    return UEX_OK;
}
