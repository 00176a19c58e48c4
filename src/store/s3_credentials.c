/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_credentials.h"

#include "export/text.h"

static char *copy_of(const char *text)
{
    return uex_text_copy(uex_bytes_of_text(text == NULL ? "" : text));
}

enum uex_error uex_s3_credentials_fetch(const struct uex_config *config, struct uex_s3_credentials *out,
                                        struct uex_fault *fault)
{
    *out = (struct uex_s3_credentials){.access_key_id = copy_of(config->s3_access_key_id),
                                       .secret_access_key = copy_of(config->s3_secret_access_key),
                                       .session_token = copy_of(config->s3_session_token)};
    if (out->access_key_id == NULL || out->secret_access_key == NULL || out->session_token == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the store's credentials");
    if (out->access_key_id[0] == '\0' || out->secret_access_key[0] == '\0')
        return uex_fail(fault, UEX_STORE_AUTH, "s3.access_key_id and s3.secret_access_key are not set");
    return UEX_OK;
}

void uex_s3_credentials_clear(struct uex_s3_credentials *credentials)
{
    if (credentials == NULL)
        return;
    uex_secret_free(credentials->access_key_id);
    uex_secret_free(credentials->secret_access_key);
    uex_secret_free(credentials->session_token);
    *credentials = (struct uex_s3_credentials){0};
}
