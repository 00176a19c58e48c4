/* SPDX-License-Identifier: Apache-2.0 */
/* What may run now: one command of a group at a time, in order, also over rebalances. */
#include "engine_fixture.h"

/* One partition is assigned, restored, and its crash marker far ahead. */
static int open_world(void **state)
{
    (void)fixture_open(state);
    fixture_begin_at(1, "uex1;n=1");
    uex_engine_input(&world.engine, 0, 0)->committed_until = 1000;
    return 0;
}

static void lose_and_assign(void)
{
    world.is_lost = true;
    fixture_revoke();
    fixture_assign(0, 1);
    fixture_restore();
    for (size_t input_topic = 0; input_topic < 2; input_topic++)
        uex_engine_input(&world.engine, input_topic, 0)->committed_until = 1000;
}

static const struct uex_group_entry *group(const char *group_id)
{
    return uex_group_table_find(&world.engine.synced.in_flight.groups, group_id);
}

/* ---- a group's commands, one at a time */

static void take__two_commands_of_a_group__second_waits_for_the_commit_of_the_first(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "g");
    struct uex_inflight *second = fixture_command(0, 1, "g");

    (void)state;
    assert_ptr_equal(fixture_take(), first);
    assert_null(fixture_take());
    fixture_finish(first, UEX_OK);
    assert_null(fixture_take()); /* ended, not committed */
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), second);
}

static void take__different_groups__run_side_by_side(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "a");
    struct uex_inflight *second = fixture_command(0, 1, "b");

    (void)state;
    assert_ptr_equal(fixture_take(), first);
    assert_ptr_equal(fixture_take(), second);
    assert_null(fixture_take());
}

static void take__retry_of_the_group_is_running__command_waits_for_its_commit(void **state)
{
    struct uex_inflight *retry = NULL, *command = NULL;

    (void)state;
    uex_engine_input(&world.engine, 1, 0)->committed_until = 1000;
    fixture_fetch(fixture_retry(0, 0, "g", 0));
    fixture_intake();
    command = fixture_command(0, 0, "g");
    retry = fixture_take();
    assert_int_equal(retry->input_topic, 1);
    assert_null(fixture_take());
    fixture_finish(retry, UEX_OK);
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), command);
}

static void take__transaction_of_the_first_fails__second_goes_on_waiting(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "g");

    (void)state;
    (void)fixture_command(0, 1, "g");
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_OK);
    world.commit_error = UEX_KAFKA;
    fixture_commits(2);
    assert_int_equal(world.commit_calls, 1);
    assert_null(fixture_take());
}

static void take__id_among_the_recent_ones__is_skipped_without_a_job(void **state)
{
    struct uex_inflight *inflight = NULL, *second = NULL;

    (void)state;
    inflight = fixture_command(0, 0, "g");
    second = fixture_command(0, 1, "g");
    assert_ptr_equal(fixture_take(), inflight);
    memcpy(second->command.command_id, inflight->command.command_id, UEX_UUID_TEXT_SIZE); /* it was sent twice */
    fixture_finish(inflight, UEX_OK);
    fixture_commits(2);
    assert_null(fixture_take());
    assert_int_equal(second->state, UEX_INFLIGHT_ENDED);
    assert_int_equal(second->outcome.skip, UEX_SKIP_DUPLICATE);
    assert_true(second->outcome.keeps_no_state);
    fixture_commits(1);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 2);
}

static void enqueue__before_the_restore__waits_for_it_in_order(void **state)
{
    struct uex_partition *partition = &world.engine.synced.partitions[0];
    struct uex_inflight *first = NULL, *second = NULL;

    (void)state;
    partition->restored = false;
    first = fixture_command(0, 0, "g");
    second = fixture_command(0, 1, "g");
    assert_null(fixture_take());
    uex_engine_lock(&world.engine);
    uex_dispatch_restored_synced(&world.engine, partition);
    uex_engine_unlock(&world.engine);
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_OK);
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), second);
}

