/* SPDX-License-Identifier: Apache-2.0 */
#include "component/database.h"
#include "component/test_layout.h"

#include "export/postgres.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#define MARKER "marker-of-personal-data"

static struct uex_postgres *postgres;

static int new_handle(void **state)
{
    (void)state;
    if (database.admin == NULL)
        return 0;
    database.config.postgres_stall_timeout_ms = 10000;
    database_run("TRUNCATE groups, users; INSERT INTO users (group_id, username, bio) "
                 "SELECT 'g', 'user ' || n, 'bio' FROM generate_series(1, 10) n");
    postgres = uex_postgres_new(&database.config, "faults-test");
    return postgres == NULL ? -1 : 0;
}

static int free_handle(void **state)
{
    (void)state;
    uex_postgres_free(postgres);
    postgres = NULL;
    if (database.admin != NULL)
        database_run("CREATE OR REPLACE VIEW export_user AS SELECT * FROM users");
    return 0;
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

static enum uex_error read_group(size_t *row_count, struct uex_fault *fault)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    enum uex_error err = uex_postgres_rows_begin(postgres, "g", &plan, &rows, fault);

    *row_count = 0;
    if (err != UEX_OK)
        return err;
    while ((err = rows->next(rows, &row, fault)) == UEX_OK)
        ++*row_count;
    rows->destroy(rows);
    return err;
}

/* The handle is of use again: the next reading is whole. */
static void assert_works_again(void)
{
    struct uex_fault fault = {0};
    size_t row_count;

    database_run("CREATE OR REPLACE VIEW export_user AS SELECT * FROM users");
    assert_int_equal(read_group(&row_count, &fault), UEX_END);
    assert_int_equal(row_count, 10);
}

/* Queries of the handle that the server still runs. */
static long active_queries(void)
{
    return database_number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'faults-test' AND "
                           "datname = current_database() AND state <> 'idle'");
}

static void assert_server_is_idle(void)
{
    for (int i = 0; i < 100 && active_queries() > 0; i++)
        (void)uex_sleep_ms(20, NULL);
    assert_int_equal(active_queries(), 0);
}

static void rows__value_that_cannot_be_cast__names_no_value(void **state)
{
    struct uex_fault fault = {0};
    size_t row_count;

    (void)state;
    database_needed();
    database_run("UPDATE users SET bio = '" MARKER "' WHERE username = 'user 7'");
    view_with_bio("CASE bio WHEN 'bio' THEN bio ELSE bio::integer::text END");
    assert_int_equal(read_group(&row_count, &fault), UEX_DB_DATA);
    assert_non_null(strstr(fault.text, "22P02"));
    assert_null(strstr(fault.text, MARKER));
    assert_works_again();
}

static void rows__query_that_stands_still__is_cancelled_on_the_server(void **state)
{
    struct uex_fault fault = {0};
    size_t row_count;
    int64_t start_ms = uex_monotonic_ms();

    (void)state;
    database_needed();
    database.config.postgres_stall_timeout_ms = 400;
    view_with_bio("(SELECT 'x' FROM pg_sleep(30))::text");
    assert_int_equal(read_group(&row_count, &fault), UEX_DB_STALLED);
    assert_true(uex_monotonic_ms() - start_ms < 3000);
    assert_server_is_idle();
    database.config.postgres_stall_timeout_ms = 10000;
    assert_works_again();
}

static void rows__slow_but_moving__is_not_cancelled(void **state)
{
    struct uex_fault fault = {0};
    size_t row_count;

    (void)state;
    database_needed();
    database.config.postgres_stall_timeout_ms = 500;
    view_with_bio("CASE WHEN pg_sleep(0.15) IS NOT NULL THEN repeat('x', 9000) END");
    assert_int_equal(read_group(&row_count, &fault), UEX_END);
    assert_int_equal(row_count, 10);
}

static void *cancel_soon(void *context)
{
    (void)uex_sleep_ms(200, NULL);
    uex_cancel_request(context);
    return NULL;
}

static void rows__cancelled_while_waiting__stops_within_moments(void **state)
{
    struct uex_cancel cancel = {0};
    size_t row_count;
    int64_t start_ms = uex_monotonic_ms();
    pthread_t thread;

    (void)state;
    database_needed();
    view_with_bio("(SELECT 'x' FROM pg_sleep(30))::text");
    uex_postgres_set_cancel(postgres, &cancel);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
    assert_int_equal(read_group(&row_count, NULL), UEX_CANCELLED);
    assert_true(uex_monotonic_ms() - start_ms < 1500);
    pthread_join(thread, NULL);
    assert_server_is_idle();
    uex_postgres_set_cancel(postgres, NULL);
    assert_works_again();
}

