/* SPDX-License-Identifier: Apache-2.0 */
#include "component/postgres/rows_fixture.h"
#include "component/test_layout.h"

#include "export/digest.h"

static void insert_bio(const char *bio)
{
    const char *const values[] = {bio};

    database_result(PQexecParams(database.admin, "INSERT INTO users (group_id, username, bio) VALUES ('g', 'u', $1)", 1,
                                 NULL, values, NULL, NULL, 0));
}

static void rows__every_type__as_the_contract_writes_it(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct reading reading;
    int64_t now_ms = uex_wall_ms();

    (void)state;
    database_needed();
    database_run("SET datestyle = 'German'; INSERT INTO users (group_id, username, display_name, gender, date_of_birth,"
                 " smokes, drinks, preferred_min_age, preferred_max_age) VALUES"
                 " ('g', 'u1', '', NULL, date '1990-02-03', true, false, 18, -5)");
    read_group(&plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    assert_int_equal(reading.row_count, 1);
    assert_int_equal(reading.first.count, plain_layout()->column_count + 1);
    assert_field(&reading, "username", "u1");
    assert_field(&reading, "groupId", "g");
    assert_field(&reading, "displayName", "");
    assert_field(&reading, "gender", NULL);
    assert_field(&reading, "dateOfBirth", "1990-02-03");
    assert_field(&reading, "smokes", "true");
    assert_field(&reading, "drinks", "false");
    assert_field(&reading, "wantsKids", NULL);
    assert_field(&reading, "preferredMinAge", "18");
    assert_field(&reading, "preferredMaxAge", "-5");
    assert_string_equal(reading.first.fields[plain_layout()->column_count], "1.0");
    assert_true(reading.snapshot_at_ms >= now_ms - 60000 && reading.snapshot_at_ms <= now_ms + 60000);
    reading_clear(&reading);
}

static void rows__database_with_other_styles__iso_dates_all_the_same(void **state)
{
    struct uex_row_plan plan = {.layout = layout_with(UEX_GUARD_OFF, UEX_VERSION_NONE)};
    struct reading reading;
    char sql[200];

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, date_of_birth, bio) VALUES ('g', 'u', '1990-02-03', '\\')");
    (void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET datestyle = 'German'", database.name);
    database_run(sql);
    (void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET standard_conforming_strings = off", database.name);
    database_run(sql);
    read_group(&plan, &reading);
    assert_int_equal(reading.first.count, plain_layout()->column_count);
    assert_field(&reading, "dateOfBirth", "1990-02-03");
    assert_field(&reading, "bio", "\\");
    reading_clear(&reading);
    (void)snprintf(sql, sizeof(sql), "ALTER DATABASE %s RESET ALL", database.name);
    database_run(sql);
}

static void rows__hard_values__come_back_byte_for_byte(void **state)
{
    static const char *const values[] = {"\\.",
                                         "a\n\\.\nb",
                                         "\"",
                                         "\"\"",
                                         ",",
                                         "line\nline\r\nline\r",
                                         " ",
                                         "\\N",
                                         "NULL",
                                         "\t",
                                         "👩🏽‍🚀 ☕",
                                         "'",
                                         "\xE2\x80\xA8",
                                         "%s%n",
                                         "=1+1"};
    struct uex_row_plan plan = {.layout = plain_layout()};

    (void)state;
    database_needed();
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct reading reading;

        database_run("TRUNCATE users");
        insert_bio(values[i]);
        read_group(&plan, &reading);
        assert_int_equal(reading.row_count, 1);
        assert_field(&reading, "bio", values[i]);
        reading_clear(&reading);
    }
}

static void rows__bio_of_8_mib__comes_whole(void **state)
{
    struct uex_row_plan plan = {.layout = layout_with(UEX_GUARD_OFF, UEX_VERSION_NONE)};
    struct reading reading;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, bio) SELECT 'g', 'u', repeat('a\"b', 2796203)");
    read_group(&plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    assert_int_equal(strlen(reading.first.fields[column_index("bio")]), 3 * 2796203);
    reading_clear(&reading);
}

static void rows__other_groups_and_sent_rows__are_left_out(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout(), .list_only = true};
    struct reading reading;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username, sent_to_matching_service) VALUES ('g', 'yes', false),"
                 " ('g', 'sent', true), ('g', 'unknown', NULL), ('G', 'other', false), ('g ', 'space', false)");
    read_group(&plan, &reading);
    assert_string_equal(uex_buffer_text(&reading.text), "yes\n");
    reading_clear(&reading);
}

