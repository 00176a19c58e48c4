/* SPDX-License-Identifier: Apache-2.0 */
/* Not by curl_url(): it accepts a bad percent escape in a password as it is, and keeps a copy of the password that it
 * does not wipe. */
#include "redis/url.h"

#include "export/redis.h"
#include "export/text.h"

#include <ctype.h>
#include <stdlib.h>

#define DEFAULT_PORT 6379
#define DATABASE_MAX 1000000

static enum uex_error decode(const char *text, size_t length, const char *what, char **result, struct uex_fault *fault)
{
    const enum uex_error err = uex_percent_decode(uex_bytes_of(text, length), result);

    if (err == UEX_MALFORMED)
        return uex_fail(fault, UEX_CONFIG, "redis.url: %s has a bad percent escape", what);
    return err == UEX_OK ? err : uex_fail(fault, err, "no memory for redis.url");
}

/* Decimal digits from `text` to `end`. */
static bool read_number(const char *text, const char *end, int max, int *out)
{
    long number = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        if (!isdigit((unsigned char)*text))
            return false;
        number = number * 10 + (*text - '0');
        if (number > max)
            return false;
    }
    *out = (int)number;
    return true;
}

/* [user]:password. A user alone is refused: Redis has no login without a password. */
static enum uex_error read_credentials(const char *text, const char *end, struct uex_redis_url *out,
                                       struct uex_fault *fault)
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    enum uex_error err = UEX_OK;

    if (colon == NULL)
        return uex_fail(fault, UEX_CONFIG, "redis.url: [user]:password is expected before '@'");
    err = decode(text, (size_t)(colon - text), "user or password", &out->user, fault);
    if (err == UEX_OK)
        err = decode(colon + 1, (size_t)(end - colon - 1), "user or password", &out->password, fault);
    return err;
}

static enum uex_error read_host(const char *text, const char *end, struct uex_redis_url *out, struct uex_fault *fault)
{
    const char *host_end, *colon;

    if (text < end && *text == '[') {
        host_end = memchr(text, ']', (size_t)(end - text));
        if (host_end == NULL)
            return uex_fail(fault, UEX_CONFIG, "redis.url: the IPv6 address has no ']'");
        text++;
        colon = host_end + 1;
    } else {
        colon = memchr(text, ':', (size_t)(end - text));
        host_end = colon == NULL ? end : colon;
        colon = host_end;
    }
    if (host_end == text)
        return uex_fail(fault, UEX_CONFIG, "redis.url: the host is missing");
    if (colon < end && (*colon != ':' || !read_number(colon + 1, end, 65535, &out->port) || out->port == 0))
        return uex_fail(fault, UEX_CONFIG, "redis.url: the port is a number from 1 to 65535");
    return decode(text, (size_t)(host_end - text), "the host", &out->host, fault);
}

enum uex_error uex_redis_url_parse(const char *url, struct uex_redis_url *out, struct uex_fault *fault)
{
    const char *at, *authority_end, *credentials_end = NULL;
    enum uex_error err;

    *out = (struct uex_redis_url){.port = DEFAULT_PORT};
    if (strncmp(url, "rediss://", 9) == 0)
        out->tls = true;
    else if (strncmp(url, "redis://", 8) != 0)
        return uex_fail(fault, UEX_CONFIG, "redis.url is not redis[s]://[[user]:password@]host:port[/db]");
    at = url + (out->tls ? 9 : 8);
    authority_end = at + strcspn(at, "/?#");
    for (const char *c = at; c < authority_end; c++) {
        if (*c == '@')
            credentials_end = c;
    }
    if (credentials_end != NULL) {
        err = read_credentials(at, credentials_end, out, fault);
        if (err != UEX_OK)
            return err;
        at = credentials_end + 1;
    }
    err = read_host(at, authority_end, out, fault);
    if (err != UEX_OK)
        return err;
    if (*authority_end == '/' && authority_end[1] != '\0' &&
        !read_number(authority_end + 1, authority_end + strlen(authority_end), DATABASE_MAX, &out->database))
        return uex_fail(fault, UEX_CONFIG, "redis.url: the number of the database is expected after the last '/'");
    if (*authority_end == '?' || *authority_end == '#')
        return uex_fail(fault, UEX_CONFIG, "redis.url: a query or a fragment is not allowed");
    return UEX_OK;
}

void uex_redis_url_clear(struct uex_redis_url *url)
{
    free(url->user);
    uex_secret_free(url->password);
    free(url->host);
    *url = (struct uex_redis_url){0};
}

enum uex_error uex_redis_check_url(const char *url, struct uex_fault *fault)
{
    struct uex_redis_url parsed = {0};
    enum uex_error err = url[0] == '\0' ? UEX_OK : uex_redis_url_parse(url, &parsed, fault);

#ifndef UEX_HAVE_HIREDIS_SSL
    if (err == UEX_OK && parsed.tls)
        err = uex_fail(fault, UEX_CONFIG,
                       "redis.url: rediss:// needs TLS, and this program's hiredis was built without it");
#endif
    uex_redis_url_clear(&parsed);
    return err;
}
