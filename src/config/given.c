/* SPDX-License-Identifier: Apache-2.0 */
#include "config/given.h"

#include "config/kafka.h"

enum uex_given_kind uex_given_kind_of(const struct uex_setting *setting, const char *key)
{
    size_t size_bytes = strlen(key);

    if (setting != NULL && setting->sql_name)
        return UEX_GIVEN_SQL;
    if (setting != NULL)
        return setting->free_text ? UEX_GIVEN_FREE : setting->words ? UEX_GIVEN_WORDS : UEX_GIVEN_LINE;
    /* ssl.ca.pem, ssl.certificate.pem, ssl.key.pem and those to come. */
    if (size_bytes > 4 && strcmp(key + size_bytes - 4, ".pem") == 0)
        return UEX_GIVEN_LINES;
    return uex_kafka_secret(key) || strcmp(key, UEX_KAFKA_PREFIX "sasl.username") == 0 ? UEX_GIVEN_FREE
                                                                                       : UEX_GIVEN_LINE;
}

static size_t without_line_ends(const char *text)
{
    size_t size_bytes = strlen(text);

    while (size_bytes > 0 && (text[size_bytes - 1] == '\n' || text[size_bytes - 1] == '\r'))
        size_bytes--;
    return size_bytes;
}

size_t uex_given_bytes(enum uex_given_kind kind, const char *text)
{
    return kind == UEX_GIVEN_LINES ? strlen(text) : without_line_ends(text);
}

/* One pair of quotes around all of it. With more of them inside it is a text that has quotes of its own: the command
 * line of sasl.kerberos.kinit.cmd, for example. */
static bool in_quotes_of(const char *text, char quote)
{
    size_t size_bytes = without_line_ends(text);

    return size_bytes >= 2 && text[0] == quote && text[size_bytes - 1] == quote &&
           memchr(text + 1, quote, size_bytes - 2) == NULL;
}

bool uex_given_quoted(enum uex_given_kind kind, const char *text)
{
    return in_quotes_of(text, '\'') || (kind != UEX_GIVEN_SQL && in_quotes_of(text, '"'));
}

static bool is_between_words(enum uex_given_kind kind, char character)
{
    return kind == UEX_GIVEN_WORDS && (character == '\n' || character == '\r' || character == '\t');
}

bool uex_given_has_control(enum uex_given_kind kind, const char *text)
{
    size_t size_bytes = kind == UEX_GIVEN_LINES ? 0 : uex_given_bytes(kind, text);

    for (size_t i = 0; i < size_bytes; i++) {
        if (((unsigned char)text[i] < 0x20 && !is_between_words(kind, text[i])) || text[i] == 0x7f)
            return true;
    }
    return false;
}
