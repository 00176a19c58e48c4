/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts that a role brings along (ALTER ROLE … SET) end no export that moves, and nothing stays behind on a
 * connection that a pooler would hand to somebody else. */
#include "component/database.h"
#include "component/test_layout.h"

#include "postgres/session.h"

#include <pthread.h>

static struct uex_postgres *postgres;
static char role[80], dsn[512];

static void run_for_role(const char *before, const char *after)
{
    struct uex_buffer sql = {0};

    uex_buffer_append_format(&sql, "%s ROLE %s %s", before, role, after);
    database_run(uex_buffer_text(&sql));
    uex_buffer_clear(&sql);
}

static int new_role(void **state)
{
    char sql[256];

    (void)state;
    if (database.admin == NULL)
        return 0;
    database_run("TRUNCATE groups, users; INSERT INTO users (group_id, username, bio) "
                 "SELECT 'g', 'user ' || n, 'bio' FROM generate_series(1, 10) n; "
                 "INSERT INTO groups VALUES ('g', 'COST_BASED', true)");
    (void)snprintf(role, sizeof(role), "hasty_%s", database.name);
    (void)snprintf(sql, sizeof(sql), "CREATE ROLE %s LOGIN SUPERUSER PASSWORD '%s'", role, PQpass(database.admin));
    database_run(sql);
    database_dsn(database.name, role, dsn, sizeof(dsn));
    database.config.postgres_dsn = dsn;
    postgres = uex_postgres_new(&database.config, "timeouts-test");
    return postgres == NULL ? -1 : 0;
}

static int drop_role(void **state)
{
    (void)state;
    uex_postgres_free(postgres);
    postgres = NULL;
    if (database.admin == NULL)
        return 0;
    database_run("CREATE OR REPLACE VIEW export_user AS SELECT * FROM users; "
                 "CREATE OR REPLACE VIEW export_group AS SELECT * FROM groups");
    run_for_role("DROP", "");
    return 0;
}

/* As short as they can be without ending a session that does nothing unusual. */
static void set_short_timeouts(void)
{
    run_for_role("ALTER", "SET statement_timeout = '250ms'");
    run_for_role("ALTER", "SET lock_timeout = '100ms'");
    run_for_role("ALTER", "SET idle_in_transaction_session_timeout = '100ms'");
    if (PQserverVersion(database.admin) >= 170000)
        run_for_role("ALTER", "SET transaction_timeout = '250ms'");
}

/* The user view with something else where the bio was. */
static void view_with_bio(const char *expression)
{
    struct uex_buffer sql = {0};

    uex_buffer_append_text(&sql, "CREATE OR REPLACE VIEW export_user AS SELECT ");
    for (size_t i = 0; i < plain_layout()->column_count; i++) {
        const char *name = plain_layout()->columns[i].view_name;

        uex_buffer_append_format(&sql, "%s AS %s, ", strcmp(name, "bio") == 0 ? expression : name, name);
    }
    uex_buffer_append_text(&sql, "sent_to_matching_service FROM users");
    database_run(uex_buffer_text(&sql));
    uex_buffer_clear(&sql);
}

/* `last` gets the last row. */
static size_t read_all(struct uex_rows *rows, char *last, size_t size)
{
    struct uex_fault fault = {0};
    struct uex_bytes row = {0};
    enum uex_error err;
    size_t row_count = 0;

    while ((err = rows->next(rows, &row, &fault)) == UEX_OK) {
        row_count++;
        if (last != NULL)
            (void)snprintf(last, size, "%.*s", (int)row.size_bytes, (const char *)row.data);
    }
    assert_string_equal(fault.text, "");
    assert_int_equal(err, UEX_END);
    rows->destroy(rows);
    return row_count;
}

static size_t read_group(const struct uex_layout *layout, char *last, size_t size)
{
    struct uex_row_plan plan = {.layout = layout, .mask_key = "key", .expect_count = true};
    struct uex_fault fault = {0};
    struct uex_rows *rows = NULL;
    enum uex_error err = uex_postgres_rows_begin(postgres, "g", &plan, &rows, &fault);

    assert_string_equal(fault.text, "");
    assert_int_equal(err, UEX_OK);
    return read_all(rows, last, size);
}

static void rows__role_with_statement_timeout__are_read(void **state)
{
    struct uex_layout *masked = new_layout();

    (void)state;
    database_needed();
    set_short_timeouts();
    view_with_bio("CASE WHEN pg_sleep(0.1) IS NOT NULL THEN bio END");
    assert_int_equal(read_group(plain_layout(), NULL, 0), 10);
    set_mask(masked, "username", UEX_MASK_HASH); /* the pads are bound in messages of their own */
    assert_int_equal(read_group(masked, NULL, 0), 10);
}

static void *lock_users(void *context)
{
    PGconn *conn = PQconnectdb(database.dsn);

    (void)context;
    PQclear(PQexec(conn, "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE"));
    uex_cancel_request(context); /* it is locked */
    (void)uex_sleep_ms(500, NULL);
    PQfinish(conn);
    return NULL;
}

static void rows__role_with_lock_timeout__wait_for_the_lock(void **state)
{
    struct uex_cancel locked = {0};
    pthread_t thread;

    (void)state;
    database_needed();
    set_short_timeouts();
    assert_int_equal(pthread_create(&thread, NULL, lock_users, &locked), 0);
    while (uex_sleep_ms(5, &locked))
        continue;
    assert_int_equal(read_group(plain_layout(), NULL, 0), 10);
    pthread_join(thread, NULL);
}

