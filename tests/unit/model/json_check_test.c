/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/json.h"

static const char *check(const void *text, size_t size_bytes)
{
    /* exactly as much heap as there is text, so that asan sees a read beyond it */
    uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
    size_t offset_bytes = 0;
    const char *problem;

    assert_non_null(copy);
    memcpy(copy, text, size_bytes);
    problem = uex_json_check(uex_bytes_of(copy, size_bytes), &offset_bytes);
    assert_true(offset_bytes <= size_bytes);
    free(copy);
    return problem;
}

static void check__valid_texts__pass(void **state)
{
    static const char *const texts[] = {
        "{}",
        " \t\r\n{} \n",
        "null",
        "\"\"",
        "[0,-0,1.5,-1e10,2E-3,1e+2,[],{},true,false,null]",
        "{\"\":{\"\":\"\"}}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uD83D\\uDE00\\uffff\"",
        "\"\xF0\x9F\x98\x80 \xC3\xA9 \x7F\"",
        "123456789012345678901234567890123456789012345678901234567890123",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *problem = check(texts[i], strlen(texts[i]));
        if (problem != NULL)
            fail_msg("%s: %s", texts[i], problem);
    }
}

/* None of these is JSON, or not as we take it. */
static const char *const invalid_texts[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "{}{}",
    "{} x",
    "[1}",
    "{\"a\":1]",
    "tru",
    "True",
    "nul",
    "NaN",
    "Infinity",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "0x10",
    "1_0",
    "\"",
    "\"a",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u0000\"",
    "\"\\uD800\"",
    "\"\\uD800x\"",
    "\"\\uD800\\n\"",
    "\"\\uD800\\uD800\"",
    "\"\\uDC00\"",
    "\"\\uD83D\\u0041\"",
    "\"\\uD83D\\u\"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"\x01\"",
    "\"\xC0\x80\"",
    "\"\xED\xA0\x80\"",
    "\"\xFF\"",
    "\"\xC3\"",
    "\"\xF4\x90\x80\x80\"",
    "\xEF\xBB\xBF{}",
    "// c\n{}",
    "{}/**/",
    "\f{}",
    "1234567890123456789012345678901234567890123456789012345678901234",
};

static void check__invalid_texts__are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof invalid_texts / sizeof invalid_texts[0]; i++)
        if (check(invalid_texts[i], strlen(invalid_texts[i])) == NULL)
            fail_msg("taken: %s", invalid_texts[i]);
}

static void check__nul_bytes__are_refused(void **state)
{
    (void)state;
    assert_non_null(check("{}\0", 3));
    assert_non_null(check("\"a\0b\"", 5));
    assert_non_null(check("\0", 1));
    assert_non_null(check("\"\\\0\"", 4));
}

static void check__every_prefix_of_an_object__is_refused(void **state)
{
    const char *text = "{\"a\":[1,-2.5e3,\"x\\u00e9\\uD83D\\uDE00\\n\",{\"b\":null,\"c\":true}],\"d\":\"\xC3\xA9\"}";
    (void)state;
    assert_null(check(text, strlen(text)));
    for (size_t size = 0; size < strlen(text); size++)
        assert_non_null(check(text, size));
}

/* Strings are read eight bytes at a time. */
static void check__what_ends_a_string__is_seen_at_each_place(void **state)
{
    (void)state;
    for (size_t place = 1; place < 24; place++) {
        char text[] = "\"!!!!!!!!!!!!!!!!!!!!!!!!\"";

        text[place] = 0x1F;
        assert_string_equal(check(text, strlen(text)), "a control character in a string");
        text[place] = '"';
        assert_string_equal(check(text, strlen(text)), "data after the value");
        text[place] = '\\';
        assert_string_equal(check(text, strlen(text)), "a bad escape in a string");
        text[place] = 0x7F;
        assert_null(check(text, strlen(text)));
    }
}

static void check__32_levels__pass_and_33_do_not(void **state)
{
    char text[2 * 33];
    (void)state;
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    assert_null(check(text, 64));
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    assert_string_equal(check(text, 66), "over 32 levels");
}

static void check__a_million_open_brackets__are_refused(void **state)
{
    char *text = malloc(1000000);
    (void)state;
    assert_non_null(text);
    memset(text, '[', 1000000);
    assert_string_equal(check(text, 1000000), "over 32 levels");
    free(text);
}

