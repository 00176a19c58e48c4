/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/url.h"

#include "export/redis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void url_parse__all_parts__are_taken_apart(void **state)
{
    struct uex_redis_url url = {0};

    (void)state;
    assert_int_equal(uex_redis_url_parse("redis://us%40er:p%3Aa:ss%2F@cache.example:6380/3", &url, NULL), UEX_OK);
    assert_false(url.tls);
    assert_string_equal(url.user, "us@er");
    assert_string_equal(url.password, "p:a:ss/");
    assert_string_equal(url.host, "cache.example");
    assert_int_equal(url.port, 6380);
    assert_int_equal(url.database, 3);
    uex_redis_url_clear(&url);
}

static void url_parse__shorter_forms__have_defaults(void **state)
{
    struct uex_redis_url url = {0};

    (void)state;
    assert_int_equal(uex_redis_url_parse("rediss://:secret@[::1]:7000", &url, NULL), UEX_OK);
    assert_true(url.tls);
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "secret");
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 7000);
    uex_redis_url_clear(&url);
    assert_int_equal(uex_redis_url_parse("redis://localhost/", &url, NULL), UEX_OK);
    assert_null(url.password);
    assert_int_equal(url.port, 6379);
    assert_int_equal(url.database, 0);
    uex_redis_url_clear(&url);
}

static void check_url__malformed__is_refused_without_its_words(void **state)
{
    static const char *const urls[] = {
        "http://h:1",          "redis:/h",           "redis://",           "redis://:1",
        "redis://h:0",         "redis://h:65536",    "redis://h:x",        "redis://h:1/x",
        "redis://h:1/1/2",     "redis://hush@h:1",   "redis://:hu%zzsh@h", "redis://:hush%00@h",
        "redis://:hush@[::1:", "redis://h:1?x=hush", "redis://h:1#hush",   "redis://:hush%4",
        "redis://[::1]x:1",    "redis://h:1/-1",
    };

    (void)state;
    assert_int_equal(uex_redis_check_url("", NULL), UEX_OK);
    assert_int_equal(uex_redis_check_url("redis://:p@h:1/0", NULL), UEX_OK);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct uex_fault fault = {0};

        assert_int_equal(uex_redis_check_url(urls[i], &fault), UEX_CONFIG);
        assert_non_null(strstr(fault.text, "redis.url"));
        assert_null(strstr(fault.text, "hush"));
    }
}

static void check_url__rediss__depends_on_the_build(void **state)
{
    struct uex_fault fault = {0};
    enum uex_error err = uex_redis_check_url("rediss://h:1", &fault);

    (void)state;
#ifdef UEX_HAVE_HIREDIS_SSL
    assert_int_equal(err, UEX_OK);
#else
    assert_int_equal(err, UEX_CONFIG);
    assert_non_null(strstr(fault.text, "TLS"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_parse__all_parts__are_taken_apart),
        cmocka_unit_test(url_parse__shorter_forms__have_defaults),
        cmocka_unit_test(check_url__malformed__is_refused_without_its_words),
        cmocka_unit_test(check_url__rediss__depends_on_the_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
