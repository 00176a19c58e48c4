/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_http.h"

#include <stdlib.h>

#include "export/backoff.h"
#include "export/text.h"
#include "store/object_meta.h"
#include "store/s3_checksum.h"
#include "store/s3_error.h"
#include "store/s3_transfer.h"

struct uex_s3_client {
    const struct uex_s3_settings *settings;
    struct uex_s3_credential_source *credentials;
    const struct uex_object_store *store; /* its owner may set the observer later */
    struct uex_s3_transfer transfer;
    long status; /* of the last answer */
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum uex_error check_encryption(const struct uex_config *config, struct uex_fault *fault)
{
    if (is_set(config->s3_sse) && strcmp(config->s3_sse, "AES256") != 0 && strcmp(config->s3_sse, "aws:kms") != 0)
        return uex_fail(fault, UEX_CONFIG, "s3.sse: AES256 or aws:kms is allowed");
    if (is_set(config->s3_sse_kms_key_id) && (!is_set(config->s3_sse) || strcmp(config->s3_sse, "aws:kms") != 0))
        return uex_fail(fault, UEX_CONFIG, "s3.sse_kms_key_id needs s3.sse=aws:kms");
    return UEX_OK;
}

enum uex_error uex_s3_settings_init(struct uex_s3_settings *settings, const struct uex_config *config,
                                    struct uex_fault *fault)
{
    struct uex_buffer host = {0};
    enum uex_error err;

    *settings = (struct uex_s3_settings){.config = config};
    err = uex_storage_url_parse(config->storage_url, &settings->url, fault);
    if (err == UEX_OK)
        err = uex_s3_endpoint_parse(config->s3_endpoint, config->s3_region, &settings->endpoint, fault);
    if (err == UEX_OK)
        err = check_encryption(config, fault);
    if (err != UEX_OK)
        return err;
    if (!uex_s3_checksum_available(config->s3_checksum))
        return uex_fail(fault, UEX_CONFIG, "s3.checksum: this system's OpenSSL has no MD5; crc32 or sha256 will do");
    if (!config->s3_path_style && settings->endpoint.host_is_address)
        return uex_fail(fault, UEX_CONFIG, "s3.path_style=false needs a host name in s3.endpoint, not an address");
    settings->scheme = settings->endpoint.tls ? "https" : "http";
    uex_buffer_append_format(&host, "%s%s%s", config->s3_path_style ? "" : settings->url.bucket,
                             config->s3_path_style ? "" : ".", settings->endpoint.authority);
    if (!uex_buffer_failed(&host))
        settings->host = uex_text_copy(uex_buffer_bytes(&host));
    uex_buffer_clear(&host);
    return settings->host != NULL ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
}

void uex_s3_settings_clear(struct uex_s3_settings *settings)
{
    uex_storage_url_clear(&settings->url);
    uex_s3_endpoint_clear(&settings->endpoint);
    free(settings->host);
    settings->host = NULL;
}

struct uex_s3_client *uex_s3_client_new(const struct uex_s3_settings *settings,
                                        struct uex_s3_credential_source *credentials,
                                        const struct uex_object_store *store)
{
    struct uex_s3_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return NULL;
    client->settings = settings;
    client->credentials = credentials;
    client->store = store;
    if (!uex_s3_transfer_init(&client->transfer)) {
        uex_s3_client_free(client);
        return NULL;
    }
    return client;
}

void uex_s3_client_free(struct uex_s3_client *client)
{
    if (client == NULL)
        return;
    uex_s3_transfer_clear(&client->transfer);
    free(client);
}

long uex_s3_client_status(const struct uex_s3_client *client)
{
    return client->status;
}

void uex_s3_response_clear(struct uex_s3_response *response)
{
    if (response == NULL)
        return;
    uex_buffer_clear(&response->body);
    uex_object_facts_clear(&response->facts);
    *response = (struct uex_s3_response){0};
}

/* A request as it goes on the wire. */
struct wire {
    struct uex_buffer path, query, url, authorization;
    char date[UEX_S3_DATE_SIZE];
    char payload_hash[UEX_SHA256_HEX_SIZE];
    struct uex_s3_header headers[UEX_S3_HEADERS_MAX]; /* borrowed text */
    size_t header_count;
    struct curl_slist *lines;
};

static void wire_clear(struct wire *wire)
{
    uex_buffer_clear(&wire->path);
    uex_buffer_clear(&wire->query);
    uex_buffer_clear(&wire->url);
    uex_buffer_clear(&wire->authorization);
    curl_slist_free_all(wire->lines);
}

static enum uex_error add_header(struct wire *wire, const char *name, const char *value)
{
    if (wire->header_count == UEX_S3_HEADERS_MAX)
        return UEX_INTERNAL;
    /* A line end inside a value would begin another header. */
    if (strpbrk(value, "\r\n") != NULL)
        return UEX_INTERNAL;
    wire->headers[wire->header_count++] = (struct uex_s3_header){.name = name, .value = value};
    return UEX_OK;
}

static enum uex_error make_headers(struct wire *wire, const struct uex_s3_settings *settings,
                                   const struct uex_s3_request *request, const struct uex_s3_credentials *credentials)
{
    enum uex_error err = add_header(wire, "host", settings->host);

    if (err == UEX_OK)
        err = add_header(wire, "x-amz-date", wire->date);
    if (err == UEX_OK)
        err = add_header(wire, "x-amz-content-sha256", wire->payload_hash);
    if (err == UEX_OK && credentials->session_token[0] != '\0')
        err = add_header(wire, "x-amz-security-token", credentials->session_token);
    for (size_t i = 0; err == UEX_OK && i < request->header_count; i++)
        err = add_header(wire, request->headers[i].name, request->headers[i].value);
    return err;
}

static enum uex_error make_url(struct wire *wire, const struct uex_s3_settings *settings,
                               const struct uex_s3_request *request)
{
    uex_buffer_append_text(&wire->path, "/");
    if (settings->config->s3_path_style) {
        uex_s3_encode_path(&wire->path, settings->url.bucket);
        uex_buffer_append_text(&wire->path, request->key == NULL ? "" : "/");
    }
    if (request->key != NULL)
        uex_s3_encode_path(&wire->path, request->key);
    enum uex_error err = uex_s3_encode_query(&wire->query, request->params, request->param_count);
    if (err != UEX_OK)
        return err;
    uex_buffer_append_format(&wire->url, "%s://%s%s%s%s", settings->scheme, settings->host,
                             uex_buffer_text(&wire->path), wire->query.size_bytes > 0 ? "?" : "",
                             uex_buffer_text(&wire->query));
    return uex_buffer_failed(&wire->path) || uex_buffer_failed(&wire->url) ? UEX_NO_MEMORY : UEX_OK;
}

static bool add_line(struct wire *wire, const char *name, const char *value)
{
    struct uex_buffer line = {0};
    struct curl_slist *longer = NULL;

    /* libcurl leaves out a header without a value unless it ends in a semicolon. */
    uex_buffer_append_format(&line, value[0] != '\0' ? "%s: %s" : "%s;%s", name, value);
    if (!uex_buffer_failed(&line))
        longer = curl_slist_append(wire->lines, uex_buffer_text(&line));
    uex_buffer_clear(&line);
    if (longer != NULL)
        wire->lines = longer;
    return longer != NULL;
}

static bool make_lines(struct wire *wire)
{
    /* "Expect: 100-continue" costs a round trip, "Accept" and a media type of libcurl's own are of no use. */
    static const char *const without[] = {"Expect:", "Accept:"};
    bool has_type = false;

    for (size_t i = 0; i < wire->header_count; i++) {
        if (!add_line(wire, wire->headers[i].name, wire->headers[i].value))
            return false;
        has_type = has_type || strcmp(wire->headers[i].name, "content-type") == 0;
    }
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        struct curl_slist *longer = curl_slist_append(wire->lines, without[i]);
        if (longer == NULL)
            return false;
        wire->lines = longer;
    }
    if (!has_type) {
        struct curl_slist *longer = curl_slist_append(wire->lines, "Content-Type:");
        if (longer == NULL)
            return false;
        wire->lines = longer;
    }
    return add_line(wire, "Authorization", uex_buffer_text(&wire->authorization));
}

