/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/postgres/postgres_row_bounds_test.c — values that no export takes: dates without a form, wide rows.
 */
#include "component/postgres/rows_fixture.h"
#include "component/test_layout.h"

#include <sys/resource.h>

/* Dates that have no form of ten characters: the file would lie, so the command is refused, and not for its value. */
static void rows__dates_that_cannot_be_written__name_their_column(void **state)
{
    static const char *const dates[] = {"infinity", "-infinity", "0044-03-15 BC", "0001-12-31 BC", "10000-01-01"};
    static const enum uex_mask_action actions[] = {UEX_MASK_NONE, UEX_MASK_YEAR};
    struct uex_layout *masked = new_layout();
    struct uex_row_plan plan = {.layout = masked};
    char sql[200];

    (void)state;
    database_needed();
    for (size_t i = 0; i < 2 * (sizeof(dates) / sizeof(dates[0])); i++) {
        struct reading reading;

        set_mask(masked, "dateOfBirth", actions[i % 2]);
        database_run("TRUNCATE users");
        (void)snprintf(sql, sizeof(sql), "INSERT INTO users (group_id, date_of_birth) VALUES ('g', '%s')",
                       dates[i / 2]);
        database_run(sql);
        read_group(&plan, &reading);
        assert_int_equal(reading.error, UEX_DB_DATA);
        assert_non_null(strstr(reading.fault.text, "date_of_birth"));
        assert_null(strstr(reading.fault.text, "infinity'"));
        reading_clear(&reading);
        set_mask(masked, "dateOfBirth", UEX_MASK_NULL);
        read_group(&plan, &reading);
        assert_int_equal(reading.error, UEX_END);
        reading_clear(&reading);
    }
}

static void rows__first_and_last_dates__are_written(void **state)
{
    static const char *const dates[] = {"0001-01-01", "0999-12-31", "1970-01-01", "2000-02-29", "9999-12-31"};
    struct uex_layout *masked = new_layout();
    struct uex_row_plan plan = {.layout = masked};
    char sql[200], year[5];

    (void)state;
    database_needed();
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct reading reading;

        database_run("TRUNCATE users");
        (void)snprintf(sql, sizeof(sql), "INSERT INTO users (group_id, date_of_birth) VALUES ('g', '%s')", dates[i]);
        database_run(sql);
        set_mask(masked, "dateOfBirth", UEX_MASK_NONE);
        read_group(&plan, &reading);
        assert_int_equal(reading.error, UEX_END);
        assert_field(&reading, "dateOfBirth", dates[i]);
        reading_clear(&reading);
        set_mask(masked, "dateOfBirth", UEX_MASK_YEAR);
        read_group(&plan, &reading);
        (void)snprintf(year, sizeof(year), "%.4s", dates[i]);
        assert_field(&reading, "dateOfBirth", year);
        reading_clear(&reading);
    }
}

/* The text of this group's only row with a bio of `bio_bytes`, when `plan` reads it. */
static uint64_t wide_row_bytes(const struct uex_row_plan *plan, size_t bio_bytes)
{
    struct reading reading;
    uint64_t size_bytes = 0;
    char sql[200];

    database_run("TRUNCATE users");
    (void)snprintf(sql, sizeof(sql), "INSERT INTO users (group_id, username, bio) VALUES ('g', 'u', repeat('x', %zu))",
                   bio_bytes);
    database_run(sql);
    database.config.export_max_row_bytes = 0;
    read_group(plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    size_bytes = reading.text.size_bytes;
    reading_clear(&reading);
    return size_bytes;
}

static void rows__row_at_the_bound__passes_and_one_byte_more_does_not(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_postgres *postgres;
    struct reading reading;
    uint64_t row_bytes;

    (void)state;
    database_needed();
    row_bytes = wide_row_bytes(&plan, 300000);
    postgres = uex_postgres_new(&database.config, "rows-test");
    database.config.export_max_row_bytes = (int64_t)row_bytes;
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    reading_clear(&reading);
    database.config.export_max_row_bytes = (int64_t)row_bytes - 1;
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_DB_DATA);
    assert_int_equal(reading.row_count, 0);
    assert_non_null(strstr(reading.fault.text, "export.max_row"));
    assert_non_null(strstr(reading.fault.text, "column bio"));
    reading_clear(&reading);
    /* The connection serves the next group. */
    database.config.export_max_row_bytes = (int64_t)row_bytes;
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    reading_clear(&reading);
    uex_postgres_free(postgres);
}

static void rows__wide_username__is_refused_in_lists_too(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout(), .list_only = true};
    struct reading reading;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('g', repeat('x', 3000000))");
    database.config.export_max_row_bytes = 1 << 20;
    read_group(&plan, &reading);
    assert_int_equal(reading.error, UEX_DB_DATA);
    assert_non_null(strstr(reading.fault.text, "column username"));
    reading_clear(&reading);
}

/* 200 MiB in one value took 445 MB: the buffer of libpq and the row's copy. Mostly the stream is given up after some 20
 * MiB; a server that is always ahead lets libpq read the whole row in one call, but the row is never copied. */
static void rows__row_far_over_the_bound__is_given_up(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct rusage before, after;
    struct reading reading;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, bio) VALUES ('g', 'u', repeat('x', 200 * 1048576))");
    database.config.export_max_row_bytes = 16 << 20;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    read_group(&plan, &reading);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_int_equal(reading.error, UEX_DB_DATA);
    assert_non_null(strstr(reading.fault.text, "column bio"));
#if !defined(__SANITIZE_ADDRESS__) /* its quarantine keeps each smaller buffer of libpq */
    print_message("memory grew by %ld KiB\n", after.ru_maxrss - before.ru_maxrss);
    assert_true(after.ru_maxrss - before.ru_maxrss < 256 * 1024);
#endif
    reading_clear(&reading);
}

int main(void)
{
#define ROWS_TEST(function) cmocka_unit_test_setup(function, empty_tables)
    const struct CMUnitTest tests[] = {
        ROWS_TEST(rows__dates_that_cannot_be_written__name_their_column),
        ROWS_TEST(rows__first_and_last_dates__are_written),
        ROWS_TEST(rows__row_at_the_bound__passes_and_one_byte_more_does_not),
        ROWS_TEST(rows__wide_username__is_refused_in_lists_too),
        ROWS_TEST(rows__row_far_over_the_bound__is_given_up),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
