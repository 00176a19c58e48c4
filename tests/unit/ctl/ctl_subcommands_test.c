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
    assert_non_null(strstr(uex_buffer_text(&out), "topics create"));
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
        cmocka_unit_test(subcommands__table__is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
