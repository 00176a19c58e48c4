/* SPDX-License-Identifier: Apache-2.0 */
#include "store/storage_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "export/buffer.h"
#include "export/text.h"

static bool has_control(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if (*at < 0x20 || *at == 0x7f)
            return true;
    return false;
}

static enum uex_error keep(struct uex_buffer *text, char **out, struct uex_fault *fault)
{
    if (!uex_buffer_failed(text))
        *out = uex_text_copy(uex_bytes_of_text(uex_buffer_text(text)));
    uex_buffer_clear(text);
    return *out != NULL ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "no memory for storage.url");
}

/* Append the non-empty segments of `path` with one slash between; false if one of them is "." or "..". */
static bool join_segments(const char *path, struct uex_buffer *out)
{
    while (*path != '\0') {
        size_t size = strcspn(path, "/");
        if ((size == 1 && path[0] == '.') || (size == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (size > 0) {
            if (out->size_bytes > 0)
                uex_buffer_append_text(out, "/");
            uex_buffer_append(out, path, size);
        }
        path += size + (path[size] == '/');
    }
    return true;
}

static bool bucket_valid(const char *name, size_t size)
{
    if (size < 3 || size > 63 || !isalnum((unsigned char)name[0]) || !isalnum((unsigned char)name[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL)
            return false;
    return true;
}

static enum uex_error parse_s3(const char *rest, struct uex_storage_url *out, struct uex_fault *fault)
{
    struct uex_buffer prefix = {0};
    size_t size = strcspn(rest, "/");

    out->kind = UEX_STORAGE_S3;
    if (!bucket_valid(rest, size))
        return uex_fail(fault, UEX_CONFIG,
                        "storage.url: the bucket needs 3 to 63 letters, digits, dots, hyphens or underscores, the "
                        "first and last a letter or digit");
    out->bucket = uex_text_copy(uex_bytes_of(rest, size));
    if (out->bucket == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for storage.url");
    if (!join_segments(rest + size, &prefix)) {
        uex_buffer_clear(&prefix);
        return uex_fail(fault, UEX_CONFIG, "storage.url: the prefix must not have \".\" or \"..\" as a segment");
    }
    if (prefix.size_bytes > UEX_STORAGE_PREFIX_MAX_BYTES) {
        uex_buffer_clear(&prefix);
        return uex_fail(fault, UEX_CONFIG, "storage.url: the prefix must not be longer than %d bytes",
                        UEX_STORAGE_PREFIX_MAX_BYTES);
    }
    return keep(&prefix, &out->prefix, fault);
}

static enum uex_error parse_file(const char *path, struct uex_storage_url *out, struct uex_fault *fault)
{
    struct uex_buffer joined = {0}, segments = {0};
    char *decoded = NULL;
    enum uex_error err = uex_percent_decode(uex_bytes_of_text(path), &decoded);

    out->kind = UEX_STORAGE_FILE;
    if (path[0] != '/')
        err = uex_fail(fault, UEX_CONFIG, "storage.url: a file URL is file:///dir, without a host");
    else if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for storage.url");
    else if (err != UEX_OK || has_control(decoded))
        err = uex_fail(fault, UEX_CONFIG, "storage.url: a bad percent escape in the directory");
    else if (!join_segments(decoded, &segments))
        err = uex_fail(fault, UEX_CONFIG, "storage.url: the directory must not have \".\" or \"..\" in it");
    else if (segments.size_bytes == 0 && !uex_buffer_failed(&segments))
        err = uex_fail(fault, UEX_CONFIG, "storage.url: file:///dir needs a directory other than /");
    if (err == UEX_OK) {
        uex_buffer_append_text(&joined, "/");
        uex_buffer_append_buffer(&joined, &segments);
        err = keep(&joined, &out->directory, fault);
    }
    uex_buffer_clear(&segments);
    free(decoded);
    return err;
}

enum uex_error uex_storage_url_parse(const char *text, struct uex_storage_url *out, struct uex_fault *fault)
{
    *out = (struct uex_storage_url){0};
    if (text == NULL || text[0] == '\0')
        return uex_fail(fault, UEX_CONFIG, "storage.url is not set: s3://bucket[/prefix] or file:///dir");
    if (has_control(text) || !uex_utf8_valid(uex_bytes_of_text(text)))
        return uex_fail(fault, UEX_CONFIG, "storage.url: control characters or text that is not UTF-8");
    if (strncasecmp(text, "s3://", 5) == 0)
        return parse_s3(text + 5, out, fault);
    if (strncasecmp(text, "file://", 7) == 0)
        return parse_file(text + 7, out, fault);
    return uex_fail(fault, UEX_CONFIG, "storage.url: s3://bucket[/prefix] or file:///dir is allowed");
}

void uex_storage_url_clear(struct uex_storage_url *url)
{
    if (url == NULL)
        return;
    free(url->bucket);
    free(url->prefix);
    free(url->directory);
    *url = (struct uex_storage_url){0};
}

static bool region_valid(const char *region)
{
    size_t size = strlen(region);
    if (size == 0 || size > 64)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)region[i]) && strchr("._-", region[i]) == NULL)
            return false;
    return true;
}

/* A host name, an IPv4 address, or an IPv6 address in brackets. */
static bool host_valid(const char *host, size_t size, bool *is_address, bool *is_loopback)
{
    char name[256];
    struct in_addr v4;
    struct in6_addr v6;

    if (size == 0 || size >= sizeof(name))
        return false;
    if (host[0] == '[') {
        if (size < 3 || host[size - 1] != ']')
            return false;
        memcpy(name, host + 1, size - 2);
        name[size - 2] = '\0';
        *is_address = inet_pton(AF_INET6, name, &v6) == 1;
        *is_loopback = *is_address && IN6_IS_ADDR_LOOPBACK(&v6);
        return *is_address;
    }
    memcpy(name, host, size);
    name[size] = '\0';
    if (inet_pton(AF_INET, name, &v4) == 1) {
        *is_address = true;
        *is_loopback = (ntohl(v4.s_addr) >> 24) == 127;
        return true;
    }
    *is_loopback = strcasecmp(name, "localhost") == 0;
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)name[i]) && strchr(".-_", name[i]) == NULL)
            return false;
    return isalnum((unsigned char)name[0]);
}