static enum uex_error make_wire(struct wire *wire, const struct uex_s3_settings *settings,
                                const struct uex_s3_request *request, const struct uex_s3_credentials *credentials)
{
    uint8_t digest[UEX_SHA256_SIZE];

    if (request->body_sha256 == NULL)
        uex_sha256(request->body, digest);
    uex_hex(request->body_sha256 != NULL ? request->body_sha256 : digest, UEX_SHA256_SIZE, wire->payload_hash);
    uex_s3_date(uex_wall_ms(), wire->date);
    enum uex_error err = make_url(wire, settings, request);
    if (err == UEX_OK)
        err = make_headers(wire, settings, request, credentials);
    if (err != UEX_OK)
        return err;
    const struct uex_s3_signing signing = {.method = request->method,
                                           .path = uex_buffer_text(&wire->path),
                                           .query = uex_buffer_text(&wire->query),
                                           .headers = wire->headers,
                                           .header_count = wire->header_count,
                                           .payload_hash = wire->payload_hash,
                                           .region = settings->config->s3_region,
                                           .service = "s3",
                                           .date = wire->date};
    err = uex_s3_sign(&signing, credentials, &wire->authorization);
    if (err != UEX_OK)
        return err;
    return make_lines(wire) ? UEX_OK : UEX_NO_MEMORY;
}

enum uex_error uex_s3_fail(struct uex_fault *fault, enum uex_error error, const struct uex_s3_client *client,
                           const struct uex_s3_request *request, const struct uex_s3_response *response)
{
    bool elsewhere =
        response->bucket_region[0] != '\0' && strcmp(response->bucket_region, client->settings->config->s3_region) != 0;

    return uex_fail(fault, error, "%s of %s in bucket %s: HTTP %ld%s%s%s%s%s%s%s", request->method, request->what,
                    client->settings->url.bucket, response->status, response->code[0] != '\0' ? " " : "",
                    response->code, response->request_id[0] != '\0' ? ", request " : "", response->request_id,
                    elsewhere ? ", the bucket is in region " : "", elsewhere ? response->bucket_region : "",
                    response->wants_checksum ? "; the bucket demands a checksum with each write: set s3.checksum" : "");
}