/* A group whose command is not allowed yet does not hold up those behind it. */
static void take__first_group_waits_for_a_marker__others_pass_and_it_keeps_its_place(void **state)
{
    struct uex_inflight *far = fixture_command(0, 2000, "a");
    struct uex_inflight *retry = NULL;

    (void)state;
    uex_engine_input(&world.engine, 1, 0)->committed_until = 1000;
    for (int i = 0; i < 2; i++) {
        fixture_fetch(fixture_retry(0, i, i == 0 ? "b" : "c", 0));
        fixture_intake();
    }
    for (int i = 0; i < 2; i++) {
        retry = fixture_take();
        assert_non_null(retry);
        assert_int_equal(retry->input_topic, 1);
        assert_int_equal(retry->offset, i);
    }
    assert_null(fixture_take());
    uex_engine_input(&world.engine, 0, 0)->committed_until = 3000;
    (void)fixture_command(0, 2001, "d");
    assert_ptr_equal(fixture_take(), far);
}

/* Its topic was made anew: it needs neither a job nor a crash marker, which would reach far beyond the new log. */
static void take__cancelled_while_it_waited__is_dropped_and_the_group_goes_on(void **state)
{
    struct uex_inflight *old = fixture_command(0, 5000, "g");
    struct uex_inflight *behind = NULL, *other = NULL;

    (void)state;
    uex_engine_input(&world.engine, 1, 0)->committed_until = 1000;
    fixture_fetch(fixture_retry(0, 0, "g", 0));
    fixture_intake();
    uex_engine_lock(&world.engine);
    uex_reset_cancel_synced(&world.engine, 0, 0, 0);
    uex_engine_unlock(&world.engine);
    behind = fixture_take();
    assert_non_null(behind);
    assert_ptr_not_equal(behind, old);
    assert_int_equal(behind->input_topic, 1);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_int_equal(uex_engine_input(&world.engine, 0, 0)->refused_from, UEX_OFFSET_NONE);
    other = fixture_command(0, 5001, "h");
    uex_cancel_request(&other->cancel);
    assert_null(fixture_take());
    assert_null(group("h")); /* nothing is known of it, and nobody waits */
}

/* ---- over rebalances */

/* The other owner has finished it: the job is cancelled, but for a moment it still runs. */
static void take__cancelled_job_of_the_group_still_runs__next_command_waits_for_its_end(void **state)
{
    struct uex_inflight *cancelled = fixture_command(0, 0, "g");
    struct uex_inflight *next = NULL;

    (void)state;
    assert_ptr_equal(fixture_take(), cancelled);
    fixture_set_committed(COMMANDS, 0, 1, "uex1;n=1");
    lose_and_assign();
    assert_true(uex_cancel_requested(&cancelled->cancel));
    next = fixture_command(0, 1, "g");
    assert_null(fixture_take());
    fixture_finish(cancelled, UEX_CANCELLED);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_ptr_equal(fixture_take(), next);
}

static void take__job_of_the_group_is_adopted__next_command_waits_for_its_commit(void **state)
{
    struct uex_inflight *adopted = fixture_command(0, 0, "g");
    struct uex_inflight *next = NULL;

    (void)state;
    assert_ptr_equal(fixture_take(), adopted);
    lose_and_assign();
    assert_int_equal(world.adopted, 1);
    next = fixture_command(0, 1, "g");
    assert_null(fixture_take());
    fixture_finish(adopted, UEX_OK);
    assert_null(fixture_take());
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), next);
}

static void rebalance_during_the_commit(const char *step)
{
    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    lose_and_assign();
    fixture_fetch(fixture_retry(0, 0, "g", 0));
    fixture_intake();
    assert_null(fixture_take());
    assert_non_null(group("g")->first_waiting);
}

static void take__outcome_of_the_group_is_in_a_transaction__next_command_waits_for_its_end(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "g");
    struct uex_inflight *next = NULL;

    (void)state;
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_OK);
    world.on_step = rebalance_during_the_commit;
    fixture_commits(2);
    assert_null(world.on_step);
    next = fixture_take();
    assert_non_null(next);
    assert_int_equal(next->input_topic, 1);
}

