/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/result.h"

#define DOMAIN_ID "0f0e0d0c-0b0a-4908-8706-050403020100"

static void write_file__s3__has_six_fields_in_order(void **state)
{
    struct uex_buffer out = {0};
    (void)state;
    uex_result_write_file("g \"1\"", DOMAIN_ID, "s3://bucket/p/d/g%2F1/c.csv.gz", "application/gzip", &out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"groupId\":\"g \\\"1\\\"\",\"filePath\":\"s3://bucket/p/d/g%2F1/c.csv.gz\","
                        "\"fileName\":\"c.csv.gz\",\"contentType\":\"application/gzip\",\"domainId\":\"" DOMAIN_ID
                        "\",\"usernames\":null}");
    uex_buffer_clear(&out);
}

static void write_file__path_without_slash__is_its_own_name(void **state)
{
    struct uex_buffer out = {0};
    (void)state;
    uex_result_write_file("g", DOMAIN_ID, "x.csv.gz", "application/gzip", &out);
    assert_non_null(strstr(uex_buffer_text(&out), "\"filePath\":\"x.csv.gz\",\"fileName\":\"x.csv.gz\""));
    uex_buffer_clear(&out);
}

static void write_list__names__make_one_object(void **state)
{
    struct uex_buffer out = {0};
    (void)state;
    uex_result_write_list_head("g", DOMAIN_ID, &out);
    uex_buffer_append_json_bytes(&out, uex_bytes_of_text("a\n\"\\"));
    uex_buffer_append_text(&out, ",");
    uex_buffer_append_json_bytes(&out, uex_bytes_of_text("\xF0\x9F\x98\x80"));
    uex_result_write_list_tail(&out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"groupId\":\"g\",\"filePath\":null,\"fileName\":null,\"contentType\":null,\"domainId\":"
                        "\"" DOMAIN_ID "\",\"usernames\":[\"a\\n\\\"\\\\\",\"\xF0\x9F\x98\x80\"]}");
    uex_buffer_clear(&out);
}

static void write__without_domain__is_null(void **state)
{
    struct uex_buffer out = {0};
    (void)state;
    uex_result_write_list_head("g", "", &out);
    assert_non_null(strstr(uex_buffer_text(&out), "\"domainId\":null,"));
    uex_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_file__s3__has_six_fields_in_order),
        cmocka_unit_test(write_file__path_without_slash__is_its_own_name),
        cmocka_unit_test(write_list__names__make_one_object),
        cmocka_unit_test(write__without_domain__is_null),
    };
    return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
