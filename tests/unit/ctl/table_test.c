/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and texts on terminals of different widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "ctl/screen.h"
#include "ctl/table.h"

#define LONG_NAME_BYTES 255

static const struct uex_column_of_table columns[] = {
    {"group", "GROUP", UEX_CELL_TEXT},   {"outcome", "OUTCOME", UEX_CELL_TEXT},
    {"reason", "REASON", UEX_CELL_TEXT}, {"at", "AT", UEX_CELL_TIME},
    {"rows", "ROWS", UEX_CELL_NUMBER},   {"size", "SIZE", UEX_CELL_COUNT},
    {"command", "COMMAND", UEX_CELL_ID}, {"note", "NOTE", UEX_CELL_TEXT},
    {"hidden", NULL, UEX_CELL_TEXT},     {"settings", "SETTINGS", UEX_CELL_JSON},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))
#define ID "5a0b8f0e-3c55-4f0e-9d0c-0f6d1c2b3a4d"
#define AT "2026-11-22T17:50:00.123Z"

static void on_terminal(size_t width)
{
    uex_screen_set(&(struct uex_screen){.is_terminal = true, .width = width});
}

static int in_zone(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
    tzset();
    return 0;
}

static int as_pipe(void **state)
{
    (void)state;
    uex_screen_set(&(struct uex_screen){.width = 0});
    return 0;
}

/* The table of these rows, each of COLUMN_COUNT cells. */
static char *written(const char *const (*rows)[COLUMN_COUNT], size_t count)
{
    struct uex_table table = {.columns = columns, .column_count = COLUMN_COUNT};
    struct uex_buffer out = {0};
    char *text = NULL;

    for (size_t i = 0; i < count; i++)
        uex_table_add(&table, rows[i]);
    uex_table_write(&table, UEX_OUTPUT_TABLE, &out);
    assert_false(uex_buffer_failed(&out));
    text = strdup(uex_buffer_text(&out));
    uex_table_clear(&table);
    uex_buffer_clear(&out);
    return text;
}

static size_t widest_line(const char *text)
{
    size_t widest = 0;

    for (; *text != 0; text += strcspn(text, "\n"), text += *text != 0) {
        char *line = strndup(text, strcspn(text, "\n"));
        size_t width = uex_text_width(line);

        widest = width > widest ? width : widest;
        free(line);
    }
    return widest;
}

static const char *const night[][COLUMN_COUNT] = {
    {"g-1", "exported", NULL, AT, "1200000", "1,234", ID, NULL, "h", NULL},
    {"g-17", "dead-lettered", "database-data", "2026-11-22T17:50:01Z", "7", NULL, ID, NULL, "h", NULL},
};

static void table__in_a_pipe__is_whole_and_left_aligned(void **state)
{
    char *text = written(night, 2);

    (void)state;
    assert_string_equal(text,
                        "GROUP  OUTCOME        REASON         AT                        ROWS     SIZE   COMMAND"
                        "                               NOTE  SETTINGS\n"
                        "g-1    exported                      " AT "  1200000  1,234  " ID "\n"
                        "g-17   dead-lettered  database-data  2026-11-22T17:50:01Z      7               " ID "\n");
    free(text);
}

static void table__on_a_terminal__has_local_times_right_aligned_numbers_and_no_empty_column(void **state)
{
    char *text = NULL;

    (void)state;
    on_terminal(200);
    text = written(night, 2);
    assert_string_equal(text, "GROUP  OUTCOME        REASON         AT (IST)                ROWS   SIZE  COMMAND\n"
                              "g-1    exported                      2026-11-22 23:20:00  1200000  1,234  " ID "\n"
                              "g-17   dead-lettered  database-data  2026-11-22 23:20:01        7         " ID "\n");
    free(text);
}

static void table__too_wide__loses_ids_first_and_says_so(void **state)
{
    char *text = NULL;

    (void)state;
    on_terminal(80);
    text = written(night, 2);
    assert_string_equal(text, "GROUP  OUTCOME        REASON         AT (IST)                ROWS   SIZE\n"
                              "g-1    exported                      2026-11-22 23:20:00  1200000  1,234\n"
                              "g-17   dead-lettered  database-data  2026-11-22 23:20:01        7\n"
                              "not shown: COMMAND (--wide shows all)\n");
    free(text);
}

