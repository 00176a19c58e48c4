/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/object_store.h — where exported objects go.
 *
 * A store creates immutable objects: a name is written once or not at all. Two implementations: src/store/s3*.c and
 * src/store/file.c. A store is owned by one lane and used by its thread only. Step retries (retry.attempts) happen
 * inside. Waits end by s3.connect_timeout, s3.stall_timeout (no byte moved) or `cancel`.
 */
#ifndef EXPORT_OBJECT_STORE_H
#define EXPORT_OBJECT_STORE_H

#include "export/clock.h"
#include "export/config.h"
#include "export/digest.h"
#include "export/uuid.h"

#define UEX_OBJECT_LAYOUT_SIZE 17 /* of the id of a layout: 16 hex digits and a zero */

/* What is written beside an object as its metadata (export-version, export-format, export-layout, export-command-id,
 * export-snapshot-at, export-row-count, export-sha256). */
struct uex_object_tags {
    char command_id[UEX_UUID_TEXT_SIZE];
    char layout_id[UEX_OBJECT_LAYOUT_SIZE]; /* "": left out */
    const char *format;                     /* static; NULL: left out */
    const char *content_type;               /* static; NULL: application/gzip */
    int64_t snapshot_at_ms;
};

/* What is known of a stored object. `url` is owned; uex_object_facts_clear() frees it. */
struct uex_object_facts {
    char *url;           /* s3://bucket/key as it stands, or file:///path with '%' as "%25" */
    uint64_t size_bytes; /* UEX_UNKNOWN until known */
    uint64_t row_count;  /* UEX_UNKNOWN until known */
    bool has_sha256;
    uint8_t sha256[UEX_SHA256_SIZE];        /* of the stored bytes, that is of the gzip stream */
    char command_id[UEX_UUID_TEXT_SIZE];    /* "" if the object has no such metadata: it is not ours */
    char layout_id[UEX_OBJECT_LAYOUT_SIZE]; /* "": not known, as of objects of version 1.0 */
    int64_t snapshot_at_ms;                 /* UEX_NO_TIME until known */
};
void uex_object_facts_clear(struct uex_object_facts *facts);

/* Observes requests to a store's server; members may be NULL. Called on the owner's thread and, while parts are on
 * their way, on one of the store's own. */
struct uex_store_observer {
    void *context;
    /* A request has ended: its method, the answer's HTTP status (0: no answer). */
    void (*request)(void *context, const char *method, long status, int64_t duration_ms);
    void (*moved)(void *context); /* bytes have moved in either direction */
};

/* What a store's server reports, for `exportctl doctor`. */
struct uex_store_inspection {
    int64_t server_at_ms; /* its clock (HTTP Date, whole seconds), UEX_NO_TIME: not known */
    int64_t local_at_ms;  /* ours in the middle of that request */
    bool uploads_known;   /* false: it does not list incomplete multipart uploads */
    size_t old_uploads;   /* of our prefix, begun before the time asked for */
    int64_t oldest_at_ms; /* UEX_NO_TIME: there is none */
};

struct uex_object_writer; /* one object being written; memory bound: 2 parts of 8 MiB */

