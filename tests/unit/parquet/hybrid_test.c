/* SPDX-License-Identifier: Apache-2.0 */
/* The hybrid: bytes as in Encodings.md, and what is written is read by a reader of its grammar. */
#include "parquet/hybrid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_MAX ((size_t)131072)

static uint16_t values[COUNT_MAX + 8], decoded[COUNT_MAX + 8];
static uint8_t bits[COUNT_MAX / 8], out[4 * COUNT_MAX];
static uint32_t seed = 1;

static unsigned next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* By the grammar, a bit at a time. False: it is not exactly `count` values, but for the padding of the last group. */
static bool decode(size_t size_bytes, unsigned width_bits, size_t count)
{
    size_t at = 0, done = 0;

    while (at < size_bytes) {
        uint64_t header = 0;
        unsigned shift = 0;
        size_t run;

        do {
            header |= (uint64_t)(out[at] & 0x7f) << shift;
            shift += 7;
        } while ((out[at++] & 0x80) != 0);
        run = (size_t)(header >> 1) * ((header & 1) != 0 ? 8 : 1);
        if (run == 0 || (done + run > count && ((header & 1) == 0 || done + run >= count + 8)))
            return false;
        for (size_t i = 0; i < run; i++) {
            unsigned value = 0;

            for (unsigned bit = 0; bit < width_bits; bit++) {
                size_t place = (header & 1) != 0 ? i * width_bits + bit : bit;

                value |= (unsigned)(out[at + place / 8] >> (place % 8) & 1) << bit;
            }
            decoded[done++] = (uint16_t)value;
        }
        at += (header & 1) != 0 ? run / 8 * width_bits : (width_bits + 7) / 8;
    }
    return at == size_bytes && done >= count;
}

static void indexes__example_of_the_specification__gives_its_bytes(void **state)
{
    const uint16_t example[8] = {0, 1, 2, 3, 4, 5, 6, 7};

    (void)state;
    assert_int_equal(uex_hybrid_indexes(example, 8, 3, out), 4);
    assert_memory_equal(out, "\x03\x88\xc6\xfa", 4);
}

static void indexes__one_value__is_a_repeated_run(void **state)
{
    (void)state;
    memset(values, 0, sizeof(values));
    assert_int_equal(uex_hybrid_indexes(values, 1000, 1, out), 3);
    assert_memory_equal(out, "\xd0\x0f\x00", 3);
}

static void indexes__of_any_width_and_length__are_read_back(void **state)
{
    (void)state;
    for (unsigned width_bits = 1; width_bits <= 16; width_bits++) {
        for (size_t round = 0; round < 60; round++) {
            const size_t count = round < 20 ? round : next_random() % 5000;
            size_t size_bytes;

            for (size_t i = 0; i < count; i++)
                values[i] = (uint16_t)(i > 0 && next_random() % 100 < round ? values[i - 1]
                                                                            : next_random() & ((1u << width_bits) - 1));
            size_bytes = uex_hybrid_indexes(values, count, width_bits, out);
            assert_true(size_bytes <= uex_hybrid_max_bytes(count, width_bits));
            assert_true(decode(size_bytes, width_bits, count));
            assert_memory_equal(values, decoded, count * sizeof(values[0]));
        }
    }
}

static void bits__of_any_length__are_read_back(void **state)
{
    (void)state;
    for (size_t round = 0; round < 400; round++) {
        const size_t count = round < 100 ? round : next_random() % COUNT_MAX + 1;
        size_t size_bytes;

        memset(bits, 0, sizeof(bits));
        for (size_t i = 0; i < count; i++) {
            values[i] = (uint16_t)(i > 0 && next_random() % 1000 < round * 3 ? values[i - 1] : next_random() & 1);
            bits[i / 8] |= (uint8_t)(values[i] << (i % 8));
        }
        size_bytes = uex_hybrid_bits(bits, count, out);
        assert_true(size_bytes <= uex_hybrid_max_bytes(count, 1));
        assert_true(decode(size_bytes, 1, count));
        assert_memory_equal(values, decoded, count * sizeof(values[0]));
    }
}

/* Short and long runs in turn are the worst case of the bound. */
static void bits__runs_that_alternate__stay_within_the_bound(void **state)
{
    (void)state;
    for (size_t packed = 1; packed < 4; packed++) {
        for (size_t repeated = 1; repeated < 20; repeated++) {
            for (size_t i = 0; i < COUNT_MAX / 8; i++)
                bits[i] = i % (packed + repeated) < packed ? 0x55 : 0xff;
            assert_true(uex_hybrid_bits(bits, COUNT_MAX, out) <= uex_hybrid_max_bytes(COUNT_MAX, 1));
        }
    }
}

static void bits__all_of_a_kind__are_one_run(void **state)
{
    (void)state;
    memset(bits, 0xff, sizeof(bits));
    assert_int_equal(uex_hybrid_bits(bits, 8, out), 2);
    assert_memory_equal(out, "\x10\x01", 2);
    assert_int_equal(uex_hybrid_bits(bits, COUNT_MAX, out), 4);
    assert_memory_equal(out, "\x80\x80\x10\x01", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indexes__example_of_the_specification__gives_its_bytes),
        cmocka_unit_test(indexes__one_value__is_a_repeated_run),
        cmocka_unit_test(indexes__of_any_width_and_length__are_read_back),
        cmocka_unit_test(bits__of_any_length__are_read_back),
        cmocka_unit_test(bits__runs_that_alternate__stay_within_the_bound),
        cmocka_unit_test(bits__all_of_a_kind__are_one_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
