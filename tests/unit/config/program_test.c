/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/program.h"

struct flags {
    const char *run;
    bool dry_run;
};

static bool parse(struct flags *flags, struct uex_buffer *problems, int *count, char **arguments)
{
    const struct uex_option options[] = {
        {"--run", "ID", "name", &flags->run, NULL}, {"--dry-run", NULL, "print", NULL, &flags->dry_run}, {0}};

    *flags = (struct flags){0};
    return uex_options_parse(options, count, arguments, problems);
}

static char *word(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void options__both_spellings__are_taken_out(void **state)
{
    struct flags flags;
    struct uex_buffer problems = {0};
    char *arguments[] = {word("first"), word("--run"), word("a=b"),   word("--dry-run"),
                         word("-"),     word("--"),    word("--run"), NULL};
    char *other[] = {word("--run=x=y"), NULL};
    int count = 7, other_count = 1;

    (void)state;
    assert_true(parse(&flags, &problems, &count, arguments));
    assert_string_equal(flags.run, "a=b");
    assert_true(flags.dry_run);
    assert_int_equal(count, 3);
    assert_string_equal(arguments[0], "first");
    assert_string_equal(arguments[1], "-");
    assert_string_equal(arguments[2], "--run");
    assert_true(parse(&flags, &problems, &other_count, other));
    assert_string_equal(flags.run, "x=y");
    assert_int_equal(problems.size_bytes, 0);
    uex_buffer_clear(&problems);
}

static void options__mistakes__are_all_reported(void **state)
{
    struct flags flags;
    struct uex_buffer problems = {0};
    char *arguments[] = {word("--what"), word("--dry-run=1"), word("--dry-run"), word("--run=a"),
                         word("--run"),  word("b"),           word("--run"),     NULL};
    int count = 7;

    (void)state;
    assert_false(parse(&flags, &problems, &count, arguments));
    assert_non_null(strstr(uex_buffer_text(&problems), "--what: unknown option; --help"));
    assert_non_null(strstr(uex_buffer_text(&problems), "--dry-run: takes no value"));
    assert_non_null(strstr(uex_buffer_text(&problems), "--dry-run: given more than once"));
    assert_non_null(strstr(uex_buffer_text(&problems), "--run: given more than once"));
    assert_non_null(strstr(uex_buffer_text(&problems), "--run: needs a value (ID)"));
    uex_buffer_clear(&problems);
}

static void options__mistyped__closest_one_is_named(void **state)
{
    struct flags flags;
    struct uex_buffer problems = {0};
    char *arguments[] = {word("--dry-rum"), NULL};
    int count = 1;

    (void)state;
    assert_false(parse(&flags, &problems, &count, arguments));
    assert_non_null(strstr(uex_buffer_text(&problems), "--dry-rum: unknown option; did you mean --dry-run?"));
    uex_buffer_clear(&problems);
}

static void exit_of__errors__are_the_contracts_codes(void **state)
{
    (void)state;
    assert_int_equal(uex_exit_of(UEX_OK), 0);
    assert_int_equal(uex_exit_of(UEX_CONFIG), 2);
    assert_int_equal(uex_exit_of(UEX_KAFKA_UNAVAILABLE), 3);
    assert_int_equal(uex_exit_of(UEX_DB_UNAVAILABLE), 3);
    assert_int_equal(uex_exit_of(UEX_STORE_UNAVAILABLE), 3);
    assert_int_equal(uex_exit_of(UEX_DB_SCHEMA), 1);
}

static char last_said[1024];

static void keep_what_is_reported(const struct uex_buffer *problems)
{
    snprintf(last_said, sizeof(last_said), "%s", uex_buffer_text(problems));
}

static void add_problem(const struct uex_config *config, struct uex_buffer *problems)
{
    (void)config;
    uex_buffer_append_text(problems, "checked: wrong\n");
}

static void start__several_mistakes__are_said_at_once(void **state)
{
    struct uex_program program = {
        .name = "test", .needs = UEX_NEED_KAFKA, .check = add_problem, .report = keep_what_is_reported};
    struct uex_config config = {0};
    char *arguments[] = {word("test"), word("--no-such"), word("word"), word("--no.such.key=1"), NULL};
    char *operands[6];
    int count = 0, code = 0;

    (void)state;
    assert_false(uex_program_start(&program, 4, arguments, &config, &count, operands, &code));
    assert_int_equal(code, UEX_EXIT_USAGE);
    assert_non_null(strstr(last_said, "--no-such: "));
    assert_non_null(strstr(last_said, "word: "));
    assert_non_null(strstr(last_said, "no.such.key"));
    assert_non_null(strstr(last_said, "kafka.bootstrap.servers"));
    assert_non_null(strstr(last_said, "checked: wrong"));
    uex_config_clear(&config);
}

static void start__operands__are_left_to_the_program_and_sigpipe_is_ignored(void **state)
{
    struct uex_program program = {.name = "test", .takes_operands = true, .report = keep_what_is_reported};
    struct uex_config config = {0};
    char *arguments[] = {word("test"), word("a"), word("--export.lanes=3"), word("b"), NULL};
    char *operands[6];
    int count = 0, code = 9;
    struct sigaction action = {0};

    (void)state;
    (void)signal(SIGPIPE, SIG_DFL);
    assert_true(uex_program_start(&program, 4, arguments, &config, &count, operands, &code));
    assert_int_equal(count, 2);
    assert_string_equal(operands[1], "b");
    assert_null(operands[2]);
    assert_int_equal(config.export_lanes, 3);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    uex_config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options__both_spellings__are_taken_out),
        cmocka_unit_test(options__mistakes__are_all_reported),
        cmocka_unit_test(options__mistyped__closest_one_is_named),
        cmocka_unit_test(exit_of__errors__are_the_contracts_codes),
        cmocka_unit_test(start__several_mistakes__are_said_at_once),
        cmocka_unit_test(start__operands__are_left_to_the_program_and_sigpipe_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