static void table__wide__shows_every_column(void **state)
{
    char *text = NULL;

    (void)state;
    on_terminal(0);
    text = written(night, 2);
    assert_non_null(strstr(text, "NOTE  SETTINGS\n"));
    assert_non_null(strstr(text, ID));
    free(text);
}

static void table__names_of_255_bytes__are_cut_in_the_middle_at_every_width(void **state)
{
    static char latin[LONG_NAME_BYTES + 1], wide[LONG_NAME_BYTES + 1];
    const char *rows[][COLUMN_COUNT] = {
        {latin, "dead-lettered", "database-unavailable", AT, "123", "9", ID, "a note", NULL, "{\"a\": \"b\"}"},
        {wide, "exported", NULL, AT, "1", "9", ID, NULL, NULL, NULL},
    };

    (void)state;
    memset(latin, 'x', LONG_NAME_BYTES);
    memcpy(latin, "begin", 5);
    memcpy(latin + LONG_NAME_BYTES - 3, "end", 3);
    for (size_t i = 0; i + 3 <= LONG_NAME_BYTES; i += 3)
        memcpy(wide + i, "漢", 3);
    for (size_t width = 24; width <= 400; width++) {
        char *text = NULL;

        on_terminal(width);
        text = written((const char *const(*)[COLUMN_COUNT])rows, 2);
        /* Below 40 columns, the line that names the columns which are not shown may be wider. */
        if (width >= 80)
            assert_in_range(widest_line(text), 20, width);
        if (width < LONG_NAME_BYTES)
            assert_non_null(strstr(text, "…"));
        assert_non_null(strstr(text, "begin"));
        assert_non_null(strstr(text, "end"));
        assert_non_null(strstr(text, "漢"));
        free(text);
    }
}

static void table__times_in_several_zones__have_them_in_the_cells(void **state)
{
    static const char *const rows[][COLUMN_COUNT] = {
        {"g", NULL, NULL, "2026-10-25T00:30:00Z", NULL, NULL, NULL, NULL, NULL, NULL},
        {"h", NULL, NULL, "2026-10-25T01:30:00Z", NULL, NULL, NULL, NULL, NULL, NULL}};
    char *text = NULL;

    (void)state;
    assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
    tzset();
    on_terminal(80);
    text = written(rows, 2);
    assert_string_equal(text, "GROUP  AT\n"
                              "g      2026-10-25 02:30:00 CEST\n"
                              "h      2026-10-25 02:30:00 CET\n");
    free(text);
    in_zone(NULL);
}

static void table__without_rows__is_its_titles(void **state)
{
    char *text = NULL;

    (void)state;
    on_terminal(80);
    text = written(night, 0);
    assert_non_null(strstr(text, "GROUP  OUTCOME"));
    free(text);
}

static void table__as_json__has_utc_and_every_key(void **state)
{
    struct uex_table table = {.columns = columns, .column_count = COLUMN_COUNT};
    struct uex_buffer out = {0};

    (void)state;
    on_terminal(80);
    uex_table_add(&table, night[0]);
    uex_table_write(&table, UEX_OUTPUT_JSON, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "[\n  {\"group\": \"g-1\", \"outcome\": \"exported\", \"reason\": null, \"at\": \"" AT
                        "\", \"rows\": 1200000, \"size\": \"1,234\", \"command\": \"" ID
                        "\", \"note\": null, \"hidden\": \"h\", \"settings\": null}\n]");
    uex_table_clear(&table);
    uex_buffer_clear(&out);
}

