/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_credentials.h — who signs. Fetched for each request, so that credentials may change between two.
 *
 * Where they come from, the first that is there: s3.access_key_id and s3.secret_access_key; a role that a web identity
 * token stands for (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE); the container's credentials endpoint. Those of the last
 * two expire: the source keeps them, and renews them before that. Any thread.
 */
#ifndef EXPORT_STORE_S3_CREDENTIALS_H
#define EXPORT_STORE_S3_CREDENTIALS_H

#include "export/config.h"

/* Strings are owned; uex_s3_credentials_clear() wipes and frees them. Never logged, never in a fault. */
struct uex_s3_credentials {
    char *access_key_id;
    char *secret_access_key;
    char *session_token; /* "": none */
};

void uex_s3_credentials_clear(struct uex_s3_credentials *credentials);

/* Where the credentials of a program come from: one source for all its stores. */
struct uex_s3_credential_source;

/* `config` is borrowed: it names the issuer. NULL: no memory. */
UEX_MUST_CHECK struct uex_s3_credential_source *uex_s3_credential_source_new(const struct uex_config *config);
/* Wipes what it holds. Accepts NULL. */
void uex_s3_credential_source_free(struct uex_s3_credential_source *source);

/* The credentials in force now. UEX_STORE_AUTH if there are none, or the issuer refuses them; UEX_STORE_UNAVAILABLE if
 * the issuer does not answer; UEX_NO_MEMORY. Waits for the issuer at most some 10 s, and only while none are valid. The
 * caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_s3_credentials_fetch(struct uex_s3_credential_source *source,
                                                       struct uex_s3_credentials *out, struct uex_fault *fault);
/* The store refused these credentials: temporary ones are asked for again at the next request, at most every 5 s. */
void uex_s3_credentials_doubt(struct uex_s3_credential_source *source);
/* From now on those of `config` (read here, not kept) are used instead of the ones given before. `changed`: they
 * differ. UEX_NO_MEMORY: the old ones stay. */
UEX_MUST_CHECK enum uex_error uex_s3_credentials_replace(struct uex_s3_credential_source *source,
                                                         const struct uex_config *config, bool *changed);
#endif
