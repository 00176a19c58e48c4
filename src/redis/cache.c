/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/cache.c — the catalogue's cache.
 *
 * A key holds one of two texts, so checking a value is comparing it: whatever else stands there is no answer.
 */
#include "export/redis.h"

#include "redis/link.h"

#include "export/log.h"
#include "export/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_PREFIX "users-export:group:"
#define QUIET_MS 5000
#define COMPLAIN_EVERY_MS 60000
#define COST_BASED_VALUE "{\"v\":1,\"type\":\"COST_BASED\",\"active\":true}"
#define NON_COST_BASED_VALUE "{\"v\":1,\"type\":\"NON_COST_BASED\",\"active\":true}"

struct redis_catalogue {
    struct uex_catalogue catalogue; /* first: what the caller holds */
    struct uex_catalogue *behind;
    struct uex_redis_link link;
    char ttl_ms[24];
    uint64_t url_number;    /* of the replacement that is in use; 0: the configuration's */
    int64_t quiet_until_ms; /* monotonic; Redis is left alone until then */
    /* Written by the owner, read by the metrics' thread. */
    _Atomic uint64_t hits, misses, failures;
};

/* The URL that came after the start. */
static pthread_mutex_t replacement_lock = PTHREAD_MUTEX_INITIALIZER;
static char *replacement;
static _Atomic uint64_t replacement_number; /* 0: none came */

enum uex_error uex_redis_replace_url(const char *url, bool *changed)
{
    char *copy = uex_text_copy(uex_bytes_of_text(url));

    *changed = false;
    if (copy == NULL)
        return UEX_NO_MEMORY;
    pthread_mutex_lock(&replacement_lock);
    *changed = replacement == NULL || strcmp(replacement, copy) != 0;
    if (*changed) {
        uex_secret_free(replacement);
        replacement = copy;
        replacement_number++;
    } else {
        uex_secret_free(copy);
    }
    pthread_mutex_unlock(&replacement_lock);
    return UEX_OK;
}

void uex_redis_forget_url(void)
{
    pthread_mutex_lock(&replacement_lock);
    uex_secret_free(replacement);
    replacement = NULL;
    replacement_number = 0;
    pthread_mutex_unlock(&replacement_lock);
}

static void follow_replacement(struct redis_catalogue *self)
{
    struct uex_redis_url url = {0};
    enum uex_error err = UEX_NOT_FOUND;

    if (self->url_number == replacement_number)
        return;
    pthread_mutex_lock(&replacement_lock);
    if (replacement != NULL)
        err = uex_redis_url_parse(replacement, &url, NULL);
    if (err != UEX_NO_MEMORY) /* then again at the next question */
        self->url_number = replacement_number;
    if (err == UEX_OK) {
        uex_redis_link_close(&self->link);
        uex_redis_url_clear(&self->link.url);
        self->link.url = url;
        self->quiet_until_ms = 0;
    } else {
        uex_redis_url_clear(&url);
    }
    pthread_mutex_unlock(&replacement_lock);
}

/* Of the process: lanes have a connection each and would all say the same. */
static _Atomic int64_t complained_ms; /* monotonic; 0: never */
static _Atomic bool is_said_broken;

static void complain(const char *why)
{
    int64_t said_ms = complained_ms;
    const int64_t now_ms = uex_monotonic_ms();

    if ((said_ms == 0 || now_ms - said_ms >= COMPLAIN_EVERY_MS) &&
        atomic_compare_exchange_strong(&complained_ms, &said_ms, now_ms)) {
        is_said_broken = true;
        uex_log(UEX_LOG_WARN, UEX_EVENT_CACHE_DOWN, "Redis unavailable; groups are looked up in the database",
                UEX_STR("error", why));
    }
}

/* link.failure says why. */
static void failed(struct redis_catalogue *self)
{
    self->failures++;
    self->quiet_until_ms = uex_monotonic_ms() + QUIET_MS;
    complain(self->link.failure);
    uex_redis_link_close(&self->link);
}

static void worked(void)
{
    if (is_said_broken && atomic_exchange(&is_said_broken, false))
        uex_log(UEX_LOG_INFO, UEX_EVENT_CACHE_UP, "Redis works again");
}

static bool read_value(const redisReply *reply, struct uex_group *out)
{
    const char *type;

    if (reply->type != REDIS_REPLY_STRING)
        return false;
    if (strcmp(reply->str, COST_BASED_VALUE) == 0 && reply->len == strlen(COST_BASED_VALUE))
        type = "COST_BASED";
    else if (strcmp(reply->str, NON_COST_BASED_VALUE) == 0 && reply->len == strlen(NON_COST_BASED_VALUE))
        type = "NON_COST_BASED";
    else
        return false;
    (void)snprintf(out->type_text, sizeof(out->type_text), "%s", type);
    out->type = uex_group_type_of(type);
    out->active = true;
    return true;
}

