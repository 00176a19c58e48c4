/* SPDX-License-Identifier: Apache-2.0 */
/* One column: what each kind makes of PostgreSQL's bytes, what it refuses, and when it keeps a dictionary. */
#include "parquet/chunk.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fields.h"

#define DAY_US INT64_C(86400000000)

static struct uex_parquet_column column;
static struct uex_chunk chunk;
static struct uex_fault fault;

static void begin(enum uex_parquet_kind kind, int precision, int scale)
{
    uex_chunk_free(&chunk);
    column = (struct uex_parquet_column){.name = "born", .kind = kind, .precision = precision, .scale = scale};
    assert_true(uex_chunk_init(&chunk, &column));
}

/* What a value is in PLAIN form. */
static void assert_plain(struct uex_copy_field field, const void *expected, size_t size_bytes)
{
    uex_chunk_reset(&chunk, 1);
    assert_int_equal(uex_chunk_add(&chunk, 0, field, &fault), UEX_OK);
    assert_int_equal(chunk.value_count, 1);
    assert_int_equal(chunk.present[0], 1);
    assert_true(uex_chunk_measure(&chunk, field) >= size_bytes);
    if (!chunk.is_plain)
        assert_int_equal(uex_chunk_make_plain(&chunk), UEX_OK);
    assert_int_equal(chunk.plain_bytes, size_bytes);
    assert_memory_equal(chunk.values.data + UEX_CHUNK_HEAD_BYTES, expected, size_bytes);
}

static void assert_refused(struct uex_copy_field field)
{
    fault = (struct uex_fault){0};
    uex_chunk_reset(&chunk, 1);
    assert_int_equal(uex_chunk_add(&chunk, 0, field, &fault), UEX_DB_DATA);
    assert_non_null(strstr(fault.text, "column born "));
}

static void assert_plain_int32(struct uex_copy_field field, int32_t expected)
{
    assert_plain(field, &expected, sizeof(expected));
}

static void assert_plain_int64(struct uex_copy_field field, int64_t expected)
{
    assert_plain(field, &expected, sizeof(expected));
}

static void add__null__has_no_value(void **state)
{
    (void)state;
    begin(UEX_PARQUET_TEXT, 0, 0);
    assert_int_equal(uex_chunk_add(&chunk, 0, field_null(), &fault), UEX_OK);
    assert_int_equal(uex_chunk_measure(&chunk, field_null()), 0);
    assert_int_equal(chunk.value_count, 0);
    assert_int_equal(chunk.present[0], 0);
}

static void add__texts__have_their_length_in_front(void **state)
{
    (void)state;
    begin(UEX_PARQUET_TEXT, 0, 0);
    assert_plain(field_text("a\xc3\xa4"), "\3\0\0\0a\xc3\xa4", 7);
    assert_plain(field_text(""), "\0\0\0\0", 4);
    assert_plain(field_text("\xff\xfe"), "\2\0\0\0\xff\xfe", 6); /* no UTF-8, which is the server's business */
    begin(UEX_PARQUET_JSON, 0, 0);
    assert_plain(field_text("{}"), "\2\0\0\0{}", 6);
}

static void add__jsonb__loses_its_version(void **state)
{
    (void)state;
    begin(UEX_PARQUET_JSONB, 0, 0);
    assert_plain(field_text("\1{}"), "\2\0\0\0{}", 6);
    assert_refused(field_text("\2{}"));
    assert_refused(field_text(""));
}

