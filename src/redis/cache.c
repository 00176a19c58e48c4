/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/cache.c — the catalogue's cache.
 *
 * A key holds a fixed text around the group's type, which is one of the settings and needs no escapes. Anything else is
 * a miss.
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
#define LOG_EVERY_MS 60000
#define VALUE_START "{\"v\":1,\"type\":\""
#define VALUE_END "\",\"active\":true}"

struct uex_redis_service {
    const struct uex_config *config; /* borrowed */
    pthread_mutex_t url_lock;
    char *url;                   /* in force; guarded by the lock */
    _Atomic uint64_t url_number; /* of the URL in force, from 1 */
    /* Each lane has a connection, and all would log the same. */
    _Atomic int64_t failure_logged_ms; /* monotonic; 0: never */
    _Atomic bool is_logged_down;
};

struct redis_catalogue {
    struct uex_catalogue catalogue; /* first: what the caller holds */
    struct uex_redis_service *service;
    struct uex_catalogue *behind;
    struct uex_redis_link link;
    char ttl_ms[24];
    uint64_t url_number;    /* of the URL that `link` uses; 0: none yet */
    int64_t quiet_until_ms; /* monotonic; Redis is left alone until then */
    /* Written by the owner, read by the metrics' thread. */
    _Atomic uint64_t hits, misses, failures;
};

struct uex_redis_service *uex_redis_service_new(const struct uex_config *config)
{
    struct uex_redis_service *service = calloc(1, sizeof(*service));

    if (service == NULL)
        return NULL;
    service->config = config;
    service->url = uex_text_copy(uex_bytes_of_text(config->redis_url == NULL ? "" : config->redis_url));
    service->url_number = 1;
    pthread_mutex_init(&service->url_lock, NULL);
    if (service->url != NULL)
        return service;
    uex_redis_service_free(service);
    return NULL;
}

void uex_redis_service_free(struct uex_redis_service *service)
{
    if (service == NULL)
        return;
    uex_secret_free(service->url);
    pthread_mutex_destroy(&service->url_lock);
    free(service);
}

enum uex_error uex_redis_service_replace_url(struct uex_redis_service *service, const char *url, bool *changed)
{
    char *fresh = uex_text_copy(uex_bytes_of_text(url)), *spare = fresh;

    *changed = false;
    if (fresh == NULL)
        return UEX_NO_MEMORY;
    pthread_mutex_lock(&service->url_lock);
    *changed = strcmp(service->url, fresh) != 0;
    if (*changed) {
        spare = service->url;
        service->url = fresh;
        service->url_number++;
    }
    pthread_mutex_unlock(&service->url_lock);
    uex_secret_free(spare);
    return UEX_OK;
}

/* A URL that is not well formed (the check at the start refuses it) is not used: the link stays as it is. */
static void follow_url(struct redis_catalogue *self)
{
    struct uex_redis_service *service = self->service;
    struct uex_redis_url parsed = {0};
    char *url = NULL;
    uint64_t number;
    enum uex_error err = UEX_NO_MEMORY;

    if (self->url_number == service->url_number)
        return;
    pthread_mutex_lock(&service->url_lock);
    number = service->url_number;
    url = uex_text_copy(uex_bytes_of_text(service->url));
    pthread_mutex_unlock(&service->url_lock);
    if (url != NULL)
        err = uex_redis_url_parse(url, &parsed, NULL);
    uex_secret_free(url);
    if (err == UEX_OK) {
        uex_redis_link_close(&self->link);
        uex_redis_url_clear(&self->link.url);
        self->link.url = parsed;
        self->quiet_until_ms = 0;
    } else {
        uex_redis_url_clear(&parsed);
    }
    if (err != UEX_NO_MEMORY) /* else again at the next question */
        self->url_number = number;
}

