/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/link.h — one connection to Redis whose every step is bounded. One thread. */
#ifndef EXPORT_REDIS_LINK_H
#define EXPORT_REDIS_LINK_H

#include "redis/url.h"

#include <hiredis/hiredis.h>

#define UEX_REDIS_STEP_MS 250 /* to connect (with TLS), and for each request */

struct uex_redis_link {
    struct uex_redis_url url;
    redisContext *context; /* NULL: connect on next use */
    char failure[160];     /* why the last request failed, for a log; without secrets */
};

/* Connect if need be, send a command and wait for its reply, which the caller frees with freeReplyObject(). UEX_CACHE
 * when anything fails; the connection is closed then, and link->failure has the reason. A reply of type error is a
 * reply; one of more than 8 KiB, and one of several values (an array), is a failure. SIGPIPE must be ignored. */
UEX_MUST_CHECK enum uex_error uex_redis_link_ask(struct uex_redis_link *link, int count, const char *const *words,
                                                 redisReply **out);
/* An answer of type error is the failure, with its first word, which is its code; what follows may be anything. */
void uex_redis_link_note_error(struct uex_redis_link *link, const redisReply *reply);
void uex_redis_link_close(struct uex_redis_link *link);
#endif
