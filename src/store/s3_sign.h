/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_sign.h — AWS Signature Version 4 in the Authorization header, the payload in one piece. Any thread.
 *
 * Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header", and IAM User Guide,
 * "Create a signed AWS API request". S3's own rules hold: the path is encoded once and not normalised.
 */
#ifndef EXPORT_STORE_S3_SIGN_H
#define EXPORT_STORE_S3_SIGN_H

#include "export/buffer.h"
#include "store/s3_credentials.h"

#define UEX_S3_HEADERS_MAX 24
#define UEX_S3_PARAMS_MAX 8
#define UEX_S3_DATE_SIZE 17 /* "20130524T000000Z" and the zero */

struct uex_s3_header {
    const char *name; /* lower case */
    const char *value;
};

struct uex_s3_param {
    const char *name, *value; /* not yet encoded */
};

/* One request as it is signed. All headers given are signed; "host" and "x-amz-date" must be among them. */
struct uex_s3_signing {
    const char *method;
    const char *path;  /* as it goes on the wire: uex_s3_encode_path() */
    const char *query; /* as it goes on the wire: uex_s3_encode_query() */
    const struct uex_s3_header *headers;
    size_t header_count;      /* at most UEX_S3_HEADERS_MAX */
    const char *payload_hash; /* hex SHA-256 of the body */
    const char *region;
    const char *service;
    const char *date; /* "20130524T000000Z" */
};

/* Percent-encode all bytes but the unreserved ones of RFC 3986 and "/". A percent sign of `text` becomes "%25". */
void uex_s3_encode_path(struct uex_buffer *out, const char *text);
/* "name=value&…", encoded ("/" too) and in the order in which it is signed. UEX_INTERNAL: more than
 * UEX_S3_PARAMS_MAX. */
UEX_MUST_CHECK enum uex_error uex_s3_encode_query(struct uex_buffer *out, const struct uex_s3_param *params,
                                                  size_t param_count);
/* `wall_ms` as signing wants it; `out` has UEX_S3_DATE_SIZE bytes. */
void uex_s3_date(int64_t wall_ms, char *out);

/* The step before the signature, for tests of its own. */
UEX_MUST_CHECK enum uex_error uex_s3_canonical_request(const struct uex_s3_signing *signing, struct uex_buffer *out,
                                                       struct uex_buffer *signed_names);
/* Append the value of the Authorization header. UEX_INTERNAL: too many headers; UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_s3_sign(const struct uex_s3_signing *signing,
                                          const struct uex_s3_credentials *credentials, struct uex_buffer *out);
#endif
