/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum uex_error error_of(const char *sqlstate)
{
    const char *sentence = NULL;
    enum uex_error err = uex_pg_sqlstate_error(sqlstate, &sentence);

    assert_non_null(sentence);
    assert_true(sentence[0] != '\0');
    return err;
}

static void sqlstate_error__each_kind__has_its_error(void **state)
{
    static const struct {
        const char *sqlstate;
        enum uex_error error;
    } cases[] = {
        {"08006", UEX_DB_UNAVAILABLE}, {"57P01", UEX_DB_UNAVAILABLE}, {"57P02", UEX_DB_UNAVAILABLE},
        {"57P03", UEX_DB_UNAVAILABLE}, {"53300", UEX_DB_CONNECTIONS}, {"57P05", UEX_DB_UNAVAILABLE},
        {"40001", UEX_DB_TRANSIENT},   {"40P01", UEX_DB_TRANSIENT},   {"57014", UEX_DB_TRANSIENT},
        {"53100", UEX_DB_TRANSIENT},   {"53200", UEX_DB_TRANSIENT},   {"53400", UEX_DB_TRANSIENT},
        {"55P03", UEX_DB_TRANSIENT},   {"28P01", UEX_DB_AUTH},        {"28000", UEX_DB_AUTH},
        {"3D000", UEX_DB_SCHEMA},      {"42P01", UEX_DB_SCHEMA},      {"42703", UEX_DB_SCHEMA},
        {"42501", UEX_DB_DENIED},      {"22P02", UEX_DB_DATA},        {"22012", UEX_DB_DATA},
        {"42601", UEX_DB_QUERY},       {"XX000", UEX_DB_QUERY},       {"P0001", UEX_DB_QUERY},
        {"25006", UEX_DB_QUERY},       {"57P04", UEX_DB_SCHEMA},      {"", UEX_DB_QUERY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(error_of(cases[i].sqlstate), cases[i].error);
}

static void connect_fault__sqlstate_in_the_text__is_classified(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(
        uex_pg_connect_fault("connection to server at \"h\", port 5432 failed: FATAL:  28P01\n", false, &fault),
        UEX_DB_AUTH);
    assert_non_null(strstr(fault.text, "SQLSTATE 28P01 (invalid_password): "));
    assert_int_equal(uex_pg_connect_fault("a failed: Connection refused\n\tIs it?\nb failed: VERHÄNGNISVOLL:  3D000\n",
                                          false, &fault),
                     UEX_DB_SCHEMA);
    assert_int_equal(uex_pg_connect_fault("FATAL:  53300\n", false, &fault), UEX_DB_CONNECTIONS);
    assert_int_equal(uex_pg_connect_fault("FATAL:  53400\n", false, &fault), UEX_DB_CONNECTIONS);
}

static void connect_fault__no_sqlstate__tells_libpq_s_reason(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_pg_connect_fault("connection failed: Connection refused\n", false, &fault),
                     UEX_DB_UNAVAILABLE);
    assert_non_null(strstr(fault.text, "Connection refused"));
    assert_int_equal(uex_pg_connect_fault("fe_sendauth: no password supplied\n", true, &fault), UEX_DB_AUTH);
}

static void condition__known_code_class_and_neither__is_found(void **state)
{
    (void)state;
    assert_string_equal(uex_pg_condition("22012"), "division_by_zero");
    assert_string_equal(uex_pg_condition("03000"), "sql_statement_not_yet_complete");
    assert_string_equal(uex_pg_condition("XX002"), "index_corrupted");
    assert_string_equal(uex_pg_condition("22ZZZ"), "data_exception");
    assert_string_equal(uex_pg_condition("P0999"), "plpgsql_error");
    assert_null(uex_pg_condition("00000"));
    assert_null(uex_pg_condition("ZZ001"));
}

/* They are found by halving. */
static void condition__table__is_in_order(void **state)
{
    const char *before = "", *sqlstate = NULL, *name = NULL;
    size_t count = 0;

    (void)state;
    for (; (name = uex_pg_condition_at(count, &sqlstate)) != NULL; count++) {
        assert_true(strcmp(before, sqlstate) < 0);
        assert_true(uex_pg_is_sqlstate(sqlstate));
        assert_string_equal(uex_pg_condition(sqlstate), name);
        before = sqlstate;
    }
    assert_true(count > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstate_error__each_kind__has_its_error),
        cmocka_unit_test(connect_fault__sqlstate_in_the_text__is_classified),
        cmocka_unit_test(connect_fault__no_sqlstate__tells_libpq_s_reason),
        cmocka_unit_test(condition__known_code_class_and_neither__is_found),
        cmocka_unit_test(condition__table__is_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
