/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_credentials.h"

#include <pthread.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/text.h"
#include "store/aws_identity.h"

#define RENEW_BEFORE_MS (5 * 60 * 1000) /* or a third of their life, if that is shorter */
#define ASK_PAUSE_MS 5000               /* after a refusal or no answer */

struct uex_s3_credential_source {
    const struct uex_config *config; /* names the issuer */
    pthread_mutex_t lock;            /* guards all below */
    pthread_cond_t changed;
    struct uex_s3_credentials given;  /* in the configuration; "": not set */
    struct uex_s3_credentials issued; /* by a role or the container */
    int64_t expires_ms, renew_ms;     /* wall time; 0: there are none */
    int64_t again_ms;                 /* monotonic: not asked before */
    bool asking;
    struct uex_fault refusal; /* of the last time */
};

static char *copy_of(const char *text)
{
    return uex_text_copy(uex_bytes_of_text(text == NULL ? "" : text));
}

static enum uex_error copy(const struct uex_s3_credentials *from, struct uex_s3_credentials *out,
                           struct uex_fault *fault)
{
    *out = (struct uex_s3_credentials){.access_key_id = copy_of(from->access_key_id),
                                       .secret_access_key = copy_of(from->secret_access_key),
                                       .session_token = copy_of(from->session_token)};
    if (out->access_key_id == NULL || out->secret_access_key == NULL || out->session_token == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the store's credentials");
    return UEX_OK;
}

static struct uex_s3_credentials of_config(const struct uex_config *config)
{
    return (struct uex_s3_credentials){.access_key_id = config->s3_access_key_id,
                                       .secret_access_key = config->s3_secret_access_key,
                                       .session_token = config->s3_session_token};
}

struct uex_s3_credential_source *uex_s3_credential_source_new(const struct uex_config *config)
{
    struct uex_s3_credential_source *source = calloc(1, sizeof(*source));
    const struct uex_s3_credentials given = of_config(config);

    if (source == NULL)
        return NULL;
    source->config = config;
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->changed, NULL);
    if (copy(&given, &source->given, NULL) == UEX_OK)
        return source;
    uex_s3_credential_source_free(source);
    return NULL;
}

void uex_s3_credential_source_free(struct uex_s3_credential_source *source)
{
    if (source == NULL)
        return;
    uex_s3_credentials_clear(&source->issued);
    uex_s3_credentials_clear(&source->given);
    pthread_cond_destroy(&source->changed);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

static void keep_issued_synced(struct uex_s3_credential_source *source, struct uex_s3_credentials *fresh,
                               int64_t expires_ms)
{
    const int64_t now_ms = uex_wall_ms();
    const int64_t third_ms = (expires_ms - now_ms) / 3;

    uex_s3_credentials_clear(&source->issued);
    source->issued = *fresh;
    *fresh = (struct uex_s3_credentials){0};
    source->expires_ms = expires_ms;
    source->renew_ms = expires_ms - (third_ms < RENEW_BEFORE_MS ? third_ms : RENEW_BEFORE_MS);
}

/* Ask the issuer. The lock is released meanwhile: credentials that are still valid are used. */
static void renew_synced(struct uex_s3_credential_source *source)
{
    struct uex_s3_credentials fresh = {0};
    struct uex_fault fault = {0};
    int64_t expires_ms = 0;
    bool goes_on = false;
    enum uex_error err;

    source->asking = true;
    pthread_mutex_unlock(&source->lock);
    err = uex_aws_identity_ask(source->config, &fresh, &expires_ms, &fault);
    pthread_mutex_lock(&source->lock);
    source->asking = false;
    source->again_ms = uex_monotonic_ms() + ASK_PAUSE_MS;
    source->refusal = fault;
    if (err == UEX_OK)
        keep_issued_synced(source, &fresh, expires_ms);
    else
        goes_on = uex_wall_ms() < source->expires_ms;
    pthread_cond_broadcast(&source->changed);
    pthread_mutex_unlock(&source->lock);
    if (goes_on) /* not under the lock: a full pipe at stderr would block every request */
        uex_log(UEX_LOG_WARN, UEX_EVENT_CREDENTIALS_NOT_RENEWED,
                "renewing the store's credentials failed; they are still valid, trying again",
                UEX_STR("code", uex_error_code(err)), UEX_STR("error", fault.text));
    uex_s3_credentials_clear(&fresh);
    pthread_mutex_lock(&source->lock);
}

static enum uex_error fetch_issued_synced(struct uex_s3_credential_source *source, struct uex_s3_credentials *out,
                                          struct uex_fault *fault)
{
    for (;;) {
        const bool valid = uex_wall_ms() < source->expires_ms;
        const bool due = !valid || uex_wall_ms() >= source->renew_ms;
        const bool may_ask = !source->asking && uex_monotonic_ms() >= source->again_ms;

        if (due && may_ask) {
            renew_synced(source);
            continue;
        }
        if (valid)
            return copy(&source->issued, out, fault);
        if (!source->asking) {
            if (fault != NULL)
                *fault = source->refusal;
            return source->refusal.error == UEX_OK ? UEX_STORE_AUTH : source->refusal.error;
        }
        pthread_cond_wait(&source->changed, &source->lock); /* bounded: the thread that asks has 10 s */
    }
}

enum uex_error uex_s3_credentials_fetch(struct uex_s3_credential_source *source, struct uex_s3_credentials *out,
                                        struct uex_fault *fault)
{
    enum uex_error err;

    *out = (struct uex_s3_credentials){0};
    pthread_mutex_lock(&source->lock);
    if (source->given.access_key_id[0] != '\0' && source->given.secret_access_key[0] != '\0')
        err = copy(&source->given, out, fault);
    else if (uex_config_aws_given(source->config))
        err = fetch_issued_synced(source, out, fault);
    else
        err = uex_fail(fault, UEX_STORE_AUTH, "s3.access_key_id and s3.secret_access_key are not set");
    pthread_mutex_unlock(&source->lock);
    return err;
}

void uex_s3_credentials_doubt(struct uex_s3_credential_source *source)
{
    pthread_mutex_lock(&source->lock);
    source->renew_ms = 0;
    pthread_mutex_unlock(&source->lock);
}

enum uex_error uex_s3_credentials_replace(struct uex_s3_credential_source *source, const struct uex_config *config,
                                          bool *changed)
{
    const struct uex_s3_credentials wanted = of_config(config);
    struct uex_s3_credentials fresh = {0};
    const enum uex_error err = copy(&wanted, &fresh, NULL);

    *changed = false;
    if (err != UEX_OK) {
        uex_s3_credentials_clear(&fresh);
        return err;
    }
    pthread_mutex_lock(&source->lock);
    *changed = strcmp(source->given.access_key_id, fresh.access_key_id) != 0 ||
               strcmp(source->given.secret_access_key, fresh.secret_access_key) != 0 ||
               strcmp(source->given.session_token, fresh.session_token) != 0;
    uex_s3_credentials_clear(&source->given);
    source->given = fresh;
    pthread_mutex_unlock(&source->lock);
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
