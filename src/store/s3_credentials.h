/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_credentials.h — who signs. Fetched anew for each request, so that credentials may change between two. */
#ifndef EXPORT_STORE_S3_CREDENTIALS_H
#define EXPORT_STORE_S3_CREDENTIALS_H

#include "export/config.h"

/* Strings are owned; uex_s3_credentials_clear() wipes and frees them. Never logged, never in a fault. */
struct uex_s3_credentials {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* "": none */
};

/* The credentials in force now. UEX_STORE_AUTH if there are none, UEX_NO_MEMORY. The caller clears `out` in any case.
 * Any thread. */
UEX_MUST_CHECK enum uex_error uex_s3_credentials_fetch(const struct uex_config *config, struct uex_s3_credentials *out,
                                                       struct uex_fault *fault);
void uex_s3_credentials_clear(struct uex_s3_credentials *credentials);
#endif
