/* SPDX-License-Identifier: Apache-2.0 */
/* What is worked out without a server: plans, the parts of a key. */
#include "postgres/count.h"
#include "postgres/share_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void estimate_read__first_lines_of_plans__gives_cost_and_rows(void **state)
{
    struct uex_pg_estimate estimate = {0};

    (void)state;
    assert_true(uex_pg_estimate_read(
        "Index Scan using users_to_export on users  (cost=0.43..110943.82 rows=2003314 width=261)", &estimate));
    assert_true(estimate.cost > 110943.81 && estimate.cost < 110943.83);
    assert_true(estimate.row_count > 2003313.5 && estimate.row_count < 2003314.5);
    assert_true(
        uex_pg_estimate_read("Seq Scan on \"(cost=1..2 rows=3\"  (cost=0.00..35.50 rows=7 width=4)", &estimate));
    assert_true(estimate.row_count > 6.5 && estimate.row_count < 7.5);
    assert_true(uex_pg_estimate_read("Result  (cost=0.00..0.00 rows=0 width=0)", &estimate));
    assert_false(uex_pg_estimate_read("", &estimate));
    assert_false(uex_pg_estimate_read("Seq Scan on users", &estimate));
    assert_false(uex_pg_estimate_read("Seq Scan on users  (cost=x..y rows=z)", &estimate));
}

static void condition__parts_of_numbers__cover_each_key_once(void **state)
{
    static const struct {
        int64_t low, high;
        unsigned parts;
    } cases[] = {{1, 1, 16},
                 {1, 2, 16},
                 {0, 15, 16},
                 {-5, 100, 3},
                 {1, 2000000, 16},
                 {INT64_MIN, INT64_MAX, 256},
                 {INT64_MAX - 3, INT64_MAX, 2},
                 {INT64_MIN, INT64_MIN + 1, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_row_shares shares = {.low = cases[i].low, .high = cases[i].high};
        long long from, to, next = cases[i].low;

        uex_buffer_append_text(&shares.key, "k");
        uex_pg_share_cut(&shares, cases[i].parts);
        assert_in_range(shares.part_count, 1, cases[i].parts);
        for (unsigned part = 0; part < shares.part_count; part++) {
            struct uex_buffer sql = {0};
            bool is_last = part + 1 == shares.part_count;

            uex_pg_share_condition(&shares, part, &sql);
            assert_int_equal(sscanf(uex_buffer_text(&sql),
                                    is_last ? " AND k >= %lld AND k <= %lld" : " AND k >= %lld AND k < %lld", &from,
                                    &to),
                             2);
            assert_true(from == next && (is_last ? to == cases[i].high && to >= from : to > from));
            next = to;
            uex_buffer_clear(&sql);
        }
        uex_buffer_clear(&shares.key);
    }
}

static void assert_condition(const struct uex_row_shares *shares, unsigned part, const char *expected)
{
    struct uex_buffer sql = {0};

    uex_pg_share_condition(shares, part, &sql);
    assert_string_equal(uex_buffer_text(&sql), expected);
    uex_buffer_clear(&sql);
}

static void condition__hashes_and_nulls__are_as_they_should_be(void **state)
{
    struct uex_row_shares shares = {.kind = UEX_SHARE_HASHES, .part_count = 3};

    (void)state;
    uex_buffer_append_text(&shares.key, "c");
    uex_buffer_append_text(&shares.hash, "hashint8(c)");
    assert_condition(&shares, 2, " AND (COALESCE(hashint8(c), 0) & 2147483647) % 3 = 2");
    shares.kind = UEX_SHARE_NUMBERS;
    shares.low = 1;
    shares.high = 2;
    uex_pg_share_cut(&shares, 2);
    shares.part_count++;
    shares.has_nulls = true;
    assert_condition(&shares, 0, " AND c >= 1 AND c < 2");
    assert_condition(&shares, 1, " AND c >= 2 AND c <= 2");
    assert_condition(&shares, 2, " AND c IS NULL");
    uex_buffer_clear(&shares.key);
    uex_buffer_clear(&shares.hash);
}

static void take__more_often_than_there_are_parts__stays_at_the_end(void **state)
{
    struct uex_row_shares shares = {.part_count = 2};
    unsigned part;

    (void)state;
    assert_true(uex_pg_share_take(&shares, &part));
    assert_int_equal(part, 0);
    assert_true(uex_pg_share_take(&shares, &part));
    assert_int_equal(part, 1);
    for (int i = 0; i < 10; i++)
        assert_false(uex_pg_share_take(&shares, &part));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimate_read__first_lines_of_plans__gives_cost_and_rows),
        cmocka_unit_test(condition__parts_of_numbers__cover_each_key_once),
        cmocka_unit_test(condition__hashes_and_nulls__are_as_they_should_be),
        cmocka_unit_test(take__more_often_than_there_are_parts__stays_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
