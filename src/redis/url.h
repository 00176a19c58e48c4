/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/url.h — redis[s]://[[user]:password@]host:port[/db], taken apart. */
#ifndef EXPORT_REDIS_URL_H
#define EXPORT_REDIS_URL_H

#include "export/buffer.h"

struct uex_redis_url {
    bool tls;
    char *user, *password; /* "" if the URL has none; percent-decoded; the password is wiped by clear */
    char *host;            /* without the brackets of an IPv6 address */
    int port;
    int database;
};

/* UEX_CONFIG with the rule that is broken, never with a piece of the URL. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_redis_url_parse(const char *url, struct uex_redis_url *out, struct uex_fault *fault);
void uex_redis_url_clear(struct uex_redis_url *url);
#endif
