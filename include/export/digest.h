/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/digest.h — SHA-256 and HMAC-SHA-256 by OpenSSL, hex text. A digest is used by one thread at a time. */
#ifndef EXPORT_DIGEST_H
#define EXPORT_DIGEST_H

#include "export/error.h"

#define UEX_SHA256_SIZE 32
#define UEX_SHA256_HEX_SIZE 65

struct uex_digest; /* a running SHA-256 */

UEX_MUST_CHECK struct uex_digest *uex_digest_new(void); /* NULL: no memory */
/* UEX_NO_MEMORY: OpenSSL has no other reason. */
UEX_MUST_CHECK enum uex_error uex_digest_add(struct uex_digest *digest, struct uex_bytes data);
/* Finish, and start again. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_digest_finish(struct uex_digest *digest, uint8_t out[UEX_SHA256_SIZE]);
void uex_digest_free(struct uex_digest *digest);

void uex_sha256(struct uex_bytes data, uint8_t out[UEX_SHA256_SIZE]);
void uex_hmac_sha256(struct uex_bytes key, struct uex_bytes data, uint8_t out[UEX_SHA256_SIZE]);
/* Lower-case hex; `out` has 2 * size_bytes + 1 bytes. */
void uex_hex(const uint8_t *bytes, size_t size_bytes, char *out);
UEX_MUST_CHECK bool uex_hex_parse(const char *text, uint8_t *out, size_t size_bytes);
#endif
