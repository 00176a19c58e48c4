/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/tagging.c — the tags of an object as the header x-amz-tagging has them. Source: Amazon S3 API Reference,
 * PutObject, x-amz-tagging ("encoded as URL Query parameters"), and User Guide, "Categorizing your objects using tags":
 * at most 10 tags, no key twice, keys of 1 to 128 and values of at most 256 characters. */
#include "config/check.h"
#include "export/text.h"

#define TAGS_MAX 10
#define KEY_MAX_CHARACTERS 128
#define VALUE_MAX_CHARACTERS 256
/* AWS takes 8 KB of headers in all. */
#define TEXT_MAX_BYTES 4096

/* A key or value as it is meant, with its zero; 4 bytes a character. */
#define DECODED_SIZE (4 * VALUE_MAX_CHARACTERS + 1)

/* Decode one side of a pair. False: a character that has to be encoded, a bad escape, not UTF-8, a control character,
 * or more than `most` characters. */
static bool decode(const char *text, size_t size_bytes, size_t most, char out[DECODED_SIZE])
{
    size_t used = 0, character_count = 0;

    for (size_t i = 0; i < size_bytes; i++) {
        int byte = (unsigned char)text[i];

        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (size_bytes - i < 3 || uex_hex_digit((unsigned char)text[i + 1]) < 0 ||
                uex_hex_digit((unsigned char)text[i + 2]) < 0)
                return false;
            byte = uex_hex_digit((unsigned char)text[i + 1]) << 4 | uex_hex_digit((unsigned char)text[i + 2]);
            i += 2;
        } else if (!(byte >= 'a' && byte <= 'z') && !(byte >= 'A' && byte <= 'Z') && !(byte >= '0' && byte <= '9') &&
                   strchr("-._~/:@", byte) == NULL) {
            return false;
        }
        character_count += (byte & 0xC0) != 0x80;
        if (byte == '\0' || character_count > most || used == DECODED_SIZE - 1)
            return false;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return uex_check_plain(out);
}

bool uex_check_tagging(const char *text)
{
    char keys[TAGS_MAX][DECODED_SIZE], value[DECODED_SIZE];

    if (strlen(text) > TEXT_MAX_BYTES)
        return false;
    for (size_t count = 0; count < TAGS_MAX; count++) {
        const size_t size_bytes = strcspn(text, "&");
        const size_t key_bytes = strcspn(text, "&=");

        if (key_bytes == 0 || text[key_bytes] != '=' || !decode(text, key_bytes, KEY_MAX_CHARACTERS, keys[count]) ||
            !decode(text + key_bytes + 1, size_bytes - key_bytes - 1, VALUE_MAX_CHARACTERS, value))
            return false;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(keys[i], keys[count]) == 0)
                return false;
        }
        if (text[size_bytes] == '\0')
            return true;
        text += size_bytes + 1;
    }
    return false;
}
