/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/postgres/postgres_encodings_test.c — databases that are not UTF-8. */
#include "component/database.h"
#include "component/test_layout.h"

#include "component/csv_line.h"
#include "export/postgres.h"

/* The bio of group g's only row; "(null)" for NULL, "(rejected)" where the guard ends the stream. */
static void read_bio(enum uex_formula_guard guard, char out[64])
{
    struct uex_postgres *postgres = uex_postgres_new(&database.config, "encodings-test");
    struct uex_row_plan plan = {.layout = shared_layout(guard, UEX_VERSION_COLUMN)};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    struct uex_fault fault = {0};
    struct csv_line line = {0};
    enum uex_error err = uex_postgres_rows_begin(postgres, "g", &plan, &rows, &fault);
    size_t at = column_index("bio");

    assert_int_equal(err, UEX_OK);
    err = rows->next(rows, &row, &fault);
    if (err == UEX_OK) {
        assert_true(csv_line_parse(row, &line));
        (void)snprintf(out, 64, "%s", line.fields[at] == NULL ? "(null)" : line.fields[at]);
        csv_line_clear(&line);
        assert_int_equal(rows->next(rows, &row, &fault), UEX_END);
    } else {
        (void)snprintf(out, 64, "%s", err == UEX_FORMULA_REJECTED ? "(rejected)" : uex_error_code(err));
    }
    rows->destroy(rows);
    uex_postgres_free(postgres);
}

/* Formulas get an apostrophe or are refused; what the encoding does not have is left out. */
static void assert_guarded(const char *encoding)
{
    static const struct {
        const char *bio;
        bool is_formula;
    } cases[] = {{"=1+1", true},     {"＝1+1", true}, {"＋1", true},  {"－1", true}, {"＠x", true},
                 {"日本＝1", false}, {"é=1", false},  {"a=1", false}, {"", false},   {"☕", false}};
    char found[64], expected[64];

    assert_int_equal(database_create_encoded(encoding), 0);
    database_needed();
    database_run("SET client_encoding = 'UTF8'");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const values[] = {cases[i].bio};
        PGresult *result;

        database_run("TRUNCATE users");
        result = PQexecParams(database.admin, "INSERT INTO users (group_id, bio) VALUES ('g', $1)", 1, NULL, values,
                              NULL, NULL, 0);
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            read_bio(UEX_GUARD_PREFIX, found);
            (void)snprintf(expected, sizeof(expected), "%s%s", cases[i].is_formula ? "'" : "", cases[i].bio);
            assert_string_equal(found, expected);
            read_bio(UEX_GUARD_REJECT, found);
            assert_string_equal(found, cases[i].is_formula ? "(rejected)" : cases[i].bio);
            read_bio(UEX_GUARD_OFF, found);
            assert_string_equal(found, cases[i].bio);
        } else {
            assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "22P05");
        }
        PQclear(result);
    }
    assert_int_equal(database_drop(NULL), 0);
    database.admin = NULL;
}

static void guard__database_in_euc_jp__full_width_forms_are_formulas(void **state)
{
    (void)state;
    assert_guarded("EUC_JP");
}

static void guard__database_in_euc_kr__full_width_forms_are_formulas(void **state)
{
    (void)state;
    assert_guarded("EUC_KR");
}

static void guard__database_in_latin1__has_only_the_narrow_ones(void **state)
{
    (void)state;
    assert_guarded("LATIN1");
}

static void guard__database_in_sql_ascii__its_bytes_are_looked_at(void **state)
{
    (void)state;
    assert_guarded("SQL_ASCII");
}

static void guard__database_in_utf8__as_ever(void **state)
{
    (void)state;
    assert_guarded("UTF8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard__database_in_euc_jp__full_width_forms_are_formulas),
        cmocka_unit_test(guard__database_in_euc_kr__full_width_forms_are_formulas),
        cmocka_unit_test(guard__database_in_latin1__has_only_the_narrow_ones),
        cmocka_unit_test(guard__database_in_sql_ascii__its_bytes_are_looked_at),
        cmocka_unit_test(guard__database_in_utf8__as_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
