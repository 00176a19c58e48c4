/* SPDX-License-Identifier: Apache-2.0 */
/* Commands go to worker threads and come back: waits, and what comes back without an outcome. */
#include "engine_fixture.h"

static unsigned taken_seen;

static void note_taken(void *context, const struct uex_inflight *inflight)
{
    (void)context;
    assert_int_equal(inflight->state, UEX_INFLIGHT_RUNNING);
    taken_seen++;
}

/* One partition is assigned, restored, and its crash marker far ahead. */
static int open_world(void **state)
{
    (void)fixture_open(state);
    taken_seen = 0;
    world.engine.observer.taken = note_taken;
    fixture_begin_at(1, "uex1;n=1");
    uex_engine_input(&world.engine, 0, 0)->committed_until = 1000;
    return 0;
}

static void give_back(struct uex_inflight *inflight, enum uex_error error, bool is_break)
{
    struct uex_job_outcome job = {.error = error, .had_connection = is_break};

    uex_engine_give_back(&world.engine, inflight, &job, is_break);
}

/* ---- waits for a command */

static void take__engine_drains__ends_without_a_command(void **state)
{
    bool idle = true;

    (void)state;
    (void)fixture_command(0, 0, "g");
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_DRAINING);
    assert_null(uex_engine_take(&world.engine, NULL));
    assert_null(uex_engine_take(&world.engine, &idle));
    assert_false(idle);
    assert_int_equal(world.wait_count, 0);
}

static void command_arrives(void)
{
    world.on_wait = NULL;
    uex_engine_unlock(&world.engine); /* as a wait does */
    (void)fixture_command(0, 0, "g");
    uex_engine_lock(&world.engine);
}

static void take__command_arrives_while_it_waits__is_given_it(void **state)
{
    bool idle = true;

    (void)state;
    world.on_wait = command_arrives;
    assert_non_null(uex_engine_take(&world.engine, NULL));
    assert_int_equal(taken_seen, 1);
    world.on_wait = command_arrives; /* known already */
    assert_null(uex_engine_take(&world.engine, &idle));
    assert_true(idle);
    assert_int_equal(taken_seen, 1);
}

static void take__there_is_work__thread_is_not_idle(void **state)
{
    bool idle = true;

    (void)state;
    (void)fixture_command(0, 0, "g");
    assert_non_null(uex_engine_take(&world.engine, &idle));
    assert_false(idle);
    assert_int_equal(world.wait_count, 0);
}

/* ---- what comes back without an outcome */

static void give_back__however_often__keeps_the_order_and_is_never_charged(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "g");
    struct uex_inflight *second = fixture_command(0, 1, "g");

    (void)state;
    for (int i = 0; i < 3 * world.config.retry_crashes; i++) {
        assert_ptr_equal(fixture_take(), first);
        assert_null(fixture_take());
        give_back(first, UEX_DB_CONNECTIONS, false);
    }
    assert_int_equal(first->openings, 0);
    assert_int_equal(first->attempt, 1);
    assert_false(first->suspect);
    assert_int_equal(world.engine.synced.in_flight.running_count, 0);
    assert_null(world.engine.synced.outbox.first);
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_OK);
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), second);
}

static void give_back__connection_that_breaks_each_time__is_charged_in_the_end(void **state)
{
    struct uex_inflight *inflight = fixture_command(0, 0, "g");

    (void)state;
    for (int i = 0; i < world.config.retry_crashes; i++) {
        assert_int_equal(inflight->state, UEX_INFLIGHT_QUEUED);
        assert_ptr_equal(fixture_take(), inflight);
        give_back(inflight, UEX_DB_CONNECTIONS, false); /* refused in between */
        assert_ptr_equal(fixture_take(), inflight);
        give_back(inflight, UEX_DB_CONNECTIONS, true);
    }
    assert_false(inflight->suspect);
    assert_int_equal(inflight->state, UEX_INFLIGHT_ENDED);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
    assert_int_equal(inflight->outcome.fault.error, UEX_DB_CONNECTIONS);
}

static void give_back__partition_is_gone__is_forgotten(void **state)
{
    struct uex_inflight *inflight = fixture_command(0, 0, "g");

    (void)state;
    assert_ptr_equal(fixture_take(), inflight);
    world.is_lost = true;
    fixture_revoke();
    give_back(inflight, UEX_DB_CONNECTIONS, false);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_null(uex_group_table_find(&world.engine.synced.in_flight.groups, "g"));
}

static void give_back__cancelled_or_of_an_older_epoch__is_forgotten(void **state)
{
    struct uex_inflight *cancelled = fixture_command(0, 0, "a");
    struct uex_inflight *older = fixture_command(0, 1, "b");

    (void)state;
    assert_ptr_equal(fixture_take(), cancelled);
    assert_ptr_equal(fixture_take(), older);
    uex_cancel_request(&cancelled->cancel);
    older->epoch = 0;
    give_back(cancelled, UEX_DB_CONNECTIONS, false);
    give_back(older, UEX_DB_CONNECTIONS, false);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
}

static void finish__cancelled_meanwhile__outcome_is_dropped_and_the_group_goes_on(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "g");
    struct uex_inflight *second = fixture_command(0, 1, "g");

    (void)state;
    assert_ptr_equal(fixture_take(), first);
    uex_cancel_request(&first->cancel);
    fixture_finish(first, UEX_OK);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_ptr_equal(fixture_take(), second);
}

int main(void)
{
#define HANDOVER_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, fixture_close)
    const struct CMUnitTest tests[] = {
        HANDOVER_TEST(take__engine_drains__ends_without_a_command),
        HANDOVER_TEST(take__command_arrives_while_it_waits__is_given_it),
        HANDOVER_TEST(take__there_is_work__thread_is_not_idle),
        HANDOVER_TEST(give_back__however_often__keeps_the_order_and_is_never_charged),
        HANDOVER_TEST(give_back__connection_that_breaks_each_time__is_charged_in_the_end),
        HANDOVER_TEST(give_back__partition_is_gone__is_forgotten),
        HANDOVER_TEST(give_back__cancelled_or_of_an_older_epoch__is_forgotten),
        HANDOVER_TEST(finish__cancelled_meanwhile__outcome_is_dropped_and_the_group_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
