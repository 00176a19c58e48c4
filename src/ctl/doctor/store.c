/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the object store and the cache. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/doctor/doctor.h"
#include "export/object_store.h"
#include "export/program.h"
#include "export/redis.h"

#define DAY_MS (24LL * 3600 * 1000)
#define BIG_BYTES ((size_t)(8 << 20) + 1) /* enough to go up in parts */

struct room {
    struct uex_doctor *doctor;
    struct uex_object_store *store;
    struct uex_buffer key;
    const uint8_t *bytes; /* BIG_BYTES of nothing */
    bool is_written;
};

/* Write `size_bytes` under the probe's key, as another command each time. */
static enum uex_error write_object(const struct room *room, size_t size_bytes, struct uex_fault *fault)
{
    struct uex_object_tags tags = {.snapshot_at_ms = uex_wall_ms()};
    struct uex_object_writer *writer = NULL;
    struct uex_object_facts facts = {0};
    enum uex_error err = room->store->begin(room->store, uex_buffer_text(&room->key), &writer, fault);

    if (err != UEX_OK)
        return err;
    uex_uuid_random(tags.command_id);
    room->store->set_tags(writer, &tags);
    err = room->store->write(writer, uex_bytes_of(room->bytes, size_bytes), fault);
    if (err == UEX_OK)
        err = room->store->commit(writer, 0, &facts, fault);
    else
        room->store->abort(writer);
    uex_object_facts_clear(&facts);
    return err;
}

static void say_create_only(struct room *room, const char *how, size_t size_bytes)
{
    struct uex_fault fault = {0};
    enum uex_error err = write_object(room, size_bytes, &fault);

    if (err == UEX_OBJECT_EXISTS)
        uex_doctor_say(room->doctor, "store", "create-only", UEX_DOCTOR_OK, NULL,
                       "a second write (%s) under the same name was refused", how);
    else if (err == UEX_OK)
        uex_doctor_say(room->doctor, "store", "create-only", UEX_DOCTOR_FAIL,
                       "use a store that honours If-None-Match: * on PutObject and CompleteMultipartUpload",
                       "a second write (%s) under the same name was taken: exports could be overwritten", how);
    else
        uex_doctor_fail(room->doctor, "store", "create-only", err, &fault, NULL);
}

/* What is read back is compared as it comes. */
struct comparison {
    const uint8_t *bytes;
    size_t size_bytes;
    bool differs;
};

static enum uex_error compare(void *context, struct uex_bytes data)
{
    struct comparison *comparison = context;

    if (comparison->size_bytes + data.size_bytes > BIG_BYTES ||
        memcmp(comparison->bytes + comparison->size_bytes, data.data, data.size_bytes) != 0)
        comparison->differs = true;
    else
        comparison->size_bytes += data.size_bytes;
    return UEX_OK;
}

#define SMALL_BYTES ((size_t)1000)

static void say_reading(struct room *room)
{
    struct comparison comparison = {.bytes = room->bytes};
    struct uex_fault fault = {0};
    enum uex_error err = room->store->read(room->store, uex_buffer_text(&room->key),
                                           (struct uex_sink){.write = compare, .context = &comparison}, &fault);

    if (err != UEX_OK)
        uex_doctor_fail(room->doctor, "store", "read", err, &fault, NULL);
    else if (comparison.differs || comparison.size_bytes != SMALL_BYTES)
        uex_doctor_say(room->doctor, "store", "read", UEX_DOCTOR_FAIL, "do not use this store",
                       "what was read is not what was first written");
    else
        uex_doctor_say(room->doctor, "store", "read", UEX_DOCTOR_OK, NULL,
                       "the object was read back as it was written");
}

static void say_removing(struct room *room)
{
    struct uex_fault fault = {0};
    enum uex_error err = room->store->remove(room->store, uex_buffer_text(&room->key), &fault);

    if (err == UEX_OK)
        uex_doctor_say(room->doctor, "store", "delete", UEX_DOCTOR_OK, NULL, "the probe object was deleted");
    else
        uex_doctor_say(room->doctor, "store", "delete", UEX_DOCTOR_WARN,
                       "workers need no right to delete; delete the probe object by hand",
                       "the probe object %s stays: %s", uex_buffer_text(&room->key), fault.text);
}

static void say_uploads(struct uex_doctor *doctor, const struct uex_store_inspection *found)
{
    char oldest[UEX_TIME_TEXT_SIZE];

    uex_time_format(found->oldest_at_ms, oldest);
    if (!found->uploads_known)
        uex_doctor_say(
            doctor, "store", "uploads", UEX_DOCTOR_WARN,
            "allow s3:ListBucketMultipartUploads, and have a lifecycle rule AbortIncompleteMultipartUpload",
            "incomplete multipart uploads are not listed; exports go on, and what a killed worker leaves in the bucket "
            "stays until a lifecycle rule removes it");
    else if (found->old_uploads > 0)
        uex_doctor_say(doctor, "store", "uploads", UEX_DOCTOR_WARN,
                       "give the bucket a lifecycle rule AbortIncompleteMultipartUpload of 1 day",
                       "%zu incomplete multipart uploads are older than a day, the oldest of %s", found->old_uploads,
                       oldest);
    else
        uex_doctor_say(doctor, "store", "uploads", UEX_DOCTOR_OK, NULL,
                       "no incomplete multipart upload is older than a day");
}

