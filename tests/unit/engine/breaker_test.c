/* SPDX-License-Identifier: Apache-2.0 */
/* Circuit breakers: while a dependency is unavailable nothing starts and nobody is charged; who is running at each
 * opening is charged in the end. */
#include "engine_fixture.h"

static const struct uex_fault outage = {.error = UEX_DB_UNAVAILABLE, .text = "connection refused"};

static void open_breaker(void)
{
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_DATABASE, &outage));
}

static void close_breaker(void)
{
    uex_breaker_close(&world.engine, UEX_DEPENDENCY_DATABASE);
}

/* The job failed, and the neutral probe too: the breaker opens, the command goes back, the probe succeeds at last. */
static void fail_for_everybody(struct uex_inflight *inflight)
{
    struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE, .fault = outage};

    open_breaker();
    uex_engine_return(&world.engine, inflight, &job);
    close_breaker();
}

static void dependency__each_error__is_named_by_where_it_comes_from(void **state)
{
    static const struct {
        enum uex_error error;
        enum uex_dependency dependency;
    } others[] = {
        {UEX_DB_DATA, UEX_DEPENDENCY_NONE}, /* of this group's rows; a probe says nothing of them */
    };

    (void)state;
    for (int error = 0; error < UEX_ERROR_COUNT; error++) {
        const char *code = uex_error_code((enum uex_error)error);
        enum uex_dependency expected = strncmp(code, "database-", 9) == 0 ? UEX_DEPENDENCY_DATABASE
                                       : strncmp(code, "store-", 6) == 0  ? UEX_DEPENDENCY_STORE
                                                                          : UEX_DEPENDENCY_NONE;

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            if ((int)others[i].error == error)
                expected = others[i].dependency;
        }
        if (uex_breaker_dependency((enum uex_error)error) != expected)
            fail_msg("%s", code);
    }
}

/* What fails for everybody must never be charged to the command that met it first. */
static void dependency__error_of_an_outage__always_has_one(void **state)
{
    (void)state;
    for (int error = 0; error < UEX_ERROR_COUNT; error++) {
        if (uex_error_disposition((enum uex_error)error) == UEX_DISPOSITION_OUTAGE)
            assert_int_not_equal(uex_breaker_dependency((enum uex_error)error), UEX_DEPENDENCY_NONE);
    }
}

static void text__each_dependency__is_what_metrics_and_logs_call_it(void **state)
{
    (void)state;
    assert_string_equal(uex_breaker_text(UEX_DEPENDENCY_DATABASE), "postgres");
    assert_string_equal(uex_breaker_text(UEX_DEPENDENCY_STORE), "store");
}

/* Only the thread that opened it probes. */
static void open__already_open__is_the_first_callers(void **state)
{
    (void)state;
    world.now_ms = 5000;
    open_breaker();
    world.now_ms = 6000;
    assert_false(uex_breaker_open(&world.engine, UEX_DEPENDENCY_DATABASE, &outage));
    assert_int_equal(world.engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open_count, 1);
    assert_int_equal(world.engine.synced.breakers[UEX_DEPENDENCY_DATABASE].opened_ms, 5000);
    assert_int_equal(world.engine.synced.breakers[UEX_DEPENDENCY_DATABASE].opened_at_ms, STARTED_WALL_MS + 5000);
    assert_int_equal(world.engine.synced.breakers[UEX_DEPENDENCY_DATABASE].error, UEX_DB_UNAVAILABLE);
    assert_int_equal(world.logged[UEX_EVENT_BREAKER_OPEN], 1);
    assert_true(fixture_logged(UEX_EVENT_BREAKER_OPEN, "dependency=postgres"));
    assert_true(fixture_logged(UEX_EVENT_BREAKER_OPEN, "code=database-unavailable"));
    close_breaker();
    assert_true(fixture_logged(UEX_EVENT_BREAKER_CLOSED, "open_ms=1000"));
    open_breaker();
    assert_int_equal(world.engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open_count, 2);
}

static void open__one_dependency__the_other_is_not_touched(void **state)
{
    (void)state;
    open_breaker();
    assert_true(uex_breaker_is_open(&world.engine, UEX_DEPENDENCY_DATABASE));
    assert_false(uex_breaker_is_open(&world.engine, UEX_DEPENDENCY_STORE));
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_STORE, &outage));
    close_breaker();
    assert_false(uex_breaker_is_open(&world.engine, UEX_DEPENDENCY_DATABASE));
    assert_true(uex_breaker_is_open(&world.engine, UEX_DEPENDENCY_STORE));
}

static void open__either_dependency__nothing_is_taken_until_both_are_closed(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    first = fixture_command(0, 0, "a");
    second = fixture_command(0, 1, "b");
    assert_ptr_equal(fixture_lane(), first); /* the marker allows the second, too */
    open_breaker();
    assert_null(fixture_take());
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_STORE, &outage));
    close_breaker();
    assert_null(fixture_take());
    uex_breaker_close(&world.engine, UEX_DEPENDENCY_STORE);
    assert_ptr_equal(fixture_take(), second);
}

