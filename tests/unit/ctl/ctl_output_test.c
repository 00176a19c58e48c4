/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/manual/manual.h"
#include "ctl/options.h"

static void count__numbers__are_grouped_by_three(void **state)
{
    char text[32];

    (void)state;
    uex_output_count(0, text);
    assert_string_equal(text, "0");
    uex_output_count(999, text);
    assert_string_equal(text, "999");
    uex_output_count(1000, text);
    assert_string_equal(text, "1,000");
    uex_output_count(UINT64_MAX - 1, text);
    assert_string_equal(text, "18,446,744,073,709,551,614");
    uex_output_count(UEX_UNKNOWN, text);
    assert_string_equal(text, "");
}

static void duration__lengths__are_told_in_fitting_units(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{-5, "0.0 s"},          {340, "0.3 s"},         {9949, "9.9 s"},
                 {9960, "10 s"},         {59400, "59 s"},        {59600, "1 min 0 s"},
                 {200000, "3 min 20 s"}, {3600000, "1 h 0 min"}, {7500000, "2 h 5 min"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uex_output_duration(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void size__bytes__are_told_in_binary_units(void **state)
{
    char text[32];

    (void)state;
    uex_output_size(0, text);
    assert_string_equal(text, "0 B");
    uex_output_size(1536, text);
    assert_string_equal(text, "1.5 KiB");
    uex_output_size((uint64_t)5 << 40, text);
    assert_string_equal(text, "5.0 TiB");
}

static void clean__control_characters__become_question_marks(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_output_append_clean(&out, "a\tb\033[31m\x7f\xc2\x9bक\n");
    assert_string_equal(uex_buffer_text(&out), "a?b?[31m??क?");
    uex_buffer_clear(&out);
}

static const char *red(size_t column, const char *cell)
{
    return column == 0 && strcmp(cell, "bad") == 0 ? "31" : NULL;
}

static void table__coloured__is_aligned_as_without(void **state)
{
    static const struct uex_column_of_table columns[] = {{"a", "A", false}, {"b", "B", false}};
    static const char *const first[] = {"bad", "1"}, *const second[] = {"good", "2"};
    struct uex_table table = {.columns = columns, .column_count = 2, .colour = red};
    struct uex_buffer out = {0};

    (void)state;
    uex_table_add(&table, first);
    uex_table_add(&table, second);
    uex_screen_set(&(struct uex_screen){.is_coloured = true});
    uex_table_write(&table, UEX_OUTPUT_TABLE, &out);
    assert_string_equal(uex_buffer_text(&out), "A     B\n\033[31mbad\033[0m   1\ngood  2\n");
    uex_buffer_reset(&out);
    uex_screen_set(&(struct uex_screen){.is_coloured = false});
    uex_table_write(&table, UEX_OUTPUT_TABLE, &out);
    assert_null(strchr(uex_buffer_text(&out), '\033'));
    uex_table_clear(&table);
    uex_buffer_clear(&out);
}

static void table__empty_cells_at_the_end__leave_no_blanks(void **state)
{
    static const struct uex_column_of_table columns[] = {{"a", "A", false}, {"b", "B", false}, {"c", "C", false}};
    static const char *const first[] = {"one", "", NULL}, *const second[] = {NULL, NULL, "2"};
    struct uex_table table = {.columns = columns, .column_count = 3};
    struct uex_buffer out = {0};

    (void)state;
    uex_table_add(&table, first);
    uex_table_add(&table, second);
    uex_table_write(&table, UEX_OUTPUT_TABLE, &out);
    assert_string_equal(uex_buffer_text(&out), "A    B  C\none\n        2\n");
    uex_table_clear(&table);
    uex_buffer_clear(&out);
}

static void options__values__are_checked(void **state)
{
    int64_t duration_ms = 0;
    char long_text[300];
    char *groups[] = {(char *)(uintptr_t) "g-1", (char *)(uintptr_t) "पुणे"}, *bad[] = {(char *)(uintptr_t) "a\nb"};

    (void)state;
    assert_int_equal(uex_option_duration("--timeout", "90s", 1, &duration_ms), UEX_OK);
    assert_int_equal(duration_ms, 90000);
    assert_int_equal(uex_option_duration("--timeout", NULL, 7, &duration_ms), UEX_OK);
    assert_int_equal(duration_ms, 7);
    assert_int_equal(uex_option_duration("--timeout", "90", 1, &duration_ms), UEX_CONFIG);
    assert_int_equal(uex_option_duration("--timeout", "0s", 1, &duration_ms), UEX_CONFIG);
    memset(long_text, 'x', sizeof(long_text));
    long_text[64] = 0;
    assert_int_equal(uex_option_text("--run", long_text, 64), UEX_OK);
    assert_int_equal(uex_option_text("--run", long_text, 63), UEX_CONFIG);
    assert_int_equal(uex_option_text("--run", NULL, 64), UEX_OK);
    assert_int_equal(uex_option_text("--run", "", 64), UEX_CONFIG);
    assert_int_equal(uex_option_text("--run", "a\tb", 64), UEX_CONFIG);
    assert_int_equal(uex_option_text("--run", "a\xc2\x85", 64), UEX_CONFIG);
    assert_int_equal(uex_option_text("--run", "\xff", 64), UEX_CONFIG);
    assert_int_equal(uex_option_text("--run", "रात \xc2\xa0", 64), UEX_OK);
    assert_int_equal(uex_operands_are_groups(2, groups), UEX_OK);
    assert_int_equal(uex_operands_are_groups(1, bad), UEX_CONFIG);
}

static void manual__every_subcommand__has_a_page_that_roff_reads(void **state)
{
    struct uex_buffer page = {0};

    (void)state;
    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL; subcommand++) {
        const char *line = NULL;

        uex_buffer_reset(&page);
        uex_manual_page(uex_subcommands, subcommand, &page);
        assert_false(uex_buffer_failed(&page));
        assert_int_equal(strncmp(uex_buffer_text(&page), ".TH EXPORTCTL-", 14), 0);
        assert_non_null(strstr(uex_buffer_text(&page), "\n.SH EXIT STATUS\n"));
        for (line = uex_buffer_text(&page); *line != 0; line += strcspn(line, "\n"), line += *line != 0)
            if (*line == '.')
                assert_true(strncmp(line, ".TH ", 4) == 0 || strncmp(line, ".SH ", 4) == 0 ||
                            strncmp(line, ".TP\n", 4) == 0 || strncmp(line, ".PP\n", 4) == 0);
    }
    uex_buffer_reset(&page);
    uex_manual_page(uex_subcommands, NULL, &page);
    assert_non_null(strstr(uex_buffer_text(&page), "kafka.group.id"));
    assert_non_null(strstr(uex_buffer_text(&page), "\\fBtrigger\\fR"));
    uex_buffer_clear(&page);
}

static void completion__table_of_subcommands__stands_in_the_script(void **state)
{
    struct uex_buffer script = {0};

    (void)state;
    uex_completion_bash(uex_subcommands, &script);
    assert_non_null(strstr(uex_buffer_text(&script), "topics) subcommand=\"$first $second\" words='check create"));
    assert_non_null(strstr(uex_buffer_text(&script), "'trigger') options='--all --run "));
    assert_non_null(strstr(uex_buffer_text(&script), "complete -F _exportctl exportctl"));
    uex_buffer_clear(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count__numbers__are_grouped_by_three),
        cmocka_unit_test(duration__lengths__are_told_in_fitting_units),
        cmocka_unit_test(size__bytes__are_told_in_binary_units),
        cmocka_unit_test(clean__control_characters__become_question_marks),
        cmocka_unit_test(table__coloured__is_aligned_as_without),
        cmocka_unit_test(table__empty_cells_at_the_end__leave_no_blanks),
        cmocka_unit_test(options__values__are_checked),
        cmocka_unit_test(manual__every_subcommand__has_a_page_that_roff_reads),
        cmocka_unit_test(completion__table_of_subcommands__stands_in_the_script),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
