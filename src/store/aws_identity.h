/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/aws_identity.h — temporary credentials from those who issue them.
 *
 * Source: AWS STS API Reference, AssumeRoleWithWebIdentity; AWS SDKs and Tools Reference Guide, "Container credential
 * provider" (which addresses may be asked without TLS, too). Any thread.
 */
#ifndef EXPORT_STORE_AWS_IDENTITY_H
#define EXPORT_STORE_AWS_IDENTITY_H

#include "store/s3_credentials.h"

/* Ask the issuer that the environment names (uex_config_aws_given()). `*expires_ms` is wall time. UEX_STORE_AUTH: it
 * refuses, or answers with something else; UEX_STORE_UNAVAILABLE: no answer; UEX_CONFIG: an address that must not be
 * asked without TLS. Ends within 10 s. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_aws_identity_ask(const struct uex_config *config, struct uex_s3_credentials *out,
                                                   int64_t *expires_ms, struct uex_fault *fault);

/* The URL that is asked for an issuer's `url`, as libcurl writes it (it corrects "http:/host"), and whether it goes
 * without TLS. UEX_STORE_AUTH: it must not be asked; allowed are https, and http to this machine or to the addresses of
 * container services, in either case without user and password. UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_aws_url_read(const char *url, struct uex_buffer *out, bool *is_plain);
/* Read an issuer's answer. UEX_STORE_AUTH: it is not one; UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_aws_read_sts(struct uex_bytes document, struct uex_s3_credentials *out,
                                               int64_t *expires_ms);
UEX_MUST_CHECK enum uex_error uex_aws_read_container(struct uex_bytes document, struct uex_s3_credentials *out,
                                                     int64_t *expires_ms);
#endif
