/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/options.h"
#include "ctl/subcommands.h"

static const struct uex_option with_run[] = {{.name = "--run", .value_name = "ID", .help = "The run."}, {0}};
static const struct uex_subcommand subcommands[] = {
    {.name = "topics check", .summary = "Looks."},
    {.name = "topics create", .summary = "Makes."},
    {.name = "trigger", .operands = "GROUP…", .options = with_run, .summary = "Sends."},
    {0}};

#define FIND(first_word_, ...)                                                                                         \
    uex_subcommand_find(subcommands, (int)(sizeof((char *const[]){__VA_ARGS__}) / sizeof(char *)),                     \
                        (char *const[]){__VA_ARGS__}, first_word_)

static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void find__words_of_the_subcommand__are_matched(void **state)
{
    const char *first = NULL;

    (void)state;
    assert_ptr_equal(FIND(&first, word("topics"), word("create")), &subcommands[1]);
    assert_ptr_equal(FIND(&first, word("trigger"), word("g-1")), &subcommands[2]);
    assert_ptr_equal(FIND(&first, word("trigger")), &subcommands[2]);
    assert_null(FIND(&first, word("topics")));
    assert_string_equal(first, "topics");
    assert_null(FIND(&first, word("topics"), word("grow")));
    assert_null(FIND(&first, word("topic"), word("check")));
    assert_null(FIND(&first, word("triggers")));
}

static void find__flags_before_the_subcommand__are_passed_over(void **state)
{
    const char *first = NULL;

    (void)state;
    assert_ptr_equal(FIND(&first, word("--config"), word("x.ini"), word("topics"), word("check")), &subcommands[0]);
    assert_ptr_equal(FIND(&first, word("--output=json"), word("topics"), word("check")), &subcommands[0]);
    assert_ptr_equal(FIND(&first, word("--output"), word("json"), word("topics"), word("check")), &subcommands[0]);
    assert_ptr_equal(FIND(&first, word("--kafka.group.id"), word("topics"), word("trigger")), &subcommands[2]);
    assert_ptr_equal(FIND(&first, word("topics"), word("--partitions=3"), word("create")), &subcommands[1]);
    assert_ptr_equal(FIND(&first, word("--run"), word("r1"), word("trigger")), &subcommands[2]);
    assert_null(FIND(&first, word("--config")));
    assert_null(first);
}

static void help__of_all_and_of_some__lists_the_rows(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_subcommand_help(subcommands, NULL, NULL, &out);
    assert_non_null(strstr(uex_buffer_text(&out), "topics check|create"));
    assert_non_null(strstr(uex_buffer_text(&out), "trigger GROUP…"));
    uex_buffer_reset(&out);
    uex_subcommand_help(subcommands, NULL, "topics", &out);
    assert_null(strstr(uex_buffer_text(&out), "trigger"));
    uex_buffer_reset(&out);
    uex_subcommand_help(subcommands, NULL, "nonsense", &out);
    assert_non_null(strstr(uex_buffer_text(&out), "trigger"));
    uex_buffer_reset(&out);
    uex_subcommand_help(subcommands, &subcommands[2], "trigger", &out);
    assert_non_null(strstr(uex_buffer_text(&out), "exportctl trigger GROUP…"));
    uex_buffer_clear(&out);
}

static void table__cells__are_aligned_or_json(void **state)
{
    static const struct uex_column_of_table columns[] = {
        {"name", "NAME", false}, {"count", "COUNT", true}, {"note", NULL, false}};
    struct uex_table table = {.columns = columns, .column_count = 3};
    struct uex_buffer out = {0};
    const char *const first[] = {"पुणे", "3", "say \"no\""};
    const char *const second[] = {"longer", NULL, NULL};

    (void)state;
    uex_table_add(&table, first);
    uex_table_add(&table, second);
    uex_table_write(&table, UEX_OUTPUT_TABLE, &out);
    assert_string_equal(uex_buffer_text(&out), "NAME    COUNT\nपुणे    3\nlonger\n");
    uex_buffer_reset(&out);
    uex_table_write(&table, UEX_OUTPUT_JSON, &out);
    assert_string_equal(uex_buffer_text(&out), "[\n  {\"name\": \"पुणे\", \"count\": 3, \"note\": \"say \\\"no\\\"\"},\n"
                                               "  {\"name\": \"longer\", \"count\": null, \"note\": null}\n]");
    uex_table_clear(&table);
    uex_buffer_reset(&out);
    uex_table_write(&table, UEX_OUTPUT_JSON, &out);
    assert_string_equal(uex_buffer_text(&out), "[]");
    uex_buffer_clear(&out);
}

