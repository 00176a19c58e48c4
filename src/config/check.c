/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include <stdlib.h>
#include <strings.h>

#include "export/config.h"
#include "export/text.h"

#define SQL_NAME_MAX_BYTES 63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool made_of(const char *text, size_t most_bytes, const char *marks)
{
    size_t size_bytes = strlen(text);

    if (size_bytes == 0 || size_bytes > most_bytes)
        return false;
    for (size_t i = 0; i < size_bytes; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) && strchr(marks, text[i]) == NULL)
            return false;
    }
    return true;
}

static bool topic_of_size(const char *text, size_t most_bytes)
{
    return made_of(text, most_bytes, "._-") && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool uex_check_topic(const char *text)
{
    return topic_of_size(text, 249);
}

bool uex_check_retry_topic(const char *text)
{
    return topic_of_size(text, 249 - strlen("-15"));
}

/* The end of the name that starts at `text`, NULL if none does. */
static const char *skip_sql_name(const char *text)
{
    const char *at = text;
    size_t size_bytes = 0;

    if (*at == '"') {
        for (at++; *at != '\0'; at++, size_bytes++) {
            if (*at == '"' && *++at != '"')
                return size_bytes > 0 && size_bytes <= SQL_NAME_MAX_BYTES ? at : NULL;
        }
        return NULL;
    }
    if (!is_letter(*at) && *at != '_' && (unsigned char)*at < 0x80)
        return NULL;
    while (is_letter(*at) || is_digit(*at) || *at == '_' || *at == '$' || (unsigned char)*at >= 0x80)
        at++;
    return at - text <= SQL_NAME_MAX_BYTES ? at : NULL;
}

bool uex_check_sql_name(const char *text)
{
    const char *end = skip_sql_name(text);

    return end != NULL && *end == '\0';
}

bool uex_check_view(const char *text)
{
    const char *end = skip_sql_name(text);

    if (end != NULL && *end == '.')
        end = skip_sql_name(end + 1);
    return end != NULL && *end == '\0';
}

bool uex_check_region(const char *text)
{
    return made_of(text, 64, "-_.");
}

bool uex_check_endpoint(const char *text)
{
    char with_port[UEX_LISTEN_HOST_SIZE + 8], host[UEX_LISTEN_HOST_SIZE];
    uint16_t port = 0;

    if (strncasecmp(text, "http://", 7) == 0)
        text += 7;
    else if (strncasecmp(text, "https://", 8) == 0)
        text += 8;
    else
        return false;
    size_t size_bytes = strlen(text);
    if (size_bytes > 0 && text[size_bytes - 1] == '/') /* as people copy it; the store leaves it out */
        size_bytes--;
    if (size_bytes >= UEX_LISTEN_HOST_SIZE)
        return false;
    memcpy(with_port, text, size_bytes);
    with_port[size_bytes] = '\0';
    if (uex_listen_split(with_port, host, &port))
        return port > 0;
    memcpy(with_port + size_bytes, ":80", sizeof(":80")); /* a host alone */
    return uex_listen_split(with_port, host, &port);
}

bool uex_check_sse(const char *text)
{
    return strcmp(text, "AES256") == 0 || strcmp(text, "aws:kms") == 0;
}

bool uex_check_s3_word(const char *text)
{
    return made_of(text, 64, "_-");
}

static bool host_valid(const char *host, size_t size_bytes, const char *marks)
{
    char text[UEX_LISTEN_HOST_SIZE];

    if (size_bytes == 0 || size_bytes >= sizeof text)
        return false;
    memcpy(text, host, size_bytes);
    text[size_bytes] = '\0';
    return made_of(text, sizeof text - 1, marks);
}

bool uex_listen_split(const char *listen, char *host, uint16_t *port)
{
    const char *colon = strrchr(listen, ':');
    const char *start = listen;
    const char *end = colon;
    long number = 0;

    if (colon == NULL || !made_of(colon + 1, 5, "") || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    number = strtol(colon + 1, NULL, 10);
    if (number > UINT16_MAX)
        return false;
    if (*start == '[') {
        start++;
        end--;
        if (end < start || *end != ']' || !host_valid(start, (size_t)(end - start), ":.%"))
            return false;
    } else if (!host_valid(start, (size_t)(end - start), "-._")) {
        return false;
    }
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *port = (uint16_t)number;
    return true;
}

bool uex_check_listen(const char *text)
{
    char host[UEX_LISTEN_HOST_SIZE];
    uint16_t port = 0;

    return uex_listen_split(text, host, &port);
}

bool uex_check_clock_time(const char *text)
{
    if (strlen(text) != 5 || text[2] != ':' || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[3]) ||
        !is_digit(text[4]))
        return false;
    return (text[0] - '0') * 10 + (text[1] - '0') < 24 && text[3] < '6';
}

bool uex_check_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    }
    return uex_utf8_valid(uex_bytes_of_text(text));
}

bool uex_check_kafka_group(const char *text)
{
    size_t size_bytes = strlen(text);

    return size_bytes > 0 && size_bytes <= 200 && uex_check_plain(text);
}

bool uex_check_absolute_path(const char *text)
{
    return text[0] == '/' && uex_check_plain(text);
}

bool uex_check_group_types(const char *text)
{
    struct uex_bytes type;

    if (!uex_check_plain(text) || strpbrk(text, "\"\\") != NULL)
        return false;
    while (uex_list_next(&text, &type)) {
        if (type.size_bytes == 0 || type.size_bytes > 63)
            return false;
    }
    return true;
}

bool uex_check_version(const char *text)
{
    return text[0] != '\0' && made_of(text, 32, "._+-");
}
