/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/redis.h — Redis as a cache in front of a catalogue. */
#ifndef EXPORT_REDIS_H
#define EXPORT_REDIS_H

#include "export/catalogue.h"
#include "export/config.h"

/* Is redis.url well formed, and can this build speak it (rediss needs TLS in hiredis)? UEX_CONFIG with the reason. */
UEX_MUST_CHECK enum uex_error uex_redis_check_url(const char *url, struct uex_fault *fault);

/* What all caches of a program share: the URL in force, and whether Redis was logged as unavailable. A program owns
 * one. Any thread, once made. */
struct uex_redis_service;

/* The service of redis.url, which may be empty. `config` is borrowed. NULL: no memory. */
UEX_MUST_CHECK struct uex_redis_service *uex_redis_service_new(const struct uex_config *config);
/* Wipes the URL. After its catalogues are destroyed. Accepts NULL. */
void uex_redis_service_free(struct uex_redis_service *service);
/* From now on all its caches use this URL, each from its next question on (their connections end then). `changed`: it
 * differs from the one in force. One that is not well formed is not used. UEX_NO_MEMORY: the one before stays. */
UEX_MUST_CHECK enum uex_error uex_redis_service_replace_url(struct uex_redis_service *service, const char *url,
                                                            bool *changed);

/* A catalogue that asks Redis first and `behind` (owned from now on) when Redis has no valid, active group or does not
 * answer within its bounds (connect and each request 250 ms; after a failure Redis is left alone for 5 s). Only active
 * groups of a known type are cached, for redis.ttl. Cached values are checked like any input. A failure of Redis is
 * never an error of find(). With an empty redis.url `behind` itself is returned. NULL when memory ends: `behind`
 * is then still the caller's. The service must outlive it. Owned by one lane. */
UEX_MUST_CHECK struct uex_catalogue *uex_redis_catalogue_new(struct uex_redis_service *service,
                                                             struct uex_catalogue *behind);

/* Does Redis answer? UEX_CACHE with what it answered, never a password. For `exportctl doctor`; an empty redis.url is
 * UEX_NOT_FOUND. */
UEX_MUST_CHECK enum uex_error uex_redis_ping(const struct uex_config *config, struct uex_fault *fault);

/* The wrapped catalogue's counts since start, for metrics. */
struct uex_cache_counts {
    uint64_t hits, misses, failures;
};
void uex_redis_catalogue_counts(const struct uex_catalogue *catalogue, struct uex_cache_counts *out);
#endif
