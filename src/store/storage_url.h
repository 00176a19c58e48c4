/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/storage_url.h — storage.url and s3.endpoint taken apart. Any thread. */
#ifndef EXPORT_STORE_STORAGE_URL_H
#define EXPORT_STORE_STORAGE_URL_H

#include "export/error.h"

/* S3 keys have 1,024 bytes at most (Amazon S3 User Guide, "Naming Amazon S3 objects"). The longest key of an export is
 * a domain id, a group id of 255 bytes all of them percent-encoded, and the file's name; the rest is for the prefix. */
#define UEX_OBJECT_KEY_MAX_BYTES 1024
#define UEX_STORAGE_PREFIX_MAX_BYTES (UEX_OBJECT_KEY_MAX_BYTES - (36 + 1 + 3 * 255 + 1 + 36 + 7) - 1)

enum uex_storage_kind { UEX_STORAGE_S3, UEX_STORAGE_FILE };

/* storage.url. Strings are owned; uex_storage_url_clear() frees them. */
struct uex_storage_url {
    enum uex_storage_kind kind;
    char *bucket;    /* s3 only */
    char *prefix;    /* s3 only; "" or "a/b": no slash at either end, no empty segment; taken literally */
    char *directory; /* file only; absolute, percent escapes decoded, no slash at its end */
};

/* Read "s3://bucket[/prefix]" or "file:///dir". UEX_CONFIG with the reason, UEX_NO_MEMORY. The caller clears `out` in
 * any case. */
UEX_MUST_CHECK enum uex_error uex_storage_url_parse(const char *text, struct uex_storage_url *out,
                                                    struct uex_fault *fault);
void uex_storage_url_clear(struct uex_storage_url *url);

/* Where the S3 server is. */
struct uex_s3_endpoint {
    bool tls;
    bool host_is_address; /* an IP address: it can have no bucket in front */
    bool host_is_loopback;
    char *authority; /* owned; host[:port] as in a Host header, the port left out where it is the scheme's own */
};

/* Read "http[s]://host[:port]"; an empty text gives AWS's endpoint of `region`. UEX_CONFIG with the reason,
 * UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_s3_endpoint_parse(const char *text, const char *region, struct uex_s3_endpoint *out,
                                                    struct uex_fault *fault);
void uex_s3_endpoint_clear(struct uex_s3_endpoint *endpoint);
#endif
