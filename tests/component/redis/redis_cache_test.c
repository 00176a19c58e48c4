/* SPDX-License-Identifier: Apache-2.0 */
/* The cache on a real Redis: that of EXPORT_REDIS_URL (`deploy/lib/services env`), skipped without it. */
#include "export/redis.h"

#include "counting_catalogue.h"
#include "redis/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct uex_config config = {.redis_ttl_ms = 60000};
static struct uex_redis_service *service;
static struct uex_redis_link admin; /* what the tests see Redis through */
static char group_id[64];           /* of this run only */
static char key[128];

static int open_admin(void **state)
{
    (void)state;
    config.redis_url = getenv("EXPORT_REDIS_URL");
    (void)snprintf(group_id, sizeof(group_id), "cache test/%d", (int)getpid());
    (void)snprintf(key, sizeof(key), "users-export:group:cache%%20test%%2F%d", (int)getpid());
    service = uex_redis_service_new(&config);
    assert_non_null(service);
    return config.redis_url == NULL || uex_redis_url_parse(config.redis_url, &admin.url, NULL) == UEX_OK ? 0 : -1;
}

static int close_admin(void **state)
{
    (void)state;
    uex_redis_link_close(&admin);
    uex_redis_url_clear(&admin.url);
    uex_redis_service_free(service);
    return 0;
}

static redisReply *ask(int count, const char *const *words)
{
    redisReply *reply = NULL;

    assert_int_equal(uex_redis_link_ask(&admin, count, words, &reply), UEX_OK);
    assert_true(reply->type != REDIS_REPLY_ERROR);
    return reply;
}

static void redis_needed(void)
{
    if (config.redis_url == NULL) {
        print_message("EXPORT_REDIS_URL is not set: no Redis to test with\n");
        skip();
    }
    freeReplyObject(ask(2, (const char *const[]){"DEL", key}));
}

static void assert_find(struct counting_catalogue *behind, enum uex_group_type type, bool active,
                        struct uex_cache_counts *counts)
{
    struct uex_catalogue *catalogue = uex_redis_catalogue_new(service, &behind->catalogue);
    struct uex_group group;

    assert_non_null(catalogue);
    assert_int_equal(catalogue->find(catalogue, group_id, &group, NULL), UEX_OK);
    assert_string_equal(group.group_id, group_id);
    assert_int_equal(group.type, type);
    assert_int_equal(group.active, active);
    uex_redis_catalogue_counts(catalogue, counts);
    catalogue->destroy(catalogue);
}

static void find__twice__asks_the_database_once(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("NON_COST_BASED", true);
    struct uex_cache_counts counts;
    redisReply *reply;

    (void)state;
    redis_needed();
    assert_find(&behind, UEX_GROUP_LIST, true, &counts);
    assert_int_equal(counts.misses, 1);
    assert_find(&behind, UEX_GROUP_LIST, true, &counts);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(behind.asked, 1);
    reply = ask(2, (const char *const[]){"PTTL", key});
    assert_true(reply->integer > 50000 && reply->integer <= 60000);
    freeReplyObject(reply);
    reply = ask(2, (const char *const[]){"GET", key});
    assert_string_equal(reply->str, "{\"v\":1,\"type\":\"NON_COST_BASED\",\"active\":true}");
    freeReplyObject(reply);
}

/* The same cache, asked by workers with these settings. */
static void find__other_types_in_the_settings__are_cached_with_their_own_text(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("", true), old = counting_catalogue_of("COST_BASED", true);
    struct uex_cache_counts counts;
    redisReply *reply;

    (void)state;
    redis_needed();
    config.export_file_types = (char *)(uintptr_t) "PREMIUM,gold plus";
    strcpy(behind.group.type_text, "gold plus");
    behind.group.type = UEX_GROUP_FILE;
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    reply = ask(2, (const char *const[]){"GET", key});
    assert_string_equal(reply->str, "{\"v\":1,\"type\":\"gold plus\",\"active\":true}");
    freeReplyObject(reply);
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(behind.asked, 1);
    config.export_file_types = NULL; /* a worker that does not know the type */
    assert_find(&old, UEX_GROUP_FILE, true, &counts);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(old.asked, 1);
}

