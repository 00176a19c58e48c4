/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket: is it there, may it be made. */
#include <pthread.h>
#include <stdlib.h>

#include "store/s3_error.h"
#include "store/s3_store.h"

/* Buckets that this process found or made, as "host bucket"; beyond these a bucket is looked at again each time. */
#define PREPARED_MAX 8
static pthread_mutex_t prepared_lock = PTHREAD_MUTEX_INITIALIZER;
static char *prepared[PREPARED_MAX];

static bool prepared_has(const char *name)
{
    bool found = false;

    pthread_mutex_lock(&prepared_lock);
    for (size_t i = 0; i < PREPARED_MAX && !found; i++)
        found = prepared[i] != NULL && strcmp(prepared[i], name) == 0;
    pthread_mutex_unlock(&prepared_lock);
    return found;
}

static void prepared_add(const char *name)
{
    pthread_mutex_lock(&prepared_lock);
    for (size_t i = 0; i < PREPARED_MAX; i++) {
        if (prepared[i] == NULL)
            prepared[i] = strdup(name);
        if (prepared[i] == NULL)
            break;
        if (strcmp(prepared[i], name) == 0)
            break;
    }
    pthread_mutex_unlock(&prepared_lock);
}

void uex_s3_prepared_clear(void)
{
    pthread_mutex_lock(&prepared_lock);
    for (size_t i = 0; i < PREPARED_MAX; i++) {
        free(prepared[i]);
        prepared[i] = NULL;
    }
    pthread_mutex_unlock(&prepared_lock);
}

static bool name_of(const struct uex_s3_store *store, struct uex_buffer *name)
{
    uex_buffer_append_format(name, "%s://%s %s", store->settings.scheme, store->settings.host,
                             store->settings.url.bucket);
    return !uex_buffer_failed(name);
}

/* UEX_OK: the bucket is there and the credentials are good. UEX_STORE_DENIED: they may not look at the bucket. */
static enum uex_error look(struct uex_s3_store *store, unsigned repetitions, struct uex_fault *fault)
{
    static const struct uex_s3_param list_one[] = {{"list-type", "2"}, {"max-keys", "1"}};
    struct uex_s3_request request = {.method = "HEAD", .cancel = store->base.cancel, .what = "the bucket"};
    struct uex_s3_response response = {0};
    enum uex_error err = uex_s3_send_retrying(store->client, &request, repetitions, &response, NULL, fault);

    uex_s3_response_clear(&response);
    /* A 404 too: versitygw answers so to an access key that it does not know. */
    if (err == UEX_NOT_FOUND || err == UEX_STORE_DENIED || err == UEX_STORE_FAILED || err == UEX_STORE_AUTH) {
        request.method = "GET";
        request.params = list_one;
        request.param_count = 2;
        enum uex_error told = uex_s3_explain(store, err, &request, fault);
        err = err == UEX_NOT_FOUND && told == UEX_STORE_BUCKET ? UEX_NOT_FOUND : told;
    }
    return err;
}

static enum uex_error create(struct uex_s3_store *store, struct uex_fault *fault)
{
    const char *region = store->settings.config->s3_region;
    struct uex_s3_request request = {.method = "PUT", .cancel = store->base.cancel, .what = "the bucket"};
    struct uex_s3_response response = {0};
    struct uex_buffer body = {0};
    char code[UEX_S3_CODE_SIZE];
    enum uex_error err;

    /* us-east-1 has no name as a location. Source: Amazon S3 API Reference, CreateBucket. */
    if (strcmp(region, "us-east-1") != 0)
        uex_buffer_append_format(&body,
                                 "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                 "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
                                 region);
    if (uex_buffer_failed(&body)) { /* without it the bucket would be made in another region */
        uex_buffer_clear(&body);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for making a bucket");
    }
    request.body = uex_buffer_bytes(&body);
    err = uex_s3_send_retrying(store->client, &request, uex_s3_repetitions(store), &response, NULL, fault);
    memcpy(code, response.code, sizeof(code));
    long status = response.status;
    uex_s3_response_clear(&response);
    uex_buffer_clear(&body);
    if (err == UEX_OK || strcmp(code, "BucketAlreadyOwnedByYou") == 0)
        return UEX_OK;
    if (err == UEX_CANCELLED || err == UEX_STORE_UNAVAILABLE || err == UEX_STORE_AUTH || err == UEX_NO_MEMORY)
        return err;
    return uex_fail(fault, UEX_STORE_BUCKET, "bucket %s is not there and cannot be made: HTTP %ld%s%s",
                    store->settings.url.bucket, status, code[0] != '\0' ? " " : "", code);
}

/* A key that may write objects but not see the bucket is all that an export needs. */
enum uex_error uex_s3_prepare(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    struct uex_buffer name = {0};
    enum uex_error err = UEX_OK;

    if (!name_of(store, &name)) {
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    } else if (!prepared_has(uex_buffer_text(&name))) {
        err = look(store, uex_s3_repetitions(store), fault);
        if (err == UEX_NOT_FOUND)
            err = create(store, fault);
        if (err == UEX_OK || uex_s3_is_refusal(err, uex_s3_client_status(store->client))) {
            prepared_add(uex_buffer_text(&name));
            err = UEX_OK;
        }
    }
    uex_buffer_clear(&name);
    return err;
}

/* The bucket first: if it is missing or away, that is what a person has to know. Whether it may be looked at does not
 * matter, the requests of exports do. */
enum uex_error uex_s3_probe(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    enum uex_error err = look(store, 0, fault);

    base->is_missing = err == UEX_NOT_FOUND;
    if (err == UEX_NOT_FOUND)
        return uex_fail(fault, UEX_STORE_BUCKET, "bucket %s is not there", store->settings.url.bucket);
    if (err != UEX_OK && !uex_s3_is_refusal(err, uex_s3_client_status(store->client)))
        return err;
    return uex_s3_try_requests(store, fault);
}
