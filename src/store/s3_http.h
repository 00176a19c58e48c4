/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_http.h — one request to an S3 server and its answer, over libcurl.
 *
 * A client keeps its connection open between requests and is used by one thread at a time. Every wait ends: by
 * s3.connect_timeout until the connection is up, then by s3.stall_timeout without a byte in either direction, by the
 * request's limit, or by its cancel flag (seen within 50 ms).
 */
#ifndef EXPORT_STORE_S3_HTTP_H
#define EXPORT_STORE_S3_HTTP_H

#include "export/object_store.h"
#include "store/s3_credentials.h"
#include "store/s3_sign.h"
#include "store/s3_xml.h"
#include "store/storage_url.h"

/* An answer is kept up to this size; the longest one is a page of ListMultipartUploads. */
#define UEX_S3_BODY_MAX_BYTES ((size_t)4 << 20)
/* No request but the reading of an object may take longer in all, even if a byte trickles now and then. */
#define UEX_S3_REQUEST_LIMIT_MS (15 * 60 * 1000)
#define UEX_S3_ETAG_SIZE 129

/* What all requests of a program have in common; read only after uex_s3_settings_init(). */
struct uex_s3_settings {
    const struct uex_config *config; /* borrowed */
    struct uex_storage_url url;
    struct uex_s3_endpoint endpoint;
    char *host;         /* owned; Host header: the endpoint's, with the bucket in front in virtual-host style */
    const char *scheme; /* "http" or "https" */
};
/* UEX_CONFIG with the reason, UEX_NO_MEMORY. The caller clears in any case. Touches nothing. */
UEX_MUST_CHECK enum uex_error uex_s3_settings_init(struct uex_s3_settings *settings, const struct uex_config *config,
                                                   struct uex_fault *fault);
void uex_s3_settings_clear(struct uex_s3_settings *settings);

/* A request to the bucket (key NULL) or an object of it. Everything is borrowed. */
struct uex_s3_request {
    const char *method;
    const char *key; /* the whole key with its prefix, as it stands: it is encoded once more for the path */
    const struct uex_s3_param *params;
    size_t param_count;
    const struct uex_s3_header *headers; /* beyond host, date, token and payload hash; lower case */
    size_t header_count;
    struct uex_bytes body;
    const uint8_t *body_sha256; /* NULL: worked out here */
    struct uex_sink sink;       /* gets the body of an answer with sink_status; write NULL: it goes to response->body */
    long sink_status;
    const struct uex_cancel *cancel; /* NULL: none */
    int64_t limit_ms;                /* 0: UEX_S3_REQUEST_LIMIT_MS; -1: none */
    const char *what;                /* for faults: "an object", "a part", … */
};

/* What came back. uex_s3_response_clear() frees; each uex_s3_send() begins with an empty one. */
struct uex_s3_response {
    long status;       /* 0: no answer */
    unsigned went_out; /* times that the request was sent at least in part (libcurl repeats it itself when a kept
                          connection turns out to be dead), so the server may have acted on it */
    char code[UEX_S3_CODE_SIZE]; /* of <Error> in an answer of 300 and above; "" */
    bool wants_checksum;         /* the code is InvalidRequest, because the request has no checksum */
    char request_id[UEX_S3_CODE_SIZE];
    char bucket_region[UEX_S3_CODE_SIZE];
    char etag[UEX_S3_ETAG_SIZE];   /* with its quotes; "" */
    int64_t date_ms;               /* the server's clock, whole seconds; 0: not known */
    struct uex_object_facts facts; /* size and metadata from the headers; url NULL */
    struct uex_buffer body;
    bool body_cut;             /* it was longer than UEX_S3_BODY_MAX_BYTES */
    bool body_starved;         /* there was no memory for it: its contents are not known */
    enum uex_error sink_error; /* the sink's error, if it stopped the transfer */
};
void uex_s3_response_clear(struct uex_s3_response *response);

struct uex_s3_client;

/* All is borrowed. The observer of `store` is told of requests. NULL: no memory. */
UEX_MUST_CHECK struct uex_s3_client *uex_s3_client_new(const struct uex_s3_settings *settings,
                                                       struct uex_s3_credential_source *credentials,
                                                       const struct uex_object_store *store);
void uex_s3_client_free(struct uex_s3_client *client);
/* The HTTP status of the last answer; 0: the last request had none. */
long uex_s3_client_status(const struct uex_s3_client *client);

/* One signed request, once. UEX_OK for 2xx; UEX_CANCELLED; UEX_STORE_UNAVAILABLE when no answer came; UEX_NO_MEMORY,
 * also for an answer that could not be kept or read; else what the answer means (s3_error.h), or the sink's error.
 * `response` holds what came in any case. */
UEX_MUST_CHECK enum uex_error uex_s3_send(struct uex_s3_client *client, const struct uex_s3_request *request,
                                          struct uex_s3_response *response, struct uex_fault *fault);

/* The same, repeated after pauses while it is UEX_STORE_UNAVAILABLE, `repetitions` times at most. `*send_count` (may be
 * NULL) counts the tries that went out. */
UEX_MUST_CHECK enum uex_error uex_s3_send_retrying(struct uex_s3_client *client, const struct uex_s3_request *request,
                                                   unsigned repetitions, struct uex_s3_response *response,
                                                   unsigned *send_count, struct uex_fault *fault);

/* Fill `fault` for an answer that means `error`: method, what, HTTP status, S3 code, request id, and the setting that
 * helps, where one does. Returns `error`. */
enum uex_error uex_s3_fail(struct uex_fault *fault, enum uex_error error, const struct uex_s3_client *client,
                           const struct uex_s3_request *request, const struct uex_s3_response *response);
#endif
