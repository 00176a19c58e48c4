/* SPDX-License-Identifier: Apache-2.0 */
/* A group read in parts by several connections of one snapshot. */
#include "component/database.h"
#include "component/test_layout.h"

#include "export/postgres.h"
#include "postgres/share_plan.h"

#define READERS 3
#define ROWS 5000

static struct uex_postgres *connections[READERS];

static int set_up(void **state)
{
    (void)state;
    if (database.admin == NULL)
        return 0;
    database.config.export_key_column = (char *)(uintptr_t) "id";
    for (int i = 0; i < READERS; i++)
        connections[i] = uex_postgres_new(&database.config, "shares-test");
    database_run(
        "DROP VIEW IF EXISTS export_user; DROP TABLE IF EXISTS people, more; "
        "CREATE TABLE people (id integer, wide bigint, word text, LIKE users INCLUDING DEFAULTS); "
        "INSERT INTO people (id, wide, word, group_id, username) SELECT n, n * 1000000007::bigint, md5(n::text), "
        "CASE WHEN n % 5 = 0 THEN 'other' ELSE 'g' END, 'user ' || n FROM generate_series(1, 6250) n; "
        "CREATE VIEW export_user AS SELECT * FROM people");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < READERS; i++)
        uex_postgres_free(connections[i]);
    if (database.admin != NULL)
        database_run("DROP VIEW export_user; CREATE VIEW export_user AS SELECT * FROM users");
    return 0;
}

static void key_column(const char *name)
{
    database.config.export_key_column = (char *)(uintptr_t)name;
}

static struct uex_row_shares *begin_shares(const struct uex_row_plan *plan)
{
    struct uex_row_shares *shares = NULL;
    struct uex_fault fault = {0};

    if (uex_postgres_shares_begin(connections[0], "g", plan, READERS, &shares, &fault) != UEX_OK) {
        print_error("%s\n", fault.text);
        fail();
    }
    return shares;
}

/* What came, each row once: usernames "user N". */
struct seen {
    unsigned char times[6251];
    size_t count, from_reader[READERS];
};

static void take_row(struct uex_rows *rows, int reader, struct seen *seen, bool *ended)
{
    struct uex_fault fault = {0};
    struct uex_bytes row = {0};
    enum uex_error err = rows->next(rows, &row, &fault);
    long number;

    *ended = err == UEX_END;
    if (*ended)
        return;
    if (err != UEX_OK)
        print_error("%s\n", fault.text);
    assert_int_equal(err, UEX_OK);
    assert_true(row.size_bytes > 10 && memcmp(row.data, "user ", 5) == 0);
    number = strtol((const char *)row.data + 5, NULL, 10);
    assert_in_range(number, 1, 6250);
    seen->times[number]++;
    seen->count++;
    seen->from_reader[reader]++;
}

/* One row of each in turn, so that all of them are in the middle of something at the same time. */
static void read_side_by_side(struct uex_row_shares *shares, int reader_count, struct seen *seen)
{
    struct uex_rows *rows[READERS] = {0};
    bool ended[READERS] = {0};
    struct uex_fault fault = {0};

    *seen = (struct seen){0};
    for (int i = 0; i < reader_count; i++)
        assert_int_equal(uex_row_shares_rows(shares, connections[i], &rows[i], &fault), UEX_OK);
    for (int left = reader_count; left > 0;)
        for (int i = 0; i < reader_count; i++) {
            if (ended[i])
                continue;
            take_row(rows[i], i, seen, &ended[i]);
            left -= ended[i] ? 1 : 0;
        }
    for (int i = 0; i < reader_count; i++)
        rows[i]->destroy(rows[i]);
}

static void assert_all_once(const struct seen *seen)
{
    assert_int_equal(seen->count, ROWS);
    for (int n = 1; n <= 6250; n++)
        assert_int_equal(seen->times[n], n % 5 != 0);
}

