/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_sign.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <time.h>

#include "export/digest.h"
#include "export/text.h"

void uex_s3_encode_path(struct uex_buffer *out, const char *text)
{
    uex_percent_encode_keeping(out, uex_bytes_of_text(text), "/");
}

/* A parameter with both sides encoded; the order of signing is that of the encoded text. */
struct encoded_param {
    struct uex_buffer name, value;
};

static int compare_params(const struct encoded_param *a, const struct encoded_param *b)
{
    int order = strcmp(uex_buffer_text(&a->name), uex_buffer_text(&b->name));
    return order != 0 ? order : strcmp(uex_buffer_text(&a->value), uex_buffer_text(&b->value));
}

enum uex_error uex_s3_encode_query(struct uex_buffer *out, const struct uex_s3_param *params, size_t param_count)
{
    struct encoded_param encoded[UEX_S3_PARAMS_MAX] = {0};
    bool failed = false;

    if (param_count > UEX_S3_PARAMS_MAX)
        return UEX_INTERNAL;
    for (size_t i = 0; i < param_count; i++) {
        uex_percent_encode_keeping(&encoded[i].name, uex_bytes_of_text(params[i].name), "");
        uex_percent_encode_keeping(&encoded[i].value, uex_bytes_of_text(params[i].value), "");
        failed = failed || uex_buffer_failed(&encoded[i].name) || uex_buffer_failed(&encoded[i].value);
        for (size_t at = i; at > 0 && compare_params(&encoded[at], &encoded[at - 1]) < 0; at--) {
            struct encoded_param swapped = encoded[at];
            encoded[at] = encoded[at - 1];
            encoded[at - 1] = swapped;
        }
    }
    for (size_t i = 0; i < param_count; i++) {
        uex_buffer_append_text(out, i > 0 ? "&" : "");
        uex_buffer_append_text(out, uex_buffer_text(&encoded[i].name));
        uex_buffer_append_text(out, "=");
        uex_buffer_append_text(out, uex_buffer_text(&encoded[i].value));
        uex_buffer_clear(&encoded[i].name);
        uex_buffer_clear(&encoded[i].value);
    }
    return failed || uex_buffer_failed(out) ? UEX_NO_MEMORY : UEX_OK;
}

void uex_s3_date(int64_t wall_ms, char *out)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};

    gmtime_r(&seconds, &utc);
    if (strftime(out, UEX_S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) == 0)
        out[0] = '\0';
}

/* Signing takes a value without spaces at its ends and with one space for each run inside. */
static void append_trimmed(struct uex_buffer *out, const char *value)
{
    bool space = false, any = false;

    for (; *value != '\0'; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space && any)
            uex_buffer_append_text(out, " ");
        uex_buffer_append(out, value, 1);
        space = false;
        any = true;
    }
}

enum uex_error uex_s3_canonical_request(const struct uex_s3_signing *signing, struct uex_buffer *out,
                                        struct uex_buffer *signed_names)
{
    const struct uex_s3_header *sorted[UEX_S3_HEADERS_MAX] = {0};

    if (signing->header_count > UEX_S3_HEADERS_MAX)
        return UEX_INTERNAL;
    for (size_t i = 0; i < signing->header_count; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(signing->headers[i].name, sorted[at - 1]->name) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &signing->headers[i];
    }
    uex_buffer_append_format(out, "%s\n%s\n%s\n", signing->method, signing->path, signing->query);
    for (size_t i = 0; i < signing->header_count; i++) {
        uex_buffer_append_format(out, "%s:", sorted[i]->name);
        append_trimmed(out, sorted[i]->value);
        uex_buffer_append_text(out, "\n");
        uex_buffer_append_format(signed_names, "%s%s", i > 0 ? ";" : "", sorted[i]->name);
    }
    uex_buffer_append_format(out, "\n%s\n%s", uex_buffer_text(signed_names), signing->payload_hash);
    return uex_buffer_failed(out) || uex_buffer_failed(signed_names) ? UEX_NO_MEMORY : UEX_OK;
}

/* HMAC chain of the secret over date, region, service and the fixed end. */
static enum uex_error signing_key(const struct uex_s3_signing *signing, const char *secret,
                                  uint8_t out[UEX_SHA256_SIZE])
{
    struct uex_buffer first = {0};

    uex_buffer_append_text(&first, "AWS4");
    uex_buffer_append_text(&first, secret);
    if (uex_buffer_failed(&first)) {
        uex_buffer_clear(&first);
        return UEX_NO_MEMORY;
    }
    uex_hmac_sha256(uex_buffer_bytes(&first), uex_bytes_of(signing->date, 8), out);
    OPENSSL_cleanse(first.data, first.size_bytes);
    uex_buffer_clear(&first);
    const char *const links[] = {signing->region, signing->service, "aws4_request"};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        uint8_t next[UEX_SHA256_SIZE];
        uex_hmac_sha256(uex_bytes_of(out, UEX_SHA256_SIZE), uex_bytes_of_text(links[i]), next);
        memcpy(out, next, sizeof(next));
        OPENSSL_cleanse(next, sizeof(next));
    }
    return UEX_OK;
}

static enum uex_error signature_of(const struct uex_s3_signing *signing, const char *secret, const char *scope,
                                   struct uex_bytes canonical, char *hex)
{
    struct uex_buffer to_sign = {0};
    uint8_t key[UEX_SHA256_SIZE], digest[UEX_SHA256_SIZE];
    enum uex_error err = UEX_NO_MEMORY;

    uex_sha256(canonical, digest);
    uex_hex(digest, sizeof(digest), hex);
    uex_buffer_append_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", signing->date, scope, hex);
    if (uex_buffer_failed(&to_sign))
        goto done;
    err = signing_key(signing, secret, key);
    if (err != UEX_OK)
        goto done;
    uex_hmac_sha256(uex_bytes_of(key, sizeof(key)), uex_buffer_bytes(&to_sign), digest);
    OPENSSL_cleanse(key, sizeof(key));
    uex_hex(digest, sizeof(digest), hex);
done:
    uex_buffer_clear(&to_sign);
    return err;
}

enum uex_error uex_s3_sign(const struct uex_s3_signing *signing, const struct uex_s3_credentials *credentials,
                           struct uex_buffer *out)
{
    struct uex_buffer canonical = {0}, names = {0}, scope = {0};
    char signature[UEX_SHA256_HEX_SIZE];
    enum uex_error err = uex_s3_canonical_request(signing, &canonical, &names);

    if (err != UEX_OK)
        goto done;
    uex_buffer_append_format(&scope, "%.8s/%s/%s/aws4_request", signing->date, signing->region, signing->service);
    err = uex_buffer_failed(&scope) ? UEX_NO_MEMORY
                                    : signature_of(signing, credentials->secret_access_key, uex_buffer_text(&scope),
                                                   uex_buffer_bytes(&canonical), signature);
    if (err != UEX_OK)
        goto done;
    uex_buffer_append_format(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                             credentials->access_key_id, uex_buffer_text(&scope), uex_buffer_text(&names), signature);
    err = uex_buffer_failed(out) ? UEX_NO_MEMORY : UEX_OK;
done:
    uex_buffer_clear(&canonical);
    uex_buffer_clear(&names);
    uex_buffer_clear(&scope);
    return err;
}