static void rows__given_up_early__leaves_nothing_running(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, bio) SELECT 'g', 'u', repeat('x', 1000) FROM "
                 "generate_series(1, 100000)");
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, NULL), UEX_OK);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_OK);
    rows->destroy(rows);
    assert_server_is_idle();
    database_run("DELETE FROM users WHERE username = 'u'");
    assert_works_again();
}

static void rows__given_up_before_the_first__leaves_nothing_running(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;

    (void)state;
    database_needed();
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, NULL), UEX_OK);
    rows->destroy(rows);
    assert_server_is_idle();
    assert_works_again();
}

static void rows__connection_in_use__is_refused(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL, *second = NULL;
    struct uex_bytes row = {0};

    (void)state;
    database_needed();
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, NULL), UEX_OK);
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &second, NULL), UEX_INTERNAL);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_OK);
    rows->destroy(rows);
    assert_works_again();
}

static void rows__backend_killed_in_the_middle__is_unavailable_then_well(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    struct uex_fault fault = {0};
    enum uex_error err;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, bio) SELECT 'g', 'u', repeat('x', 1000) FROM "
                 "generate_series(1, 100000)");
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, NULL), UEX_OK);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_OK);
    database_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'faults-test'"
                 " AND datname = current_database()");
    while ((err = rows->next(rows, &row, &fault)) == UEX_OK)
        continue;
    assert_int_equal(err, UEX_DB_UNAVAILABLE);
    rows->destroy(rows);
    database_run("DELETE FROM users WHERE username = 'u'");
    assert_works_again();
}

static void rows__backend_gone_while_idle__connects_again(void **state)
{
    (void)state;
    database_needed();
    assert_works_again();
    database_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'faults-test'"
                 " AND datname = current_database()");
    (void)uex_sleep_ms(200, NULL);
    assert_works_again();
}

static void rows__view_missing__is_a_schema_error(void **state)
{
    struct uex_fault fault = {0};
    size_t row_count;

    (void)state;
    database_needed();
    database.config.postgres_user_view = (char *)(uintptr_t) "no_such.view";
    assert_int_equal(read_group(&row_count, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "42P01"));
    database.config.postgres_user_view = (char *)(uintptr_t) "public.\"export_user\"";
    assert_int_equal(read_group(&row_count, &fault), UEX_END);
    assert_int_equal(row_count, 10);
    database.config.postgres_user_view = (char *)(uintptr_t) "a.b.c";
    assert_int_equal(read_group(&row_count, &fault), UEX_CONFIG);
    database.config.postgres_user_view = (char *)(uintptr_t) "\"x";
    assert_int_equal(read_group(&row_count, &fault), UEX_CONFIG);
    database.config.postgres_user_view = (char *)(uintptr_t) "export_user";
}

static void probe__database_that_is_not_there__is_a_schema_error(void **state)
{
    struct uex_config config = database.config;
    struct uex_postgres *other;
    struct uex_fault fault = {0};
    char dsn[512];

    (void)state;
    database_needed();
    database_dsn("no_such_database", NULL, dsn, sizeof(dsn));
    config.postgres_dsn = dsn;
    other = uex_postgres_new(&config, "faults-test");
    assert_int_equal(uex_postgres_probe(other, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "3D000"));
    uex_postgres_free(other);
    database_dsn(database.name, "no_such_role", dsn, sizeof(dsn));
    other = uex_postgres_new(&config, "faults-test");
    assert_int_equal(uex_postgres_probe(other, &fault), UEX_DB_AUTH);
    uex_postgres_free(other);
    assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_OK);
}

/* A host that takes the connection and says nothing, then the real one. */
static void probe__first_of_two_hosts_silent__uses_the_second(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct uex_config config = database.config;
    struct uex_postgres *other;
    struct uex_fault fault = {0};
    socklen_t size = sizeof(address);
    int silent;
    char dsn[1024], password[128] = "";

    (void)state;
    database_needed();
    silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(silent, 8), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &size), 0);
    if (PQpass(database.admin) != NULL && PQpass(database.admin)[0] != '\0')
        (void)snprintf(password, sizeof(password), "password='%s'", PQpass(database.admin));
    (void)snprintf(dsn, sizeof(dsn),
                   "host='127.0.0.1,%s' port='%d,%s' user='%s' dbname='%s' %s connect_timeout=2 "
                   "target_session_attrs=prefer-standby",
                   PQhost(database.admin), ntohs(address.sin_port), PQport(database.admin), PQuser(database.admin),
                   database.name, password);
    config.postgres_dsn = dsn;
    other = uex_postgres_new(&config, "faults-test");
    assert_int_equal(uex_postgres_probe(other, &fault), UEX_OK);
    uex_postgres_free(other);
    close(silent);
}

