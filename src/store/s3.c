/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/backoff.h"
#include "store/s3_store.h"

static char *url_of(const struct uex_s3_store *store, const char *whole_key)
{
    struct uex_buffer url = {0};

    uex_buffer_append_format(&url, "s3://%s/%s", store->settings->url.bucket, whole_key);
    if (uex_buffer_failed(&url))
        uex_buffer_clear(&url);
    return (char *)url.data;
}

static enum uex_error find(struct uex_object_store *base, const char *key, struct uex_object_facts *facts,
                           struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    char *whole = NULL;
    enum uex_error err;

    uex_object_facts_init(facts);
    store->published = (struct uex_s3_answer){0};
    err = uex_s3_whole_key(store, key, &whole, fault);
    if (err != UEX_OK)
        return err;
    err = uex_s3_head(store, whole, uex_s3_repetitions(store), facts, fault);
    if (err == UEX_OK) {
        facts->url = url_of(store, whole);
        if (facts->url == NULL)
            err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object's URL");
    }
    free(whole);
    return err;
}

/* An object being read; what the sink has taken is not read again. */
struct reading {
    struct uex_s3_store *store;
    const char *whole_key;
    struct uex_sink sink;
    uint64_t taken_bytes;
    char etag[UEX_S3_ETAG_SIZE]; /* of the first answer: the rest must be of the same object */
    struct uex_fault *fault;
    enum uex_error result;
};

static enum uex_error pass_on(void *context, struct uex_bytes data)
{
    struct reading *reading = context;
    enum uex_error err = reading->sink.write(reading->sink.context, data);

    if (err == UEX_OK)
        reading->taken_bytes += data.size_bytes;
    return err;
}

static enum uex_error read_step(void *context)
{
    struct reading *reading = context;
    struct uex_s3_response response = {0};
    char range[40];
    snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", reading->taken_bytes);
    const struct uex_s3_header headers[] = {{.name = "range", .value = range},
                                            {.name = "if-match", .value = reading->etag}};
    bool resumes = reading->taken_bytes > 0;
    const struct uex_s3_request request = {.method = "GET",
                                           .key = reading->whole_key,
                                           .headers = headers,
                                           .header_count = !resumes                   ? 0
                                                           : reading->etag[0] == '\0' ? 1
                                                                                      : 2,
                                           .sink = {.write = pass_on, .context = reading},
                                           .sink_status = resumes ? 206 : 200,
                                           .cancel = reading->store->base.cancel,
                                           .limit_ms = -1,
                                           .what = "an object"};

    reading->result = uex_s3_send(reading->store->client, &request, &response, reading->fault);
    if (!resumes)
        memcpy(reading->etag, response.etag, sizeof(reading->etag));
    if (resumes && reading->result == UEX_OBJECT_EXISTS) /* HTTP 412 to If-Match */
        reading->result = uex_fail(reading->fault, UEX_STORE_FAILED, "an object changed while it was read");
    bool again = reading->result == UEX_STORE_UNAVAILABLE && response.sink_error == UEX_OK;
    uex_s3_response_clear(&response);
    return again ? UEX_STORE_UNAVAILABLE : UEX_OK;
}

static enum uex_error read_object(struct uex_object_store *base, const char *key, struct uex_sink sink,
                                  struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    struct reading reading = {.store = store, .sink = sink, .fault = fault};
    char *whole = NULL;
    enum uex_error err = uex_s3_whole_key(store, key, &whole, fault);

    if (err != UEX_OK)
        return err;
    reading.whole_key = whole;
    err = uex_step_retry(read_step, &reading, uex_s3_repetitions(store), base->cancel);
    free(whole);
    if (err == UEX_CANCELLED)
        return uex_fail(fault, err, "GET of an object was cancelled");
    return reading.result;
}

static enum uex_error remove_object(struct uex_object_store *base, const char *key, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    struct uex_s3_response response = {0};
    struct uex_s3_request request = {.method = "DELETE", .cancel = base->cancel, .what = "an object"};
    char *whole = NULL;
    enum uex_error err = uex_s3_whole_key(store, key, &whole, fault);

    if (err != UEX_OK)
        return err;
    request.key = whole;
    err = uex_s3_send_retrying(store->client, &request, uex_s3_repetitions(store), &response, NULL, fault);
    uex_s3_response_clear(&response);
    free(whole);
    return err == UEX_NOT_FOUND ? UEX_OK : err;
}

static void destroy(struct uex_object_store *base)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;

    if (store == NULL)
        return;
    uex_task_thread_free(store->parts); /* first: it uses the client */
    uex_s3_client_free(store->part_client);
    uex_s3_client_free(store->client);
    uex_s3_forget_spare(store);
    free(store);
}

enum uex_error uex_s3_store_new(struct uex_s3_service *service, struct uex_object_store **out, struct uex_fault *fault)
{
    struct uex_s3_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    store->base = (struct uex_object_store){.prepare = uex_s3_prepare,
                                            .probe = uex_s3_probe,
                                            .find = find,
                                            .read = read_object,
                                            .abort_incomplete = uex_s3_abort_incomplete,
                                            .remove = remove_object,
                                            .inspect = uex_s3_inspect,
                                            .begin = uex_s3_begin,
                                            .write = uex_s3_write,
                                            .set_tags = uex_s3_set_tags,
                                            .commit = uex_s3_commit,
                                            .abort = uex_s3_abort,
                                            .destroy = destroy};
    store->service = service;
    store->settings = &service->settings;
    store->client = uex_s3_client_new(store->settings, service->credentials, &store->base);
    if (store->client == NULL) {
        destroy(&store->base);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    }
    *out = &store->base;
    return UEX_OK;
}