static void cut__texts__keep_both_ends(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        const char *cut;
    } cases[] = {{"abcdefghij", 10, "abcdefghij"},  {"abcdefghij", 9, "abcd…ghij"},
                 {"abcdefghij", 2, "a…"},           {"abcdefghij", 1, "…"},
                 {"abcdefghij", 0, "abcdefghij"},   {"漢漢漢漢", 7, "漢…漢漢"},
                 {"漢漢漢漢", 6, "漢…漢"},          {"पुणेपुणे", 3, "पु…णे"},
                 {"a\033[31mbcdefgh", 7, "a?[…fgh"}};

    (void)state;
    on_terminal(80);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer out = {0};

        uex_output_append_cut(&out, cases[i].text, cases[i].width);
        assert_string_equal(uex_buffer_text(&out), cases[i].cut);
        if (cases[i].width > 0)
            assert_in_range(uex_text_width(uex_buffer_text(&out)), 0, cases[i].width);
        uex_buffer_clear(&out);
    }
}

static void width__characters__is_that_of_the_terminal(void **state)
{
    (void)state;
    on_terminal(80);
    assert_int_equal(uex_text_width("abc"), 3);
    assert_int_equal(uex_text_width("漢字"), 4);
    assert_int_equal(uex_text_width("e\xcc\x81"), 1); /* a combining accent */
    assert_int_equal(uex_text_width("पुणे"), 2);
    assert_int_equal(uex_text_width("🎉"), 2);
    uex_screen_set(&(struct uex_screen){.width = 0});
    assert_int_equal(uex_text_width("漢字"), 2);
    assert_int_equal(uex_text_width("पुणे"), 4);
}

static void clean__on_a_terminal__nothing_acts_on_it(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    on_terminal(80);
    uex_output_append_clean(&out, "a\033[2J\x9b\xc2\x9b|\xe2\x80\xae|\xe2\x81\xa6|\xff|\xe6\xbc|é");
    assert_string_equal(uex_buffer_text(&out), "a?[2J??|?|?|?|?|é");
    uex_buffer_clear(&out);
}

static void name__in_prose__takes_a_third_of_the_terminal(void **state)
{
    struct uex_buffer out = {0};
    char name[LONG_NAME_BYTES + 1] = "";

    (void)state;
    memset(name, 'x', LONG_NAME_BYTES);
    on_terminal(90);
    uex_output_append_name(&out, name);
    assert_int_equal(uex_text_width(uex_buffer_text(&out)), 30);
    uex_buffer_reset(&out);
    on_terminal(30);
    uex_output_append_name(&out, name);
    assert_int_equal(uex_text_width(uex_buffer_text(&out)), 16);
    uex_buffer_reset(&out);
    on_terminal(0);
    uex_output_append_name(&out, name);
    assert_string_equal(uex_buffer_text(&out), name);
    uex_buffer_clear(&out);
}

static void time__for_people__is_local_on_a_terminal(void **state)
{
    char text[UEX_OUTPUT_TIME_SIZE];

    (void)state;
    uex_output_time(1795369800123, text);
    assert_string_equal(text, "2026-11-22T17:50:00.123Z");
    on_terminal(80);
    uex_output_time(1795369800123, text);
    assert_string_equal(text, "2026-11-22 23:20:00 IST");
    uex_output_time(UEX_NO_TIME, text);
    assert_string_equal(text, "");
    uex_output_time(-1, text);
    assert_string_equal(text, "1970-01-01 05:29:59 IST");
}

#define TEST(test_) cmocka_unit_test_setup(test_, as_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(table__in_a_pipe__is_whole_and_left_aligned),
        TEST(table__on_a_terminal__has_local_times_right_aligned_numbers_and_no_empty_column),
        TEST(table__too_wide__loses_ids_first_and_says_so),
        TEST(table__wide__shows_every_column),
        TEST(table__names_of_255_bytes__are_cut_in_the_middle_at_every_width),
        TEST(table__times_in_several_zones__have_them_in_the_cells),
        TEST(table__without_rows__is_its_titles),
        TEST(table__as_json__has_utc_and_every_key),
        TEST(cut__texts__keep_both_ends),
        TEST(width__characters__is_that_of_the_terminal),
        TEST(clean__on_a_terminal__nothing_acts_on_it),
        TEST(name__in_prose__takes_a_third_of_the_terminal),
        TEST(time__for_people__is_local_on_a_terminal),
    };

    return cmocka_run_group_tests(tests, in_zone, NULL);
}
