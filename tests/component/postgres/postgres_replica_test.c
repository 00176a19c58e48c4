/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of its lag, and what it costs to ask: servers that are played. Real replicas are in
 * tests/integration/test_replica.py. */
#include "component/fake_postgres.h"
#include "component/test_layout.h"

#include "postgres/session.h"

static struct uex_config config;
static struct fake_server server;
static struct uex_postgres *postgres;

/* Its lag is the same number as its time: more than any postgres.max_lag. */
static bool answer_rows(struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};

    (void)sql;
    fake_copy_begin(&out);
    fake_message(&out, 'd', "a row\n", 6);
    fake_copy_end(&out);
    return fake_send_all(peer, &out);
}

static int begin(void **state)
{
    (void)state;
    server = (struct fake_server){.answer = answer_rows};
    fake_start(&server);
    config = (struct uex_config){.postgres_dsn = server.dsn,
                                 .postgres_stall_timeout_ms = 10000,
                                 .postgres_group_view = (char *)(uintptr_t) "export_group",
                                 .postgres_user_view = (char *)(uintptr_t) "export_user"};
    postgres = uex_postgres_new(&config, "replica-test");
    return postgres == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    uex_postgres_free(postgres);
    fake_stop(&server);
    return 0;
}

static enum uex_error read_rows(struct uex_fault *fault)
{
    const struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    enum uex_error err = uex_postgres_rows_begin(postgres, "g", &plan, &rows, fault);

    if (err != UEX_OK)
        return err;
    while ((err = rows->next(rows, &row, fault)) == UEX_OK)
        ;
    assert_int_equal(rows->snapshot_at_ms, 1700000000000);
    rows->destroy(rows);
    return err;
}

static void rows__connection_that_was_used_before__one_message_asks_for_all(void **state)
{
    unsigned before;

    (void)state;
    assert_int_equal(read_rows(NULL), UEX_END);
    before = atomic_load(&server.query_count);
    assert_int_equal(read_rows(NULL), UEX_END);
    assert_int_equal(atomic_load(&server.query_count) - before, 1);
}

static void rows__further_behind_than_max_lag__are_not_read(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    config.postgres_max_lag_ms = 3600000;
    assert_int_equal(read_rows(&fault), UEX_DB_LAGGING);
    assert_non_null(strstr(fault.text, "postgres.max_lag"));
    /* Another connection may lead to another server. */
    assert_null(postgres->conn);
    config.postgres_max_lag_ms = 0;
    assert_int_equal(read_rows(&fault), UEX_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows__connection_that_was_used_before__one_message_asks_for_all, begin, end),
        cmocka_unit_test_setup_teardown(rows__further_behind_than_max_lag__are_not_read, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
