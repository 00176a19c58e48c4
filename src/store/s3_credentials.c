/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_credentials.h"

#include <pthread.h>

#include "export/clock.h"
#include "export/text.h"
#include "store/aws_identity.h"

#define RENEW_BEFORE_MS (5 * 60 * 1000) /* or a third of their life, if that is shorter */
#define ASK_PAUSE_MS 5000               /* after a refusal or no answer */

/* One for the process: all lanes sign as the same. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct uex_s3_credentials issued; /* by a role or the container */
    int64_t expires_ms, renew_ms;     /* wall time; 0: there are none */
    int64_t again_ms;                 /* monotonic: not asked before */
    bool asking;
    struct uex_fault refusal; /* of the last time */
    bool replaced;
    struct uex_s3_credentials given; /* instead of the configuration's */
} keep = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

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

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void take_issued(struct uex_s3_credentials *fresh, int64_t expires_ms)
{
    const int64_t now_ms = uex_wall_ms();
    const int64_t third_ms = (expires_ms - now_ms) / 3;

    uex_s3_credentials_clear(&keep.issued);
    keep.issued = *fresh;
    *fresh = (struct uex_s3_credentials){0};
    keep.expires_ms = expires_ms;
    keep.renew_ms = expires_ms - (third_ms < RENEW_BEFORE_MS ? third_ms : RENEW_BEFORE_MS);
}

/* Ask the issuer, without the lock: those that are still valid go on being used meanwhile. */
static void renew(const struct uex_config *config)
{
    struct uex_s3_credentials fresh = {0};
    struct uex_fault fault = {0};
    int64_t expires_ms = 0;
    bool goes_on = false;
    enum uex_error err;

    keep.asking = true;
    pthread_mutex_unlock(&keep.lock);
    err = uex_aws_identity_ask(config, &fresh, &expires_ms, &fault);
    pthread_mutex_lock(&keep.lock);
    keep.asking = false;
    keep.again_ms = uex_monotonic_ms() + ASK_PAUSE_MS;
    keep.refusal = fault;
    if (err == UEX_OK)
        take_issued(&fresh, expires_ms);
    else
        goes_on = uex_wall_ms() < keep.expires_ms;
    pthread_cond_broadcast(&keep.changed);
    pthread_mutex_unlock(&keep.lock);
    if (goes_on) /* without the lock: a line may wait for a reader of stderr, and every request needs credentials */
        uex_log(UEX_LOG_WARN, UEX_EVENT_CREDENTIALS_NOT_RENEWED,
                "renewing the store's credentials failed; they are still valid, trying again",
                UEX_STR("code", uex_error_code(err)), UEX_STR("error", fault.text));
    uex_s3_credentials_clear(&fresh);
    pthread_mutex_lock(&keep.lock);
}

/* With the lock held. */
static enum uex_error fetch_issued(const struct uex_config *config, struct uex_s3_credentials *out,
                                   struct uex_fault *fault)
{
    for (;;) {
        const bool valid = uex_wall_ms() < keep.expires_ms;
        const bool due = !valid || uex_wall_ms() >= keep.renew_ms;
        const bool may_ask = !keep.asking && uex_monotonic_ms() >= keep.again_ms;

        if (due && may_ask) {
            renew(config);
            continue;
        }
        if (valid)
            return copy(&keep.issued, out, fault);
        if (!keep.asking) {
            if (fault != NULL)
                *fault = keep.refusal;
            return keep.refusal.error == UEX_OK ? UEX_STORE_AUTH : keep.refusal.error;
        }
        pthread_cond_wait(&keep.changed, &keep.lock); /* bounded: who asks has 10 s */
    }
}

enum uex_error uex_s3_credentials_fetch(const struct uex_config *config, struct uex_s3_credentials *out,
                                        struct uex_fault *fault)
{
    enum uex_error err;

    *out = (struct uex_s3_credentials){0};
    pthread_mutex_lock(&keep.lock);
    const struct uex_s3_credentials given = keep.replaced ? keep.given : of_config(config);
    if (is_set(given.access_key_id) && is_set(given.secret_access_key))
        err = copy(&given, out, fault);
    else if (uex_config_aws_given(config))
        err = fetch_issued(config, out, fault);
    else
        err = uex_fail(fault, UEX_STORE_AUTH, "s3.access_key_id and s3.secret_access_key are not set");
    pthread_mutex_unlock(&keep.lock);
    return err;
}

void uex_s3_credentials_doubt(void)
{
    pthread_mutex_lock(&keep.lock);
    keep.renew_ms = 0;
    pthread_mutex_unlock(&keep.lock);
}

static bool differ(const char *one, const char *other)
{
    return strcmp(one == NULL ? "" : one, other == NULL ? "" : other) != 0;
}

enum uex_error uex_s3_credentials_replace(const struct uex_config *config, bool *changed)
{
    const struct uex_s3_credentials wanted = of_config(config);
    struct uex_s3_credentials fresh = {0};
    const enum uex_error err = copy(&wanted, &fresh, NULL);

    *changed = false;
    if (err != UEX_OK) {
        uex_s3_credentials_clear(&fresh);
        return err;
    }
    pthread_mutex_lock(&keep.lock);
    *changed = !keep.replaced || differ(keep.given.access_key_id, fresh.access_key_id) ||
               differ(keep.given.secret_access_key, fresh.secret_access_key) ||
               differ(keep.given.session_token, fresh.session_token);
    uex_s3_credentials_clear(&keep.given);
    keep.given = fresh;
    keep.replaced = true;
    pthread_mutex_unlock(&keep.lock);
    return UEX_OK;
}

void uex_s3_credentials_forget(void)
{
    pthread_mutex_lock(&keep.lock);
    uex_s3_credentials_clear(&keep.issued);
    uex_s3_credentials_clear(&keep.given);
    keep.replaced = false;
    keep.expires_ms = keep.renew_ms = keep.again_ms = 0;
    keep.refusal = (struct uex_fault){0};
    pthread_mutex_unlock(&keep.lock);
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
