/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/storage_url.h"

static void parse__s3_urls__give_bucket_and_trimmed_prefix(void **state)
{
    static const struct {
        const char *text, *bucket, *prefix;
    } cases[] = {{"s3://users-export", "users-export", ""},
                 {"s3://users-export/", "users-export", ""},
                 {"s3://users-export//a//b/", "users-export", "a/b"},
                 {"S3://my.bucket_1/x%2Fy z/\xc3\xa4", "my.bucket_1", "x%2Fy z/\xc3\xa4"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_storage_url url;
        assert_int_equal(uex_storage_url_parse(cases[i].text, &url, NULL), UEX_OK);
        assert_int_equal(url.kind, UEX_STORAGE_S3);
        assert_string_equal(url.bucket, cases[i].bucket);
        assert_string_equal(url.prefix, cases[i].prefix);
        uex_storage_url_clear(&url);
    }
}

static void parse__file_urls__give_an_absolute_directory(void **state)
{
    static const char *const cases[][2] = {
        {"file:///var/exports", "/var/exports"}, {"file:////a//b/", "/a/b"}, {"file:///a%20b/%25c", "/a b/%c"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_storage_url url;
        assert_int_equal(uex_storage_url_parse(cases[i][0], &url, NULL), UEX_OK);
        assert_int_equal(url.kind, UEX_STORAGE_FILE);
        assert_string_equal(url.directory, cases[i][1]);
        uex_storage_url_clear(&url);
    }
}

static void parse__bad_urls__are_refused_with_the_reason(void **state)
{
    static const char *const cases[] = {"",
                                        "users-export",
                                        "http://a/b",
                                        "s3://",
                                        "s3:///a",
                                        "s3://ab",
                                        "s3://-abc",
                                        "s3://a b c",
                                        "s3://abc/../x",
                                        "s3://abc/./x",
                                        "s3://abc/\n",
                                        "s3://abc/\xff",
                                        "file://host/dir",
                                        "file:///",
                                        "file://",
                                        "file:///a/../b",
                                        "file:///a%2",
                                        "file:///a%zz",
                                        "file:///a%00b",
                                        "file:///a%2f..%2fb"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_storage_url url;
        struct uex_fault fault = {0};
        assert_int_equal(uex_storage_url_parse(cases[i], &url, &fault), UEX_CONFIG);
        assert_non_null(strstr(fault.text, "storage.url"));
        uex_storage_url_clear(&url);
    }
}

static void parse__prefix_that_leaves_no_room_for_the_key__is_refused(void **state)
{
    char text[400] = "s3://abc/";
    struct uex_storage_url url;

    (void)state;
    memset(text + strlen(text), 'p', UEX_STORAGE_PREFIX_MAX_BYTES);
    assert_int_equal(uex_storage_url_parse(text, &url, NULL), UEX_OK);
    uex_storage_url_clear(&url);
    text[strlen(text)] = 'p';
    assert_int_equal(uex_storage_url_parse(text, &url, NULL), UEX_CONFIG);
    uex_storage_url_clear(&url);
}

static void endpoint__good_ones__give_the_authority(void **state)
{
    static const struct {
        const char *text, *region, *authority;
        bool tls, address, loopback;
    } cases[] = {{"", "eu-central-1", "s3.eu-central-1.amazonaws.com", true, false, false},
                 {"", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn", true, false, false},
                 {"http://localhost:9000", "us-east-1", "localhost:9000", false, false, true},
                 {"http://127.0.0.1:7070/", "us-east-1", "127.0.0.1:7070", false, true, true},
                 {"https://S3.Example.COM:443", "us-east-1", "s3.example.com", true, false, false},
                 {"http://s3.example.com:80", "us-east-1", "s3.example.com", false, false, false},
                 {"http://s3.example.com:443", "us-east-1", "s3.example.com:443", false, false, false},
                 {"https://[::1]:9000", "us-east-1", "[::1]:9000", true, true, true},
                 {"https://[2001:DB8::2]", "us-east-1", "[2001:db8::2]", true, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_s3_endpoint endpoint;
        assert_int_equal(uex_s3_endpoint_parse(cases[i].text, cases[i].region, &endpoint, NULL), UEX_OK);
        assert_string_equal(endpoint.authority, cases[i].authority);
        assert_int_equal(endpoint.tls, cases[i].tls);
        assert_int_equal(endpoint.host_is_address, cases[i].address);
        assert_int_equal(endpoint.host_is_loopback, cases[i].loopback);
        uex_s3_endpoint_clear(&endpoint);
    }
}

static void endpoint__bad_ones__are_refused(void **state)
{
    static const char *const cases[] = {"localhost:9000",
                                        "ftp://a",
                                        "http://",
                                        "http://:80",
                                        "http://a:0",
                                        "http://a:65536",
                                        "http://a:",
                                        "http://a:12x",
                                        "http://a/b",
                                        "http://a?b",
                                        "http://u:p@a",
                                        "http://a b",
                                        "https://[::1",
                                        "https://[zz]:90",
                                        "https://[::1]x",
                                        "http://a\r\nb",
                                        "http://a:99999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_s3_endpoint endpoint;
        struct uex_fault fault = {0};
        assert_int_equal(uex_s3_endpoint_parse(cases[i], "us-east-1", &endpoint, &fault), UEX_CONFIG);
        assert_non_null(strstr(fault.text, "s3.endpoint"));
        uex_s3_endpoint_clear(&endpoint);
    }
}

static void endpoint__bad_region__is_refused(void **state)
{
    struct uex_s3_endpoint endpoint;

    (void)state;
    assert_int_equal(uex_s3_endpoint_parse("", "", &endpoint, NULL), UEX_CONFIG);
    assert_int_equal(uex_s3_endpoint_parse("", "evil.com/", &endpoint, NULL), UEX_CONFIG);
    uex_s3_endpoint_clear(&endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__s3_urls__give_bucket_and_trimmed_prefix),
        cmocka_unit_test(parse__file_urls__give_an_absolute_directory),
        cmocka_unit_test(parse__bad_urls__are_refused_with_the_reason),
        cmocka_unit_test(parse__prefix_that_leaves_no_room_for_the_key__is_refused),
        cmocka_unit_test(endpoint__good_ones__give_the_authority),
        cmocka_unit_test(endpoint__bad_ones__are_refused),
        cmocka_unit_test(endpoint__bad_region__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