static void rows__no_rows__end_with_a_snapshot(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct reading reading;

    (void)state;
    database_needed();
    read_group(&plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    assert_int_equal(reading.row_count, 0);
    assert_true(reading.snapshot_at_ms != UEX_NO_TIME);
    reading_clear(&reading);
}

static void rows__group_id_with_quotes__is_a_literal(void **state)
{
    struct uex_postgres *postgres;
    struct uex_row_plan plan = {.layout = plain_layout(), .list_only = true};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES (E'o''x\\\\''; --', 'found'), ('g', 'no')");
    postgres = uex_postgres_new(&database.config, "rows-test");
    assert_int_equal(uex_postgres_rows_begin(postgres, "o'x\\'; --", &plan, &rows, NULL), UEX_OK);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_OK);
    assert_int_equal(row.size_bytes, 5);
    assert_memory_equal(row.data, "found", 5);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_END);
    rows->destroy(rows);
    uex_postgres_free(postgres);
}

static void rows__usernames__are_plain_text_or_null(void **state)
{
    struct uex_row_plan plan = {.layout = plain_layout(), .list_only = true};
    struct reading reading;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('g', 'plain'), ('g', NULL), ('g', ''), ('g', 'a\"b'),"
                 " ('g', 'a,b'), ('g', '\\.'), ('g', '\"'), ('g', '☕')");
    read_group(&plan, &reading);
    assert_int_equal(reading.row_count, 8);
    assert_string_equal(uex_buffer_text(&reading.text), "plain\n(null)\n\na\"b\na,b\n\\.\n\"\n☕\n");
    reading_clear(&reading);
}

static void hash_hex(const char *key, const char *text, char out[UEX_SHA256_HEX_SIZE])
{
    uint8_t hash[UEX_SHA256_SIZE];

    uex_hmac_sha256(uex_bytes_of_text(key), uex_bytes_of_text(text), hash);
    uex_hex(hash, sizeof(hash), out);
}

static void rows__masks__hide_what_they_say(void **state)
{
    static const char key[] = "a key that is longer than the block of sixty-four bytes, to be sure that it is hashed";
    struct uex_layout *masked = layout_with(UEX_GUARD_PREFIX, UEX_VERSION_COLUMN);
    struct uex_row_plan plan = {.layout = masked, .mask_key = key};
    struct reading reading;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    database_needed();
    set_mask(masked, "username", UEX_MASK_HASH);
    set_mask(masked, "displayName", UEX_MASK_REDACT);
    set_mask(masked, "gender", UEX_MASK_REDACT);
    set_mask(masked, "dateOfBirth", UEX_MASK_YEAR);
    set_mask(masked, "location", UEX_MASK_NULL);
    set_mask(masked, "smokes", UEX_MASK_NULL);
    set_mask(masked, "education", UEX_MASK_HASH);
    set_mask(masked, "religion", UEX_MASK_HASH);
    database_run("INSERT INTO users (group_id, username, display_name, date_of_birth, location, smokes, education) "
                 "VALUES ('g', 'zoë☕', '=x', '1987-06-05', 'Pune', true, '')");
    read_group(&plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    hash_hex(key, "zoë☕", hex);
    assert_field(&reading, "username", hex);
    assert_field(&reading, "displayName", "***");
    assert_field(&reading, "gender", NULL);
    assert_field(&reading, "dateOfBirth", "1987");
    assert_field(&reading, "location", NULL);
    assert_field(&reading, "smokes", NULL);
    hash_hex(key, "", hex);
    assert_field(&reading, "education", hex);
    assert_field(&reading, "religion", NULL);
    reading_clear(&reading);
}

static void rows__masked_usernames__in_lists_too(void **state)
{
    struct uex_layout *masked = new_layout();
    struct uex_row_plan plan = {.layout = masked, .mask_key = "k", .list_only = true};
    struct reading reading;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('g', 'anita'), ('g', NULL)");
    set_mask(masked, "username", UEX_MASK_REDACT);
    read_group(&plan, &reading);
    assert_string_equal(uex_buffer_text(&reading.text), "***\n(null)\n");
    reading_clear(&reading);
    set_mask(masked, "username", UEX_MASK_HASH);
    read_group(&plan, &reading);
    hash_hex("k", "anita", hex);
    assert_memory_equal(uex_buffer_text(&reading.text), hex, 64);
    reading_clear(&reading);
}

static void rows__guard_prefix__marks_formulas_only(void **state)
{
    static const struct {
        const char *bio, *expected;
    } cases[] = {
        {"=1+1", "'=1+1"}, {"+1", "'+1"},   {"-1", "'-1"},  {"@x", "'@x"}, {"\tx", "'\tx"},
        {"\rx", "'\rx"},   {"=", "'="},     {"a=1", "a=1"}, {"", ""},      {" leading", " leading"},
        {"'x", "'x"},      {"＝1", "'＝1"}, {"\\.", "\\."}, {"☕", "☕"},
    };
    struct uex_row_plan plan = {.layout = layout_with(UEX_GUARD_PREFIX, UEX_VERSION_COLUMN)};

    (void)state;
    database_needed();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reading reading;

        database_run("TRUNCATE users");
        insert_bio(cases[i].bio);
        database_run("UPDATE users SET preferred_min_age = -3");
        read_group(&plan, &reading);
        assert_int_equal(reading.error, UEX_END);
        assert_field(&reading, "bio", cases[i].expected);
        assert_field(&reading, "preferredMinAge", "-3");
        assert_field(&reading, "location", NULL);
        reading_clear(&reading);
    }
}

