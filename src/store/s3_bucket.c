/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket: does it exist, and may it be created. */
#include "store/s3_error.h"
#include "store/s3_store.h"

/* UEX_OK: the bucket is there and the credentials are good. UEX_STORE_DENIED: they may not look at the bucket. */
static enum uex_error find_bucket(struct uex_s3_store *store, unsigned repetitions, struct uex_fault *fault)
{
    static const struct uex_s3_param list_one[] = {{"list-type", "2"}, {"max-keys", "1"}};
    struct uex_s3_request request = {.method = "HEAD", .cancel = store->base.cancel, .what = "the bucket"};
    struct uex_s3_response response = {0};
    enum uex_error err = uex_s3_send_retrying(store->client, &request, repetitions, &response, NULL, fault);

    uex_s3_response_clear(&response);
    /* A 404 too: versitygw answers with it to an unknown access key. */
    if (err == UEX_NOT_FOUND || err == UEX_STORE_DENIED || err == UEX_STORE_FAILED || err == UEX_STORE_AUTH) {
        request.method = "GET";
        request.params = list_one;
        request.param_count = 2;
        enum uex_error explained = uex_s3_explain(store, err, &request, fault);
        err = err == UEX_NOT_FOUND && explained == UEX_STORE_BUCKET ? UEX_NOT_FOUND : explained;
    }
    return err;
}

static enum uex_error create_bucket(struct uex_s3_store *store, struct uex_fault *fault)
{
    const char *region = store->settings->config->s3_region;
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
    if (uex_buffer_failed(&body)) { /* without it the bucket would be created in another region */
        uex_buffer_clear(&body);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for creating a bucket");
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
    return uex_fail(fault, UEX_STORE_BUCKET, "bucket %s does not exist and cannot be created: HTTP %ld%s%s",
                    store->settings->url.bucket, status, code[0] != '\0' ? " " : "", code);
}

/* Credentials that may write objects but not look at the bucket are enough for exports. */
enum uex_error uex_s3_prepare(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    enum uex_error err = UEX_OK;

    if (store->service->is_prepared)
        return UEX_OK;
    err = find_bucket(store, uex_s3_repetitions(store), fault);
    if (err == UEX_NOT_FOUND)
        err = create_bucket(store, fault);
    if (uex_s3_is_refusal(err, uex_s3_client_status(store->client)))
        err = UEX_OK;
    if (err == UEX_OK)
        store->service->is_prepared = true;
    return err;
}

/* The bucket first: if it is missing or unavailable, that is what a person has to know. The right to look at it does
 * not matter, the rights of exports do. */
enum uex_error uex_s3_probe(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    enum uex_error err = find_bucket(store, 0, fault);

    base->is_missing = err == UEX_NOT_FOUND;
    if (err == UEX_NOT_FOUND)
        return uex_fail(fault, UEX_STORE_BUCKET, "bucket %s does not exist", store->settings->url.bucket);
    if (err != UEX_OK && !uex_s3_is_refusal(err, uex_s3_client_status(store->client)))
        return err;
    return uex_s3_try_requests(store, fault);
}
