/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_checksum.h"

#include <openssl/evp.h>
#include <zlib.h>

#define MD5_SIZE 16
#define CRC32_SIZE 4

static const struct {
    const char *header, *algorithm, *element;
} KINDS[] = {[UEX_S3_CHECKSUM_OFF] = {NULL, NULL, NULL},
             [UEX_S3_CHECKSUM_CRC32] = {"x-amz-checksum-crc32", "CRC32", "ChecksumCRC32"},
             [UEX_S3_CHECKSUM_SHA256] = {"x-amz-checksum-sha256", "SHA256", "ChecksumSHA256"},
             [UEX_S3_CHECKSUM_MD5] = {"content-md5", NULL, NULL}};

bool uex_s3_checksum_available(enum uex_s3_checksum checksum)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    return checksum != UEX_S3_CHECKSUM_MD5 || EVP_Digest("", 0, digest, NULL, EVP_md5(), NULL) == 1;
}

const char *uex_s3_checksum_header(enum uex_s3_checksum checksum)
{
    return KINDS[checksum].header;
}

const char *uex_s3_checksum_algorithm(enum uex_s3_checksum checksum)
{
    return KINDS[checksum].algorithm;
}

static void encode(const uint8_t *bytes, size_t size_bytes, char out[UEX_S3_CHECKSUM_SIZE])
{
    (void)EVP_EncodeBlock((unsigned char *)out, bytes, (int)size_bytes);
}

enum uex_error uex_s3_checksum_of(enum uex_s3_checksum checksum, struct uex_bytes body, const uint8_t *sha256,
                                  char out[UEX_S3_CHECKSUM_SIZE])
{
    const uint8_t *data = body.data == NULL ? (const uint8_t *)"" : body.data;
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint32_t crc = 0;

    out[0] = '\0';
    switch (checksum) {
    case UEX_S3_CHECKSUM_CRC32:
        crc = (uint32_t)crc32_z(0, data, body.size_bytes);
        for (int i = 0; i < CRC32_SIZE; i++) /* big endian */
            digest[i] = (uint8_t)(crc >> (24 - 8 * i));
        encode(digest, CRC32_SIZE, out);
        break;
    case UEX_S3_CHECKSUM_SHA256:
        if (sha256 == NULL) {
            uex_sha256(body, digest);
            sha256 = digest;
        }
        encode(sha256, UEX_SHA256_SIZE, out);
        break;
    case UEX_S3_CHECKSUM_MD5:
        if (EVP_Digest(data, body.size_bytes, digest, NULL, EVP_md5(), NULL) != 1)
            return UEX_NO_MEMORY; /* that there is MD5 was looked at before */
        encode(digest, MD5_SIZE, out);
        break;
    case UEX_S3_CHECKSUM_OFF:
        break;
    }
    return UEX_OK;
}

void uex_s3_checksum_append(enum uex_s3_checksum checksum, const char *text, struct uex_buffer *out)
{
    const char *element = KINDS[checksum].element;

    if (element != NULL)
        uex_buffer_append_format(out, "<%s>%s</%s>", element, text, element);
}