static void add__uuid__is_text(void **state)
{
    (void)state;
    begin(UEX_PARQUET_UUID, 0, 0);
    assert_plain(field_bytes("\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 16),
                 "\x24\0\0\0"
                 "01234567-89ab-cdef-fedc-ba9876543210",
                 40);
    assert_refused(field_bytes("0123456789abcde", 15));
    assert_refused(field_bytes("0123456789abcdefg", 17));
}

static void add__booleans__are_bits(void **state)
{
    (void)state;
    begin(UEX_PARQUET_BOOLEAN, 0, 0);
    for (uint32_t row = 0; row < 10; row++)
        assert_int_equal(uex_chunk_add(&chunk, row, field_integer(row % 3 == 0, 1), &fault), UEX_OK);
    assert_int_equal(chunk.value_count, 10);
    assert_memory_equal(chunk.values.data + UEX_CHUNK_HEAD_BYTES, "\x49\x02", 2);
    assert_refused(field_bytes("", 0));
    assert_refused(field_bytes("\1\1", 2));
}

static void add__integers__keep_their_value(void **state)
{
    (void)state;
    begin(UEX_PARQUET_INT2, 0, 0);
    assert_plain_int32(field_integer(INT16_MIN, 2), INT16_MIN);
    assert_plain_int32(field_integer(INT16_MAX, 2), INT16_MAX);
    assert_refused(field_integer(1, 4));
    begin(UEX_PARQUET_INT4, 0, 0);
    assert_plain_int32(field_integer(INT32_MIN, 4), INT32_MIN);
    assert_refused(field_integer(1, 8));
    begin(UEX_PARQUET_INT8, 0, 0);
    assert_plain_int64(field_integer(INT64_MIN, 8), INT64_MIN);
    assert_plain_int64(field_integer(INT64_MAX, 8), INT64_MAX);
    assert_refused(field_integer(1, 4));
}

static void add__floats__keep_their_bits(void **state)
{
    const float single = -0.1F;
    const double wide = 5e-324;

    (void)state;
    begin(UEX_PARQUET_FLOAT4, 0, 0);
    assert_plain(field_float4(single), &single, sizeof(single));
    assert_int_equal(chunk.nan_count, 0);
    assert_int_equal(uex_chunk_add(&chunk, 1, field_float4(NAN), &fault), UEX_OK);
    assert_int_equal(chunk.nan_count, 1);
    assert_refused(field_float8(1));
    begin(UEX_PARQUET_FLOAT8, 0, 0);
    assert_plain(field_float8(wide), &wide, sizeof(wide));
    assert_int_equal(uex_chunk_add(&chunk, 1, field_float8(-NAN), &fault), UEX_OK);
    assert_int_equal(chunk.nan_count, 1);
    assert_refused(field_float4(1));
}

/* PostgreSQL counts from 2000-01-01, Parquet from 1970-01-01. */
static void add__dates__are_of_the_years_1_to_9999(void **state)
{
    (void)state;
    begin(UEX_PARQUET_DATE, 0, 0);
    assert_plain_int32(field_integer(0, 4), 10957);
    assert_plain_int32(field_integer(-730119, 4), -719162);
    assert_plain_int32(field_integer(2921939, 4), 2932896);
    assert_refused(field_integer(-730120, 4));
    assert_refused(field_integer(2921940, 4));
    assert_refused(field_integer(INT32_MAX, 4)); /* infinity */
    assert_refused(field_integer(INT32_MIN, 4)); /* -infinity */
    assert_refused(field_integer(0, 8));
}

static void add__timestamps__are_of_the_years_1_to_9999(void **state)
{
    static const enum uex_parquet_kind KINDS[] = {UEX_PARQUET_TIMESTAMP, UEX_PARQUET_TIMESTAMPTZ};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin(KINDS[i], 0, 0);
        assert_plain_int64(field_integer(1, 8), 10957 * DAY_US + 1);
        assert_plain_int64(field_integer(-730119 * DAY_US, 8), -719162 * DAY_US);
        assert_plain_int64(field_integer(2921940 * DAY_US - 1, 8), 2932897 * DAY_US - 1);
        assert_refused(field_integer(-730119 * DAY_US - 1, 8));
        assert_refused(field_integer(2921940 * DAY_US, 8));
        assert_refused(field_integer(INT64_MAX, 8)); /* infinity */
        assert_refused(field_integer(INT64_MIN, 8)); /* -infinity */
        assert_refused(field_integer(0, 4));
    }
}