/* Everything that a notice or a warning could say goes through the log, without its text. */
static void rows__notices__are_not_printed(void **state)
{
    char path[] = "/tmp/faults-test.XXXXXX", text[4096] = "";
    int file, saved;
    size_t row_count;
    ssize_t got;

    (void)state;
    database_needed();
    database_run("CREATE OR REPLACE FUNCTION chatty(text) RETURNS text LANGUAGE plpgsql AS "
                 "$$BEGIN RAISE NOTICE '" MARKER "'; RETURN $1; END$$");
    view_with_bio("chatty(bio)");
    file = mkstemp(path);
    saved = dup(STDERR_FILENO);
    assert_true(file >= 0 && saved >= 0 && dup2(file, STDERR_FILENO) >= 0);
    uex_log_setup("faults-test", UEX_LOG_DEBUG, UEX_LOG_JSON);
    row_count = 0;
    assert_int_equal(read_group(&row_count, NULL), UEX_END);
    (void)dup2(saved, STDERR_FILENO);
    got = pread(file, text, sizeof(text) - 1, 0);
    close(saved);
    close(file);
    unlink(path);
    uex_log_setup("faults-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    assert_int_equal(row_count, 10);
    assert_true(got > 0 && text[0] == '{');
    assert_null(strstr(text, MARKER));
}

static enum uex_error collect(void *context, const char *group_id)
{
    struct uex_buffer *text = context;

    uex_buffer_append_format(text, "%s;", group_id);
    return strcmp(group_id, "stop") == 0 ? UEX_LIMIT : UEX_OK;
}

static void each_active_group__mixed__gives_the_active_ones_in_order(void **state)
{
    struct uex_buffer text = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO groups VALUES ('b', 'COST_BASED', true), ('a', 'LOTTERY', true), ('c', 'X', false),"
                 " ('d', 'X', NULL), (NULL, 'X', true), ('a', 'COST_BASED', true)");
    assert_int_equal(uex_postgres_each_active_group(postgres, collect, &text, NULL), UEX_OK);
    assert_string_equal(uex_buffer_text(&text), "a;b;");
    uex_buffer_reset(&text);
    database_run("INSERT INTO groups VALUES ('stop', 'COST_BASED', true), ('z', 'LOTTERY', true)");
    assert_int_equal(uex_postgres_each_active_group(postgres, collect, &text, NULL), UEX_LIMIT);
    assert_string_equal(uex_buffer_text(&text), "a;b;stop;");
    uex_buffer_clear(&text);
    assert_works_again();
}

static void catalogue_find__each_kind__is_told_apart(void **state)
{
    struct uex_catalogue *catalogue;
    struct uex_group group;

    (void)state;
    database_needed();
    catalogue = uex_postgres_catalogue_new(postgres);
    database_run("INSERT INTO groups VALUES ('cost', 'COST_BASED', true), ('list ☕', 'NON_COST_BASED', false),"
                 " ('odd', repeat('é', 60) || E'\\n', NULL), ('none', NULL, true)");
    assert_int_equal(catalogue->find(catalogue, "cost", &group, NULL), UEX_OK);
    assert_true(group.active && group.type == UEX_GROUP_FILE);
    assert_string_equal(group.type_text, "COST_BASED");
    assert_string_equal(group.group_id, "cost");
    assert_int_equal(catalogue->find(catalogue, "list ☕", &group, NULL), UEX_OK);
    assert_true(!group.active && group.type == UEX_GROUP_LIST);
    assert_int_equal(catalogue->find(catalogue, "odd", &group, NULL), UEX_OK);
    assert_true(!group.active && group.type == UEX_GROUP_INVALID);
    assert_int_equal(strlen(group.type_text), 62);
    assert_int_equal(catalogue->find(catalogue, "none", &group, NULL), UEX_OK);
    assert_int_equal(group.type, UEX_GROUP_INVALID);
    assert_int_equal(catalogue->find(catalogue, "Cost", &group, NULL), UEX_NOT_FOUND);
    assert_int_equal(catalogue->find(catalogue, "", &group, NULL), UEX_MALFORMED);
    catalogue->destroy(catalogue);
}