struct uex_object_store {
    /* Ensure that the bucket or directory is there (made if it may be), once per service. UEX_STORE_BUCKET,
     * UEX_STORE_AUTH, … */
    enum uex_error (*prepare)(struct uex_object_store *store, struct uex_fault *fault);
    /* The neutral probe, without step retries: is the bucket or directory there, and does it take the requests of an
     * export (a look-up, a write) on a name of the program's own below export.domain_id, else below `domain_id`? With
     * neither only the bucket is looked at, since rights may end at a domain. UEX_STORE_REFUSED: it refuses them, and
     * so to every export; UEX_STORE_BUCKET, UEX_STORE_AUTH, UEX_STORE_UNAVAILABLE, … */
    enum uex_error (*probe)(struct uex_object_store *store, struct uex_fault *fault);
    /* The object under `key`; UEX_NOT_FOUND if there is none. */
    enum uex_error (*find)(struct uex_object_store *store, const char *key, struct uex_object_facts *facts,
                           struct uex_fault *fault);
    /* Read an object's bytes as a stream into `sink`. */
    enum uex_error (*read)(struct uex_object_store *store, const char *key, struct uex_sink sink,
                           struct uex_fault *fault);
    /* Abort incomplete multipart uploads, or delete temporary files, that an earlier attempt at `key` left. */
    enum uex_error (*abort_incomplete)(struct uex_object_store *store, const char *key, struct uex_fault *fault);
    /* Delete an object; only for probe objects of `exportctl doctor` and tests, never for exports. */
    enum uex_error (*remove)(struct uex_object_store *store, const char *key, struct uex_fault *fault);
    /* Its server's clock, and multipart uploads that were begun before `before_ms` and never ended. NULL: it has no
     * server. */
    enum uex_error (*inspect)(struct uex_object_store *store, int64_t before_ms, struct uex_store_inspection *out,
                              struct uex_fault *fault);
    /* Start writing `key` (without the URL's prefix, already percent-encoded). Nothing is visible under it before
     * commit(). */
    enum uex_error (*begin)(struct uex_object_store *store, const char *key, struct uex_object_writer **out,
                            struct uex_fault *fault);
    /* Append. Returns while a part is still on its way; blocks while two are. The caller keeps `data`. The tags may be
     * set at any time before the first part goes out, that is before 8 MiB were written. */
    enum uex_error (*write)(struct uex_object_writer *writer, struct uex_bytes data, struct uex_fault *fault);
    void (*set_tags)(struct uex_object_writer *writer, const struct uex_object_tags *tags);
    /* Publish, create-only, and free the writer in any case. `row_count` becomes metadata where the upload had not
     * begun before (one PUT). UEX_OBJECT_EXISTS: the key is taken, nothing was changed: ask find(). UEX_STORE_RACE:
     * what the store answered leaves open who won: ask find(), run again if there is nothing. Source: Amazon S3 API
     * Reference, PutObject and CompleteMultipartUpload, header If-None-Match. */
    enum uex_error (*commit)(struct uex_object_writer *writer, uint64_t row_count, struct uex_object_facts *facts,
                             struct uex_fault *fault);
    /* Give up at any point before commit; leaves no trace in the store; frees. Accepts NULL. */
    void (*abort)(struct uex_object_writer *writer);
    void (*destroy)(struct uex_object_store *store);
    char domain_id[UEX_UUID_TEXT_SIZE]; /* set by the owner: of the command that runs or ran last, whose domain a probe
                                           tries where export.domain_id is not set; "": there was none */
    bool is_missing; /* set by probe(): there is no such bucket or directory, so prepare() would try to make it */
    const struct uex_cancel *cancel;           /* set by the owner; NULL: none */
    const struct uex_store_observer *observer; /* set by the owner before its first request; NULL: none */
};

/* Is storage.url well formed, and do s3.* fit? UEX_CONFIG with the reason. Touches nothing. */
UEX_MUST_CHECK enum uex_error uex_object_store_check(const struct uex_config *config, struct uex_fault *fault);

/* What all stores of a program share: where storage.url points, the credentials in force, and what was learnt of the
 * server. A program owns one, and makes a store of it for each lane. */
struct uex_store_service;

/* The service of storage.url and s3.*. The config must outlive it. Touches no server. Main thread, before others: it
 * sets libcurl up. UEX_CONFIG with the reason; UEX_NO_MEMORY; UEX_INTERNAL: libcurl cannot be used. */
UEX_MUST_CHECK enum uex_error uex_store_service_new(const struct uex_config *config, struct uex_store_service **out,
                                                    struct uex_fault *fault);
/* Wipes the credentials. After its stores are destroyed. Accepts NULL. */
void uex_store_service_free(struct uex_store_service *service);
/* From now on requests are signed with the credentials of `config` (read here, not kept). `changed`: they differ from
 * those before. UEX_NO_MEMORY: the old ones stay. Any thread. */
UEX_MUST_CHECK enum uex_error uex_store_service_replace_credentials(struct uex_store_service *service,
                                                                    const struct uex_config *config, bool *changed);

/* A store of the service, which must outlive it. UEX_NO_MEMORY. Any thread. */
UEX_MUST_CHECK enum uex_error uex_object_store_new(struct uex_store_service *service, struct uex_object_store **out,
                                                   struct uex_fault *fault);

/* "<domainId>/<groupId, percent-encoded>/<commandId><ending>", ending like ".csv.gz"; the store adds its prefix. */
void uex_object_key(const char *domain_id, const char *group_id, const char *command_id, const char *ending,
                    struct uex_buffer *out);
#endif
