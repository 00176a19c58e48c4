/* SPDX-License-Identifier: Apache-2.0 */
#include "export/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "export/log.h"
#include "export/text.h"

struct uex_digest {
    EVP_MD_CTX *context;
};

struct uex_digest *uex_digest_new(void)
{
    struct uex_digest *digest = calloc(1, sizeof(*digest));

    if (digest == NULL)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        uex_digest_free(digest);
        return NULL;
    }
    return digest;
}

enum uex_error uex_digest_add(struct uex_digest *digest, struct uex_bytes data)
{
    if (data.size_bytes == 0)
        return UEX_OK;
    return EVP_DigestUpdate(digest->context, data.data, data.size_bytes) == 1 ? UEX_OK : UEX_NO_MEMORY;
}

enum uex_error uex_digest_finish(struct uex_digest *digest, uint8_t out[UEX_SHA256_SIZE])
{
    if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
        return UEX_NO_MEMORY;
    return EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1 ? UEX_OK : UEX_NO_MEMORY;
}

void uex_digest_free(struct uex_digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void uex_sha256(struct uex_bytes data, uint8_t out[UEX_SHA256_SIZE])
{
    /* Fails only without memory; nothing may go on with a digest that is not one. */
    if (SHA256(data.data == NULL ? (const uint8_t *)"" : data.data, data.size_bytes, out) == NULL)
        uex_out_of_memory("a digest");
}

void uex_hmac_sha256(struct uex_bytes key, struct uex_bytes data, uint8_t out[UEX_SHA256_SIZE])
{
    const void *key_data = key.data;
    uint8_t hashed[UEX_SHA256_SIZE];
    size_t key_size = key.size_bytes;

    /* RFC 2104, section 2: a key longer than a block stands for its hash. Done here for keys that HMAC()'s int cannot
     * hold. */
    if (key_size > INT_MAX) {
        uex_sha256(key, hashed);
        key_data = hashed;
        key_size = sizeof(hashed);
    }
    if (HMAC(EVP_sha256(), key_data == NULL ? "" : key_data, (int)key_size,
             data.data == NULL ? (const uint8_t *)"" : data.data, data.size_bytes, out, NULL) == NULL)
        uex_out_of_memory("a digest");
}

void uex_hex(const uint8_t *bytes, size_t size_bytes, char *out)
{
    static const char DIGITS[] = "0123456789abcdef";

    for (size_t at = 0; at < size_bytes; at++) {
        *out++ = DIGITS[bytes[at] >> 4];
        *out++ = DIGITS[bytes[at] & 15];
    }
    *out = '\0';
}

bool uex_hex_parse(const char *text, uint8_t *out, size_t size_bytes)
{
    int all = 0; /* negative where one of them is */

    if (text == NULL || strnlen(text, 2 * size_bytes + 1) != 2 * size_bytes)
        return false;
    for (size_t at = 0; at < 2 * size_bytes; at++)
        all |= uex_hex_digit((uint8_t)text[at]);
    for (size_t at = 0; at < size_bytes && all >= 0; at++)
        out[at] = (uint8_t)(uex_hex_digit((uint8_t)text[2 * at]) << 4 | uex_hex_digit((uint8_t)text[2 * at + 1]));
    return all >= 0;
}