/* GETRANGE instead of GET: however long the value is, no more of it comes than ours have. */
static bool ask_cache(struct redis_catalogue *self, const char *key, struct uex_group *out)
{
    redisReply *reply = NULL;
    bool found = false;

    if (uex_redis_link_ask(&self->link, 4, (const char *const[]){"GETRANGE", key, "0", "255"}, &reply) != UEX_OK) {
        failed(self);
        return false;
    }
    found = read_value(reply, out);
    if (!found && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) != 0) {
        uex_redis_link_note_error(&self->link, reply);
        failed(self);
    } else {
        self->hits += found;
        self->misses += !found;
        if (found)
            worked();
    }
    freeReplyObject(reply);
    return found;
}

static void fill_cache(struct redis_catalogue *self, const char *key, const struct uex_group *group)
{
    const char *value = group->type == UEX_GROUP_COST_BASED ? COST_BASED_VALUE : NON_COST_BASED_VALUE;
    redisReply *reply = NULL;

    if (uex_redis_link_ask(&self->link, 5, (const char *const[]){"SET", key, value, "PX", self->ttl_ms}, &reply) !=
        UEX_OK) {
        failed(self);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        uex_redis_link_note_error(&self->link, reply);
        failed(self);
    } else {
        worked(); /* a miss alone says nothing: a full or read-only server still answers it */
    }
    freeReplyObject(reply);
}

static bool is_quiet(const struct redis_catalogue *self)
{
    return uex_monotonic_ms() < self->quiet_until_ms;
}

static enum uex_error cached_find(struct uex_catalogue *catalogue, const char *group_id, struct uex_group *out,
                                  struct uex_fault *fault)
{
    struct redis_catalogue *self = (struct redis_catalogue *)catalogue;
    struct uex_buffer key = {0};
    enum uex_error err = UEX_OK;
    bool use = false;

    follow_replacement(self);
    use = uex_group_id_valid(uex_bytes_of_text(group_id)) && !is_quiet(self);
    if (use) {
        uex_buffer_append_text(&key, KEY_PREFIX);
        uex_percent_encode(&key, uex_bytes_of_text(group_id));
        use = !uex_buffer_failed(&key);
    }
    if (use) {
        *out = (struct uex_group){.type = UEX_GROUP_INVALID};
        memcpy(out->group_id, group_id, strlen(group_id) + 1);
        if (ask_cache(self, uex_buffer_text(&key), out))
            goto done;
    }
    err = self->behind->find(self->behind, group_id, out, fault);
    if (use && err == UEX_OK && out->active && out->type != UEX_GROUP_INVALID && !is_quiet(self))
        fill_cache(self, uex_buffer_text(&key), out);
done:
    uex_buffer_clear(&key);
    return err;
}

static void cached_destroy(struct uex_catalogue *catalogue)
{
    struct redis_catalogue *self = (struct redis_catalogue *)catalogue;

    uex_redis_link_close(&self->link);
    uex_redis_url_clear(&self->link.url);
    self->behind->destroy(self->behind);
    free(self);
}

struct uex_catalogue *uex_redis_catalogue_new(const struct uex_config *config, struct uex_catalogue *behind)
{
    struct redis_catalogue *self;
    enum uex_error err = UEX_OK;

    if (config->redis_url == NULL || config->redis_url[0] == '\0')
        return behind;
    self = calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    /* The start-up check refuses a wrong URL; should one come here, the database answers alone. */
    err = uex_redis_url_parse(config->redis_url, &self->link.url, NULL);
    if (err != UEX_OK) {
        uex_redis_url_clear(&self->link.url);
        free(self);
        return err == UEX_NO_MEMORY ? NULL : behind;
    }
    self->catalogue = (struct uex_catalogue){.find = cached_find, .destroy = cached_destroy};
    self->behind = behind;
    (void)snprintf(self->ttl_ms, sizeof(self->ttl_ms), "%lld", (long long)config->redis_ttl_ms);
    return &self->catalogue;
}

void uex_redis_catalogue_counts(const struct uex_catalogue *catalogue, struct uex_cache_counts *out)
{
    const struct redis_catalogue *self = (const struct redis_catalogue *)catalogue;

    *out = (struct uex_cache_counts){0};
    if (catalogue == NULL || catalogue->find != cached_find)
        return;
    out->hits = self->hits;
    out->misses = self->misses;
    out->failures = self->failures;
}