static void add__decimals__are_as_wide_as_their_precision_needs(void **state)
{
    (void)state;
    begin(UEX_PARQUET_DECIMAL, 9, 2);
    assert_plain_int32(FIELD_NUMERIC(1, 0x4000, 2, 999, 9999, 9900), -999999999);
    assert_refused(FIELD_NUMERIC(1, 0, 0, 1000, 0));
    assert_refused(FIELD_NUMERIC(0, 0, 3, 1, 10));
    assert_refused(field_numeric(0, 0xC000, 0, NULL, 0));
    assert_refused(field_numeric(0, 0xD000, 0, NULL, 0));
    assert_refused(field_text("12"));
    begin(UEX_PARQUET_DECIMAL, 18, 0);
    assert_plain_int64(FIELD_NUMERIC(4, 0x4000, 0, 99, 9999, 9999, 9999, 9999), INT64_C(-999999999999999999));
    begin(UEX_PARQUET_DECIMAL, 19, 0);
    assert_plain(FIELD_NUMERIC(0, 0x4000, 0, 1), "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    assert_plain(FIELD_NUMERIC(1, 0, 0, 1, 1), "\0\0\0\0\0\0\0\x27\x11", 9);
    begin(UEX_PARQUET_DECIMAL, 38, 38);
    assert_int_equal(chunk.type.width_bytes, 16);
    begin(UEX_PARQUET_DECIMAL, 21, 0);
    assert_int_equal(chunk.type.width_bytes, 9);
    begin(UEX_PARQUET_DECIMAL, 22, 0);
    assert_int_equal(chunk.type.width_bytes, 10);
}

static void add__numeric_without_precision__is_text(void **state)
{
    (void)state;
    begin(UEX_PARQUET_NUMERIC, 0, 0);
    assert_plain(FIELD_NUMERIC(0, 0x4000, 2, 1, 2500), "\5\0\0\0-1.25", 9);
    assert_plain(field_numeric(0, 0xC000, 0, NULL, 0), "\3\0\0\0NaN", 7);
    assert_refused(field_text("1.25"));
    /* 131,072 digits of two bytes. */
    assert_true(uex_chunk_measure(&chunk, FIELD_NUMERIC(32767, 0, 0, 1)) > 131072);
    assert_int_equal(uex_chunk_add(&chunk, 1, FIELD_NUMERIC(32767, 0, 0, 1), &fault), UEX_OK);
}

static void decimal__scales_of_postgresql__become_those_of_parquet(void **state)
{
    static const struct {
        int precision, scale, out_precision, out_scale;
    } CASES[] = {{5, 2, 5, 2},   {2, -3, 5, 0}, {3, 5, 5, 5}, {38, 38, 38, 38},
                 {38, -1, 0, 0}, {39, 0, 0, 0}, {2, 39, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        column = (struct uex_parquet_column){.name = "born"};
        uex_parquet_decimal(&column, CASES[i].precision, CASES[i].scale);
        assert_int_equal(column.kind, CASES[i].out_precision == 0 ? UEX_PARQUET_NUMERIC : UEX_PARQUET_DECIMAL);
        assert_int_equal(column.precision, CASES[i].out_precision);
        assert_int_equal(column.scale, CASES[i].out_scale);
        assert_string_equal(column.name, "born");
    }
}

/* `distinct` values in turn. */
static void add_many(uint32_t count, uint32_t distinct)
{
    for (uint32_t row = 0; row < count; row++) {
        assert_int_equal(uex_chunk_add(&chunk, row, field_integer((int64_t)(row % distinct) << 33, 8), &fault), UEX_OK);
        fields_reset();
    }
}

static void dictionary__few_distinct_values__pays(void **state)
{
    (void)state;
    begin(UEX_PARQUET_INT8, 0, 0);
    add_many(100000, 100);
    assert_false(chunk.is_plain);
    assert_true(uex_chunk_dictionary_pays(&chunk));
    assert_int_equal(chunk.dictionary.entry_count, 100);
    assert_int_equal(chunk.plain_bytes, 800000);
}

static void dictionary__all_distinct__is_given_up_early(void **state)
{
    (void)state;
    begin(UEX_PARQUET_INT8, 0, 0);
    add_many(4095, 100000);
    assert_false(chunk.is_plain);
    assert_int_equal(uex_chunk_add(&chunk, 4095, field_integer(-1, 8), &fault), UEX_OK);
    assert_true(chunk.is_plain);
}

/* The texts that fill a dictionary are 128 bytes each, so it is full at the 7,944th; the first 3,000 come twice. */
static void dictionary__full__falls_back_and_keeps_all_values(void **state)
{
    const uint32_t count = 12000, repeated = 3000;
    char text[129];
    const uint8_t *at;

    (void)state;
    begin(UEX_PARQUET_TEXT, 0, 0);
    for (uint32_t row = 0; row < count; row++) {
        (void)snprintf(text, sizeof(text), "%0128u", row < 2 * repeated ? row / 2 : row);
        assert_int_equal(uex_chunk_add(&chunk, row, field_text(text), &fault), UEX_OK);
        fields_reset();
        if (row == 9000)
            assert_false(chunk.is_plain);
    }
    assert_true(chunk.is_plain);
    assert_int_equal(chunk.value_count, count);
    assert_int_equal(chunk.plain_bytes, count * 132);
    at = chunk.values.data + UEX_CHUNK_HEAD_BYTES;
    for (uint32_t row = 0; row < count; row++, at += 132) {
        (void)snprintf(text, sizeof(text), "%0128u", row < 2 * repeated ? row / 2 : row);
        assert_memory_equal(at, "\x80\0\0\0", 4);
        assert_memory_equal(at + 4, text, 128);
    }
}

static void dictionary__few_values_that_are_all_distinct__does_not_pay(void **state)
{
    (void)state;
    begin(UEX_PARQUET_INT8, 0, 0);
    add_many(10, 10);
    assert_false(chunk.is_plain);
    assert_false(uex_chunk_dictionary_pays(&chunk));
}

static int clear(void **state)
{
    (void)state;
    fields_reset();
    uex_chunk_free(&chunk);
    chunk = (struct uex_chunk){0};
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(add__null__has_no_value, clear),
        cmocka_unit_test_teardown(add__texts__have_their_length_in_front, clear),
        cmocka_unit_test_teardown(add__jsonb__loses_its_version, clear),
        cmocka_unit_test_teardown(add__uuid__is_text, clear),
        cmocka_unit_test_teardown(add__booleans__are_bits, clear),
        cmocka_unit_test_teardown(add__integers__keep_their_value, clear),
        cmocka_unit_test_teardown(add__floats__keep_their_bits, clear),
        cmocka_unit_test_teardown(add__dates__are_of_the_years_1_to_9999, clear),
        cmocka_unit_test_teardown(add__timestamps__are_of_the_years_1_to_9999, clear),
        cmocka_unit_test_teardown(add__decimals__are_as_wide_as_their_precision_needs, clear),
        cmocka_unit_test_teardown(add__numeric_without_precision__is_text, clear),
        cmocka_unit_test_teardown(decimal__scales_of_postgresql__become_those_of_parquet, clear),
        cmocka_unit_test_teardown(dictionary__few_distinct_values__pays, clear),
        cmocka_unit_test_teardown(dictionary__all_distinct__is_given_up_early, clear),
        cmocka_unit_test_teardown(dictionary__full__falls_back_and_keeps_all_values, clear),
        cmocka_unit_test_teardown(dictionary__few_values_that_are_all_distinct__does_not_pay, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
