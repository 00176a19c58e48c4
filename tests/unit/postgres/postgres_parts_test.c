/* SPDX-License-Identifier: Apache-2.0 */
/* What is worked out without a server: plans, plain views, the parts of a key. */
#include "postgres/estimate.h"
#include "postgres/plain_view.h"
#include "postgres/shares.h"

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

static void assert_with_ctid(const char *definition, const char *expected)
{
    struct uex_buffer sql = {0};

    assert_true(uex_pg_view_with_ctid(definition, &sql));
    assert_string_equal(uex_buffer_text(&sql), expected);
    uex_buffer_clear(&sql);
}

static void view_with_ctid__plain_views__get_the_column(void **state)
{
    (void)state;
    assert_with_ctid(" SELECT users.username,\n    users.group_id\n   FROM users;",
                     "( SELECT users.username,\n    users.group_id, users.ctid AS uex_ctid FROM users) uex_users");
    assert_with_ctid(" SELECT username\n   FROM app.users;",
                     "( SELECT username, app.users.ctid AS uex_ctid FROM app.users) uex_users");
    assert_with_ctid(" SELECT u.login AS username,\n    u.\"Odd \"\"FROM\"\" name\" AS bio\n   FROM app.\"People\" u;",
                     "( SELECT u.login AS username,\n    u.\"Odd \"\"FROM\"\" name\" AS bio, u.ctid AS uex_ctid "
                     "FROM app.\"People\" u) uex_users");
    assert_with_ctid(
        " SELECT \"People\".a\n   FROM \"My app\".\"People\";",
        "( SELECT \"People\".a, \"My app\".\"People\".ctid AS uex_ctid FROM \"My app\".\"People\") uex_users");
}

static void view_with_ctid__anything_else__is_refused(void **state)
{
    static const char *const definitions[] = {
        "",
        " SELECT",
        " SELECT users.a\n   FROM users",
        " SELECT DISTINCT users.a\n   FROM users;",
        " SELECT users.a\n   FROM users\n  WHERE users.b;",
        " SELECT users.a\n   FROM users\n LIMIT 5;",
        " SELECT users.a\n   FROM users\n LIMIT ALL;",
        " SELECT users.a\n   FROM users\n OFFSET 5;",
        " SELECT users.a\n   FROM users\n  ORDER BY users.a;",
        " SELECT users.a\n   FROM users\n  GROUP BY users.a;",
        " SELECT users.a\n   FROM users\n  FOR UPDATE;",
        " SELECT users.a\n   FROM ONLY users;",
        " SELECT users.a\n   FROM users, more;",
        " SELECT users.a\n   FROM (users\n     JOIN more ON true);",
        " SELECT users.a\n   FROM users\n     JOIN more ON true;",
        " SELECT users.a\n   FROM users u(x);",
        " SELECT users.a\n   FROM users TABLESAMPLE system (10);",
        " SELECT users.a\n   FROM users\nUNION\n SELECT users.a\n   FROM users;",
        " SELECT upper(users.a) AS a\n   FROM users;",
        " SELECT users.a || 'x'::text AS a\n   FROM users;",
        " SELECT 'x'::text AS a\n   FROM users;",
        " SELECT NULL::text AS a\n   FROM users;",
        " SELECT CURRENT_DATE AS a\n   FROM users;",
        " SELECT ( SELECT 1) AS a\n   FROM users;",
        " SELECT users.a AS \"open\n   FROM users;",
        " SELECT users.a\n   FROM users; SELECT 1;",
        " WITH x AS ( SELECT 1) SELECT x.a FROM x;",
        " VALUES (1);",
        " SELECT (users.c).d AS a\n   FROM users;",
        " SELECT users.*\n   FROM users;",
        " SELECT users.a\n   FROM db.app.users;",
        " SELECT users.a\n   FROM generate_series(1, 2) users;",
    };
    struct uex_buffer sql = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++) {
        bool is_plain = uex_pg_view_with_ctid(definitions[i], &sql);

        if (is_plain)
            print_error("taken as plain: %s\n", definitions[i]);
        assert_false(is_plain);
    }
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

static void condition__blocks_hashes_and_nulls__are_as_they_should_be(void **state)
{
    struct uex_row_shares shares = {.kind = UEX_SHARE_BLOCKS, .low = 0, .high = 99};

    (void)state;
    uex_buffer_append_text(&shares.key, "c");
    uex_buffer_append_text(&shares.hash, "hashtid(c)");
    uex_pg_share_cut(&shares, 3);
    assert_int_equal(shares.part_count, 3);
    assert_condition(&shares, 0, " AND c < '(34,0)'::tid");
    assert_condition(&shares, 1, " AND c >= '(34,0)'::tid AND c < '(68,0)'::tid");
    assert_condition(&shares, 2, " AND c >= '(68,0)'::tid");
    shares.kind = UEX_SHARE_HASHES;
    assert_condition(&shares, 2, " AND (COALESCE(hashtid(c), 0) & 2147483647) % 3 = 2");
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
        cmocka_unit_test(view_with_ctid__plain_views__get_the_column),
        cmocka_unit_test(view_with_ctid__anything_else__is_refused),
        cmocka_unit_test(condition__parts_of_numbers__cover_each_key_once),
        cmocka_unit_test(condition__blocks_hashes_and_nulls__are_as_they_should_be),
        cmocka_unit_test(take__more_often_than_there_are_parts__stays_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