static void check__bounds_of_size_and_values__hold(void **state)
{
    char *text = malloc(UEX_JSON_MAX_BYTES + 1);
    (void)state;
    assert_non_null(text);
    memset(text, 'a', UEX_JSON_MAX_BYTES + 1);
    text[0] = '"';
    text[UEX_JSON_MAX_BYTES - 1] = '"';
    assert_null(check(text, UEX_JSON_MAX_BYTES));
    text[UEX_JSON_MAX_BYTES - 1] = 'a';
    text[UEX_JSON_MAX_BYTES] = '"';
    assert_string_equal(check(text, UEX_JSON_MAX_BYTES + 1), "over 1 MiB");
    for (size_t i = 0; i < 2 * UEX_JSON_MAX_VALUES; i += 2)
        memcpy(text + i, "0,", 2);
    text[0] = '[';
    text[1] = '0';
    text[2 * UEX_JSON_MAX_VALUES - 3] = ']'; /* 16384 values: the array and 16383 numbers */
    text[2] = ',';
    for (size_t i = 3; i + 1 < 2 * UEX_JSON_MAX_VALUES - 3; i += 2)
        memcpy(text + i, "0,", 2);
    text[2 * UEX_JSON_MAX_VALUES - 3] = '0';
    text[2 * UEX_JSON_MAX_VALUES - 2] = ']';
    assert_null(check(text, 2 * UEX_JSON_MAX_VALUES - 1));
    memcpy(text + 2 * UEX_JSON_MAX_VALUES - 2, ",0]", 3);
    assert_string_equal(check(text, 2 * UEX_JSON_MAX_VALUES + 1), "over 16384 values");
    free(text);
}

static enum uex_error parse(const char *text, struct uex_fault *fault)
{
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(uex_bytes_of_text(text), &object, fault);

    assert_true((error == UEX_OK) == (object != NULL));
    cJSON_Delete(object);
    return error;
}

static void object_parse__other_values__are_malformed(void **state)
{
    static const char *const texts[] = {"[]", "null", "1", "\"{}\"", "true"};
    struct uex_fault fault = {0};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse(texts[i], &fault), UEX_MALFORMED);
    assert_string_equal(fault.text, "the JSON value is not an object");
}

static void object_parse__same_name_twice__is_malformed(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"x\":{\"a\":1,\"a\":2}}",
        "{\"x\":[1,{\"y\":[{\"\":1,\"\":2}]}]}",
    };
    struct uex_fault fault = {0};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse(texts[i], &fault), UEX_MALFORMED);
    assert_int_equal(parse("{\"a\":1,\"A\":1,\"b\":{\"a\":1},\"c\":[{\"a\":1},{\"a\":1}]}", &fault), UEX_OK);
}

static void object_parse__number_of_any_form__is_what_cjson_takes(void **state)
{
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(parse("{\"a\":[1e400,-1e400,1e-400,9007199254740993,-0,"
                           "1.23456789012345678901234567890123456789012345678901234567890]}",
                           &fault),
                     UEX_OK);
}

static void character_count__utf8__counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(uex_character_count(uex_bytes_of_text("")), 0);
    assert_int_equal(uex_character_count(uex_bytes_of_text("aé€😀")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check__valid_texts__pass),
        cmocka_unit_test(check__invalid_texts__are_refused),
        cmocka_unit_test(check__nul_bytes__are_refused),
        cmocka_unit_test(check__every_prefix_of_an_object__is_refused),
        cmocka_unit_test(check__what_ends_a_string__is_seen_at_each_place),
        cmocka_unit_test(check__32_levels__pass_and_33_do_not),
        cmocka_unit_test(check__a_million_open_brackets__are_refused),
        cmocka_unit_test(check__bounds_of_size_and_values__hold),
        cmocka_unit_test(object_parse__other_values__are_malformed),
        cmocka_unit_test(object_parse__same_name_twice__is_malformed),
        cmocka_unit_test(object_parse__number_of_any_form__is_what_cjson_takes),
        cmocka_unit_test(character_count__utf8__counts_code_points),
    };
    return cmocka_run_group_tests_name("json_check", tests, NULL, NULL);
}