static void shares__role_with_idle_timeout__keep_their_snapshot(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_postgres *other;
    struct uex_row_shares *shares = NULL;
    struct uex_rows *rows = NULL, *more = NULL;
    size_t row_count;

    (void)state;
    database_needed();
    set_short_timeouts();
    database.config.export_key_column = (char *)(uintptr_t) "username";
    other = uex_postgres_new(&database.config, "timeouts-test");
    assert_int_equal(uex_postgres_shares_begin(postgres, "g", &plan, 2, &shares, NULL), UEX_OK);
    assert_int_equal(uex_row_shares_rows(shares, postgres, &rows, NULL), UEX_OK);
    assert_int_equal(uex_row_shares_rows(shares, other, &more, NULL), UEX_OK);
    (void)uex_sleep_ms(400, NULL);
    row_count = read_all(rows, NULL, 0);
    row_count += read_all(more, NULL, 0);
    assert_int_equal(row_count, 10);
    uex_row_shares_free(shares);
    uex_postgres_free(other);
    database.config.export_key_column = NULL;
}

static enum uex_error count_group(void *context, const char *group_id)
{
    (void)group_id;
    ++*(size_t *)context;
    return UEX_OK;
}

static void catalogue__role_with_statement_timeout__answers(void **state)
{
    struct uex_catalogue *catalogue;
    struct uex_group group;
    uint64_t row_count = 0;
    size_t group_count = 0;

    (void)state;
    database_needed();
    set_short_timeouts();
    database_run("CREATE OR REPLACE VIEW export_group AS SELECT group_id, group_type, "
                 "CASE WHEN pg_sleep(0.4) IS NOT NULL THEN active END AS active FROM groups");
    view_with_bio("bio");
    catalogue = uex_postgres_catalogue_new(postgres);
    assert_int_equal(catalogue->find(catalogue, "g", &group, NULL), UEX_OK);
    assert_true(group.active);
    assert_int_equal(catalogue->find(catalogue, "unknown", &group, NULL), UEX_NOT_FOUND);
    assert_int_equal(uex_postgres_each_active_group(postgres, count_group, &group_count, NULL), UEX_OK);
    assert_int_equal(group_count, 1);
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, NULL), UEX_OK);
    assert_int_equal(uex_postgres_count_rows(postgres, "g", &row_count, NULL), UEX_OK);
    assert_int_equal(row_count, 10);
    assert_int_equal(uex_postgres_probe(postgres, NULL), UEX_OK);
    catalogue->destroy(catalogue);
}

/* One setting as the session of the worker has it now. */
static void assert_setting(const char *name, const char *expected)
{
    const char *values[] = {name};
    PGresult *result = NULL;

    assert_int_equal(uex_pg_ask(postgres, "SELECT current_setting($1)", 1, values, &result, NULL), UEX_OK);
    assert_string_equal(PQgetvalue(result, 0, 0), expected);
    PQclear(result);
}

static void session__after_everything__has_the_settings_of_before(void **state)
{
    struct uex_catalogue *catalogue;
    struct uex_group group;
    char last[512] = "";
    size_t group_count = 0;

    (void)state;
    database_needed();
    run_for_role("ALTER", "SET statement_timeout = '61s'");
    view_with_bio("current_setting('statement_timeout') || '/' || current_setting('client_connection_check_interval')");
    assert_int_equal(read_group(plain_layout(), last, sizeof(last)), 10);
    assert_non_null(strstr(last, ",0/5s,"));
    catalogue = uex_postgres_catalogue_new(postgres);
    assert_int_equal(catalogue->find(catalogue, "g", &group, NULL), UEX_OK);
    assert_int_equal(uex_postgres_each_active_group(postgres, count_group, &group_count, NULL), UEX_OK);
    assert_int_equal(uex_postgres_probe(postgres, NULL), UEX_OK);
    assert_int_equal(PQtransactionStatus(postgres->conn), PQTRANS_IDLE);
    assert_setting("client_connection_check_interval", "0");
    assert_setting("statement_timeout", "61s");
    assert_setting("lock_timeout", "0");
    assert_setting("DateStyle", "ISO, MDY");
    catalogue->destroy(catalogue);
}

/* The values are wide only where the server looks after its client, so the fault names the column only then. */
static void wide_row__question_for_its_column__ends_with_this_process(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_fault fault = {0};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};

    (void)state;
    database_needed();
    view_with_bio(
        "repeat('x', CASE current_setting('client_connection_check_interval') WHEN '0' THEN 0 ELSE 9000 END)");
    database.config.export_max_row_bytes = 8000;
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, &fault), UEX_OK);
    assert_int_equal(rows->next(rows, &row, &fault), UEX_DB_DATA);
    assert_non_null(strstr(fault.text, "column bio"));
    rows->destroy(rows);
    database.config.export_max_row_bytes = 0;
}

int main(void)
{
#define ROLE_TEST(function) cmocka_unit_test_setup_teardown(function, new_role, drop_role)
    const struct CMUnitTest tests[] = {
        ROLE_TEST(rows__role_with_statement_timeout__are_read),
        ROLE_TEST(rows__role_with_lock_timeout__wait_for_the_lock),
        ROLE_TEST(shares__role_with_idle_timeout__keep_their_snapshot),
        ROLE_TEST(catalogue__role_with_statement_timeout__answers),
        ROLE_TEST(session__after_everything__has_the_settings_of_before),
        ROLE_TEST(wide_row__question_for_its_column__ends_with_this_process),
    };

    uex_log_setup("timeouts-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