static void say_server(struct room *room)
{
    struct uex_store_inspection found = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (room->store->inspect == NULL)
        return;
    err = room->store->inspect(room->store, uex_wall_ms() - DAY_MS, &found, &fault);
    if (err != UEX_OK) {
        uex_doctor_fail(room->doctor, "store", "uploads", err, &fault, NULL);
        return;
    }
    say_uploads(room->doctor, &found);
    if (found.server_at_ms != UEX_NO_TIME) /* cut to seconds: half a second more is the best guess */
        uex_doctor_clock(room->doctor, "store", "the server", found.server_at_ms + 500 - found.local_at_ms, 600);
}

static void try_writing(struct room *room)
{
    struct uex_fault fault = {0};
    enum uex_error err = write_object(room, SMALL_BYTES, &fault);

    if (err != UEX_OK) {
        uex_doctor_fail(room->doctor, "store", "write", err, &fault, NULL);
        return;
    }
    uex_doctor_say(room->doctor, "store", "write", UEX_DOCTOR_OK, NULL, "wrote %s", uex_buffer_text(&room->key));
    say_create_only(room, "one request", SMALL_BYTES);
    say_create_only(room, "in parts", BIG_BYTES);
    say_reading(room);
    say_removing(room);
}

/* The bucket is not made: that is the worker's to do, and a wrong name shall be seen. */
static void try_store(struct room *room)
{
    struct uex_fault fault = {0};
    enum uex_error err = room->store->probe(room->store, &fault);

    if (err == UEX_STORE_BUCKET && room->store->is_missing) {
        uex_doctor_say(room->doctor, "store", "bucket", UEX_DOCTOR_WARN,
                       "make it, or let the first export make it if these credentials may", "%s", fault.text);
        uex_doctor_say(room->doctor, "store", "write", UEX_DOCTOR_SKIP, NULL, "not tried: there is no bucket");
        return;
    }
    if (err == UEX_STORE_REFUSED) { /* what follows shows which requests are refused, and which are not */
        uex_doctor_fail(room->doctor, "store", "requests", err, &fault, NULL);
    } else if (err != UEX_OK) {
        uex_doctor_fail(room->doctor, "store", "bucket", err, &fault, NULL);
        return;
    }
    uex_doctor_say(room->doctor, "store", "bucket", UEX_DOCTOR_OK, NULL, "%s answers",
                   room->doctor->config->storage_url);
    say_server(room);
    try_writing(room);
}

void uex_doctor_store(struct uex_doctor *doctor)
{
    struct room room = {.doctor = doctor};
    struct uex_store_service *service = NULL;
    uint8_t *bytes = calloc(1, BIG_BYTES);
    char name[UEX_UUID_TEXT_SIZE];
    struct uex_fault fault = {0};
    enum uex_error err = bytes == NULL ? uex_fail(&fault, UEX_NO_MEMORY, "no memory for a probe object")
                                       : uex_store_service_new(doctor->config, &service, &fault);

    if (err == UEX_OK)
        err = uex_object_store_new(service, &room.store, &fault);
    room.bytes = bytes;
    uex_uuid_random(name);
    if (doctor->config->export_domain_id != NULL && doctor->config->export_domain_id[0] != '\0')
        uex_buffer_append_format(&room.key, "%s/", doctor->config->export_domain_id); /* rights may end there */
    uex_buffer_append_format(&room.key, "doctor/%s.csv.gz", name);                    /* or at a suffix */
    if (err == UEX_OK && uex_buffer_failed(&room.key))
        err = uex_fail(&fault, UEX_NO_MEMORY, "no memory for a probe object");
    if (err != UEX_OK) {
        uex_doctor_fail(doctor, "store", "bucket", err, &fault, NULL);
    } else {
        room.store->cancel = &uex_program_cancel;
        try_store(&room);
    }
    if (room.store != NULL)
        room.store->destroy(room.store);
    uex_store_service_free(service);
    uex_buffer_clear(&room.key);
    free(bytes);
}

/* Without it exports only ask the database more often. */
void uex_doctor_redis(struct uex_doctor *doctor)
{
    struct uex_fault fault = {0};
    enum uex_error err = uex_redis_ping(doctor->config, &fault);

    if (err == UEX_NOT_FOUND)
        uex_doctor_say(doctor, "redis", "answer", UEX_DOCTOR_SKIP, NULL, "redis.url is not set: there is no cache");
    else if (err != UEX_OK)
        uex_doctor_say(doctor, "redis", "answer", UEX_DOCTOR_WARN, "check redis.url; exports go on without the cache",
                       "%s", fault.text);
    else
        uex_doctor_say(doctor, "redis", "answer", UEX_DOCTOR_OK, NULL, "PONG");
}