/* The reason is in link.failure. */
static void note_failure(struct redis_catalogue *self)
{
    struct uex_redis_service *service = self->service;
    const int64_t now_ms = uex_monotonic_ms();
    int64_t logged_ms = service->failure_logged_ms;

    self->failures++;
    self->quiet_until_ms = now_ms + QUIET_MS;
    if ((logged_ms == 0 || now_ms - logged_ms >= LOG_EVERY_MS) &&
        atomic_compare_exchange_strong(&service->failure_logged_ms, &logged_ms, now_ms)) {
        service->is_logged_down = true;
        uex_log(UEX_LOG_WARN, UEX_EVENT_CACHE_DOWN, "Redis unavailable; groups are looked up in the database",
                UEX_STR("error", self->link.failure));
    }
    uex_redis_link_close(&self->link);
}

static void note_success(struct redis_catalogue *self)
{
    if (self->service->is_logged_down && atomic_exchange(&self->service->is_logged_down, false))
        uex_log(UEX_LOG_INFO, UEX_EVENT_CACHE_UP, "Redis works again");
}

/* The type within a value of ours, as a C string. */
static bool read_type(const char *value, size_t size_bytes, char out[static sizeof(((struct uex_group *)0)->type_text)])
{
    const size_t start_bytes = strlen(VALUE_START), end_bytes = strlen(VALUE_END);
    size_t type_bytes;

    if (size_bytes <= start_bytes + end_bytes || memcmp(value, VALUE_START, start_bytes) != 0 ||
        memcmp(value + size_bytes - end_bytes, VALUE_END, end_bytes) != 0)
        return false;
    type_bytes = size_bytes - start_bytes - end_bytes;
    if (type_bytes >= sizeof(((struct uex_group *)0)->type_text) || memchr(value, '\0', size_bytes) != NULL)
        return false;
    memcpy(out, value + start_bytes, type_bytes);
    out[type_bytes] = '\0';
    return true;
}

static bool read_value(const struct uex_config *config, const redisReply *reply, struct uex_group *out)
{
    char type[sizeof(out->type_text)];
    enum uex_group_type known;

    if (reply->type != REDIS_REPLY_STRING || !read_type(reply->str, reply->len, type))
        return false;
    known = uex_group_type_of(config, type);
    if (known == UEX_GROUP_INVALID)
        return false;
    memcpy(out->type_text, type, sizeof(type));
    out->type = known;
    out->active = true;
    return true;
}

/* GETRANGE instead of GET: a value of any length is cut to the length of ours. */
static bool ask_cache(struct redis_catalogue *self, const char *key, struct uex_group *out)
{
    redisReply *reply = NULL;
    bool found = false;

    if (uex_redis_link_ask(&self->link, 4, (const char *const[]){"GETRANGE", key, "0", "255"}, &reply) != UEX_OK) {
        note_failure(self);
        return false;
    }
    found = read_value(self->service->config, reply, out);
    if (!found && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) != 0) {
        uex_redis_link_note_error(&self->link, reply);
        note_failure(self);
    } else {
        self->hits += found;
        self->misses += !found;
        if (found)
            note_success(self);
    }
    freeReplyObject(reply);
    return found;
}

static void fill_cache(struct redis_catalogue *self, const char *key, const struct uex_group *group)
{
    char value[sizeof(VALUE_START VALUE_END) + sizeof(group->type_text)];
    redisReply *reply = NULL;

    (void)snprintf(value, sizeof(value), VALUE_START "%s" VALUE_END, group->type_text);
    if (uex_redis_link_ask(&self->link, 5, (const char *const[]){"SET", key, value, "PX", self->ttl_ms}, &reply) !=
        UEX_OK) {
        note_failure(self);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        uex_redis_link_note_error(&self->link, reply);
        note_failure(self);
    } else {
        note_success(self); /* a miss alone proves nothing: a full or read-only server still answers it */
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

    follow_url(self);
    use = uex_group_id_valid(uex_bytes_of_text(group_id)) && !is_quiet(self) && self->link.url.host != NULL;
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

struct uex_catalogue *uex_redis_catalogue_new(struct uex_redis_service *service, struct uex_catalogue *behind)
{
    const struct uex_config *config = service->config;
    struct redis_catalogue *self;

    if (config->redis_url == NULL || config->redis_url[0] == '\0')
        return behind;
    self = calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    self->catalogue = (struct uex_catalogue){.find = cached_find, .destroy = cached_destroy};
    self->service = service;
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
