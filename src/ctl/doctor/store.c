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

struct store_check {
    struct uex_doctor *doctor;
    struct uex_object_store *store;
    struct uex_buffer key;
    const uint8_t *bytes; /* BIG_BYTES of zeros */
    bool is_written;
};

/* Write `size_bytes` under the probe's key, each time as another command. */
static enum uex_error write_object(const struct store_check *check, size_t size_bytes, struct uex_fault *fault)
{
    struct uex_object_tags tags = {.snapshot_at_ms = uex_wall_ms()};
    struct uex_object_writer *writer = NULL;
    struct uex_object_facts facts = {0};
    enum uex_error err = check->store->begin(check->store, uex_buffer_text(&check->key), &writer, fault);

    if (err != UEX_OK)
        return err;
    uex_uuid_random(tags.command_id);
    check->store->set_tags(writer, &tags);
    err = check->store->write(writer, uex_bytes_of(check->bytes, size_bytes), fault);
    if (err == UEX_OK)
        err = check->store->commit(writer, 0, &facts, fault);
    else
        check->store->abort(writer);
    uex_object_facts_clear(&facts);
    return err;
}

static void check_create_only(struct store_check *check, const char *how, size_t size_bytes)
{
    struct uex_fault fault = {0};
    enum uex_error err = write_object(check, size_bytes, &fault);

    if (err == UEX_OBJECT_EXISTS)
        uex_doctor_report(check->doctor, "store", "create-only", UEX_DOCTOR_OK, NULL,
                          "a second write (%s) under the same name was refused", how);
    else if (err == UEX_OK)
        uex_doctor_report(check->doctor, "store", "create-only", UEX_DOCTOR_FAIL,
                          "use a store that supports If-None-Match: * on PutObject and CompleteMultipartUpload",
                          "a second write (%s) under the same name was accepted: exports could be overwritten", how);
    else
        uex_doctor_fail(check->doctor, "store", "create-only", err, &fault, NULL);
}

/* Compares what is read back, piece by piece. */
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

static void check_reading(struct store_check *check)
{
    struct comparison comparison = {.bytes = check->bytes};
    struct uex_fault fault = {0};
    enum uex_error err = check->store->read(check->store, uex_buffer_text(&check->key),
                                            (struct uex_sink){.write = compare, .context = &comparison}, &fault);

    if (err != UEX_OK)
        uex_doctor_fail(check->doctor, "store", "read", err, &fault, NULL);
    else if (comparison.differs || comparison.size_bytes != SMALL_BYTES)
        uex_doctor_report(check->doctor, "store", "read", UEX_DOCTOR_FAIL, "do not use this store",
                          "the object is not what was written first");
    else
        uex_doctor_report(check->doctor, "store", "read", UEX_DOCTOR_OK, NULL,
                          "the object was read back as it was written");
}

static void check_removing(struct store_check *check)
{
    struct uex_fault fault = {0};
    enum uex_error err = check->store->remove(check->store, uex_buffer_text(&check->key), &fault);

    if (err == UEX_OK)
        uex_doctor_report(check->doctor, "store", "delete", UEX_DOCTOR_OK, NULL, "the probe object was deleted");
    else
        uex_doctor_report(check->doctor, "store", "delete", UEX_DOCTOR_WARN,
                          "delete the probe object by hand; workers do not need the right to delete",
                          "the probe object %s stays: %s", uex_buffer_text(&check->key), fault.text);
}

static void check_uploads(struct uex_doctor *doctor, const struct uex_store_inspection *found)
{
    char oldest[UEX_TIME_TEXT_SIZE];

    uex_time_format(found->oldest_at_ms, oldest);
    if (!found->uploads_known)
        uex_doctor_report(
            doctor, "store", "uploads", UEX_DOCTOR_WARN,
            "allow s3:ListBucketMultipartUploads, and give the bucket a lifecycle rule AbortIncompleteMultipartUpload",
            "incomplete multipart uploads cannot be listed: exports work, but what a killed worker leaves in the "
            "bucket stays until a lifecycle rule removes it");
    else if (found->old_uploads > 0)
        uex_doctor_report(doctor, "store", "uploads", UEX_DOCTOR_WARN,
                          "give the bucket a lifecycle rule AbortIncompleteMultipartUpload of 1 day",
                          "%zu incomplete multipart uploads are older than a day, the oldest of %s", found->old_uploads,
                          oldest);
    else
        uex_doctor_report(doctor, "store", "uploads", UEX_DOCTOR_OK, NULL,
                          "no incomplete multipart upload is older than a day");
}

