/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/http.h — the worker's HTTP server: GET and HEAD of /metrics, /livez and /readyz.
 *
 * One thread serves all connections without blocking on any: a slow client holds nobody up, only its own connection,
 * and that for a bounded time. A connection carries one request. With more connections than there is room for, the one
 * that has been silent longest goes. No TLS and no authentication: the address is for the cluster's inside.
 */
#ifndef EXPORT_HTTP_H
#define EXPORT_HTTP_H

#include "export/metrics.h"

struct uex_http;

/* A health question. Called on the server's thread; must not block. Returns whether the answer is yes (200, else 503);
 * `body` gets one line of text, or with `verbose` one JSON object. */
typedef bool (*uex_http_health)(void *context, bool verbose, struct uex_buffer *body);

/* Who answers. */
struct uex_http_site {
    void *context;
    struct uex_metrics *metrics;
    uex_http_health live, ready;
};

/* Bind and listen on "host:port" or "[v6]:port" (port 0: any free one). Nothing is answered yet. UEX_CONFIG: the
 * address is in use or not of this machine; the reason is in `fault`. Main thread. */
UEX_MUST_CHECK enum uex_error uex_http_open(const char *listen_on, const struct uex_http_site *site,
                                            struct uex_http **out, struct uex_fault *fault);
/* The address that is listened on, with its real port. */
const char *uex_http_address(const struct uex_http *http);
/* Answer from now on, on a thread of its own. UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_http_start(struct uex_http *http, struct uex_fault *fault);
/* Stop answering, close all connections, free. Accepts NULL. Returns within about 100 ms, or what one answer takes. */
void uex_http_close(struct uex_http *http);
#endif
