/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_checksum.h — s3.checksum: the checksum of a body, as a request and the list of parts have it. Source:
 * Amazon S3 API Reference, PutObject, UploadPart, CreateMultipartUpload (x-amz-checksum-algorithm; the default type of
 * CRC32 and SHA256 is COMPOSITE), CompleteMultipartUpload (a checksum for each part). Any thread. */
#ifndef EXPORT_STORE_S3_CHECKSUM_H
#define EXPORT_STORE_S3_CHECKSUM_H

#include "export/config.h"
#include "export/digest.h"

#define UEX_S3_CHECKSUM_SIZE 45 /* a SHA-256 in base64, and the zero */

/* Can this system's OpenSSL work it out? One for FIPS has no MD5. */
bool uex_s3_checksum_available(enum uex_s3_checksum checksum);

/* The header that carries it; NULL: none (off). */
const char *uex_s3_checksum_header(enum uex_s3_checksum checksum);
/* What CreateMultipartUpload says of it; NULL: nothing (off, and Content-MD5, which S3 does not keep). */
const char *uex_s3_checksum_algorithm(enum uex_s3_checksum checksum);

/* The checksum of `body` in base64, "" if it is off. `sha256`: of the body, where it is known; NULL: not.
 * UEX_NO_MEMORY.
 */
UEX_MUST_CHECK enum uex_error uex_s3_checksum_of(enum uex_s3_checksum checksum, struct uex_bytes body,
                                                 const uint8_t *sha256, char out[UEX_S3_CHECKSUM_SIZE]);

/* Append the element of a part for the list of parts; nothing where there is none. */
void uex_s3_checksum_append(enum uex_s3_checksum checksum, const char *text, struct uex_buffer *out);
#endif
