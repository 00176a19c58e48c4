/* SPDX-License-Identifier: Apache-2.0 */
/* An object of the bucket: its whole key, the headers of a write, and HEAD. */
#include <stdio.h>

#include "store/s3_store.h"

static void add_meta(void *context, const char *name, const char *value)
{
    struct uex_s3_write_headers *headers = context;
    size_t at = headers->meta_count;

    if (at == sizeof(headers->names) / sizeof(headers->names[0]))
        return;
    headers->meta_count++;
    snprintf(headers->names[at], sizeof(headers->names[at]), "x-amz-meta-%s", name);
    snprintf(headers->values[at], sizeof(headers->values[at]), "%s", value);
    uex_s3_write_headers_add(headers, headers->names[at], headers->values[at]);
}

void uex_s3_write_headers_add(struct uex_s3_write_headers *headers, const char *name, const char *value)
{
    if (headers->count < UEX_S3_WRITE_HEADERS_MAX)
        headers->items[headers->count++] = (struct uex_s3_header){.name = name, .value = value};
}

void uex_s3_write_headers_init(struct uex_s3_write_headers *headers, const struct uex_config *config,
                               const struct uex_object_meta *meta)
{
    const char *const settings[][2] = {{"x-amz-server-side-encryption", config->s3_sse},
                                       {"x-amz-server-side-encryption-aws-kms-key-id", config->s3_sse_kms_key_id},
                                       {"x-amz-storage-class", config->s3_storage_class},
                                       {"x-amz-tagging", config->s3_tagging},
                                       {"x-amz-acl", config->s3_acl}};

    *headers = (struct uex_s3_write_headers){0};
    uex_s3_write_headers_add(headers, "content-type",
                             meta->has_tags && meta->tags.content_type != NULL ? meta->tags.content_type
                                                                               : UEX_OBJECT_CONTENT_TYPE);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (settings[i][1] != NULL && settings[i][1][0] != '\0')
            uex_s3_write_headers_add(headers, settings[i][0], settings[i][1]);
    }
    uex_object_meta_each(meta, add_meta, headers);
}

enum uex_error uex_s3_write_headers_add_checksum(struct uex_s3_write_headers *headers, const struct uex_config *config,
                                                 struct uex_bytes body, const uint8_t *sha256)
{
    const char *name = uex_s3_checksum_header(config->s3_checksum);

    if (name == NULL)
        return UEX_OK;
    uex_s3_write_headers_add(headers, name, headers->checksum);
    return uex_s3_checksum_of(config->s3_checksum, body, sha256, headers->checksum);
}

void uex_s3_write_headers_init_for(struct uex_s3_write_headers *headers, const struct uex_config *config,
                                   const struct uex_object_meta *meta, const char *key)
{
    size_t length = strlen(key), ending = strlen(UEX_OBJECT_PAGE_ENDING);

    uex_s3_write_headers_init(headers, config, meta);
    if (length > ending && strcmp(key + length - ending, UEX_OBJECT_PAGE_ENDING) == 0)
        headers->items[0].value = UEX_OBJECT_PAGE_CONTENT_TYPE;
}

unsigned uex_s3_repetitions(const struct uex_s3_store *store)
{
    int64_t attempts = store->settings->config->retry_attempts;
    return attempts < 0 ? 0 : (unsigned)(attempts > 100 ? 100 : attempts);
}

enum uex_error uex_s3_whole_key(const struct uex_s3_store *store, const char *key, char **out, struct uex_fault *fault)
{
    struct uex_buffer whole = {0};

    if (!uex_object_key_valid(key))
        return uex_fail(fault, UEX_INTERNAL, "an object key with empty or relative segments");
    if (store->settings->url.prefix[0] != '\0')
        uex_buffer_append_format(&whole, "%s/", store->settings->url.prefix);
    uex_buffer_append_text(&whole, key);
    if (uex_buffer_failed(&whole)) {
        uex_buffer_clear(&whole);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for an object key");
    }
    *out = (char *)whole.data; /* a buffer's data is a C string of its own */
    return UEX_OK;
}

enum uex_error uex_s3_explain(struct uex_s3_store *store, enum uex_error error, const struct uex_s3_request *request,
                              struct uex_fault *fault)
{
    struct uex_s3_response response = {0};
    struct uex_fault found = {0};
    enum uex_error err = uex_s3_send(store->client, request, &response, &found);

    uex_s3_response_clear(&response);
    if (err == UEX_OK || err == UEX_NOT_FOUND || err == UEX_STORE_FAILED)
        return error;
    if (fault != NULL)
        *fault = found;
    return err;
}

/* An answer without a body does not tell which of the many reasons of 400 and 403 it has. */
static bool is_vague(enum uex_error error)
{
    return error == UEX_STORE_DENIED || error == UEX_STORE_FAILED || error == UEX_STORE_AUTH;
}

enum uex_error uex_s3_head(struct uex_s3_store *store, const char *whole_key, unsigned repetitions,
                           struct uex_object_facts *facts, struct uex_fault *fault)
{
    static const struct uex_s3_header first_byte[] = {{.name = "range", .value = "bytes=0-0"}};
    struct uex_s3_request request = {
        .method = "HEAD", .key = whole_key, .cancel = store->base.cancel, .what = "an object"};
    struct uex_s3_response response = {0};
    enum uex_error err;

    uex_object_facts_init(facts);
    err = uex_s3_send_retrying(store->client, &request, repetitions, &response, NULL, fault);
    if (err == UEX_OK) {
        *facts = response.facts;
    } else if (is_vague(err)) {
        request.method = "GET";
        request.headers = first_byte;
        request.header_count = 1;
        err = uex_s3_explain(store, err, &request, fault);
        /* Without the right to list the bucket, S3 answers 403 instead of 404 for an absent object. */
        if (err == UEX_STORE_DENIED && fault != NULL) {
            const struct uex_fault denied = *fault;
            err = uex_fail(fault, err, "%s: s3:GetObject and s3:ListBucket are needed", denied.text);
        }
    }
    uex_s3_response_clear(&response);
    return err;
}
