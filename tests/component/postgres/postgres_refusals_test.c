/* SPDX-License-Identifier: Apache-2.0 */
/* What a server or PgBouncer says when it refuses, and what of it is shown. */
#include "component/fake_postgres.h"

#include "postgres/session.h"

#define MARKER "marker-of-personal-data"

static struct uex_config config;
static struct fake_server server;
static struct uex_postgres *postgres;

static void begin(bool (*answer)(struct fake_peer *, const char *), int64_t stall_ms)
{
    server = (struct fake_server){.answer = answer, .greet = server.greet};
    fake_start(&server);
    config = (struct uex_config){.postgres_dsn = server.dsn, .postgres_stall_timeout_ms = stall_ms};
    postgres = uex_postgres_new(&config, "refusals-test");
    assert_non_null(postgres);
}

static int end(void **state)
{
    (void)state;
    uex_postgres_free(postgres);
    postgres = NULL;
    fake_stop(&server);
    server = (struct fake_server){0};
    return 0;
}

static const char *refusal_code, *refusal_text, *refusal_column;

static void greet_with_refusal(struct fake_peer *peer)
{
    struct uex_buffer out = {0};

    fake_error(&out, 'E', refusal_code, refusal_text, refusal_column);
    (void)fake_send_all(peer, &out);
}

static bool answer_refusal(struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};

    (void)sql;
    fake_error(&out, 'E', refusal_code, refusal_text, refusal_column);
    fake_ready(&out, 'I');
    return fake_send_all(peer, &out);
}

/* PgBouncer 1.18 and 1.25, word for word. */
static void connect__pgbouncer_refuses__says_why(void **state)
{
    static const struct {
        const char *text;
        enum uex_error error;
        const char *said;
    } cases[] = {
        {"no such database: " MARKER, UEX_DB_SCHEMA, "unknown to the pooler"},
        {"database \"" MARKER "\" does not exist", UEX_DB_SCHEMA, "does not exist"},
        {"no such user", UEX_DB_AUTH, "unknown to the pooler"},
        {"role \"" MARKER "\" does not exist", UEX_DB_AUTH, "unknown to the server behind"},
        {"SASL authentication failed", UEX_DB_AUTH, "refuses the credentials"},
        {"password authentication failed for user \"" MARKER "\"", UEX_DB_AUTH, "refuses the credentials"},
        {"server login has been failing, cached error: password authentication failed for user \"" MARKER
         "\" (server_login_retry)",
         UEX_DB_AUTH, "refuses the credentials"},
        {"server login has been failing, try again later (server_login_retry)", UEX_DB_UNAVAILABLE, "cannot log in"},
        {"server login has been failing, cached error: connect failed (server_login_retry)", UEX_DB_UNAVAILABLE,
         "cannot log in"},
        {"unsupported startup parameter: options", UEX_DB_UNAVAILABLE, "options"},
        {"unsupported startup parameter in options: " MARKER, UEX_DB_UNAVAILABLE, "options"},
        {"no more connections allowed (max_client_conn)", UEX_DB_CONNECTIONS, "max_client_conn"},
        {"client connections exceeded (max_user_client_connections)", UEX_DB_CONNECTIONS, "no more clients"},
        {"query_wait_timeout", UEX_DB_CONNECTIONS, "query_wait_timeout"},
        {"sorry, too many clients already", UEX_DB_CONNECTIONS, "no free connection"},
        {"SSL required", UEX_DB_UNAVAILABLE, "TLS"},
        {"client_login_timeout (server down)", UEX_DB_UNAVAILABLE, "is down"},
        {"something " MARKER, UEX_DB_UNAVAILABLE, "the connection broke"},
    };

    server.greet = greet_with_refusal;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_fault fault = {0};

        if (i > 0)
            (void)end(state);
        server.greet = greet_with_refusal;
        refusal_code = "08P01";
        refusal_text = cases[i].text;
        refusal_column = NULL;
        begin(NULL, 5000);
        assert_int_equal(uex_postgres_probe(postgres, &fault), cases[i].error);
        assert_non_null(strstr(fault.text, cases[i].said));
        assert_non_null(strstr(fault.text, "08P01"));
        assert_null(strstr(fault.text, MARKER));
    }
}

static void probe__pgbouncer_refuses_a_query__says_why(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    refusal_code = "08P01";
    refusal_text = "query_wait_timeout";
    refusal_column = NULL;
    begin(answer_refusal, 5000);
    assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_DB_CONNECTIONS);
    assert_non_null(strstr(fault.text, "query_wait_timeout"));
    assert_null(strstr(fault.text, "protocol_violation")); /* its code says nothing */
}

static void assert_text_begins(const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, beginning);
}

static void probe__odd_sqlstate_or_column__is_not_shown(void **state)
{
    struct uex_layout *layout = NULL;
    static const char *const codes[] = {"22" MARKER, "22P0\n", "22p02", "", "22P02" MARKER};
    struct uex_fault fault = {0};

    refusal_text = MARKER;
    refusal_column = MARKER;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (i > 0)
            (void)end(state);
        refusal_code = codes[i];
        begin(answer_refusal, 5000);
        assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_DB_QUERY);
        assert_non_null(strstr(fault.text, "SQLSTATE unknown"));
        assert_null(strstr(fault.text, MARKER));
        (void)end(state);
        server.greet = greet_with_refusal;
        begin(NULL, 5000);
        assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_DB_UNAVAILABLE);
        assert_non_null(strstr(fault.text, "SQLSTATE unknown"));
        assert_null(strstr(fault.text, MARKER));
    }
    (void)end(state);
    refusal_code = "23502";
    begin(answer_refusal, 5000);
    assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_DB_QUERY);
    assert_text_begins(fault.text, "database: SQLSTATE 23502 (not_null_violation): the server refused the query; the "
                                   "server's log at ");
    assert_non_null(strstr(fault.text, " UTC (application_name refusals-test) says more"));
    assert_int_equal(uex_layout_new(&config, &layout, NULL), UEX_OK);
    postgres->layout = layout; /* of what was read: its columns may be named */
    refusal_column = "date_of_birth";
    assert_int_equal(uex_postgres_probe(postgres, &fault), UEX_DB_QUERY);
    assert_text_begins(fault.text, "database: SQLSTATE 23502 (not_null_violation), column date_of_birth: the server "
                                   "refused the query; ");
    uex_layout_free(layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(connect__pgbouncer_refuses__says_why, end),
        cmocka_unit_test_teardown(probe__pgbouncer_refuses_a_query__says_why, end),
        cmocka_unit_test_teardown(probe__odd_sqlstate_or_column__is_not_shown, end),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    uex_log_setup("refusals-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
