/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ask.h"

static struct uex_closest consider(const char *wanted, const char *const *ids)
{
    struct uex_closest closest = {.wanted = wanted};

    for (; *ids != NULL; ids++)
        uex_closest_take(&closest, *ids);
    return closest;
}

#define CONSIDER(wanted, ...) consider(wanted, (const char *const[]){__VA_ARGS__, NULL})

static void closest__other_case_or_a_few_letters__are_found_closest_first(void **state)
{
    struct uex_closest found =
        CONSIDER("Bengaluru-Pro", "bengalru-pro", "delhi", "bengaluru-pro", "bengaluru-prime", "bengaluru-pro-2");

    (void)state;
    assert_int_equal(found.count, 3);
    assert_string_equal(found.ids[0], "bengaluru-pro");
    assert_string_equal(found.ids[1], "bengalru-pro");
    assert_string_equal(found.ids[2], "bengaluru-pro-2");
    found = CONSIDER("g-71", "g-17", "g-7", "g-700", "x");
    assert_int_equal(found.count, 3);
    assert_string_equal(found.ids[0], "g-7");
}

static void closest__nothing_is_near__is_none(void **state)
{
    static char long_id[300];
    struct uex_closest found = CONSIDER("g-1", "h-22", "group-1", "");

    (void)state;
    assert_int_equal(found.count, 0);
    memset(long_id, 'x', sizeof(long_id) - 1);
    found = CONSIDER("xxx", long_id);
    assert_int_equal(found.count, 0);
    found = CONSIDER(long_id, "xxx", long_id);
    assert_int_equal(found.count, 0);
}

/* cmocka gives no terminal. */
static void ask__without_a_terminal__goes_on(void **state)
{
    char group[] = "g", dsn[] = "postgresql://u@127.0.0.1:1/x";
    char *groups[] = {group};
    const struct uex_config config = {.postgres_dsn = dsn};

    (void)state;
    if (!uex_can_ask())
        assert_true(uex_ask_for_unknown_groups(&config, 1, groups, "?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closest__other_case_or_a_few_letters__are_found_closest_first),
        cmocka_unit_test(closest__nothing_is_near__is_none),
        cmocka_unit_test(ask__without_a_terminal__goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
