/* SPDX-License-Identifier: Apache-2.0 */
/* What all threads share: what ends the program, and phases that go only forwards. */
#include "engine_fixture.h"

static void input__number_out_of_range__is_none(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(uex_engine_input(&world.engine, 1, 0));
    assert_null(uex_engine_input(&world.engine, 2, 0));
    assert_null(uex_engine_input(&world.engine, 0, 1));
    assert_null(uex_engine_input(&world.engine, 0, -1));
}

static void break__and_a_setting_is_refused__the_refusal_is_the_exit_code(void **state)
{
    (void)state;
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    uex_engine_break(&world.engine);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    uex_engine_refuse(&world.engine, "error", "mend");
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
    uex_engine_break(&world.engine);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
}

static void refuse__twice__is_logged_once_with_what_to_do(void **state)
{
    (void)state;
    uex_engine_refuse(&world.engine, "too-long", "shorten-it");
    uex_engine_refuse(&world.engine, "other", "other");
    assert_int_equal(world.logged[UEX_EVENT_CONFIG_REFUSED], 1);
    assert_true(fixture_logged(UEX_EVENT_CONFIG_REFUSED, "error=too-long"));
    assert_true(fixture_logged(UEX_EVENT_CONFIG_REFUSED, "mend=shorten-it"));
}

/* What follows from the first want of memory says nothing. */
static void out_of_memory__twice__the_first_is_reported(void **state)
{
    (void)state;
    assert_null(uex_engine_starved(&world.engine));
    uex_engine_lock(&world.engine);
    uex_engine_out_of_memory_synced(&world.engine, "a group");
    uex_engine_out_of_memory_synced(&world.engine, "a list");
    uex_engine_unlock(&world.engine);
    assert_string_equal(uex_engine_starved(&world.engine), "a group");
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
}

static void break__no_command_starts_any_more(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take()); /* asks for the crash marker */
    fixture_commits(3);
    uex_engine_break(&world.engine);
    assert_null(fixture_take());
}

static void advance__to_an_earlier_phase__changes_nothing(void **state)
{
    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_LEAVING);
    uex_engine_drain(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
}

int main(void)
{
#define SYNCED_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        SYNCED_TEST(input__number_out_of_range__is_none),
        SYNCED_TEST(break__and_a_setting_is_refused__the_refusal_is_the_exit_code),
        SYNCED_TEST(refuse__twice__is_logged_once_with_what_to_do),
        SYNCED_TEST(out_of_memory__twice__the_first_is_reported),
        SYNCED_TEST(break__no_command_starts_any_more),
        SYNCED_TEST(advance__to_an_earlier_phase__changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
