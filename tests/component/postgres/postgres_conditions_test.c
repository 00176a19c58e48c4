/* SPDX-License-Identifier: Apache-2.0 */
/* The names of SQLSTATEs, asked of a server. */
#include "../database.h"
#include "postgres/session.h"

static size_t count_of(const char *name)
{
    const char *sqlstate = NULL, *other = NULL;
    size_t count = 0;

    for (size_t i = 0; (other = uex_pg_condition_at(i, &sqlstate)) != NULL; i++)
        count += strcmp(name, other) == 0;
    return count;
}

/* The SQLSTATE that PL/pgSQL raises for a name; false: it does not know the name. */
static bool raise_condition(const char *name, char sqlstate[6])
{
    char sql[256];
    PGresult *result = NULL;
    const char *message = NULL;
    bool known = false;

    (void)snprintf(sql, sizeof(sql), "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'raised'; END $$",
                   name);
    result = PQexec(database.admin, sql);
    message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    assert_non_null(message);
    known = strcmp(message, "raised") == 0;
    (void)snprintf(sqlstate, 6, "%s", PQresultErrorField(result, PG_DIAG_SQLSTATE));
    PQclear(result);
    return known;
}

static void condition__every_name__is_the_servers_own(void **state)
{
    const char *sqlstate = NULL, *name = NULL;
    size_t known = 0, count = 0;

    (void)state;
    database_needed();
    for (; (name = uex_pg_condition_at(count, &sqlstate)) != NULL; count++) {
        char raised[6] = "";

        if (count_of(name) > 1) /* of two codes: the server takes the first */
            continue;
        if (raise_condition(name, raised)) {
            assert_string_equal(raised, sqlstate);
            known++;
        } else if (strcmp(name, "transaction_timeout") != 0 && strcmp(name, "idle_session_timeout") != 0) {
            fail_msg("the server does not know %s", name); /* those two are of 17 and 14 */
        }
    }
    assert_true(known > 200);
}

static void query__that_divides_by_zero__names_it_and_where_to_look(void **state)
{
    struct uex_postgres *postgres = NULL;
    PGresult *result = NULL;
    struct uex_fault fault = {0};
    char before[UEX_TIME_TEXT_SIZE], after[UEX_TIME_TEXT_SIZE], expected[2][320];

    (void)state;
    database_needed();
    postgres = uex_postgres_new(&database.config, "conditions-test");
    uex_time_format(uex_wall_ms(), before);
    assert_int_equal(uex_pg_query(postgres, "SELECT 1/0", 0, NULL, &result, &fault), UEX_DB_DATA);
    uex_time_format(uex_wall_ms(), after);
    for (int i = 0; i < 2; i++)
        (void)snprintf(expected[i], sizeof(expected[i]),
                       "database: SQLSTATE 22012 (division_by_zero): a value in the data cannot be read or converted; "
                       "the server's log at %.5s UTC (application_name conditions-test) says more",
                       (i == 0 ? before : after) + 11);
    if (strcmp(fault.text, expected[0]) != 0)
        assert_string_equal(fault.text, expected[1]);
    uex_postgres_free(postgres);
}

static void query__with_a_name_in_the_dsn__tells_that_one(void **state)
{
    struct uex_config config = database.config;
    struct uex_postgres *postgres = NULL;
    char dsn[600];
    PGresult *result = NULL;
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    (void)snprintf(dsn, sizeof(dsn), "%s application_name=night", database.config.postgres_dsn);
    config.postgres_dsn = dsn;
    postgres = uex_postgres_new(&config, "conditions-test");
    assert_int_equal(uex_pg_query(postgres, "SELECT 1/0", 0, NULL, &result, &fault), UEX_DB_DATA);
    assert_non_null(strstr(fault.text, "(application_name night)"));
    uex_postgres_free(postgres);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(condition__every_name__is_the_servers_own),
        cmocka_unit_test(query__that_divides_by_zero__names_it_and_where_to_look),
        cmocka_unit_test(query__with_a_name_in_the_dsn__tells_that_one),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
