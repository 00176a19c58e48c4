/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/location.c — where a secret setting points (postgres.dsn, redis.url), without what is secret in it.
 *
 * What is shown has to be understood. A text with one "@" too many, a port that is no number, or a word without a key
 * may hold a piece of a password that somebody forgot to escape; nothing of such a text is shown. */
#include "config/load.h"

#define HIDDEN "***"

/* Parameters of libpq whose values are shown. Source: PostgreSQL documentation, "Parameter Key Words". */
static const char *const harmless[] = {"host",
                                       "hostaddr",
                                       "port",
                                       "dbname",
                                       "user",
                                       "application_name",
                                       "fallback_application_name",
                                       "client_encoding",
                                       "connect_timeout",
                                       "keepalives",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "tcp_user_timeout",
                                       "gssencmode",
                                       "channel_binding",
                                       "load_balance_hosts",
                                       "sslmode",
                                       "sslrootcert",
                                       "sslcert",
                                       "sslkey",
                                       "sslnegotiation",
                                       "target_session_attrs"};

static bool is_harmless(const char *key, size_t size_bytes, const char *value, size_t value_bytes)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (strlen(harmless[i]) == size_bytes && memcmp(harmless[i], key, size_bytes) == 0)
            return memchr(value, '=', value_bytes) == NULL && memchr(value, '@', value_bytes) == NULL;
    return false;
}

/* "host", "host:port", "[v6]:port", and several of them with commas. */
static bool are_hosts(const char *text, size_t size_bytes)
{
    const char *end = text + size_bytes;

    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma == NULL ? end : comma;
        const char *bracket = *text == '[' ? memchr(text, ']', (size_t)(stop - text)) : NULL;
        const char *host_end = bracket == NULL ? text : bracket + 1;
        const char *colon = memchr(host_end, ':', (size_t)(stop - host_end));

        if (colon != NULL && strspn(colon + 1, "0123456789") < (size_t)(stop - colon - 1))
            return false;
        text = comma == NULL ? end : comma + 1;
    }
    return true;
}

/* "key=value&…" behind the question mark of a URI. */
static bool append_parameters(const char *text, struct uex_buffer *out)
{
    while (*text != '\0') {
        size_t size_bytes = strcspn(text, "&"), key_bytes = strcspn(text, "=&");

        if (key_bytes == size_bytes)
            return false;
        uex_buffer_append(out, text, key_bytes + 1);
        if (is_harmless(text, key_bytes, text + key_bytes + 1, size_bytes - key_bytes - 1))
            uex_buffer_append(out, text + key_bytes + 1, size_bytes - key_bytes - 1);
        else
            uex_buffer_append_text(out, HIDDEN);
        text += size_bytes;
        uex_buffer_append_text(out, *text == '&' ? "&" : "");
        text += *text == '&';
    }
    return true;
}

/* "scheme://user:password@host:port/name?key=value" */
static bool append_uri(const char *text, struct uex_buffer *out)
{
    const char *authority = strstr(text, "://") + 3;
    size_t authority_bytes = strcspn(authority, "/?#");
    const char *at = memchr(authority, '@', authority_bytes);
    const char *hosts = at == NULL ? authority : at + 1, *path = authority + authority_bytes;
    const char *query = strchr(path, '?');
    const char *colon = at == NULL ? NULL : memchr(authority, ':', (size_t)(at - authority));

    if (strchr(hosts, '@') != NULL || !are_hosts(hosts, (size_t)(path - hosts)))
        return false;
    uex_buffer_append(out, text, (size_t)(authority - text));
    if (at != NULL && colon == NULL && strncmp(text, "redis", 5) == 0) { /* some take that for a password */
        uex_buffer_append_text(out, HIDDEN "@");
    } else if (at != NULL) {
        uex_buffer_append(out, authority, (size_t)((colon == NULL ? at : colon) - authority));
        uex_buffer_append_text(out, colon == NULL ? "@" : ":" HIDDEN "@");
    }
    if (query == NULL) {
        uex_buffer_append_text(out, hosts);
        return true;
    }
    uex_buffer_append(out, hosts, (size_t)(query + 1 - hosts));
    return append_parameters(query + 1, out);
}

/* The end of a value as libpq reads it: in single quotes or not, with backslashes. NULL: it has none. */
static const char *value_end(const char *text)
{
    const bool quoted = *text == '\'';

    for (text += quoted; *text != '\0' && (quoted ? *text != '\'' : strchr(" \t\r\n\f\v", *text) == NULL); text++)
        text += *text == '\\' && text[1] != '\0';
    if (quoted)
        return *text == '\'' ? text + 1 : NULL;
    return text;
}

/* "key = value key = 'value'" */
static bool append_words(const char *text, struct uex_buffer *out)
{
    static const char blanks[] = " \t\r\n\f\v";
    const char *separator = "";

    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        size_t key_bytes = strcspn(text, "= \t\r\n\f\v");
        const char *value = text + key_bytes + strspn(text + key_bytes, blanks), *end = NULL;

        if (key_bytes == 0 || *value != '=')
            return false;
        value += 1 + strspn(value + 1, blanks);
        end = value_end(value);
        if (end == NULL)
            return false;
        uex_buffer_append_text(out, separator);
        uex_buffer_append(out, text, key_bytes);
        uex_buffer_append_text(out, "=");
        if (is_harmless(text, key_bytes, value, (size_t)(end - value)))
            uex_buffer_append(out, value, (size_t)(end - value));
        else
            uex_buffer_append_text(out, HIDDEN);
        separator = " ";
        text = end;
    }
    return true;
}

bool uex_config_append_location(const char *text, struct uex_buffer *out)
{
    const size_t before_bytes = out->size_bytes;
    const char *scheme_end = strstr(text, "://");
    bool is_uri = scheme_end != NULL && scheme_end > text &&
                  strspn(text, "abcdefghijklmnopqrstuvwxyz") == (size_t)(scheme_end - text);

    if (text[0] != '\0' && (is_uri ? append_uri(text, out) : append_words(text, out)))
        return true;
    if (!uex_buffer_failed(out) && out->size_bytes > before_bytes) {
        out->size_bytes = before_bytes;
        out->data[before_bytes] = '\0';
    }
    return false;
}
