/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/tls.h — TLS for rediss://, where hiredis was built with it. */
#ifndef EXPORT_REDIS_TLS_H
#define EXPORT_REDIS_TLS_H

#include <hiredis/hiredis.h>

/* Begin TLS on a connected context: the server's certificate must be of a system CA and be made out to `host`. Failure
 * shows in context->err. */
void uex_redis_tls_begin(redisContext *context, const char *host);
#endif
