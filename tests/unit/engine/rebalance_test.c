/* SPDX-License-Identifier: Apache-2.0 */
/* Assignments and revokes: which assignment counts, what is adopted, what a revoke waits for. */
#include "engine_fixture.h"

static bool is_held(void)
{
    return world.engine.synced.assignment == UEX_ASSIGNMENT_HELD;
}

static void assign__coordinator_names_the_partitions__epoch_begins_at_the_committed_offsets(void **state)
{
    (void)state;
    world.command_partitions = 2;
    fixture_set_committed(COMMANDS, 1, 7, "uex1;n=2");
    fixture_assign(0, 2);
    assert_true(is_held());
    assert_int_equal(world.engine.synced.epoch, 1);
    assert_int_equal(world.assigned->cnt, 4);
    assert_int_equal(rd_kafka_topic_partition_list_find(world.assigned, COMMANDS, 1)->offset, 7);
    assert_int_equal(rd_kafka_topic_partition_list_find(world.assigned, COMMANDS, 0)->offset,
                     RD_KAFKA_OFFSET_BEGINNING);
    assert_int_equal(world.rebalanced_seen, 1);
}

/* An assignment that is looked at late was captured with a later generation; the broker would believe it. */
static void assign__coordinator_names_others__is_answered_with_nothing(void **state)
{
    (void)state;
    world.holds = false;
    fixture_assign(0, 1);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_NONE);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assign_calls, 1);
    assert_int_equal(world.assigned->cnt, 0);
    assert_true(world.engine.membership.resubscribe_at_ms > world.now_ms);
}

static void assign__coordinator_is_silent_for_long__worker_rejoins(void **state)
{
    const int64_t started_ms = world.now_ms;

    (void)state;
    world.confirm_error = UEX_KAFKA_UNAVAILABLE;
    fixture_assign(0, 1);
    assert_null(world.assigned);
    world.now_ms = started_ms + 20001;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.assigned->cnt, 0);
    assert_int_equal(world.engine.membership.passed_over_count, 1);
}

/* A previous owner's transaction is open: its offsets may still move. */
static void assign__offsets_not_stable_yet__waits_for_them(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    assert_false(is_held());
    assert_int_equal(world.assign_calls, 0);
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    fixture_set_committed(COMMANDS, 0, 3, "uex1;n=1");
    uex_rebalance_continue(&world.engine);
    assert_true(is_held());
    assert_int_equal(rd_kafka_topic_partition_list_find(world.assigned, COMMANDS, 0)->offset, 3);
}

static void command__exported__outcome_and_offset_are_committed_together(void **state)
{
    struct uex_delivery *delivery = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take()); /* its crash marker is not committed yet */
    fixture_commits(3);
    delivery = fixture_take();
    assert_non_null(delivery);
    fixture_finish(delivery, UEX_OK);
    fixture_commits(3);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_int_equal(world.committed_seen, 1);
}

int main(void)
{
#define REBALANCE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        REBALANCE_TEST(assign__coordinator_names_the_partitions__epoch_begins_at_the_committed_offsets),
        REBALANCE_TEST(assign__coordinator_names_others__is_answered_with_nothing),
        REBALANCE_TEST(assign__coordinator_is_silent_for_long__worker_rejoins),
        REBALANCE_TEST(assign__offsets_not_stable_yet__waits_for_them),
        REBALANCE_TEST(command__exported__outcome_and_offset_are_committed_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
