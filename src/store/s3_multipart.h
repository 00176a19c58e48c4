/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_multipart.h — the requests of a multipart upload. Source: Amazon S3 API Reference,
 * CreateMultipartUpload, UploadPart, AbortMultipartUpload, ListMultipartUploads. */
#ifndef EXPORT_STORE_S3_MULTIPART_H
#define EXPORT_STORE_S3_MULTIPART_H

#include "store/s3_store.h"

#define UEX_S3_PART_BYTES ((size_t)8 << 20)
#define UEX_S3_PARTS_MAX 10000
#define UEX_S3_UPLOAD_ID_SIZE 1025

/* For all that an earlier attempt left, in all; each request that is under way then has its own bound. */
#define UEX_S3_LEFTOVERS_LIMIT_MS 30000
/* For one page of a list of uploads. It is asked for once: no outcome depends on it, so nobody waits for it. */
#define UEX_S3_LIST_LIMIT_MS 5000

/* Start an upload, with so many repetitions. `*stray` is set when an earlier try may have started another one, whose id
 * never came back. */
UEX_MUST_CHECK enum uex_error uex_s3_upload_create(struct uex_s3_store *store, const char *whole_key,
                                                   const struct uex_object_meta *meta, unsigned repetitions,
                                                   char *upload_id, bool *stray, struct uex_fault *fault);

/* One part on its way. */
struct uex_s3_part {
    struct uex_s3_client *client;
    const char *whole_key, *upload_id; /* borrowed */
    unsigned number;                   /* from 1 */
    struct uex_bytes data;             /* borrowed */
    const struct uex_cancel *cancel;
    unsigned repetitions;
    char etag[UEX_S3_ETAG_SIZE]; /* out */
    enum uex_error result;       /* out; UEX_STORE_RACE: the upload is gone */
    struct uex_fault fault;      /* out */
};
/* Upload it, with its repetitions; `context` is a struct uex_s3_part. Any thread that may use its client. */
void uex_s3_part_run(void *context);

/* Abort an upload; one that is gone is fine. Goes on when the store's cancel flag is set, so it is bounded by itself:
 * 3 tries of 5 s at most. */
UEX_MUST_CHECK enum uex_error uex_s3_upload_abort(struct uex_s3_store *store, const char *whole_key,
                                                  const char *upload_id, struct uex_fault *fault);
/* Does an error of a list of unfinished uploads, or of the abort of one, end what is done? Only what does not come
 * from the store. Anything else means that they stay: if the store is away, the next request says so. */
bool uex_s3_list_error_matters(enum uex_error error);

/* Abort the uploads of exactly this key: 100 at most, and within `limit_ms`. That they cannot be listed or aborted, for
 * whatever reason, or that some are left, is no error: it is logged once (event uploads-stay), since no
 * outcome depends on it. UEX_CANCELLED, UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_s3_uploads_abort(struct uex_s3_store *store, const char *whole_key,
                                                   const struct uex_cancel *cancel, int64_t limit_ms,
                                                   struct uex_fault *fault);
#endif
