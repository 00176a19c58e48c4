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

#define SMALL_BYTES ((size_t)1000)
#define KEPT_NAME "users-export-doctor" /* the same each time */

struct store_check {
    struct uex_doctor *doctor;
    struct uex_object_store *store;
    struct uex_buffer key;
    const uint8_t *bytes; /* BIG_BYTES of zeros */
    bool is_written;
};

/* Rights may end at a domain, or at a suffix. */
static void append_key(struct store_check *check, const char *name)
{
    const char *domain_id = check->doctor->config->export_domain_id;

    if (domain_id != NULL && domain_id[0] != '\0')
        uex_buffer_append_format(&check->key, "%s/", domain_id);
    uex_buffer_append_format(&check->key, "doctor/%s.csv.gz", name);
}

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

/* Nothing is written that could not be deleted afterwards. Deleting a name that is not there tells: it succeeds where
 * it is allowed. */
static enum uex_error try_removing(const struct store_check *check, struct uex_fault *fault)
{
    enum uex_error err = check->store->remove(check->store, uex_buffer_text(&check->key), fault);

    return err == UEX_NOT_FOUND ? UEX_OK : err;
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

/* Without the right to delete, which workers do not need. The probe has begun an upload and aborted it. Whether objects
 * can be overwritten is tried on an object that somebody put there for that. */
static void try_without_removing(struct store_check *check, enum uex_error probed, const struct uex_fault *denied)
{
    struct uex_object_facts facts = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    uex_doctor_report(check->doctor, "store", "delete", UEX_DOCTOR_OK, NULL,
                      "not allowed, and workers do not need it (%s); so no object is written", denied->text);
    uex_buffer_reset(&check->key);
    append_key(check, KEPT_NAME);
    if (uex_buffer_failed(&check->key))
        return;
    if (probed == UEX_OK)
        uex_doctor_report(check->doctor, "store", "write", UEX_DOCTOR_OK, NULL,
                          "the requests of an export are accepted: an upload was begun, and aborted");
    err = check->store->find(check->store, uex_buffer_text(&check->key), &facts, &fault);
    uex_object_facts_clear(&facts);
    if (err == UEX_OK) {
        check_create_only(check, "one request", SMALL_BYTES);
        check_create_only(check, "in parts", BIG_BYTES);
    } else if (err == UEX_NOT_FOUND) {
        uex_doctor_report(check->doctor, "store", "create-only", UEX_DOCTOR_SKIP, NULL,
                          "not tried: it needs an object that doctor may leave alone. With other credentials, put any "
                          "object at %s/%s, once; doctor tries to overwrite it, and must fail",
                          check->doctor->config->storage_url, uex_buffer_text(&check->key));
    } else {
        uex_doctor_fail(check->doctor, "store", "read", err, &fault, NULL);
    }
}

/* Doctor does not create the bucket: the worker does, and a wrong name has to be noticed. */
static void try_store(struct store_check *check)
{
    struct uex_fault fault = {0};
    enum uex_error err = check->store->probe(check->store, &fault), removed = UEX_OK;

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
                      uex_buffer_text(&check->doctor->where));
    check_server(check);
    removed = try_removing(check, &fault);
    if (removed == UEX_OK)
        try_writing(check);
    else if (removed == UEX_STORE_DENIED || removed == UEX_STORE_REFUSED || removed == UEX_STORE_FAILED)
        try_without_removing(check, err, &fault);
    else
        uex_doctor_fail(check->doctor, "store", "delete", removed, &fault, NULL);
}

static void name_server(struct uex_doctor *doctor)
{
    const struct uex_config *config = doctor->config;

    uex_buffer_append_text(&doctor->where, config->storage_url);
    if (strncmp(config->storage_url, "s3://", 5) == 0 && config->s3_endpoint != NULL && config->s3_endpoint[0] != 0)
        uex_buffer_append_format(&doctor->where, " at %s", config->s3_endpoint);
}

void uex_doctor_store(struct uex_doctor *doctor)
{
    struct store_check check = {.doctor = doctor};
    uint8_t *bytes = calloc(1, BIG_BYTES);
    char name[UEX_UUID_TEXT_SIZE];
    struct uex_fault fault = doctor->store_fault;
    enum uex_error err = bytes == NULL           ? uex_fail(&fault, UEX_NO_MEMORY, "no memory for a probe object")
                         : doctor->store == NULL ? fault.error
                                                 : uex_object_store_new(doctor->store, &check.store, &fault);

    name_server(doctor);
    check.bytes = bytes;
    uex_uuid_random(name);
    append_key(&check, name);
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
    uex_buffer_clear(&check.key);
    free(bytes);
}

/* Without the cache, exports only query the database more often. */
void uex_doctor_redis(struct uex_doctor *doctor)
{
    struct uex_fault fault = {0};
    enum uex_error err = uex_redis_ping(doctor->config, &fault);

    if (!uex_config_append_location(doctor->config->redis_url, &doctor->where))
        uex_buffer_append_text(&doctor->where, "redis.url");
    if (err == UEX_NOT_FOUND)
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_SKIP, NULL, "redis.url is not set: no cache is used");
    else if (err != UEX_OK)
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_WARN, "check redis.url; exports work without the cache",
                          "%s; asked: %s", fault.text, uex_buffer_text(&doctor->where));
    else
        uex_doctor_report(doctor, "redis", "answer", UEX_DOCTOR_OK, NULL, "PONG from %s",
                          uex_buffer_text(&doctor->where));
}
