/* SPDX-License-Identifier: Apache-2.0 */
#include "export/redis.h"

#include "redis/link.h"

#include <string.h>

enum uex_error uex_redis_ping(const struct uex_config *config, struct uex_fault *fault)
{
    struct uex_redis_link link = {0};
    redisReply *reply = NULL;
    enum uex_error err = UEX_OK;

    if (config->redis_url == NULL || config->redis_url[0] == '\0')
        return UEX_NOT_FOUND;
    err = uex_redis_url_parse(config->redis_url, &link.url, fault);
    if (err == UEX_OK && uex_redis_link_ask(&link, 1, (const char *const[]){"PING"}, &reply) != UEX_OK)
        err = uex_fail(fault, UEX_CACHE, "Redis cannot be used: %s", link.failure);
    if (err == UEX_OK && reply->type == REDIS_REPLY_ERROR) {
        uex_redis_link_note_error(&link, reply);
        err = uex_fail(fault, UEX_CACHE, "%s", link.failure);
    }
    if (reply != NULL)
        freeReplyObject(reply);
    uex_redis_link_close(&link);
    uex_redis_url_clear(&link.url);
    return err;
}
