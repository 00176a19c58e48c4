/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/status/known_runs.h"

static void check_text(struct uex_known_runs *runs, size_t most, const char *expected)
{
    struct uex_buffer out = {0};

    uex_known_runs_sort(runs);
    uex_known_runs_write(runs, most, &out);
    assert_string_equal(uex_buffer_text(&out), expected);
    uex_buffer_clear(&out);
}

static void write__some_runs__newest_first_and_how_many_more(void **state)
{
    struct uex_known_runs *runs = calloc(1, sizeof(*runs));

    (void)state;
    check_text(runs, 10, "none");
    uex_known_runs_add(runs, "old", 10);
    uex_known_runs_add(runs, "new", 30);
    uex_known_runs_add(runs, "old", 5);
    uex_known_runs_add(runs, "middle", 1);
    uex_known_runs_add(runs, "middle", 20); /* its newest outcome counts */
    uex_known_runs_add(runs, "", 99);       /* a command without a run */
    uex_known_runs_add(NULL, "x", 99);
    check_text(runs, 10, "new, middle, old");
    check_text(runs, 2, "new, middle and 1 more");
    assert_true(uex_known_runs_have(runs, "old"));
    assert_false(uex_known_runs_have(runs, "x"));
    free(runs);
}

static void add__more_than_there_are_places_for__keeps_the_newest(void **state)
{
    struct uex_known_runs *runs = calloc(1, sizeof(*runs));
    char name[16];

    (void)state;
    for (int i = 0; i < UEX_KNOWN_RUNS_MAX + 10; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        uex_known_runs_add(runs, name, 1000 + i);
    }
    uex_known_runs_add(runs, "older", 1);
    assert_int_equal(runs->count, UEX_KNOWN_RUNS_MAX);
    assert_false(uex_known_runs_have(runs, "older"));
    assert_false(uex_known_runs_have(runs, "r9"));
    assert_true(uex_known_runs_have(runs, "r10"));
    uex_known_runs_sort(runs);
    assert_string_equal(runs->items[0].run_id, name);
    free(runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__some_runs__newest_first_and_how_many_more),
        cmocka_unit_test(add__more_than_there_are_places_for__keeps_the_newest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