static void check_views__wrong_ones__name_view_and_column(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, &fault), UEX_OK);
    database_run("ALTER VIEW export_user RENAME COLUMN bio TO biography");
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "view export_user has no column bio"));
    database_run("ALTER VIEW export_user RENAME COLUMN biography TO bio; ALTER VIEW export_group RENAME TO away");
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "view export_group does not exist"));
    database_run("ALTER VIEW away RENAME TO export_group");
}

static void check_views__other_types__are_schema_or_configuration_errors(void **state)
{
    struct uex_layout *masked = new_layout();
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    database_run("DROP VIEW export_user");
    view_with_bio("'1'::jsonb");
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "column bio of view export_user is jsonb, not text"));
    assert_int_equal(
        uex_postgres_check_views(postgres, layout_with(UEX_GUARD_PREFIX, UEX_VERSION_COLUMN), NULL, &fault),
        UEX_CONFIG);
    assert_non_null(strstr(fault.text, "export.formula_guard"));
    set_mask(masked, "bio", UEX_MASK_HASH);
    assert_int_equal(uex_postgres_check_views(postgres, masked, NULL, &fault), UEX_CONFIG);
    assert_non_null(strstr(fault.text, "export.mask"));
    database_run("DROP VIEW export_user; CREATE DOMAIN short AS varchar(20); CREATE TYPE mood AS ENUM ('x')");
    view_with_bio("'x'::short");
    assert_int_equal(uex_postgres_check_views(postgres, masked, NULL, &fault), UEX_OK);
    database_run("DROP VIEW export_user");
    view_with_bio("'x'::mood");
    assert_int_equal(uex_postgres_check_views(postgres, masked, NULL, &fault), UEX_OK);
    database_run("DROP VIEW export_user; CREATE VIEW export_user AS SELECT * FROM users");
}

static void check_views__no_right__is_denied(void **state)
{
    struct uex_fault fault = {0};
    char role[80], sql[256];

    (void)state;
    database_needed();
    (void)snprintf(role, sizeof(role), "reader_%s", database.name);
    (void)snprintf(sql, sizeof(sql), "CREATE ROLE %s LOGIN", role);
    database_run(sql);
    (void)snprintf(sql, sizeof(sql), "GRANT SELECT ON export_group TO %s", role);
    database_run(sql);
    /* The same server, but as the role: SET ROLE through the options works whatever pg_hba.conf says. */
    (void)snprintf(database.dsn + strlen(database.dsn), 120, " options='-c role=%s'", role);
    assert_int_equal(uex_postgres_check_views(postgres, plain_layout(), NULL, &fault), UEX_DB_DENIED);
    assert_non_null(strstr(fault.text, "export_user"));
    *strstr(database.dsn, " options=") = '\0';
    (void)snprintf(sql, sizeof(sql), "DROP OWNED BY %s; DROP ROLE %s", role, role);
    database_run(sql);
}

int main(void)
{
#define FAULT_TEST(function) cmocka_unit_test_setup_teardown(function, new_handle, free_handle)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(rows__value_that_cannot_be_cast__names_no_value),
        FAULT_TEST(rows__query_that_stands_still__is_cancelled_on_the_server),
        FAULT_TEST(rows__slow_but_moving__is_not_cancelled),
        FAULT_TEST(rows__cancelled_while_waiting__stops_within_moments),
        FAULT_TEST(rows__given_up_early__leaves_nothing_running),
        FAULT_TEST(rows__given_up_before_the_first__leaves_nothing_running),
        FAULT_TEST(rows__connection_in_use__is_refused),
        FAULT_TEST(rows__backend_killed_in_the_middle__is_unavailable_then_well),
        FAULT_TEST(rows__backend_gone_while_idle__connects_again),
        FAULT_TEST(rows__view_missing__is_a_schema_error),
        FAULT_TEST(probe__database_that_is_not_there__is_a_schema_error),
        FAULT_TEST(probe__first_of_two_hosts_silent__uses_the_second),
        FAULT_TEST(rows__notices__are_not_printed),
        FAULT_TEST(each_active_group__mixed__gives_the_active_ones_in_order),
        FAULT_TEST(catalogue_find__each_kind__is_told_apart),
        FAULT_TEST(check_views__wrong_ones__name_view_and_column),
        FAULT_TEST(check_views__other_types__are_schema_or_configuration_errors),
        FAULT_TEST(check_views__no_right__is_denied),
    };

    uex_log_setup("faults-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
