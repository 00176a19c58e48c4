/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/http.h — the worker's HTTP server: GET and HEAD of /metrics, /livez and /readyz.
 *
 * One thread serves all connections without blocking on any, so a slow client delays only itself, and only for a
 * bounded time. A connection has one request. With too many connections the oldest is closed. No TLS and no
 * authentication: the address is for use inside the cluster.
 */
#ifndef EXPORT_HTTP_H
#define EXPORT_HTTP_H

#include "export/metrics.h"

struct uex_http;

/* A health check. Called on the server thread; must not block. True: 200, false: 503. `body` gets one line of text, or
 * with `verbose` one JSON object. */
typedef bool (*uex_http_health)(void *context, bool verbose, struct uex_buffer *body);

/* What is served. */
struct uex_http_site {
    void *context;
    struct uex_metrics *metrics;
    uex_http_health live, ready;
};

/* Bind and listen on "host:port" or "[v6]:port" (port 0: any free one). Requests are not answered yet. UEX_CONFIG: the
 * address is in use or not of this machine; the reason is in `fault`. Main thread. */
UEX_MUST_CHECK enum uex_error uex_http_open(const char *listen_on, const struct uex_http_site *site,
                                            struct uex_http **out, struct uex_fault *fault);
/* The address that is listened on, with its real port. */
const char *uex_http_address(const struct uex_http *http);
/* Start to answer, on a thread of its own. UEX_NO_MEMORY, UEX_INTERNAL. */
UEX_MUST_CHECK enum uex_error uex_http_start(struct uex_http *http, struct uex_fault *fault);
/* Stop answering, close all connections, free. Accepts NULL. Returns within about 100 ms, or what one answer takes. */
void uex_http_close(struct uex_http *http);
#endif
