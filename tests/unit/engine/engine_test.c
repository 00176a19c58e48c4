/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life: its bounds, how it is made, and what the worker waits for on the way to the end. */
#include "failing_memory.h"

#include "engine_fixture.h"

static struct uex_inflight *running_command(void)
{
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    return fixture_lane();
}

static size_t outcomes_with(int64_t rate, int64_t lanes)
{
    static struct uex_engine engine;
    const struct uex_config config = {.producer_rate = rate, .export_lanes = (int)lanes};
    size_t most = 0;

    uex_engine_init(&engine, &config);
    most = engine.outcomes_max;
    uex_engine_close(&engine);
    return most;
}

/* All outcomes that wait are suspects if the worker dies: one batch, or what the rate lets out in a second. */
static void init__outcomes_that_may_wait__are_one_batch_or_one_second(void **state)
{
    (void)state;
    assert_int_equal(outcomes_with(0, 4), 500);
    assert_int_equal(outcomes_with(1000, 4), 500);
    assert_int_equal(outcomes_with(100, 4), 100);
    assert_int_equal(outcomes_with(1, 4), 4); /* each worker thread may bring one */
}

static struct uex_inflight *runs;

static void finish_while_waiting(void)
{
    if (world.sleep_count == 3)
        fixture_finish(runs, UEX_OK);
}

static void await_jobs__job_ends__returns_then(void **state)
{
    const int64_t started_ms = world.now_ms;

    (void)state;
    assert_true(uex_engine_await_jobs(&world.engine, 0)); /* none runs */
    runs = running_command();
    world.now_ms = started_ms;
    world.on_sleep = finish_while_waiting;
    assert_true(uex_engine_await_jobs(&world.engine, 60000));
    assert_true(world.now_ms - started_ms < 1000);
}

static void await_jobs__job_does_not_end__returns_in_time(void **state)
{
    int64_t started_ms = 0;

    (void)state;
    assert_non_null(running_command());
    started_ms = world.now_ms;
    assert_false(uex_engine_await_jobs(&world.engine, 3000));
    assert_true(world.now_ms - started_ms >= 3000 && world.now_ms - started_ms < 3100);
}

static void commit_while_waiting(void)
{
    if (world.sleep_count == 3)
        fixture_commits(3);
}

static void await_commits__outcome_waits__returns_when_it_is_committed(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    assert_false(uex_engine_await_commits(&world.engine, 0));
    world.sleep_count = 0;
    world.on_sleep = commit_while_waiting;
    assert_true(uex_engine_await_commits(&world.engine, 60000));
    assert_int_equal(world.committed_seen, 1);
}

static bool is_committed_in_transaction;

static void look_in_transaction(const char *step)
{
    if (strcmp(step, "commit") == 0)
        is_committed_in_transaction = uex_engine_await_commits(&world.engine, 0);
}

/* The outbox is empty then, and yet the outcome may come back. */
static void await_commits__transaction_is_running__is_not_committed_yet(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    is_committed_in_transaction = true;
    world.on_step = look_in_transaction;
    fixture_commits(3);
    assert_false(is_committed_in_transaction);
    assert_true(uex_engine_await_commits(&world.engine, 0));
}

static void abandon_jobs__some_run__those_are_cancelled(void **state)
{
    struct uex_inflight *first = running_command(), *waits = NULL;

    (void)state;
    waits = fixture_command(0, 1, "h");
    assert_int_equal(uex_engine_abandon_jobs(&world.engine), 1);
    assert_true(uex_cancel_requested(&first->cancel));
    assert_false(uex_cancel_requested(&waits->cancel));
    fixture_finish(first, UEX_CANCELLED);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0); /* the next owner runs it again */
}

static void leave_and_stop__threads_were_never_started__return(void **state)
{
    (void)state;
    uex_engine_leave(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    uex_engine_stop(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_STOPPING);
    assert_int_equal(world.close_calls, 0);
}

/* The phase is the last one already, so both threads end at once. */
static void start__then_leave_and_stop__threads_have_left_the_group_and_ended(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_STOPPING);
    assert_int_equal(uex_engine_start(&world.engine, &fault), UEX_OK);
    uex_engine_leave(&world.engine);
    assert_int_equal(world.close_calls, 1);
    uex_engine_stop(&world.engine);
    uex_engine_leave(&world.engine);
    uex_engine_stop(&world.engine);
    assert_int_equal(world.close_calls, 1);
}

static enum uex_error make_with(const char *property, const char *value)
{
    struct uex_kafka_property properties[] = {{.name = (char *)(uintptr_t)property, .value = (char *)(uintptr_t)value}};
    const struct uex_config config = {
        .kafka_group_id = (char *)GROUP, .kafka = properties, .kafka_count = 1, .export_lanes = 1};
    const struct uex_engine_observer observer = {.committed = fixture_on_committed};
    struct uex_engine *engine = NULL;
    struct uex_fault fault = {0};
    const enum uex_error error = uex_engine_new(&config, &observer, &engine, &fault);

    assert_non_null(engine);
    assert_ptr_equal(engine->observer.committed, fixture_on_committed);
    uex_engine_free(engine);
    return error;
}

static void new__brokers_are_not_there__is_made(void **state)
{
    (void)state;
    assert_int_equal(make_with("bootstrap.servers", "127.0.0.1:1"), UEX_OK);
    uex_engine_free(NULL);
}

static void new__property_is_refused__is_an_error(void **state)
{
    (void)state;
    assert_int_equal(make_with("no.such.property", "1"), UEX_CONFIG);
}

static void new__no_memory__is_an_error(void **state)
{
    const struct uex_config config = {0};
    struct uex_engine *engine = NULL;
    struct uex_fault fault = {0};
    enum uex_error error = UEX_OK;

    (void)state;
    uex_torture_from(1);
    error = uex_engine_new(&config, NULL, &engine, &fault);
    uex_torture.armed = false;
    assert_int_equal(error, UEX_NO_MEMORY);
    assert_null(engine);
    uex_engine_free(engine);
}

int main(void)
{
#define ENGINE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(init__outcomes_that_may_wait__are_one_batch_or_one_second),
        ENGINE_TEST(await_jobs__job_ends__returns_then),
        ENGINE_TEST(await_jobs__job_does_not_end__returns_in_time),
        ENGINE_TEST(await_commits__outcome_waits__returns_when_it_is_committed),
        ENGINE_TEST(await_commits__transaction_is_running__is_not_committed_yet),
        ENGINE_TEST(abandon_jobs__some_run__those_are_cancelled),
        ENGINE_TEST(leave_and_stop__threads_were_never_started__return),
        ENGINE_TEST(start__then_leave_and_stop__threads_have_left_the_group_and_ended),
        ENGINE_TEST(new__brokers_are_not_there__is_made),
        ENGINE_TEST(new__property_is_refused__is_an_error),
        ENGINE_TEST(new__no_memory__is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
