/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/command.h"

#define OLD "0b6e3b52-9df1-4b4f-8a0c-0a2f3b6c7d8e"
#define OLD_UPPER "0B6E3B52-9DF1-4B4F-8A0C-0A2F3B6C7D8E"
#define NEW "11111111-2222-4333-8444-555555555555"

static enum uex_error reissue(const char *value, struct uex_buffer *out)
{
    struct uex_fault fault = {0};

    return uex_command_reissue(uex_bytes_of_text("g-1"), uex_bytes_of_text(value), NEW, out, &fault);
}

static void reissue__json__changes_the_id_and_nothing_else(void **state)
{
    static const struct {
        const char *value, *expected;
    } cases[] = {
        {"{\"commandId\":\"" OLD "\"}", "{\"commandId\":\"" NEW "\"}"},
        {" {\"x\": 1.50, \"commandId\" : \"" OLD_UPPER "\" } ", " {\"x\": 1.50, \"commandId\" : \"" NEW "\" } "},
        {"{\"note\":\"" OLD "\",\"commandId\":\"" OLD "\",\"more\":[\"" OLD "\"]}",
         "{\"note\":\"" OLD "\",\"commandId\":\"" NEW "\",\"more\":[\"" OLD "\"]}"},
        {"{\"deep\":{\"commandId\":\"" OLD "\"},\"command\\u0049d\":\"" OLD "\"}",
         "{\"deep\":{\"commandId\":\"" OLD "\"},\"command\\u0049d\":\"" NEW "\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer out = {0};

        assert_int_equal(reissue(cases[i].value, &out), UEX_OK);
        assert_string_equal(uex_buffer_text(&out), cases[i].expected);
        uex_buffer_clear(&out);
    }
}

static void reissue__avro__changes_the_id_and_nothing_else(void **state)
{
    struct uex_command command = {.group_id = (char *)"g-1",
                                  .command_id = OLD,
                                  .run_id = (char *)"",
                                  .requested_by = (char *)OLD,
                                  .reason = (char *)"",
                                  .requested_at_ms = 1700000000123};
    struct uex_command again = {0};
    struct uex_buffer value = {0}, out = {0};
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_command_write_avro(&command, &value), UEX_OK);
    assert_int_equal(uex_command_reissue((struct uex_bytes){0}, uex_buffer_bytes(&value), NEW, &out, &fault), UEX_OK);
    assert_int_equal(out.size_bytes, value.size_bytes);
    assert_int_equal(uex_command_parse((struct uex_bytes){0}, uex_buffer_bytes(&out), &again, &fault), UEX_OK);
    assert_string_equal(again.command_id, NEW);
    assert_string_equal(again.requested_by, OLD);
    assert_string_equal(again.group_id, "g-1");
    assert_true(again.requested_at_ms == command.requested_at_ms);
    uex_command_clear(&again);
    uex_buffer_clear(&value);
    uex_buffer_clear(&out);
}

static void reissue__no_id_or_none_to_replace__is_told(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    assert_int_equal(reissue("{}", &out), UEX_NOT_FOUND);
    assert_int_equal(reissue("{\"commandId\":null}", &out), UEX_NOT_FOUND);
    assert_int_equal(out.size_bytes, 0);
    assert_int_equal(reissue("nope", &out), UEX_MALFORMED);
    assert_int_equal(reissue("{\"commandId\":\"0\\u00626e3b52-9df1-4b4f-8a0c-0a2f3b6c7d8e\"}", &out), UEX_MALFORMED);
    uex_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reissue__json__changes_the_id_and_nothing_else),
        cmocka_unit_test(reissue__avro__changes_the_id_and_nothing_else),
        cmocka_unit_test(reissue__no_id_or_none_to_replace__is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
