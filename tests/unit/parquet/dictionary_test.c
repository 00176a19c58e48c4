/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/dictionary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct uex_dictionary dictionary;

static int put_text(const char *text)
{
    return uex_dictionary_put_text(&dictionary, (const uint8_t *)text, strlen(text));
}

static void put__same_value_again__gives_the_same_index(void **state)
{
    (void)state;
    assert_int_equal(put_text("a"), 0);
    assert_int_equal(put_text(""), 1);
    assert_int_equal(put_text("ab"), 2);
    assert_int_equal(put_text("a"), 0);
    assert_int_equal(put_text(""), 1);
    assert_int_equal(dictionary.entry_count, 3);
    assert_memory_equal(uex_dictionary_entry(&dictionary, 2).data, "\2\0\0\0ab", 6);
    assert_int_equal(uex_dictionary_entry(&dictionary, 1).size_bytes, 4);
}

/* Texts of all lengths, which differ in one byte only, at each place. */
static void put__texts_that_differ_in_one_byte__are_distinct(void **state)
{
    char text[64];
    int expected = 0;

    (void)state;
    for (size_t length = 0; length < sizeof(text); length++) {
        memset(text, 'x', sizeof(text));
        assert_int_equal(uex_dictionary_put_text(&dictionary, (const uint8_t *)text, length), expected++);
        for (size_t at = 0; at < length; at++) {
            text[at] = 'y';
            assert_int_equal(uex_dictionary_put_text(&dictionary, (const uint8_t *)text, length), expected);
            assert_int_equal(uex_dictionary_put_text(&dictionary, (const uint8_t *)text, length), expected++);
            text[at] = 'x';
        }
    }
}

static void put__as_many_entries_as_there_may_be__is_full(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < UEX_DICTIONARY_ENTRIES_MAX; i++) {
            uint64_t value = (uint64_t)i << 20;

            assert_int_equal(uex_dictionary_put_fixed(&dictionary, (const uint8_t *)&value, sizeof(value)), (int)i);
        }
    }
    assert_int_equal(uex_dictionary_put_fixed(&dictionary, (const uint8_t *)"12345678", 8), UEX_DICTIONARY_FULL);
    assert_int_equal(uex_dictionary_width_bits(&dictionary), 15);
}

static void put__values_beyond_a_mebibyte__is_full(void **state)
{
    const size_t size_bytes = UEX_DICTIONARY_BYTES_MAX - 4;
    uint8_t *text = calloc(1, size_bytes + 1);

    (void)state;
    assert_non_null(text);
    assert_int_equal(uex_dictionary_put_text(&dictionary, text, size_bytes + 1), UEX_DICTIONARY_FULL);
    assert_int_equal(uex_dictionary_put_text(&dictionary, text, size_bytes), 0);
    assert_int_equal(uex_dictionary_put_text(&dictionary, text, size_bytes), 0);
    assert_int_equal(put_text(""), UEX_DICTIONARY_FULL);
    free(text);
}

/* The first round hash function of a value of eight bytes is known, so many values of one slot can be found: they must
 * not make the time of an export grow with the square of the rows. */
static void put__values_that_collide__give_the_dictionary_up(void **state)
{
    struct uex_dictionary probe = {0};
    uint32_t wanted = 0, found = 0;
    int last = 0;

    (void)state;
    for (uint64_t value = 0; last >= 0 && found < 1000; value++) {
        assert_int_equal(uex_dictionary_put_fixed(&probe, (const uint8_t *)&value, sizeof(value)), 0);
        if (value == 0)
            wanted = probe.entries[0].hash & 0xffff;
        if ((probe.entries[0].hash & 0xffff) == wanted) {
            last = uex_dictionary_put_fixed(&dictionary, (const uint8_t *)&value, sizeof(value));
            found++;
        }
        uex_dictionary_reset(&probe);
    }
    assert_int_equal(last, UEX_DICTIONARY_FULL);
    assert_in_range(found, 64, 256);
    uex_dictionary_free(&probe);
}

static void reset__used_again__has_no_old_value(void **state)
{
    (void)state;
    assert_int_equal(put_text("old"), 0);
    uex_dictionary_reset(&dictionary);
    assert_int_equal(put_text("new"), 0);
    assert_int_equal(put_text("old"), 1);
    assert_int_equal(dictionary.values.used_bytes, 14);
}

static void width_bits__counts_of_entries__are_enough_for_the_last_index(void **state)
{
    static const struct {
        uint32_t entry_count;
        unsigned width_bits;
    } CASES[] = {{1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {256, 8}, {257, 9}, {32768, 15}};

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct uex_dictionary of = {.entry_count = CASES[i].entry_count};

        assert_int_equal(uex_dictionary_width_bits(&of), CASES[i].width_bits);
    }
}

static int clear(void **state)
{
    (void)state;
    uex_dictionary_free(&dictionary);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(put__same_value_again__gives_the_same_index, clear),
        cmocka_unit_test_teardown(put__texts_that_differ_in_one_byte__are_distinct, clear),
        cmocka_unit_test_teardown(put__as_many_entries_as_there_may_be__is_full, clear),
        cmocka_unit_test_teardown(put__values_beyond_a_mebibyte__is_full, clear),
        cmocka_unit_test_teardown(put__values_that_collide__give_the_dictionary_up, clear),
        cmocka_unit_test_teardown(reset__used_again__has_no_old_value, clear),
        cmocka_unit_test_teardown(width_bits__counts_of_entries__are_enough_for_the_last_index, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
