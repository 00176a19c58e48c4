/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_unfinished.h — which keys below the store's prefix have incomplete multipart uploads, asked once for
 * many commands: a night of small groups would otherwise ask once for each. Source: Amazon S3 API Reference,
 * ListMultipartUploads. Any thread. */
#ifndef EXPORT_STORE_S3_UNFINISHED_H
#define EXPORT_STORE_S3_UNFINISHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uex_s3_store;

/* The last answer, shared by all stores of a program. */
struct uex_s3_unfinished {
    pthread_mutex_t lock; /* guards all below */
    char *keys;           /* each with its zero */
    size_t keys_bytes;
    int64_t asked_ms; /* monotonic, before the question; 0: nothing is known */
    bool asking;
    uint64_t forgotten; /* how often: an answer to a question from before is no answer */
};
void uex_s3_unfinished_init(struct uex_s3_unfinished *unfinished);
void uex_s3_unfinished_clear(struct uex_s3_unfinished *unfinished);

/* True: a list that was asked for within the last 150 ms, whole, has no upload of this key. What an earlier attempt of
 * a command has left is older than that: another worker's session has ended or was given back since, and what this
 * process leaves makes it ask anew (uex_s3_unfinished_forget()). False: not known, ask for the key itself. Never waits
 * for another thread's question; an error is no answer. */
bool uex_s3_has_no_unfinished(struct uex_s3_store *store, const char *whole_key);

/* An upload was left behind, or may have been. */
void uex_s3_unfinished_forget(struct uex_s3_unfinished *unfinished);
#endif
