/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_uploads.h — incomplete multipart uploads: listed, and aborted. Source: Amazon S3 API Reference,
 * ListMultipartUploads, AbortMultipartUpload. */
#ifndef EXPORT_STORE_S3_UPLOADS_H
#define EXPORT_STORE_S3_UPLOADS_H

#include <pthread.h>

#include "export/clock.h"

#define UEX_S3_UPLOAD_ID_SIZE 1025

/* For all that an earlier attempt left, in all; each request that is under way then has its own bound. */
#define UEX_S3_INCOMPLETE_LIMIT_MS 30000

struct uex_s3_store;

/* The keys below the prefix of storage.url that have such uploads, as the store listed them last. Asked once for many
 * commands: a night of small groups would otherwise ask once for each. All stores of a program share it. Any thread. */
struct uex_s3_uploads {
    pthread_mutex_t lock; /* guards all below */
    char *keys;           /* each with its zero */
    size_t keys_bytes;
    int64_t asked_ms; /* monotonic, before the question; 0: nothing is known */
    bool asking;
    uint64_t forgotten; /* how often: an answer to a question from before is no answer */
};
void uex_s3_uploads_init(struct uex_s3_uploads *uploads);
void uex_s3_uploads_clear(struct uex_s3_uploads *uploads);
/* An upload was left behind, or may have been: what was listed is not used any more. */
void uex_s3_uploads_forget(struct uex_s3_uploads *uploads);

/* Abort an upload; one that is gone is fine. Goes on when the store's cancel flag is set, so it is bounded by itself:
 * 3 tries of 5 s at most. */
UEX_MUST_CHECK enum uex_error uex_s3_upload_abort(struct uex_s3_store *store, const char *whole_key,
                                                  const char *upload_id, struct uex_fault *fault);

/* Abort the uploads of exactly this key: 100 at most, and within `limit_ms`. That they cannot be listed or aborted, for
 * whatever reason, or that some are left, is no error: it is logged once (event uploads-stay), since no outcome depends
 * on it. `*some_left` (may be NULL) tells. UEX_CANCELLED, UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_s3_uploads_abort(struct uex_s3_store *store, const char *whole_key,
                                                   const struct uex_cancel *cancel, int64_t limit_ms, bool *some_left,
                                                   struct uex_fault *fault);
#endif