static void drop_queued__running_stays__waiting_is_read_again(void **state)
{
    struct uex_inflight *running = fixture_command(0, 0, "g");

    (void)state;
    (void)fixture_command(0, 1, "g");
    (void)fixture_command(0, 2, "h");
    assert_ptr_equal(fixture_take(), running);
    world.engine.synced.partitions[0].restored = false;
    (void)fixture_command(0, 3, "i"); /* waits for a restore */
    uex_engine_lock(&world.engine);
    uex_dispatch_drop_queued_synced(&world.engine);
    uex_engine_unlock(&world.engine);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_null(world.engine.synced.partitions[0].first_waiting);
    assert_ptr_equal(group("g")->holder, running);
    assert_null(group("h")); /* nothing is known of it */
    world.engine.synced.partitions[0].restored = true;
    assert_null(fixture_take());
}

/* ---- when nothing is taken */

static void take__no_assignment__gives_nothing(void **state)
{
    (void)state;
    assert_non_null(fixture_command(0, 0, "g"));
    world.engine.synced.assignment = UEX_ASSIGNMENT_CLOSING;
    assert_null(fixture_take());
    world.engine.synced.assignment = UEX_ASSIGNMENT_FENCED; /* below the marker work goes on */
    assert_non_null(fixture_take());
}

static void take__too_many_outcomes_wait__gives_nothing(void **state)
{
    struct uex_inflight *ended = fixture_command(0, 0, "a");

    (void)state;
    world.engine.outcomes_max = 1;
    assert_ptr_equal(fixture_take(), ended);
    fixture_finish(ended, UEX_OK);
    assert_non_null(fixture_command(0, 1, "b"));
    assert_null(fixture_take());
    fixture_commits(2);
    assert_non_null(fixture_take());
}

/* ---- outcomes that wait */

static void withdraw__any_of_three__others_keep_their_order(void **state)
{
    (void)state;
    for (int gone = 0; gone < 3; gone++) {
        struct uex_inflight *all[3] = {0};
        struct uex_outbox *outbox = &world.engine.synced.outbox;

        for (int i = 0; i < 3; i++) {
            char id[8];

            (void)snprintf(id, sizeof(id), "g%d", 3 * gone + i);
            all[i] = fixture_command(0, 3 * gone + i, id);
            assert_ptr_equal(fixture_take(), all[i]);
            fixture_finish(all[i], UEX_OK);
        }
        uex_engine_lock(&world.engine);
        uex_dispatch_withdraw_synced(&world.engine, all[gone]);
        assert_int_equal(outbox->count, 2);
        assert_ptr_equal(outbox->first, gone == 0 ? all[1] : all[0]);
        assert_ptr_equal(outbox->last, gone == 2 ? all[1] : all[2]);
        assert_ptr_equal(outbox->first->next_outcome, outbox->last);
        uex_dispatch_withdraw_synced(&world.engine, all[gone]); /* it is not there any more */
        assert_int_equal(outbox->count, 2);
        uex_dispatch_release_synced(&world.engine, all[gone]);
        uex_engine_unlock(&world.engine);
        fixture_commits(2);
        assert_int_equal(outbox->count, 0);
        assert_null(outbox->last);
    }
}

/* ---- what is known by its place */

static void find__offsets_that_share_a_bucket__finds_each_until_it_is_released(void **state)
{
    struct uex_inflight *first = fixture_command(0, 5, "a");
    struct uex_inflight *far = fixture_command(0, 5 + UEX_PLACE_BUCKETS, "b");
    struct uex_engine *engine = &world.engine;

    (void)state;
    uex_engine_lock(engine);
    assert_ptr_equal(uex_dispatch_find_synced(engine, 0, 0, 5), first);
    assert_ptr_equal(uex_dispatch_find_synced(engine, 0, 0, 5 + UEX_PLACE_BUCKETS), far);
    assert_null(uex_dispatch_find_synced(engine, 1, 0, 5));
    assert_null(uex_dispatch_find_synced(engine, 0, 1, 5));
    assert_null(uex_dispatch_find_synced(engine, 0, 0, 6));
    uex_engine_unlock(engine);
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_CANCELLED);
    uex_engine_lock(engine);
    assert_null(uex_dispatch_find_synced(engine, 0, 0, 5));
    assert_ptr_equal(uex_dispatch_find_synced(engine, 0, 0, 5 + UEX_PLACE_BUCKETS), far);
    uex_engine_unlock(engine);
}

