/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* One letter for each phase that may follow: the whole table, written a second time. */
static const char *const lifecycle_next[UEX_LIFECYCLE_COUNT] = {
    [UEX_LIFECYCLE_WORKING] = "DLS",
    [UEX_LIFECYCLE_DRAINING] = "LS",
    [UEX_LIFECYCLE_LEAVING] = "S",
    [UEX_LIFECYCLE_STOPPING] = "",
};
static const char lifecycle_letters[] = "WDLS";

static const char *const assignment_next[UEX_ASSIGNMENT_COUNT] = {
    [UEX_ASSIGNMENT_NONE] = "HF",   [UEX_ASSIGNMENT_HELD] = "FCE", [UEX_ASSIGNMENT_FENCED] = "E",
    [UEX_ASSIGNMENT_CLOSING] = "E", [UEX_ASSIGNMENT_ENDING] = "N",
};
static const char assignment_letters[] = "NHFCE";

static void lifecycle__every_pair__follows_the_table(void **state)
{
    (void)state;
    for (int from = 0; from < UEX_LIFECYCLE_COUNT; from++) {
        for (int to = 0; to < UEX_LIFECYCLE_COUNT; to++) {
            const bool legal = strchr(lifecycle_next[from], lifecycle_letters[to]) != NULL;
            enum uex_lifecycle phase = (enum uex_lifecycle)from;

            assert_int_equal(uex_lifecycle_may_follow(phase, (enum uex_lifecycle)to), legal);
            assert_int_equal(uex_lifecycle_advance(&phase, (enum uex_lifecycle)to), legal);
            assert_int_equal(phase, legal ? to : from);
        }
    }
}

static void assignment__every_pair__follows_the_table(void **state)
{
    (void)state;
    for (int from = 0; from < UEX_ASSIGNMENT_COUNT; from++) {
        for (int to = 0; to < UEX_ASSIGNMENT_COUNT; to++) {
            const bool legal = strchr(assignment_next[from], assignment_letters[to]) != NULL;
            enum uex_assignment phase = (enum uex_assignment)from;

            assert_int_equal(uex_assignment_may_follow(phase, (enum uex_assignment)to), legal);
            assert_int_equal(uex_assignment_advance(&phase, (enum uex_assignment)to), legal);
            assert_int_equal(phase, legal ? to : from);
        }
    }
}

/* A generation that the broker refused stays refused: no way leads from FENCED to a phase that commits. */
static void assignment__fenced__commits_nothing_before_the_next_assignment(void **state)
{
    (void)state;
    for (int to = 0; to < UEX_ASSIGNMENT_COUNT; to++) {
        if (uex_assignment_may_follow(UEX_ASSIGNMENT_FENCED, (enum uex_assignment)to))
            assert_false(uex_assignment_may_commit((enum uex_assignment)to));
    }
}

static void assignment__phases__start_and_commit_what_they_say(void **state)
{
    static const struct {
        enum uex_assignment phase;
        bool starts, commits;
    } rows[] = {
        {UEX_ASSIGNMENT_NONE, false, false},   {UEX_ASSIGNMENT_HELD, true, true},
        {UEX_ASSIGNMENT_FENCED, true, false},  {UEX_ASSIGNMENT_CLOSING, false, true},
        {UEX_ASSIGNMENT_ENDING, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(uex_assignment_may_start(rows[i].phase), rows[i].starts);
        assert_int_equal(uex_assignment_may_commit(rows[i].phase), rows[i].commits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifecycle__every_pair__follows_the_table),
        cmocka_unit_test(assignment__every_pair__follows_the_table),
        cmocka_unit_test(assignment__fenced__commits_nothing_before_the_next_assignment),
        cmocka_unit_test(assignment__phases__start_and_commit_what_they_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