static void rows__guard_reject__ends_with_its_own_error(void **state)
{
    struct uex_postgres *postgres;
    struct uex_row_plan plan = {.layout = layout_with(UEX_GUARD_REJECT, UEX_VERSION_COLUMN)};
    struct reading reading;

    (void)state;
    database_needed();
    postgres = uex_postgres_new(&database.config, "rows-test");
    insert_bio("harmless");
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    reading_clear(&reading);
    insert_bio("=marker()");
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_FORMULA_REJECTED);
    assert_null(strstr(reading.fault.text, "marker"));
    reading_clear(&reading);
    plan.layout = plain_layout();
    read_all(postgres, &plan, &reading);
    assert_int_equal(reading.error, UEX_END);
    assert_int_equal(reading.row_count, 2);
    reading_clear(&reading);
    uex_postgres_free(postgres);
}

static void rows__changes_meanwhile__are_not_seen(void **state)
{
    struct uex_postgres *postgres;
    struct uex_row_plan plan = {.layout = plain_layout(), .list_only = true};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    size_t row_count = 1;

    (void)state;
    database_needed();
    database_run(
        "INSERT INTO users (group_id, username) SELECT 'g', 'user number ' || n FROM generate_series(1, 100000) n");
    postgres = uex_postgres_new(&database.config, "rows-test");
    assert_int_equal(uex_postgres_rows_begin(postgres, "g", &plan, &rows, NULL), UEX_OK);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_OK);
    database_run(
        "DELETE FROM users WHERE username LIKE '%7'; INSERT INTO users (group_id, username) VALUES ('g', 'new')");
    while (rows->next(rows, &row, NULL) == UEX_OK)
        row_count++;
    assert_int_equal(row_count, 100000);
    assert_int_equal(rows->next(rows, &row, NULL), UEX_END);
    rows->destroy(rows);
    uex_postgres_free(postgres);
}

int main(void)
{
#define ROWS_TEST(function) cmocka_unit_test_setup(function, empty_tables)
    const struct CMUnitTest tests[] = {
        ROWS_TEST(rows__every_type__as_the_contract_writes_it),
        ROWS_TEST(rows__database_with_other_styles__iso_dates_all_the_same),
        ROWS_TEST(rows__hard_values__come_back_byte_for_byte),
        ROWS_TEST(rows__bio_of_8_mib__comes_whole),
        ROWS_TEST(rows__other_groups_and_sent_rows__are_left_out),
        ROWS_TEST(rows__no_rows__end_with_a_snapshot),
        ROWS_TEST(rows__group_id_with_quotes__is_a_literal),
        ROWS_TEST(rows__usernames__are_plain_text_or_null),
        ROWS_TEST(rows__masks__hide_what_they_say),
        ROWS_TEST(rows__masked_usernames__in_lists_too),
        ROWS_TEST(rows__guard_prefix__marks_formulas_only),
        ROWS_TEST(rows__guard_reject__ends_with_its_own_error),
        ROWS_TEST(rows__changes_meanwhile__are_not_seen),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
