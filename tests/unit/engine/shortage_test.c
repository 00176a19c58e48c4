/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that get no database connection wait; one of them at a time tries again. */
#include "engine_fixture.h"

static const struct uex_fault refused = {.error = UEX_DB_CONNECTIONS, .text = "too many clients"};
static bool waits, other_waits; /* is this thread among those that wait? */
static int64_t tried_ms;        /* when the other thread might try again */

static int open_world(void **state)
{
    waits = other_waits = false;
    tried_ms = 0;
    return fixture_open(state);
}

/* The thread is refused a connection, and waits until it may try again; how long. */
static int64_t refuse(bool *who)
{
    const int64_t began_ms = world.now_ms;

    uex_shortage_wait(&world.engine, who, &refused);
    return world.now_ms - began_ms;
}

/* A pause, times 0.8 to 1.2, seen to the next tenth of a second. */
static void assert_pause(int64_t waited_ms, int64_t pause_ms)
{
    assert_in_range(waited_ms, pause_ms * 8 / 10, pause_ms * 12 / 10 + 100);
}

static void wait__refused_again_and_again__pauses_grow_up_to_a_bound(void **state)
{
    (void)state;
    assert_pause(refuse(&waits), 300);
    assert_pause(refuse(&waits), 900);
    for (int i = 0; i < 5; i++)
        assert_pause(refuse(&waits), 2700);
    assert_true(waits);
    assert_int_equal(world.engine.synced.shortage.lane_count, 1);
}

static void other_is_refused(void)
{
    world.on_sleep = NULL;
    (void)refuse(&other_waits);
    tried_ms = world.now_ms;
}

/* They would compete for what both ask for. */
static void wait__two_threads__one_at_a_time_tries(void **state)
{
    (void)state;
    world.on_sleep = other_is_refused;
    (void)refuse(&waits);
    assert_int_equal(world.engine.synced.shortage.lane_count, 2);
    assert_true(tried_ms > 0);
    assert_pause(world.now_ms - tried_ms, 300);
}

static void other_is_connected(void)
{
    world.on_sleep = NULL;
    uex_shortage_end(&world.engine, &other_waits);
}

/* Perhaps there is one more connection. */
static void wait__another_thread_is_connected__tries_at_once_and_the_pauses_begin_anew(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)refuse(&other_waits);
        (void)refuse(&waits);
    }
    world.on_sleep = other_is_connected;
    assert_true(refuse(&waits) <= 100);
    assert_pause(refuse(&waits), 900); /* the second since */
    assert_int_equal(world.engine.synced.shortage.lane_count, 1);
}

static void wait__engine_drains__ends_at_once(void **state)
{
    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_DRAINING);
    for (int i = 0; i < 10; i++)
        assert_true(refuse(&waits) <= 100);
    assert_int_equal(world.engine.synced.shortage.lane_count, 1);
}

static void wait__first_thread__is_logged_once(void **state)
{
    (void)state;
    (void)refuse(&waits);
    (void)refuse(&waits);
    (void)refuse(&other_waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_SHORT], 1);
    assert_true(fixture_logged(UEX_EVENT_CONNECTIONS_SHORT, "waiting_lanes=1"));
    assert_true(fixture_logged(UEX_EVENT_CONNECTIONS_SHORT, "lanes=2"));
    assert_true(fixture_logged(UEX_EVENT_CONNECTIONS_SHORT, "code=database-connections"));
}

static void wait__every_thread__is_logged_once_a_minute(void **state)
{
    const int64_t began_ms = world.now_ms;

    (void)state;
    (void)refuse(&waits);
    (void)refuse(&other_waits);
    while (world.now_ms - began_ms < 55000)
        (void)refuse(&waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_NONE], 0);
    while (world.now_ms - began_ms < 150000)
        (void)refuse(&waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_NONE], 2);
}

/* The other thread works: that is no reason to tell anybody again. */
static void wait__one_thread_of_two__is_not_logged_again(void **state)
{
    const int64_t began_ms = world.now_ms;

    (void)state;
    while (world.now_ms - began_ms < 150000)
        (void)refuse(&waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_NONE], 0);
}

static void end__last_thread__is_logged_and_the_next_shortage_is_a_new_one(void **state)
{
    (void)state;
    (void)refuse(&waits);
    (void)refuse(&other_waits);
    uex_shortage_end(&world.engine, &waits);
    assert_false(waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_ENOUGH], 0);
    uex_shortage_end(&world.engine, &other_waits);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_ENOUGH], 1);
    assert_int_equal(world.engine.synced.shortage.lane_count, 0);
    assert_pause(refuse(&waits), 300);
    assert_int_equal(world.logged[UEX_EVENT_CONNECTIONS_SHORT], 2);
}

static void end__thread_that_does_not_wait__changes_nothing(void **state)
{
    (void)state;
    (void)refuse(&waits);
    uex_shortage_end(&world.engine, &other_waits);
    assert_int_equal(world.engine.synced.shortage.lane_count, 1);
}

/* No server takes part in it: no breaker opens, others are given work. */
static void wait__one_thread__another_is_given_the_command(void **state)
{
    struct uex_job_outcome job = {.error = UEX_DB_CONNECTIONS};
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    inflight = fixture_lane();
    uex_engine_give_back(&world.engine, inflight, &job, false);
    (void)refuse(&waits);
    assert_false(uex_breaker_is_open(&world.engine, UEX_DEPENDENCY_DATABASE));
    assert_ptr_equal(fixture_take(), inflight);
}

/* What an idle thread holds is given away sooner while another waits for it. */
static void take__nothing_to_do__is_idle_sooner_while_a_thread_waits(void **state)
{
    int64_t began_ms = world.now_ms;
    bool idle = false;

    (void)state;
    assert_null(uex_engine_take(&world.engine, &idle));
    assert_true(idle);
    assert_int_equal(world.now_ms - began_ms, UEX_LANE_IDLE_MS);
    (void)refuse(&waits);
    began_ms = world.now_ms;
    assert_null(uex_engine_take(&world.engine, &idle));
    assert_true(idle);
    assert_int_equal(world.now_ms - began_ms, UEX_LANE_IDLE_SHORT_MS);
}

int main(void)
{
#define SHORTAGE_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, fixture_close)
    const struct CMUnitTest tests[] = {
        SHORTAGE_TEST(wait__refused_again_and_again__pauses_grow_up_to_a_bound),
        SHORTAGE_TEST(wait__two_threads__one_at_a_time_tries),
        SHORTAGE_TEST(wait__another_thread_is_connected__tries_at_once_and_the_pauses_begin_anew),
        SHORTAGE_TEST(wait__engine_drains__ends_at_once),
        SHORTAGE_TEST(wait__first_thread__is_logged_once),
        SHORTAGE_TEST(wait__every_thread__is_logged_once_a_minute),
        SHORTAGE_TEST(wait__one_thread_of_two__is_not_logged_again),
        SHORTAGE_TEST(end__last_thread__is_logged_and_the_next_shortage_is_a_new_one),
        SHORTAGE_TEST(end__thread_that_does_not_wait__changes_nothing),
        SHORTAGE_TEST(wait__one_thread__another_is_given_the_command),
        SHORTAGE_TEST(take__nothing_to_do__is_idle_sooner_while_a_thread_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
