/* SPDX-License-Identifier: Apache-2.0 */
#include "export/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void text__zeroed_buffer__is_empty_text_and_not_absent(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    assert_string_equal(uex_buffer_text(&buffer), "");
    assert_non_null(uex_buffer_bytes(&buffer).data);
    assert_int_equal(uex_buffer_bytes(&buffer).size_bytes, 0);
    assert_false(uex_buffer_failed(&buffer));
    uex_buffer_clear(&buffer);
    uex_buffer_clear(NULL);
}

static void append__many_pieces__are_all_there_and_end_in_zero(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        uex_buffer_append_format(&buffer, "%d,", i % 10);
    assert_int_equal(buffer.size_bytes, 20000);
    assert_int_equal(strlen(uex_buffer_text(&buffer)), 20000);
    assert_memory_equal(uex_buffer_text(&buffer) + 19980, "0,1,2,3,4,5,6,7,8,9,", 20);
    uex_buffer_clear(&buffer);
    assert_null(buffer.data);
}

static void append__empty_and_null__change_nothing(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    uex_buffer_append(&buffer, NULL, 0);
    uex_buffer_append(&buffer, "", 0);
    uex_buffer_append_text(&buffer, NULL);
    uex_buffer_append_format(&buffer, "%s", "");
    assert_int_equal(buffer.size_bytes, 0);
    assert_false(uex_buffer_failed(&buffer));
    uex_buffer_clear(&buffer);
}

static void append__at_the_cap__is_taken_and_beyond_it_fails(void **state)
{
    struct uex_buffer buffer = {.cap_bytes = 10};

    (void)state;
    uex_buffer_append_text(&buffer, "0123456789");
    assert_false(uex_buffer_failed(&buffer));
    uex_buffer_append_text(&buffer, "x");
    assert_true(uex_buffer_failed(&buffer));
    assert_string_equal(uex_buffer_text(&buffer), "0123456789");
    uex_buffer_clear(&buffer);
    assert_int_equal(buffer.cap_bytes, 10);
}

static void append__after_a_failure__stays_failed_and_as_it_was(void **state)
{
    struct uex_buffer buffer = {.cap_bytes = 4};

    (void)state;
    uex_buffer_append_text(&buffer, "ab");
    uex_buffer_append_text(&buffer, "cde");
    uex_buffer_append_text(&buffer, "f"); /* would fit */
    uex_buffer_append_format(&buffer, "%d", 1);
    assert_true(uex_buffer_failed(&buffer));
    assert_string_equal(uex_buffer_text(&buffer), "ab");
    uex_buffer_reset(&buffer);
    assert_false(uex_buffer_failed(&buffer));
    uex_buffer_append_text(&buffer, "wxyz");
    assert_string_equal(uex_buffer_text(&buffer), "wxyz");
    uex_buffer_clear(&buffer);
}

static void append__size_that_would_wrap__fails(void **state)
{
    struct uex_buffer buffer = {.cap_bytes = SIZE_MAX - 1};

    (void)state;
    uex_buffer_append_text(&buffer, "ab");
    assert_null(uex_buffer_reserve(&buffer, SIZE_MAX - 1));
    assert_true(uex_buffer_failed(&buffer));
    uex_buffer_clear(&buffer);
}

static void append__beyond_the_default_cap__fails(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    assert_null(uex_buffer_reserve(&buffer, UEX_BUFFER_CAP_BYTES + 1));
    assert_true(uex_buffer_failed(&buffer));
    uex_buffer_clear(&buffer);
}

static void reserve__less_used_than_reserved__text_ends_where_size_ends(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    uex_buffer_append_text(&buffer, "ab");
    uint8_t *place = uex_buffer_reserve(&buffer, 100);
    assert_non_null(place);
    memcpy(place, "cd", 2);
    buffer.size_bytes += 2;
    assert_string_equal(uex_buffer_text(&buffer), "abcd");
    uex_buffer_clear(&buffer);
}

static void append_json__special_characters__are_escaped(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    uex_buffer_append_json(&buffer, "a\"b\\c/\b\f\n\r\t\x01\x1F\x7F");
    assert_string_equal(uex_buffer_text(&buffer), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
    uex_buffer_reset(&buffer);
    uex_buffer_append_json(&buffer, "\xC3\xA9\xF0\x9F\x98\x80");
    assert_string_equal(uex_buffer_text(&buffer), "\"\xC3\xA9\xF0\x9F\x98\x80\"");
    uex_buffer_reset(&buffer);
    uex_buffer_append_json(&buffer, "");
    assert_string_equal(uex_buffer_text(&buffer), "\"\"");
    uex_buffer_clear(&buffer);
}

static void append_json__null_and_zero_bytes__are_null_and_escape(void **state)
{
    struct uex_buffer buffer = {0};

    (void)state;
    uex_buffer_append_json(&buffer, NULL);
    uex_buffer_append_json_bytes(&buffer, uex_bytes_of(NULL, 0));
    uex_buffer_append_json_bytes(&buffer, uex_bytes_of("a\0b", 3));
    assert_string_equal(uex_buffer_text(&buffer), "nullnull\"a\\u0000b\"");
    uex_buffer_clear(&buffer);
}

static void append_json__no_room__leaves_the_buffer_as_it_was(void **state)
{
    struct uex_buffer buffer = {.cap_bytes = 8};

    (void)state;
    uex_buffer_append_text(&buffer, "ab");
    uex_buffer_append_json(&buffer, "c\n\n\n");
    assert_true(uex_buffer_failed(&buffer));
    assert_string_equal(uex_buffer_text(&buffer), "ab");
    uex_buffer_clear(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__zeroed_buffer__is_empty_text_and_not_absent),
        cmocka_unit_test(append__many_pieces__are_all_there_and_end_in_zero),
        cmocka_unit_test(append__empty_and_null__change_nothing),
        cmocka_unit_test(append__at_the_cap__is_taken_and_beyond_it_fails),
        cmocka_unit_test(append__after_a_failure__stays_failed_and_as_it_was),
        cmocka_unit_test(append__size_that_would_wrap__fails),
        cmocka_unit_test(append__beyond_the_default_cap__fails),
        cmocka_unit_test(reserve__less_used_than_reserved__text_ends_where_size_ends),
        cmocka_unit_test(append_json__special_characters__are_escaped),
        cmocka_unit_test(append_json__null_and_zero_bytes__are_null_and_escape),
        cmocka_unit_test(append_json__no_room__leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