static void find__short_ttl__expires(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_cache_counts counts;

    (void)state;
    redis_needed();
    config.redis_ttl_ms = 50;
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    (void)uex_sleep_ms(150, NULL);
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    assert_int_equal(behind.asked, 2);
    config.redis_ttl_ms = 60000;
}

static void find__values_that_are_not_ours__are_no_answer(void **state)
{
    static const char *const values[] = {
        "",
        "x",
        "{\"v\":1,\"type\":\"LOTTERY\",\"active\":true}",
        "{\"v\":1,\"type\":\"COST_BASED\",\"active\":false}",
        "{\"v\":2,\"type\":\"COST_BASED\",\"active\":true}",
        "{\"v\":1,\"type\":\"COST_BASED\",\"active\":true} ",
        "{\"v\":1,\"type\":\"\",\"active\":true}",
        "{\"v\":1,\"type\":\"COST_BASED,NON_COST_BASED\",\"active\":true}",
        "{\"v\":1,\"type\":\",\"active\":true}",
        "{\"v\":1,\"type\":\"0123456789012345678901234567890123456789012345678901234567890123456789\",\"active\":true}",
    };

    (void)state;
    redis_needed();
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
        struct uex_cache_counts counts;

        freeReplyObject(ask(3, (const char *const[]){"SET", key, values[i]}));
        assert_find(&behind, UEX_GROUP_FILE, true, &counts);
        assert_int_equal(counts.misses, 1);
        assert_int_equal(behind.asked, 1);
    }
}

static void find__key_of_another_type__is_a_miss_and_mended(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_cache_counts counts;

    (void)state;
    redis_needed();
    freeReplyObject(ask(3, (const char *const[]){"RPUSH", key, "x"}));
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    assert_int_equal(counts.misses, 1);
    assert_int_equal(counts.failures, 0);
    assert_find(&behind, UEX_GROUP_FILE, true, &counts);
    assert_int_equal(counts.hits, 1);
}

static void find__inactive_and_unknown_types__are_never_cached(void **state)
{
    struct counting_catalogue inactive = counting_catalogue_of("COST_BASED", false);
    struct counting_catalogue odd = counting_catalogue_of("LOTTERY", true);
    struct uex_cache_counts counts;
    redisReply *reply;

    (void)state;
    redis_needed();
    assert_find(&inactive, UEX_GROUP_FILE, false, &counts);
    assert_find(&odd, UEX_GROUP_INVALID, true, &counts);
    reply = ask(2, (const char *const[]){"EXISTS", key});
    assert_int_equal(reply->integer, 0);
    freeReplyObject(reply);
}

static void find__unknown_group__stays_unknown(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_catalogue *catalogue;
    struct uex_group group;

    (void)state;
    redis_needed();
    behind.answer = UEX_NOT_FOUND;
    catalogue = uex_redis_catalogue_new(service, &behind.catalogue);
    assert_int_equal(catalogue->find(catalogue, group_id, &group, NULL), UEX_NOT_FOUND);
    behind.answer = UEX_OK;
    assert_int_equal(catalogue->find(catalogue, group_id, &group, NULL), UEX_OK);
    assert_int_equal(behind.asked, 2);
    catalogue->destroy(catalogue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__twice__asks_the_database_once),
        cmocka_unit_test(find__other_types_in_the_settings__are_cached_with_their_own_text),
        cmocka_unit_test(find__short_ttl__expires),
        cmocka_unit_test(find__values_that_are_not_ours__are_no_answer),
        cmocka_unit_test(find__key_of_another_type__is_a_miss_and_mended),
        cmocka_unit_test(find__inactive_and_unknown_types__are_never_cached),
        cmocka_unit_test(find__unknown_group__stays_unknown),
    };

    return cmocka_run_group_tests(tests, open_admin, close_admin);
}
