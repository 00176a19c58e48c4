/* SPDX-License-Identifier: Apache-2.0 */
/* numeric: the texts are what PostgreSQL 15 prints for the values that it sends so. */
#include "parquet/numeric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fields.h"

#define POSITIVE 0x0000
#define NEGATIVE 0x4000

static struct uex_numeric read_numeric(struct uex_copy_field field)
{
    struct uex_numeric numeric;

    assert_true(uex_numeric_read(field.data, (size_t)field.size_bytes, &numeric));
    return numeric;
}

static void assert_text(struct uex_copy_field field, const char *expected)
{
    const struct uex_numeric numeric = read_numeric(field);
    const size_t max_bytes = uex_numeric_text_max_bytes(&numeric);
    char *text = malloc(max_bytes);
    size_t size_bytes;

    assert_non_null(text);
    size_bytes = uex_numeric_text(&numeric, text);
    assert_true(size_bytes <= max_bytes);
    assert_int_equal(size_bytes, strlen(expected));
    assert_memory_equal(text, expected, size_bytes);
    free(text);
}

static void text__numbers__are_as_postgresql_prints_them(void **state)
{
    (void)state;
    assert_text(field_numeric(0, POSITIVE, 0, NULL, 0), "0");
    assert_text(field_numeric(0, POSITIVE, 3, NULL, 0), "0.000");
    assert_text(FIELD_NUMERIC(0, POSITIVE, 0, 1), "1");
    assert_text(FIELD_NUMERIC(0, NEGATIVE, 0, 9999), "-9999");
    assert_text(FIELD_NUMERIC(1, POSITIVE, 0, 1), "10000");
    assert_text(FIELD_NUMERIC(1, POSITIVE, 1, 12, 345), "120345.0");
    assert_text(FIELD_NUMERIC(0, POSITIVE, 2, 1, 2500), "1.25");
    assert_text(FIELD_NUMERIC(-1, NEGATIVE, 4, 1), "-0.0001");
    assert_text(FIELD_NUMERIC(-2, POSITIVE, 5, 1000), "0.00001");
    assert_text(FIELD_NUMERIC(-2, POSITIVE, 8, 1), "0.00000001");
    assert_text(FIELD_NUMERIC(0, POSITIVE, 6, 1, 1, 100), "1.000101");
    assert_text(FIELD_NUMERIC(3, POSITIVE, 0, 7), "7000000000000");
    assert_text(FIELD_NUMERIC(0, POSITIVE, 1, 1, 2345), "1.2"); /* more digits than are displayed */
}

static void text__special_values__have_names(void **state)
{
    (void)state;
    assert_text(field_numeric(0, 0xC000, 0, NULL, 0), "NaN");
    assert_text(field_numeric(0, 0xD000, 0, NULL, 0), "Infinity");
    assert_text(field_numeric(0, 0xF000, 0, NULL, 0), "-Infinity");
}

static void text__greatest_weight_and_scale__fits_its_bound(void **state)
{
    const struct uex_numeric numeric = read_numeric(FIELD_NUMERIC(32767, NEGATIVE, 0x3fff, 9999));
    const size_t max_bytes = uex_numeric_text_max_bytes(&numeric);
    char *text = malloc(max_bytes);

    (void)state;
    assert_non_null(text);
    assert_int_equal(uex_numeric_text(&numeric, text), 1 + 4 * 32768 + 1 + 0x3fff);
    free(text);
}