static void assert_shared(const char *column, enum uex_share_kind kind)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct seen seen;

    key_column(column);
    shares = begin_shares(&plan);
    assert_int_equal(shares->kind, kind);
    assert_true(uex_row_shares_snapshot_at_ms(shares) > 1600000000000);
    read_side_by_side(shares, READERS, &seen);
    uex_row_shares_free(shares);
    assert_all_once(&seen);
    for (int i = 0; i < READERS; i++)
        assert_true(seen.from_reader[i] > 0);
}

static void shares__number_with_an_index__are_ranges(void **state)
{
    (void)state;
    database_needed();
    database_run("CREATE INDEX ON people (id); CREATE INDEX ON people (wide); ANALYZE people");
    assert_shared("id", UEX_SHARE_NUMBERS);
    assert_shared("wide", UEX_SHARE_NUMBERS);
    assert_shared("\"wide\"", UEX_SHARE_NUMBERS);
}

static void shares__keys_that_are_null__are_a_part_too(void **state)
{
    (void)state;
    database_needed();
    database_run("UPDATE people SET id = NULL WHERE id % 7 = 0; UPDATE people SET id = -id * 300000 WHERE id % 2 = 0; "
                 "CREATE INDEX ON people (id); ANALYZE people");
    assert_shared("id", UEX_SHARE_NUMBERS);
}

static void shares__number_without_an_index_or_other_types__are_hashes(void **state)
{
    (void)state;
    database_needed();
    database_run("UPDATE people SET word = NULL WHERE id % 3 = 0; UPDATE people SET id = NULL WHERE id % 7 = 0; "
                 "ANALYZE people");
    assert_shared("id", UEX_SHARE_HASHES);
    assert_shared("word", UEX_SHARE_HASHES);
    assert_shared("username", UEX_SHARE_HASHES);
}

static void assert_cannot_share(const char *reason)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares = NULL;
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};
    struct seen seen = {0};
    bool ended = false;

    assert_int_equal(uex_postgres_shares_begin(connections[0], "g", &plan, READERS, &shares, &fault), UEX_NOT_FOUND);
    if (strstr(fault.text, reason) == NULL)
        print_error("%s\n", fault.text);
    assert_non_null(strstr(fault.text, reason));
    /* The connection is as good as before. */
    assert_int_equal(uex_postgres_rows_begin(connections[0], "g", &plan, &rows, &fault), UEX_OK);
    while (!ended)
        take_row(rows, 0, &seen, &ended);
    rows->destroy(rows);
}

static void shares__without_a_key_column__are_read_by_one(void **state)
{
    (void)state;
    database_needed();
    key_column("");
    assert_cannot_share("export.key_column is not set");
    key_column("nothing");
    assert_cannot_share("no column export.key_column");
}

static void shares__changes_meanwhile__are_seen_by_no_reader(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct seen seen;

    (void)state;
    database_needed();
    shares = begin_shares(&plan);
    database_run("UPDATE people SET username = 'user 1'; INSERT INTO people (group_id, username) "
                 "SELECT 'g', 'user 2' FROM generate_series(1, 5000)");
    read_side_by_side(shares, READERS, &seen);
    uex_row_shares_free(shares);
    assert_all_once(&seen);
}

static void shares__masked_with_a_key__by_every_reader(void **state)
{
    struct uex_layout *masked = new_layout();
    struct uex_row_plan plan = {.layout = masked, .mask_key = "secret", .list_only = true};
    struct uex_row_shares *shares;
    struct uex_rows *rows[2] = {0};
    size_t count = 0;

    (void)state;
    database_needed();
    set_mask(masked, "username", UEX_MASK_HASH);
    shares = begin_shares(&plan);
    for (int i = 0; i < 2; i++)
        assert_int_equal(uex_row_shares_rows(shares, connections[i], &rows[i], NULL), UEX_OK);
    for (int i = 0; i < 2; i++) {
        for (struct uex_bytes row; rows[i]->next(rows[i], &row, NULL) == UEX_OK; count++)
            assert_int_equal(row.size_bytes, 64);
        rows[i]->destroy(rows[i]);
    }
    uex_row_shares_free(shares);
    assert_int_equal(count, ROWS);
}