/* One that is cancelled, or that an assignment has given up, leaves room for its successor. */
static void find__given_up__finds_the_one_that_is_read_again(void **state)
{
    struct uex_inflight *cancelled = fixture_command(0, 0, "a");
    struct uex_inflight *lost = fixture_command(0, 1, "b");

    (void)state;
    assert_ptr_equal(fixture_take(), cancelled);
    assert_ptr_equal(fixture_take(), lost);
    uex_cancel_request(&cancelled->cancel);
    lost->verdict = UEX_VERDICT_LOST;
    for (int64_t offset = 0; offset < 2; offset++) {
        struct uex_inflight *again = uex_inflight_new(fixture_record(COMMANDS, 0, offset, "c", NULL), 0);

        uex_engine_lock(&world.engine);
        assert_null(uex_dispatch_find_synced(&world.engine, 0, 0, offset));
        uex_dispatch_add_synced(&world.engine, again);
        assert_ptr_equal(uex_dispatch_find_synced(&world.engine, 0, 0, offset), again);
        uex_dispatch_release_synced(&world.engine, offset == 0 ? cancelled : lost);
        assert_ptr_equal(uex_dispatch_find_synced(&world.engine, 0, 0, offset), again);
        uex_engine_unlock(&world.engine);
    }
}

/* The bound of the intake is on what is in flight. */
static void release__each_command__gives_its_bytes_back(void **state)
{
    struct uex_inflight *first = fixture_command(0, 0, "a");
    const size_t bytes = world.engine.synced.in_flight.bytes;

    (void)state;
    assert_int_equal(bytes, uex_inflight_size_bytes(first));
    (void)fixture_command(0, 1, "b");
    assert_int_equal(world.engine.synced.in_flight.bytes, 2 * bytes);
    assert_int_equal(world.engine.synced.in_flight.count, 2);
    assert_ptr_equal(fixture_take(), first);
    fixture_finish(first, UEX_OK);
    fixture_commits(2);
    assert_int_equal(world.engine.synced.in_flight.bytes, bytes);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
}

int main(void)
{
#define DISPATCH_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, fixture_close)
    const struct CMUnitTest tests[] = {
        DISPATCH_TEST(take__two_commands_of_a_group__second_waits_for_the_commit_of_the_first),
        DISPATCH_TEST(take__different_groups__run_side_by_side),
        DISPATCH_TEST(take__retry_of_the_group_is_running__command_waits_for_its_commit),
        DISPATCH_TEST(take__transaction_of_the_first_fails__second_goes_on_waiting),
        DISPATCH_TEST(take__id_among_the_recent_ones__is_skipped_without_a_job),
        DISPATCH_TEST(enqueue__before_the_restore__waits_for_it_in_order),
        DISPATCH_TEST(take__first_group_waits_for_a_marker__others_pass_and_it_keeps_its_place),
        DISPATCH_TEST(take__cancelled_while_it_waited__is_dropped_and_the_group_goes_on),
        DISPATCH_TEST(take__cancelled_job_of_the_group_still_runs__next_command_waits_for_its_end),
        DISPATCH_TEST(take__job_of_the_group_is_adopted__next_command_waits_for_its_commit),
        DISPATCH_TEST(take__outcome_of_the_group_is_in_a_transaction__next_command_waits_for_its_end),
        DISPATCH_TEST(drop_queued__running_stays__waiting_is_read_again),
        DISPATCH_TEST(take__no_assignment__gives_nothing),
        DISPATCH_TEST(take__too_many_outcomes_wait__gives_nothing),
        DISPATCH_TEST(withdraw__any_of_three__others_keep_their_order),
        DISPATCH_TEST(find__offsets_that_share_a_bucket__finds_each_until_it_is_released),
        DISPATCH_TEST(find__given_up__finds_the_one_that_is_read_again),
        DISPATCH_TEST(release__each_command__gives_its_bytes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