static void open__a_job_is_running__goes_on_and_its_outcome_is_committed(void **state)
{
    struct uex_inflight *running = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    running = fixture_lane();
    open_breaker();
    assert_false(uex_cancel_requested(&running->cancel));
    fixture_finish(running, UEX_OK);
    fixture_commits(1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

static void open__intake__pauses_until_it_is_closed(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    open_breaker();
    fixture_intake();
    assert_true(world.engine.membership.backpressured);
    assert_int_equal(world.paused->cnt, 2); /* both topics */
    close_breaker();
    fixture_intake();
    assert_false(world.engine.membership.backpressured);
    assert_int_equal(world.resumed->cnt, 2);
}

static void return__first_opening__command_is_first_in_its_group_and_not_charged(void **state)
{
    struct uex_inflight *first = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    first = fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "a");
    assert_ptr_equal(fixture_lane(), first);
    fail_for_everybody(first);
    assert_int_equal(first->attempt, 1);
    assert_false(first->suspect);
    assert_int_equal(world.engine.synced.in_flight.running_count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_ptr_equal(fixture_take(), first);
    assert_null(fixture_take());
}

/* It was there twice: alone it shows whether it is the cause, and the others clear themselves. */
static void return__second_opening__command_runs_exclusively(void **state)
{
    struct uex_inflight *first = NULL, *other = NULL, *behind = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    first = fixture_command(0, 0, "a");
    behind = fixture_command(0, 1, "a");
    other = fixture_command(0, 2, "b");
    assert_ptr_equal(fixture_lane(), first);
    fail_for_everybody(first);
    assert_ptr_equal(fixture_take(), other); /* it was ready before */
    fixture_finish(other, UEX_OK);
    fixture_commits(1);
    assert_ptr_equal(fixture_take(), first);
    fail_for_everybody(first);
    assert_true(first->suspect);
    assert_ptr_equal(fixture_lane(), first);
    assert_true(fixture_logged(UEX_EVENT_POISON_SUSPECTED, "cause=breaker"));
    assert_ptr_equal(world.engine.synced.poison.exclusive, first);
    assert_null(fixture_take());
    fixture_finish(first, UEX_OK);
    fixture_commits(1);
    assert_ptr_equal(fixture_lane(), behind);
}

static void return__retry_crashes_openings__command_is_charged(void **state)
{
    struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE, .fault = outage};
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    inflight = fixture_command(0, 0, "a");
    for (int i = 1; i < world.config.retry_crashes; i++) {
        assert_ptr_equal(fixture_lane(), inflight);
        fail_for_everybody(inflight);
        assert_int_equal(world.engine.synced.outbox.count, 0);
    }
    assert_ptr_equal(fixture_lane(), inflight);
    open_breaker();
    uex_engine_return(&world.engine, inflight, &job);
    assert_int_equal(inflight->state, UEX_INFLIGHT_ENDED);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
    assert_int_equal(inflight->outcome.fault.error, UEX_DB_UNAVAILABLE);
    fixture_commits(1); /* outcomes are committed while a breaker is open */
    assert_int_equal(fixture_committed_records(RETRIES), 1);
    assert_string_equal(fixture_committed_text(COMMANDS, 0), "uex1;n=1;u=17");
}

/* It never gets as far as locking its group again. */
static void return__suspect_is_cancelled__those_behind_it_go_on(void **state)
{
    struct uex_inflight *first = NULL, *behind = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    first = fixture_command(0, 0, "a");
    behind = fixture_command(0, 1, "a");
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(fixture_lane(), first);
        fail_for_everybody(first);
    }
    uex_cancel_request(&first->cancel);
    assert_ptr_equal(fixture_lane(), behind);
}

/* Several suspects by the breaker: each is run by itself, the last that came back first. */
static void return__several_commands_at_each_opening__run_one_at_a_time(void **state)
{
    struct uex_inflight *both[2] = {0}, *again[2] = {0};

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "b");
    for (int opening = 0; opening < 2; opening++) {
        both[0] = fixture_lane();
        both[1] = fixture_lane();
        for (int i = 0; i < 2; i++) {
            struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE, .fault = outage};

            uex_engine_return(&world.engine, both[i], &job);
        }
    }
    again[0] = fixture_lane();
    assert_ptr_equal(again[0], both[1]);
    assert_null(fixture_take());
    fixture_finish(again[0], UEX_OK);
    fixture_commits(1);
    again[1] = fixture_lane();
    assert_ptr_equal(again[1], both[0]);
    fixture_finish(again[1], UEX_OK);
    fixture_commits(1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 2);
}

int main(void)
{
#define BREAKER_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dependency__each_error__is_named_by_where_it_comes_from),
        cmocka_unit_test(dependency__error_of_an_outage__always_has_one),
        cmocka_unit_test(text__each_dependency__is_what_metrics_and_logs_call_it),
        BREAKER_TEST(open__already_open__is_the_first_callers),
        BREAKER_TEST(open__one_dependency__the_other_is_not_touched),
        BREAKER_TEST(open__either_dependency__nothing_is_taken_until_both_are_closed),
        BREAKER_TEST(open__a_job_is_running__goes_on_and_its_outcome_is_committed),
        BREAKER_TEST(open__intake__pauses_until_it_is_closed),
        BREAKER_TEST(return__first_opening__command_is_first_in_its_group_and_not_charged),
        BREAKER_TEST(return__second_opening__command_runs_exclusively),
        BREAKER_TEST(return__retry_crashes_openings__command_is_charged),
        BREAKER_TEST(return__suspect_is_cancelled__those_behind_it_go_on),
        BREAKER_TEST(return__several_commands_at_each_opening__run_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