static void rows__joining_when_all_is_read__finds_nothing(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};
    struct uex_bytes row = {0};
    struct seen seen;

    (void)state;
    database_needed();
    shares = begin_shares(&plan);
    read_side_by_side(shares, 1, &seen); /* the leader alone takes all; its snapshot stays */
    assert_all_once(&seen);
    assert_int_equal(uex_row_shares_rows(shares, connections[1], &rows, &fault), UEX_OK);
    assert_int_equal(rows->next(rows, &row, &fault), UEX_END);
    rows->destroy(rows);
    uex_row_shares_free(shares);
    assert_int_equal(uex_postgres_probe(connections[1], &fault), UEX_OK);
    assert_int_equal(uex_postgres_probe(connections[0], &fault), UEX_OK);
}

/* A name of a snapshot that another server knows too, with other rows. */
static void rows__joining_on_another_server__fails_and_the_connection_lives(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    shares = begin_shares(&plan);
    shares->server[0] = shares->server[0] == '9' ? '8' : '9';
    assert_int_equal(uex_row_shares_rows(shares, connections[1], &rows, &fault), UEX_NOT_FOUND);
    uex_row_shares_free(shares);
    assert_int_equal(uex_postgres_probe(connections[1], &fault), UEX_OK);
}

static void rows__joining_after_the_snapshot_is_gone__fails_and_the_connection_lives(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    shares = begin_shares(&plan);
    database_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND "
                 "application_name = 'shares-test'");
    assert_int_not_equal(uex_row_shares_rows(shares, connections[1], &rows, &fault), UEX_OK);
    uex_row_shares_free(shares);
    assert_int_equal(uex_postgres_probe(connections[1], &fault), UEX_OK);
    assert_int_equal(uex_postgres_probe(connections[0], &fault), UEX_OK);
}

static void rows__reader_given_up_in_a_part__leaves_clean_connections(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_row_shares *shares;
    struct uex_rows *rows[2] = {0};
    struct uex_fault fault = {0};
    struct seen seen = {0};
    bool ended;

    (void)state;
    database_needed();
    shares = begin_shares(&plan);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uex_row_shares_rows(shares, connections[i], &rows[i], &fault), UEX_OK);
        take_row(rows[i], i, &seen, &ended);
    }
    for (int i = 0; i < 2; i++)
        rows[i]->destroy(rows[i]);
    uex_row_shares_free(shares);
    assert_int_equal(uex_postgres_probe(connections[0], &fault), UEX_OK);
    assert_int_equal(uex_postgres_probe(connections[1], &fault), UEX_OK);
    assert_int_equal(database_number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'shares-test' AND "
                                     "state LIKE 'idle in transaction%'"),
                     0);
}

static void begin__expected_count__comes_with_the_rows(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout(), .expect_count = true};
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};
    struct seen seen = {0};
    bool ended = false;

    (void)state;
    database_needed();
    database_run("ANALYZE people");
    assert_int_equal(uex_postgres_rows_begin(connections[0], "g", &plan, &rows, &fault), UEX_OK);
    take_row(rows, 0, &seen, &ended);
    assert_in_range(rows->expected_row_count, ROWS / 2, ROWS * 2);
    while (!ended)
        take_row(rows, 0, &seen, &ended);
    rows->destroy(rows);
    assert_all_once(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shares__number_with_an_index__are_ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares__keys_that_are_null__are_a_part_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares__number_without_an_index_or_other_types__are_hashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares__without_a_key_column__are_read_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares__changes_meanwhile__are_seen_by_no_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shares__masked_with_a_key__by_every_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows__joining_when_all_is_read__finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows__joining_on_another_server__fails_and_the_connection_lives, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rows__joining_after_the_snapshot_is_gone__fails_and_the_connection_lives,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows__reader_given_up_in_a_part__leaves_clean_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__expected_count__comes_with_the_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
