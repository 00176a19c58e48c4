/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds of column chunks: parquet.thrift, Statistics and ColumnOrder. */
#include "parquet/statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct uex_statistics found;
static struct uex_parquet_column column;

static void look(enum uex_parquet_kind kind, const void *plain, size_t size_bytes, size_t count)
{
    column = (struct uex_parquet_column){.name = "c", .kind = kind, .precision = 20, .scale = 0};
    uex_statistics_bounds(&column, uex_bytes_of(plain, size_bytes), count, &found);
}

static void assert_bound(const struct uex_bound *bound, const void *expected, size_t size_bytes)
{
    assert_true(bound->is_known);
    assert_true(bound->is_exact);
    assert_int_equal(bound->size_bytes, size_bytes);
    assert_memory_equal(bound->data, expected, size_bytes);
}

static void bounds__integers__compare_with_their_sign(void **state)
{
    const int32_t narrow[] = {5, -7, 0, INT32_MAX};
    const int64_t wide[] = {5, INT64_MIN, 0, -1};

    (void)state;
    look(UEX_PARQUET_INT4, narrow, sizeof(narrow), 4);
    assert_bound(&found.min, &narrow[1], 4);
    assert_bound(&found.max, &narrow[3], 4);
    look(UEX_PARQUET_TIMESTAMPTZ, wide, sizeof(wide), 4);
    assert_bound(&found.min, &wide[1], 8);
    assert_bound(&found.max, &wide[0], 8);
}

static void bounds__decimals_of_many_bytes__compare_by_value(void **state)
{
    static const char PLAIN[] = "\0\0\0\0\0\0\0\0\x05"
                                "\xff\xff\xff\xff\xff\xff\xff\xff\xfe"
                                "\0\0\0\0\0\0\0\1\0"
                                "\xff\xff\xff\xff\xff\xff\xff\xff\xff";

    (void)state;
    look(UEX_PARQUET_DECIMAL, PLAIN, 36, 4);
    assert_bound(&found.min, PLAIN + 9, 9);
    assert_bound(&found.max, PLAIN + 18, 9);
}

static void bounds__floats__leave_nan_out_and_sign_zeros(void **state)
{
    const double mixed[] = {NAN, 0.0, -0.0, NAN}, minus_zero = -0.0, zero = 0.0;
    const double wide[] = {NAN, -INFINITY, 3.5};
    const float narrow[] = {NAN, -0.0F, 2.5F}, minus_zero_narrow = -0.0F;
    const double only_nan[] = {NAN, NAN};

    (void)state;
    look(UEX_PARQUET_FLOAT8, mixed, sizeof(mixed), 4);
    assert_bound(&found.min, &minus_zero, 8);
    assert_bound(&found.max, &zero, 8);
    look(UEX_PARQUET_FLOAT8, &minus_zero, 8, 1);
    assert_bound(&found.max, &zero, 8);
    look(UEX_PARQUET_FLOAT8, wide, sizeof(wide), 3);
    assert_bound(&found.min, &wide[1], 8);
    assert_bound(&found.max, &wide[2], 8);
    look(UEX_PARQUET_FLOAT4, narrow, sizeof(narrow), 3);
    assert_bound(&found.min, &minus_zero_narrow, 4);
    assert_bound(&found.max, &narrow[2], 4);
    look(UEX_PARQUET_FLOAT8, only_nan, sizeof(only_nan), 2);
    assert_false(found.min.is_known);
    assert_false(found.max.is_known);
}

static void bounds__booleans__are_false_before_true(void **state)
{
    (void)state;
    look(UEX_PARQUET_BOOLEAN, "\x05", 1, 3);
    assert_bound(&found.min, "\0", 1);
    assert_bound(&found.max, "\1", 1);
    look(UEX_PARQUET_BOOLEAN, "\x07", 1, 3);
    assert_bound(&found.min, "\1", 1);
    look(UEX_PARQUET_BOOLEAN, "\xf8", 1, 3); /* what is beyond the count does not matter */
    assert_bound(&found.max, "\0", 1);
}

static void bounds__texts__compare_byte_by_byte_without_sign(void **state)
{
    static const char PLAIN[] = "\1\0\0\0b\2\0\0\0\xc3\xa4\2\0\0\0ba\0\0\0\0";

    (void)state;
    look(UEX_PARQUET_TEXT, PLAIN, sizeof(PLAIN) - 1, 4);
    assert_bound(&found.min, "", 0);
    assert_bound(&found.max, "\xc3\xa4", 2);
    look(UEX_PARQUET_TEXT, PLAIN, 11, 2);
    assert_bound(&found.min, "b", 1);
}

