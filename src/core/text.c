/* SPDX-License-Identifier: Apache-2.0 */
#include "export/text.h"

#include <stdlib.h>

#include "core/utf8.h"

#define GROUP_ID_MAX_BYTES 255
#define COMPARED_MAX_BYTES 255

/* How many bytes follow `lead`, and the range that the first of them must be in (RFC 3629, section 4); -1: no lead
 * byte. */
static int continuation_of(uint8_t lead, uint8_t *least, uint8_t *most)
{
    *least = 0x80;
    *most = 0xBF;
    if (lead < 0x80)
        return 0;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *least = 0xA0; /* overlong */
        if (lead == 0xED)
            *most = 0x9F; /* surrogates */
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *least = 0x90; /* overlong */
        if (lead == 0xF4)
            *most = 0x8F; /* beyond U+10FFFF */
        return 3;
    }
    return -1;
}

struct uex_utf8_char uex_utf8_next(const uint8_t *text, size_t size_bytes)
{
    uint8_t least, most;
    int more = continuation_of(text[0], &least, &most);
    struct uex_utf8_char next = {.size_bytes = 1};

    if (more < 0)
        return next;
    for (int i = 0; i < more; i++, next.size_bytes++) {
        if (next.size_bytes == size_bytes) {
            next.truncated = true;
            return next;
        }
        if (text[next.size_bytes] < least || text[next.size_bytes] > most)
            return next;
        least = 0x80;
        most = 0xBF;
    }
    next.valid = true;
    next.is_control = text[0] < 0x20 || text[0] == 0x7F || (text[0] == 0xC2 && text[1] < 0xA0);
    return next;
}

/* Eight characters of ASCII at a time, as most text has them. */
static size_t skip_ascii(struct uex_bytes text, size_t at)
{
    uint64_t word = 0;

    while (text.size_bytes - at >= sizeof(word)) {
        memcpy(&word, text.data + at, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0)
            break;
        at += sizeof(word);
    }
    return at;
}

bool uex_utf8_valid(struct uex_bytes text)
{
    for (size_t at = skip_ascii(text, 0); at < text.size_bytes; at = skip_ascii(text, at)) {
        struct uex_utf8_char next = uex_utf8_next(text.data + at, text.size_bytes - at);

        if (!next.valid)
            return false;
        at += next.size_bytes;
    }
    return true;
}

bool uex_group_id_valid(struct uex_bytes text)
{
    if (text.data == NULL || text.size_bytes == 0 || text.size_bytes > GROUP_ID_MAX_BYTES)
        return false;
    for (size_t at = 0; at < text.size_bytes;) {
        struct uex_utf8_char next = uex_utf8_next(text.data + at, text.size_bytes - at);

        if (!next.valid || next.is_control)
            return false;
        at += next.size_bytes;
    }
    return true;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void uex_percent_encode_keeping(struct uex_buffer *out, struct uex_bytes text, const char *keep)
{
    static const char DIGITS[] = "0123456789ABCDEF";

    for (size_t at = 0; at < text.size_bytes; at++) {
        uint8_t byte = text.data[at];

        if (is_unreserved(byte) || (byte != '\0' && strchr(keep, byte) != NULL)) {
            uex_buffer_append(out, &byte, 1);
        } else {
            char escaped[3] = {'%', DIGITS[byte >> 4], DIGITS[byte & 15]};

            uex_buffer_append(out, escaped, sizeof(escaped));
        }
    }
}

void uex_percent_encode(struct uex_buffer *out, struct uex_bytes text)
{
    const bool is_dots =
        (text.size_bytes == 1 || text.size_bytes == 2) && memcmp(text.data, "..", text.size_bytes) == 0;

    if (is_dots)
        uex_buffer_append_text(out, text.size_bytes == 1 ? "%2E" : "%2E%2E");
    else
        uex_percent_encode_keeping(out, text, "");
}

#define NONE16 -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
#define LETTERS16 -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1
/* A digest has 64 digits and a schedule reads millions: a table, so that no branch is guessed. */
const int8_t uex_hex_values[256] = {NONE16, NONE16, NONE16, 0,         1,      2,         3,      4,
                                    5,      6,      7,      8,         9,      -1,        -1,     -1,
                                    -1,     -1,     -1,     LETTERS16, NONE16, LETTERS16, NONE16, NONE16,
                                    NONE16, NONE16, NONE16, NONE16,    NONE16, NONE16,    NONE16};

enum uex_error uex_percent_decode(struct uex_bytes text, char **out)
{
    char *decoded = malloc(text.size_bytes + 1);
    size_t size_bytes = 0;

    *out = NULL;
    if (decoded == NULL)
        return UEX_NO_MEMORY;
    for (size_t at = 0; at < text.size_bytes; at++) {
        int byte = text.data[at];

        if (byte == '%') {
            const int high = at + 2 < text.size_bytes ? uex_hex_digit(text.data[at + 1]) : -1;
            const int low = high < 0 ? -1 : uex_hex_digit(text.data[at + 2]);

            if (low < 0 || high + low == 0) {
                explicit_bzero(decoded, size_bytes);
                free(decoded);
                return UEX_MALFORMED;
            }
            byte = high * 16 + low;
            at += 2;
        }
        decoded[size_bytes++] = (char)byte;
    }
    decoded[size_bytes] = '\0';
    *out = decoded;
    return UEX_OK;
}

char *uex_text_copy(struct uex_bytes text)
{
    char *copy = malloc(text.size_bytes + 1);

    if (copy == NULL)
        return NULL;
    if (text.size_bytes > 0)
        memcpy(copy, text.data, text.size_bytes);
    copy[text.size_bytes] = '\0';
    return copy;
}

static bool is_one_of(uint8_t byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

struct uex_bytes uex_text_trim(struct uex_bytes text, const char *blanks)
{
    while (text.size_bytes > 0 && is_one_of(text.data[0], blanks))
        text = uex_bytes_of(text.data + 1, text.size_bytes - 1);
    while (text.size_bytes > 0 && is_one_of(text.data[text.size_bytes - 1], blanks))
        text.size_bytes--;
    return text;
}

bool uex_list_next(const char **rest, struct uex_bytes *item)
{
    const char *text = *rest;
    size_t size_bytes = 0;

    if (text == NULL)
        return false;
    size_bytes = strcspn(text, ",");
    *rest = text[size_bytes] == ',' ? text + size_bytes + 1 : NULL;
    *item = uex_text_trim(uex_bytes_of(text, size_bytes), " ");
    return true;
}

void uex_secret_free(char *secret)
{
    if (secret == NULL)
        return;
    explicit_bzero(secret, strlen(secret));
    free(secret);
}

size_t uex_text_distance(struct uex_bytes left, struct uex_bytes right, char (*fold)(char c))
{
    size_t row[COMPARED_MAX_BYTES + 1];

    if (left.size_bytes > COMPARED_MAX_BYTES || right.size_bytes > COMPARED_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= right.size_bytes; j++)
        row[j] = j;
    for (size_t i = 1; i <= left.size_bytes; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= right.size_bytes; j++) {
            size_t best = diagonal + (fold((char)left.data[i - 1]) != fold((char)right.data[j - 1]));

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[right.size_bytes];
}