static void number__out_of_range_or_no_number__is_refused(void **state)
{
    static const char *const bad[] = {"", "0", "11", "3x", " 3", "99999999999999999999", "-1"};
    long value = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(uex_option_number("--partitions", bad[i], 1, 10, 7, &value), UEX_CONFIG);
    assert_int_equal(uex_option_number("--partitions", "10", 1, 10, 7, &value), UEX_OK);
    assert_int_equal(value, 10);
    assert_int_equal(uex_option_number("--partitions", NULL, 1, 10, 7, &value), UEX_OK);
    assert_int_equal(value, 7);
}

static void guess__words__name_what_was_perhaps_meant(void **state)
{
    static const struct {
        const char *first, *second, *guess;
    } cases[] = {{"topics", "chekc", "topics check"}, {"topisc", "create", "topics create"},
                 {"triger", NULL, "trigger"},         {"topisc", NULL, "topics"},
                 {"create", NULL, "topics create"},   {"nonsense", "x", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer guess = {0};

        uex_subcommand_guess(subcommands, cases[i].first, cases[i].second, &guess);
        assert_string_equal(uex_buffer_text(&guess), cases[i].guess);
        uex_buffer_clear(&guess);
    }
}

static void arguments__short_name_of_output__is_the_long_one(void **state)
{
    char *given[] = {word("exportctl"), word("-o"), word("json"), word("-ojson"), word("-o=json"),
                     word("--run"),     word("-o"), word("--"),   word("-o"),     NULL};
    static const char *const expected[] = {"exportctl", "--output", "json", "--output=json", "--output=json", "--run",
                                           "-o",        "--",       "-o"};
    char **found = uex_arguments_expand(subcommands, 9, given);

    (void)state;
    assert_non_null(found);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_string_equal(found[i], expected[i]);
    assert_null(found[9]);
    uex_arguments_free(found);
}

static size_t width_of(const char *line, size_t size_bytes)
{
    size_t width = 0;

    for (size_t i = 0; i < size_bytes; i++)
        width += ((unsigned char)line[i] & 0xc0) != 0x80;
    return width;
}

static void help__of_all__fits_24_lines_of_80_columns(void **state)
{
    struct uex_buffer out = {0};
    size_t lines = 0;

    (void)state;
    uex_subcommand_help(uex_subcommands, NULL, NULL, &out);
    for (const char *line = uex_buffer_text(&out); *line != 0; line += strcspn(line, "\n") + 1, lines++)
        assert_in_range(width_of(line, strcspn(line, "\n")), 0, 80);
    assert_in_range(lines, 10, 24);
    uex_buffer_clear(&out);
}

static void help__of_a_subcommand__is_at_most_80_columns_wide_but_for_commands(void **state)
{
    (void)state;
    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL; subcommand++) {
        struct uex_buffer out = {0};

        uex_subcommand_help(uex_subcommands, subcommand, NULL, &out);
        for (const char *line = uex_buffer_text(&out); *line != 0; line += strcspn(line, "\n") + 1)
            if (strncmp(line, "  exportctl", 11) != 0 && strncmp(line, "  source", 8) != 0)
                assert_in_range(width_of(line, strcspn(line, "\n")), 0, 80);
        uex_buffer_clear(&out);
    }
}

/* Each first word needs its line in the overview. */
static void subcommands__briefs__are_there_and_short(void **state)
{
    (void)state;
    for (const struct uex_subcommand *first = uex_subcommands; first->name != NULL; first++) {
        size_t count = 0;

        for (const struct uex_subcommand *row = first; row->name != NULL; row++) {
            if (row->brief == NULL || !uex_subcommand_begins(row, first->name, strcspn(first->name, " ")))
                continue;
            assert_in_range(strlen(row->brief), 1, UEX_BRIEF_MAX);
            count++;
        }
        if (!uex_subcommand_is_again(uex_subcommands, first) && count != 1)
            fail_msg("%s: .brief must stand in one row of those that begin so, not in %zu", first->name, count);
    }
}

static void subcommands__table__is_complete(void **state)
{
    (void)state;
    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL; subcommand++) {
        assert_non_null(subcommand->run);
        assert_non_null(subcommand->summary);
        assert_non_null(subcommand->options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__words_of_the_subcommand__are_matched),
        cmocka_unit_test(find__flags_before_the_subcommand__are_passed_over),
        cmocka_unit_test(help__of_all_and_of_some__lists_the_rows),
        cmocka_unit_test(table__cells__are_aligned_or_json),
        cmocka_unit_test(number__out_of_range_or_no_number__is_refused),
        cmocka_unit_test(guess__words__name_what_was_perhaps_meant),
        cmocka_unit_test(arguments__short_name_of_output__is_the_long_one),
        cmocka_unit_test(help__of_all__fits_24_lines_of_80_columns),
        cmocka_unit_test(help__of_a_subcommand__is_at_most_80_columns_wide_but_for_commands),
        cmocka_unit_test(subcommands__briefs__are_there_and_short),
        cmocka_unit_test(subcommands__table__is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