/* A text of `count` times `unit`, then `tail`, as minimum and maximum. */
static void look_long(enum uex_parquet_kind kind, const char *unit, size_t count, const char *tail)
{
    char plain[2048] = "";
    size_t size_bytes = 4;

    for (size_t i = 0; i < count; i++, size_bytes += strlen(unit))
        memcpy(plain + size_bytes, unit, strlen(unit));
    memcpy(plain + size_bytes, tail, strlen(tail));
    size_bytes += strlen(tail);
    plain[0] = (char)((size_bytes - 4) & 0xff);
    plain[1] = (char)((size_bytes - 4) >> 8);
    look(kind, plain, size_bytes, 1);
}

static void assert_cut(const struct uex_bound *bound, const char *unit, size_t count, const char *tail)
{
    assert_true(bound->is_known);
    assert_false(bound->is_exact);
    assert_int_equal(bound->size_bytes, count * strlen(unit) + strlen(tail));
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(bound->data + i * strlen(unit), unit, strlen(unit));
    assert_memory_equal(bound->data + count * strlen(unit), tail, strlen(tail));
}

static void bounds__text_of_64_bytes__is_whole(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_TEXT, "x", 64, "");
    assert_true(found.min.is_exact);
    assert_true(found.max.is_exact);
    assert_int_equal(found.max.size_bytes, 64);
}

static void bounds__longer_text__is_cut_and_its_last_character_raised(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_TEXT, "x", 65, "");
    assert_cut(&found.min, "x", 64, "");
    assert_cut(&found.max, "x", 63, "y");
    look_long(UEX_PARQUET_TEXT, "\xe6\x97\xa5", 30, ""); /* 21 characters of three bytes fit */
    assert_cut(&found.min, "\xe6\x97\xa5", 21, "");
    assert_cut(&found.max, "\xe6\x97\xa5", 20, "\xe6\x97\xa6");
}

static void bounds__last_character_without_a_next_of_its_length__goes_to_the_one_before(void **state)
{
    char tail[70];

    (void)state;
    memset(tail, 'x', sizeof(tail));
    tail[0] = '\x7f';
    tail[sizeof(tail) - 1] = '\0';
    look_long(UEX_PARQUET_TEXT, "x", 63, tail); /* U+0080 has two bytes, and there is room for one */
    assert_cut(&found.max, "x", 62, "y");
    look_long(UEX_PARQUET_TEXT, "\xf4\x8f\xbf\xbf", 15, "abcd\xf4\x8f\xbf\xbf");
    assert_cut(&found.max, "\xf4\x8f\xbf\xbf", 15, "abce");
}

static void bounds__character_before_the_surrogates__jumps_over_them(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_TEXT, "\xed\x9f\xbf", 30, "");
    assert_cut(&found.max, "\xed\x9f\xbf", 20, "\xee\x80\x80");
}

static void bounds__nothing_greater__has_no_maximum(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_TEXT, "\xf4\x8f\xbf\xbf", 17, "");
    assert_true(found.min.is_known);
    assert_false(found.max.is_known);
}

static void bounds__long_text_that_is_no_utf_8__has_none(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_TEXT, "\xff", 100, "");
    assert_false(found.min.is_known);
    assert_false(found.max.is_known);
    look_long(UEX_PARQUET_TEXT, "a\xff", 50, "");
    assert_cut(&found.min, "a", 1, "");
    assert_cut(&found.max, "b", 1, "");
}

static void bounds__long_json__has_none(void **state)
{
    (void)state;
    look_long(UEX_PARQUET_JSON, "1", 64, "");
    assert_true(found.max.is_known);
    look_long(UEX_PARQUET_JSON, "1", 65, "");
    assert_false(found.min.is_known);
    assert_false(found.max.is_known);
}

static void bounds__no_value__has_none(void **state)
{
    (void)state;
    look(UEX_PARQUET_INT4, "", 0, 0);
    assert_false(found.min.is_known);
    assert_false(found.max.is_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds__integers__compare_with_their_sign),
        cmocka_unit_test(bounds__decimals_of_many_bytes__compare_by_value),
        cmocka_unit_test(bounds__floats__leave_nan_out_and_sign_zeros),
        cmocka_unit_test(bounds__booleans__are_false_before_true),
        cmocka_unit_test(bounds__texts__compare_byte_by_byte_without_sign),
        cmocka_unit_test(bounds__text_of_64_bytes__is_whole),
        cmocka_unit_test(bounds__longer_text__is_cut_and_its_last_character_raised),
        cmocka_unit_test(bounds__last_character_without_a_next_of_its_length__goes_to_the_one_before),
        cmocka_unit_test(bounds__character_before_the_surrogates__jumps_over_them),
        cmocka_unit_test(bounds__nothing_greater__has_no_maximum),
        cmocka_unit_test(bounds__long_text_that_is_no_utf_8__has_none),
        cmocka_unit_test(bounds__long_json__has_none),
        cmocka_unit_test(bounds__no_value__has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