/* The error of an answer; its code is read from the XML. */
static enum uex_error read_answer(const struct uex_s3_client *client, const struct uex_s3_request *request,
                                  struct uex_s3_response *response, struct uex_fault *fault)
{
    struct uex_s3_xml_answer answer;

    if (response->body_starved)
        return uex_s3_fail(fault, UEX_NO_MEMORY, client, request, response);
    if (response->status >= 200 && response->status <= 299) {
        bool lost = request->sink.write != NULL && response->status != request->sink_status;
        return lost || response->body_cut ? uex_s3_fail(fault, UEX_STORE_FAILED, client, request, response) : UEX_OK;
    }
    (void)uex_s3_xml_answer_read(uex_buffer_bytes(&response->body), &answer);
    if (answer.starved && answer.code[0] == '\0') /* 403 has a dozen reasons, and some of them are an outage */
        return uex_s3_fail(fault, UEX_NO_MEMORY, client, request, response);
    memcpy(response->code, answer.code, sizeof(response->code));
    response->wants_checksum = answer.wants_checksum;
    if (response->request_id[0] == '\0')
        memcpy(response->request_id, answer.request_id, sizeof(response->request_id));
    enum uex_error err = uex_s3_error_of(response->status, response->code);
    return uex_s3_fail(fault, err == UEX_OK ? UEX_STORE_FAILED : err, client, request, response);
}

static enum uex_error exchange(struct uex_s3_client *client, const struct uex_s3_request *request,
                               const struct wire *wire, struct uex_s3_response *response, struct uex_fault *fault)
{
    const struct uex_store_observer *observer = client->store->observer;
    const int64_t from_ms = uex_monotonic_ms();
    const enum uex_error err = uex_s3_exchange(&client->transfer, client->settings, observer, request,
                                               uex_buffer_text(&wire->url), wire->lines, response, fault);

    if (observer != NULL && observer->request != NULL)
        observer->request(observer->context, request->method, response->status, uex_monotonic_ms() - from_ms);
    return err;
}

enum uex_error uex_s3_send(struct uex_s3_client *client, const struct uex_s3_request *request,
                           struct uex_s3_response *response, struct uex_fault *fault)
{
    struct uex_s3_credentials credentials = {0};
    struct wire wire = {0};
    enum uex_error err;

    uex_s3_response_clear(response);
    uex_object_facts_init(&response->facts);
    response->body.cap_bytes = UEX_S3_BODY_MAX_BYTES;
    client->status = 0;
    if (uex_cancel_requested(request->cancel))
        return uex_fail(fault, UEX_CANCELLED, "%s of %s was cancelled", request->method, request->what);
    err = uex_s3_credentials_fetch(client->credentials, &credentials, fault);
    if (err != UEX_OK)
        goto done;
    err = make_wire(&wire, client->settings, request, &credentials);
    if (err != UEX_OK) {
        (void)uex_fail(fault, err, "%s of %s cannot be built", request->method, request->what);
        goto done;
    }
    err = exchange(client, request, &wire, response, fault);
    if (err == UEX_OK)
        err = read_answer(client, request, response, fault);
    if (err == UEX_STORE_AUTH)
        uex_s3_credentials_doubt(client->credentials);
    client->status = response->status;
done:
    uex_s3_credentials_clear(&credentials);
    wire_clear(&wire);
    return err;
}

/* One request with its repetitions, as uex_step_retry() calls it. */
struct retrying {
    struct uex_s3_client *client;
    const struct uex_s3_request *request;
    struct uex_s3_response *response;
    unsigned send_count;
    struct uex_fault *fault;
    enum uex_error result;
};

static enum uex_error send_step(void *context)
{
    struct retrying *retrying = context;

    retrying->result = uex_s3_send(retrying->client, retrying->request, retrying->response, retrying->fault);
    retrying->send_count += retrying->response->went_out;
    /* Only this error is repeated here: repeating the request does not win a lost race. */
    return retrying->result == UEX_STORE_UNAVAILABLE ? UEX_STORE_UNAVAILABLE : UEX_OK;
}

enum uex_error uex_s3_send_retrying(struct uex_s3_client *client, const struct uex_s3_request *request,
                                    unsigned repetitions, struct uex_s3_response *response, unsigned *send_count,
                                    struct uex_fault *fault)
{
    struct retrying retrying = {.client = client, .request = request, .response = response, .fault = fault};
    enum uex_error err = uex_step_retry(send_step, &retrying, repetitions, request->cancel);

    if (send_count != NULL)
        *send_count = retrying.send_count;
    if (err == UEX_CANCELLED)
        return uex_fail(fault, UEX_CANCELLED, "%s of %s was cancelled", request->method, request->what);
    return retrying.result;
}
