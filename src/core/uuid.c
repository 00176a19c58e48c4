/* SPDX-License-Identifier: Apache-2.0 */
#include "export/uuid.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/uuid_internal.h"
#include "export/log.h"
#include "export/text.h"

#define SHA1_SIZE 20

/* 10731def-ce10-4a86-a579-f4438f52a638 */
static const uint8_t PROJECT_NAMESPACE[16] = {0x10, 0x73, 0x1d, 0xef, 0xce, 0x10, 0x4a, 0x86,
                                              0xa5, 0x79, 0xf4, 0x43, 0x8f, 0x52, 0xa6, 0x38};

static bool is_hyphen_place(size_t place)
{
    return (UINT64_C(0x842100) >> place & 1) != 0; /* 8, 13, 18, 23 */
}

bool uex_uuid_parse(const char *text, size_t size_bytes, char *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    char built[UEX_UUID_TEXT_SIZE] = {0};

    if (text == NULL || size_bytes != UEX_UUID_TEXT_SIZE - 1)
        return false;
    for (size_t at = 0; at < size_bytes; at++) {
        int digit = uex_hex_digit((uint8_t)text[at]);

        if (is_hyphen_place(at) ? text[at] != '-' : digit < 0)
            return false;
        built[at] = digit < 0 ? '-' : DIGITS[digit];
    }
    memcpy(out, built, sizeof(built));
    return true;
}

void uex_uuid_to_bytes(const char *text, uint8_t out[16])
{
    size_t count = 0;

    for (size_t at = 0; at + 1 < UEX_UUID_TEXT_SIZE - 1 && count < 16; at += 2) {
        if (is_hyphen_place(at))
            at++;
        out[count++] = (uint8_t)(uex_hex_digit((uint8_t)text[at]) << 4 | uex_hex_digit((uint8_t)text[at + 1]));
    }
}

void uex_uuid_from_bytes(const uint8_t bytes[16], char *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t at = 0;

    for (size_t i = 0; i < 16; i++) {
        if (is_hyphen_place(at))
            out[at++] = '-';
        out[at++] = DIGITS[bytes[i] >> 4];
        out[at++] = DIGITS[bytes[i] & 15];
    }
    out[at] = '\0';
}

static void set_version(uint8_t bytes[16], unsigned version)
{
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | version << 4);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
}

/* Looked up once: a schedule makes an id for each group, and the lookup costs more than the digest. */
static const EVP_MD *sha1_found;
static pthread_once_t sha1_once = PTHREAD_ONCE_INIT;

static void find_sha1(void)
{
    sha1_found = EVP_MD_fetch(NULL, "SHA1", NULL);
}

static const EVP_MD *sha1(void)
{
    return pthread_once(&sha1_once, find_sha1) == 0 && sha1_found != NULL ? sha1_found : EVP_sha1();
}

void uex_uuid_named_in(const uint8_t name_space[16], const char *name, size_t size_bytes, char *out)
{
    uint8_t hash[SHA1_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    /* Fails only without memory; a wrong id would let a group be exported twice or never, so there is no going on. */
    if (context == NULL || EVP_DigestInit_ex(context, sha1(), NULL) != 1 ||
        EVP_DigestUpdate(context, name_space, 16) != 1 || EVP_DigestUpdate(context, name, size_bytes) != 1 ||
        EVP_DigestFinal_ex(context, hash, NULL) != 1)
        uex_out_of_memory("an id");
    EVP_MD_CTX_free(context);
    set_version(hash, 5);
    uex_uuid_from_bytes(hash, out);
}

void uex_uuid_named(const char *name, size_t size_bytes, char *out)
{
    uex_uuid_named_in(PROJECT_NAMESPACE, name, size_bytes, out);
}

void uex_uuid_random(char *out)
{
    uint8_t bytes[16];

    /* Fails only on a kernel without getrandom(2); ids that repeat would be worse than no program. */
    if (getentropy(bytes, sizeof(bytes)) != 0)
        abort();
    set_version(bytes, 4);
    uex_uuid_from_bytes(bytes, out);
}
