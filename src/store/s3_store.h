/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_store.h — what the files of the S3 store share. A store is its lane's thread's; only a part on its way
 * runs on the task thread, with a client of its own. */
#ifndef EXPORT_STORE_S3_STORE_H
#define EXPORT_STORE_S3_STORE_H

#include "store/object_meta.h"
#include "store/s3_checksum.h"
#include "store/s3_service.h"
#include "store/task_thread.h"

struct uex_s3_store {
    struct uex_object_store base;           /* first: the store is handed out as this */
    struct uex_s3_service *service;         /* borrowed */
    const struct uex_s3_settings *settings; /* the service's */
    struct uex_s3_client *client;
    struct uex_s3_client *part_client; /* the task thread's; made with the first part */
    struct uex_task_thread *parts;     /* the same */
    uint8_t *spare_part;               /* memory of the last small object, for the next; NULL: none */
    struct uex_s3_answer published;    /* to the last try to publish since the last find(); status 0: none */
};

/* ---- s3_object.c */

/* Headers of a request that creates an object: media type, what s3.sse, s3.storage_class, s3.tagging, s3.acl and
 * s3.checksum say, metadata. Not to be copied: items point into it. */
#define UEX_S3_WRITE_HEADERS_MAX 20
struct uex_s3_write_headers {
    struct uex_s3_header items[UEX_S3_WRITE_HEADERS_MAX];
    size_t count;
    char names[8][40]; /* "x-amz-meta-…" */
    char values[8][80];
    size_t meta_count;
    char checksum[UEX_S3_CHECKSUM_SIZE];
};
void uex_s3_write_headers_init(struct uex_s3_write_headers *headers, const struct uex_config *config,
                               const struct uex_object_meta *meta);
/* As uex_s3_write_headers_init(), with the media type of this key. */
void uex_s3_write_headers_init_for(struct uex_s3_write_headers *headers, const struct uex_config *config,
                                   const struct uex_object_meta *meta, const char *key);
void uex_s3_write_headers_add(struct uex_s3_write_headers *headers, const char *name, const char *value);
/* What s3.checksum asks for with an object in one PUT; arguments as uex_s3_checksum_of(). UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_s3_write_headers_add_checksum(struct uex_s3_write_headers *headers,
                                                                const struct uex_config *config, struct uex_bytes body,
                                                                const uint8_t *sha256);

/* retry.attempts. */
unsigned uex_s3_repetitions(const struct uex_s3_store *store);

/* The whole key: the URL's prefix and `key`. UEX_INTERNAL: not a valid key, UEX_NO_MEMORY. `*out` is owned by the
 * caller. */
UEX_MUST_CHECK enum uex_error uex_s3_whole_key(const struct uex_s3_store *store, const char *key, char **out,
                                               struct uex_fault *fault);

/* HEAD of a whole key. UEX_NOT_FOUND: nothing there. facts->url stays NULL. */
UEX_MUST_CHECK enum uex_error uex_s3_head(struct uex_s3_store *store, const char *whole_key, unsigned repetitions,
                                          struct uex_object_facts *facts, struct uex_fault *fault);

/* An answer to HEAD has no body, so it does not show whether the credentials or the rights are missing. Ask again with
 * `request` (a GET) and return the error of that, or `error` if that one is no worse. */
UEX_MUST_CHECK enum uex_error uex_s3_explain(struct uex_s3_store *store, enum uex_error error,
                                             const struct uex_s3_request *request, struct uex_fault *fault);

/* ---- s3_probe.c */

/* Try the requests of an export on a name of the program's own, once each. What it may leave behind stands
 * there. UEX_STORE_REFUSED: one is refused, so it is to everybody; the fault has the server's status and code. Other
 * errors are those of a request. */
UEX_MUST_CHECK enum uex_error uex_s3_try_requests(struct uex_s3_store *store, struct uex_fault *fault);

/* Members of the store, in s3_bucket.c, s3_writer.c and s3_uploads.c. */
enum uex_error uex_s3_prepare(struct uex_object_store *store, struct uex_fault *fault);
enum uex_error uex_s3_probe(struct uex_object_store *store, struct uex_fault *fault);
enum uex_error uex_s3_inspect(struct uex_object_store *store, int64_t before_ms, struct uex_store_inspection *out,
                              struct uex_fault *fault);
enum uex_error uex_s3_abort_incomplete(struct uex_object_store *store, const char *key, struct uex_fault *fault);
enum uex_error uex_s3_begin(struct uex_object_store *store, const char *key, struct uex_object_writer **out,
                            struct uex_fault *fault);
enum uex_error uex_s3_write(struct uex_object_writer *writer, struct uex_bytes data, struct uex_fault *fault);
void uex_s3_set_tags(struct uex_object_writer *writer, const struct uex_object_tags *tags);
enum uex_error uex_s3_commit(struct uex_object_writer *writer, uint64_t row_count, struct uex_object_facts *facts,
                             struct uex_fault *fault);
void uex_s3_abort(struct uex_object_writer *writer);
void uex_s3_forget_spare(struct uex_s3_store *store);

/* A store of the service, which must outlive it. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_s3_store_new(struct uex_s3_service *service, struct uex_object_store **out,
                                               struct uex_fault *fault);
#endif
