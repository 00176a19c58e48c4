/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_unfinished.h — which keys below the store's prefix have unfinished uploads, asked once for many
 * commands: a night of small groups would otherwise ask once for each. Source: Amazon S3 API Reference,
 * ListMultipartUploads. */
#ifndef EXPORT_STORE_S3_UNFINISHED_H
#define EXPORT_STORE_S3_UNFINISHED_H

#include "store/s3_store.h"

/* True: a list that was asked for within the last 150 ms, whole, has no upload of this key. What an earlier attempt of
 * a command has left is older than that: another worker's session has ended or was given back since, and what this
 * process leaves makes it ask anew (uex_s3_unfinished_forget()). False: not known, ask for the key itself. Never waits
 * for another thread's question; an error is no answer. Any thread. */
bool uex_s3_has_no_unfinished(struct uex_s3_store *store, const char *whole_key);

/* An upload was left behind, or may have been. Any thread. */
void uex_s3_unfinished_forget(void);
/* At the end of the program. */
void uex_s3_unfinished_clear(void);
#endif