static void read__bytes_that_are_no_numeric__are_refused(void **state)
{
    struct uex_numeric numeric;
    const struct uex_copy_field bad[] = {
        field_bytes("", 0),
        field_bytes("\0\0\0\0\0\0\0", 7),
        field_bytes("\0\1\0\0\0\0\0\0", 8),          /* a digit is missing */
        field_bytes("\0\0\0\0\0\0\0\0\0", 9),        /* a byte too many */
        field_bytes("\0\0\0\0\1\0\0\0", 8),          /* there is no such sign */
        field_bytes("\0\0\0\0\0\0\x40\0", 8),        /* nor such a scale */
        field_bytes("\0\1\0\0\0\0\0\0\x27\x10", 10), /* nor a digit 10000 */
        field_bytes("\0\1\0\0\0\0\0\0\xff\xff", 10),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(uex_numeric_read(bad[i].data, (size_t)bad[i].size_bytes, &numeric));
}

static bool scales(struct uex_copy_field field, int precision, int scale, __int128 *out)
{
    const struct uex_numeric numeric = read_numeric(field);

    return uex_numeric_scaled(&numeric, scale, uex_numeric_limit(precision), out);
}

static void assert_scaled(struct uex_copy_field field, int precision, int scale, int64_t expected)
{
    __int128 value = 0;

    assert_true(scales(field, precision, scale, &value));
    assert_true(value == expected);
}

static void scaled__numbers__are_times_ten_to_the_scale(void **state)
{
    (void)state;
    assert_scaled(field_numeric(0, POSITIVE, 0, NULL, 0), 5, 2, 0);
    assert_scaled(FIELD_NUMERIC(0, POSITIVE, 2, 1, 2500), 5, 2, 125);
    assert_scaled(FIELD_NUMERIC(0, NEGATIVE, 2, 999, 9900), 5, 2, -99999);
    assert_scaled(FIELD_NUMERIC(-1, POSITIVE, 4, 1), 4, 4, 1);
    assert_scaled(FIELD_NUMERIC(-1, POSITIVE, 4, 1), 9, 5, 10);
    assert_scaled(FIELD_NUMERIC(-2, POSITIVE, 5, 1000), 9, 5, 1);
    assert_scaled(FIELD_NUMERIC(1, POSITIVE, 0, 1), 5, 0, 10000);
    assert_scaled(FIELD_NUMERIC(3, POSITIVE, 0, 7), 18, 0, INT64_C(7000000000000));
    assert_scaled(FIELD_NUMERIC(0, POSITIVE, 0, 0, 0, 0, 0), 1, 0, 0); /* zeros that a server would have cut */
}

static void scaled__38_digits__are_all_there(void **state)
{
    __int128 value = 0;

    (void)state;
    assert_true(
        scales(FIELD_NUMERIC(9, NEGATIVE, 0, 99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999), 38, 0, &value));
    assert_true(value == -uex_numeric_limit(38));
}

static void scaled__too_many_digits_or_no_number__is_refused(void **state)
{
    __int128 value = 0;

    (void)state;
    assert_false(scales(FIELD_NUMERIC(0, POSITIVE, 0, 1000), 5, 2, &value));
    assert_false(scales(FIELD_NUMERIC(1, POSITIVE, 0, 1), 4, 0, &value));
    assert_false(scales(FIELD_NUMERIC(0, POSITIVE, 0, 10), 1, 0, &value));
    assert_false(scales(FIELD_NUMERIC(-1, POSITIVE, 3, 10), 5, 2, &value));
    assert_false(scales(FIELD_NUMERIC(-2, POSITIVE, 8, 1), 38, 7, &value));
    assert_false(scales(FIELD_NUMERIC(-100, POSITIVE, 500, 1), 38, 38, &value));
    assert_false(scales(FIELD_NUMERIC(9, POSITIVE, 0, 100, 0, 0), 38, 0, &value));
    assert_false(scales(FIELD_NUMERIC(32767, POSITIVE, 0, 1), 38, 38, &value));
    assert_false(scales(field_numeric(0, 0xC000, 0, NULL, 0), 38, 0, &value));
    assert_false(scales(field_numeric(0, 0xD000, 0, NULL, 0), 38, 0, &value));
    assert_false(scales(field_numeric(0, 0xF000, 0, NULL, 0), 38, 0, &value));
}

static int clear(void **state)
{
    (void)state;
    fields_reset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(text__numbers__are_as_postgresql_prints_them, clear),
        cmocka_unit_test_teardown(text__special_values__have_names, clear),
        cmocka_unit_test_teardown(text__greatest_weight_and_scale__fits_its_bound, clear),
        cmocka_unit_test_teardown(read__bytes_that_are_no_numeric__are_refused, clear),
        cmocka_unit_test_teardown(scaled__numbers__are_times_ten_to_the_scale, clear),
        cmocka_unit_test_teardown(scaled__38_digits__are_all_there, clear),
        cmocka_unit_test_teardown(scaled__too_many_digits_or_no_number__is_refused, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