static bool port_parse(const char *text, size_t size, unsigned *port)
{
    *port = 0;
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i]) || *port > 6553)
            return false;
        *port = *port * 10 + (unsigned)(text[i] - '0');
    }
    return size > 0 && *port > 0 && *port <= 65535;
}

static void endpoint_of_region(const char *region, struct uex_buffer *authority)
{
    /* Source: AWS General Reference, "Amazon S3 endpoints"; the Chinese regions are a partition of their own. */
    uex_buffer_append_format(authority, "s3.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
}

/* Not by curl_url(): it accepts and corrects what is probably a mistake ("http:/host", "http://host:", port 0, "%62" in
 * a host), and each of these would have to be refused here all the same. */
static enum uex_error endpoint_of_text(const char *text, struct uex_s3_endpoint *out, struct uex_buffer *authority,
                                       struct uex_fault *fault)
{
    static const char allowed[] = "s3.endpoint: http[s]://host[:port] is allowed";
    unsigned port = 0;
    const char *host;

    if (strncasecmp(text, "https://", 8) == 0)
        host = text + 8;
    else if (strncasecmp(text, "http://", 7) == 0)
        host = text + 7;
    else
        return uex_fail(fault, UEX_CONFIG, "%s", allowed);
    out->tls = (host - text) == 8;
    size_t size = strlen(host);
    if (size > 0 && host[size - 1] == '/')
        size--;
    size_t host_size = size;
    const char *bracket = memchr(host, ']', size);
    const char *from = bracket == NULL ? host : bracket;
    const char *colon = memchr(from, ':', size - (size_t)(from - host));
    if (colon != NULL) {
        host_size = (size_t)(colon - host);
        if (!port_parse(colon + 1, size - host_size - 1, &port))
            return uex_fail(fault, UEX_CONFIG, "%s", allowed);
    }
    if (!host_valid(host, host_size, &out->host_is_address, &out->host_is_loopback))
        return uex_fail(fault, UEX_CONFIG, "%s", allowed);
    for (size_t i = 0; i < host_size; i++) {
        char lower = (char)tolower((unsigned char)host[i]);
        uex_buffer_append(authority, &lower, 1);
    }
    if (port != 0 && port != (out->tls ? 443U : 80U))
        uex_buffer_append_format(authority, ":%u", port);
    return UEX_OK;
}

enum uex_error uex_s3_endpoint_parse(const char *text, const char *region, struct uex_s3_endpoint *out,
                                     struct uex_fault *fault)
{
    struct uex_buffer authority = {0};
    enum uex_error err = UEX_OK;

    *out = (struct uex_s3_endpoint){.tls = true};
    if (region == NULL || !region_valid(region))
        return uex_fail(fault, UEX_CONFIG, "s3.region: letters, digits, hyphens, dots and underscores are allowed");
    if (text == NULL || text[0] == '\0')
        endpoint_of_region(region, &authority);
    else
        err = endpoint_of_text(text, out, &authority, fault);
    if (err == UEX_OK)
        return keep(&authority, &out->authority, fault);
    uex_buffer_clear(&authority);
    return err;
}

void uex_s3_endpoint_clear(struct uex_s3_endpoint *endpoint)
{
    if (endpoint == NULL)
        return;
    free(endpoint->authority);
    *endpoint = (struct uex_s3_endpoint){0};
}