static void check_server(struct store_check *check)
{
    struct uex_store_inspection found = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (check->store->inspect == NULL)
        return;
    err = check->store->inspect(check->store, uex_wall_ms() - DAY_MS, &found, &fault);
    if (err != UEX_OK) {
        uex_doctor_fail(check->doctor, "store", "uploads", err, &fault, NULL);
        return;
    }
    check_uploads(check->doctor, &found);
    if (found.server_at_ms != UEX_NO_TIME) /* cut to seconds: half a second more is the best guess */
        uex_doctor_clock(check->doctor, "store", "the server", found.server_at_ms + 500 - found.local_at_ms, 600);
}

static void try_writing(struct store_check *check)
{
    struct uex_fault fault = {0};
    enum uex_error err = write_object(check, SMALL_BYTES, &fault);

    if (err != UEX_OK) {
        uex_doctor_fail(check->doctor, "store", "write", err, &fault, NULL);
        return;
    }
    uex_doctor_report(check->doctor, "store", "write", UEX_DOCTOR_OK, NULL, "wrote %s", uex_buffer_text(&check->key));
    check_create_only(check, "one request", SMALL_BYTES);
    check_create_only(check, "in parts", BIG_BYTES);
    check_reading(check);
    check_removing(check);
}

/* Doctor does not create the bucket: the worker does, and a wrong name has to be noticed. */
static void try_store(struct store_check *check)
{
    struct uex_fault fault = {0};
    enum uex_error err = check->store->probe(check->store, &fault);

    if (err == UEX_STORE_BUCKET && check->store->is_missing) {
        uex_doctor_report(check->doctor, "store", "bucket", UEX_DOCTOR_WARN,
                          "create it, or let the first export create it if these credentials may", "%s", fault.text);
        uex_doctor_report(check->doctor, "store", "write", UEX_DOCTOR_SKIP, NULL, "not tried: there is no bucket");
        return;
    }
    if (err == UEX_STORE_REFUSED) { /* what follows shows which requests are refused, and which are not */
        uex_doctor_fail(check->doctor, "store", "requests", err, &fault, NULL);
    } else if (err != UEX_OK) {
        uex_doctor_fail(check->doctor, "store", "bucket", err, &fault, NULL);
        return;
    }
    uex_doctor_report(check->doctor, "store", "bucket", UEX_DOCTOR_OK, NULL, "%s answers",
                      check->doctor->config->storage_url);
    check_server(check);
    try_writing(check);
}

void uex_doctor_store(struct uex_doctor *doctor)
{
    struct store_check check = {.doctor = doctor};
    struct uex_store_service *service = NULL;
    uint8_t *bytes = calloc(1, BIG_BYTES);
    char name[UEX_UUID_TEXT_SIZE];
    struct uex_fault fault = {0};
    enum uex_error err = bytes == NULL ? uex_fail(&fault, UEX_NO_MEMORY, "no memory for a probe object")
                                       : uex_store_service_new(doctor->config, &service, &fault);

    if (err == UEX_OK)
        err = uex_object_store_new(service, &check.store, &fault);
    check.bytes = bytes;
    uex_uuid_random(name);
    if (doctor->config->export_domain_id != NULL && doctor->config->export_domain_id[0] != '\0')
        uex_buffer_append_format(&check.key, "%s/", doctor->config->export_domain_id); /* rights may end there */
    uex_buffer_append_format(&check.key, "doctor/%s.csv.gz", name);                    /* or at a suffix */
    if (err == UEX_OK && uex_buffer_failed(&check.key))
        err = uex_fail(&fault, UEX_NO_MEMORY, "no memory for a probe object");
    if (err != UEX_OK) {
        uex_doctor_fail(doctor, "store", "bucket", err, &fault, NULL);
    } else {
        check.store->cancel = &uex_program_cancel;
        try_store(&check);
    }
    if (check.store != NULL)
        check.store->destroy(check.store);
    uex_store_service_free(service);
    uex_buffer_clear(&check.key);
    free(bytes);
}

/* Without the cache, exports only query the database more often. */
void uex_doctor_redis(struct uex_doctor *doctor)
{
    struct uex_fault fault = {0};
    enum uex_error err = uex_redis_ping(doctor->config, &fault);

    if (err == UEX_NOT_FOUND)
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_SKIP, NULL, "redis.url is not set: no cache is used");
    else if (err != UEX_OK)
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_WARN, "check redis.url; exports work without the cache",
                          "%s", fault.text);
    else
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_OK, NULL, "PONG");
}
