/* SPDX-License-Identifier: Apache-2.0 */
/* Assignments and revokes: which assignment counts, under which metadata offsets are sent, what a revoke waits for. */
#include "engine_fixture.h"
#include "kafka/group_metadata.h"

#define REJOIN_AFTER_MS 5000
#define ANOTHER_WITHIN_MS (6 * 60 * 1000)

static bool is_held(void)
{
    return world.engine.synced.assignment == UEX_ASSIGNMENT_HELD;
}

static int64_t assigned_offset(const char *topic, int32_t partition)
{
    return rd_kafka_topic_partition_list_find(world.assigned, topic, partition)->offset;
}

static bool has_open_mark(void)
{
    return strstr(fixture_committed_text(COMMANDS, 0), ";u=") != NULL;
}

/* One partition; the first command was read, its crash marker is committed, and it runs. */
static struct uex_inflight *running_command(void)
{
    struct uex_inflight *inflight = NULL;

    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take()); /* asks for the crash marker */
    fixture_commits(3);
    assert_true(has_open_mark());
    inflight = fixture_take();
    assert_non_null(inflight);
    return inflight;
}

/* ---- which assignment counts */

static void assign__coordinator_names_the_partitions__epoch_begins_at_the_committed_offsets(void **state)
{
    (void)state;
    world.command_partitions = 2;
    fixture_set_committed(COMMANDS, 1, 7, "uex1;n=2");
    fixture_assign(0, 2);
    assert_true(is_held());
    assert_int_equal(world.engine.synced.epoch, 1);
    assert_int_equal(world.assigned->cnt, 4);
    assert_int_equal(assigned_offset(COMMANDS, 1), 7);
    assert_int_equal(assigned_offset(COMMANDS, 0), RD_KAFKA_OFFSET_BEGINNING);
    assert_int_equal(world.rebalanced_seen, 1);
    assert_true(fixture_logged(UEX_EVENT_PARTITIONS_ASSIGNED, "numbers=0-1"));
    assert_true(fixture_logged(UEX_EVENT_PARTITIONS_ASSIGNED, "generation=1"));
}

static void assign__numbers_with_a_gap__are_logged_as_ranges(void **state)
{
    static const int32_t numbers[] = {0, 1, 3};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    (void)state;
    world.command_partitions = 5;
    for (size_t i = 0; i < 3; i++) {
        (void)rd_kafka_topic_partition_list_add(list, COMMANDS, numbers[i]);
        (void)rd_kafka_topic_partition_list_add(list, RETRIES, numbers[i]);
    }
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_true(fixture_logged(UEX_EVENT_PARTITIONS_ASSIGNED, "numbers=0-1,3"));
}

/* An assignment that is looked at late was captured with a later generation; the broker would believe it. */
static void assign__coordinator_names_others__is_answered_with_nothing(void **state)
{
    (void)state;
    world.holds = false;
    fixture_assign(0, 1);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_NONE);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.committed_calls, 0);
    assert_int_equal(world.assign_calls, 1);
    assert_int_equal(world.assigned->cnt, 0);
    assert_null(world.engine.membership.pending);
    assert_int_equal(fixture_rejoins_in_ms(), ANOTHER_WITHIN_MS);
}

/* The group is being assigned anew: the worker asks for its own place again, and does not leave. */
static void assign__passed_over_and_no_other_follows__rejoins_without_leaving(void **state)
{
    (void)state;
    world.holds = false;
    fixture_assign(0, 1);
    world.now_ms += ANOTHER_WITHIN_MS - 1000;
    fixture_intake();
    assert_int_equal(world.subscribe_calls, 0);
    world.now_ms += 1000;
    fixture_intake();
    assert_int_equal(world.subscribe_calls, 1);
    assert_int_equal(world.leave_calls, 0);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
}

static void assign__stands_after_some_were_passed_over__rejoin_is_called_off(void **state)
{
    (void)state;
    world.holds = false;
    for (int i = 0; i < 4; i++)
        fixture_assign(0, 1);
    assert_int_equal(world.lines[UEX_EVENT_ASSIGNMENT_OUTDATED].level, UEX_LOG_INFO); /* as in any rolling update */
    fixture_assign(0, 1);
    assert_int_equal(world.lines[UEX_EVENT_ASSIGNMENT_OUTDATED].level, UEX_LOG_WARN);
    assert_int_equal(world.engine.membership.passed_over_count, 5);
    world.holds = true;
    fixture_assign(0, 1);
    assert_true(is_held());
    assert_int_equal(world.engine.membership.passed_over_count, 0);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
}

/* The coordinator is not asked about metadata that are nobody's: brokers take offsets under them unchecked. */
static void assign__membership_is_lost_already__is_answered_with_nothing(void **state)
{
    (void)state;
    world.has_no_metadata = true;
    fixture_assign(0, 1);
    assert_int_equal(world.confirm_calls, 0);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assigned->cnt, 0);
}

static void assign__coordinator_is_silent_for_long__worker_rejoins(void **state)
{
    (void)state;
    world.confirm_error = UEX_KAFKA_UNAVAILABLE;
    fixture_assign(0, 1);
    world.now_ms += 20000;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.assign_calls, 0); /* it may still answer */
    world.now_ms += 1;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.assigned->cnt, 0);
    assert_int_equal(world.engine.membership.passed_over_count, 1);
    assert_int_equal(fixture_rejoins_in_ms(), REJOIN_AFTER_MS);
    assert_int_equal(world.logged[UEX_EVENT_ASSIGNMENT_UNCONFIRMED], 1);
}

/* The 20 s are those of one silence, not of the wait for stable offsets before it. */
static void assign__coordinator_is_silent_after_answers__has_20_s_again(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    world.now_ms += 60000;
    uex_rebalance_continue(&world.engine);
    world.confirm_error = UEX_KAFKA_UNAVAILABLE;
    world.now_ms += 20000;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.assign_calls, 0);
    world.confirm_error = UEX_OK;
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uex_rebalance_continue(&world.engine);
    assert_true(is_held());
}

/* ---- committed offsets */

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
    assert_int_equal(assigned_offset(COMMANDS, 0), 3);
}

static void assign__offset_of_one_partition_not_stable_yet__waits_for_it(void **state)
{
    (void)state;
    world.committed_element_code = RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    fixture_assign(0, 1);
    assert_int_equal(world.assign_calls, 0);
    world.committed_element_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uex_rebalance_continue(&world.engine);
    assert_true(is_held());
}

/* While the offsets are waited for the group may move on. */
static void assign__coordinator_names_others_before_offsets_are_stable__is_answered_with_nothing(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.holds = false;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assigned->cnt, 0);
}

static void assign__offsets_not_stable_for_long__says_so_every_10_s(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    for (int second = 0; second < 10; second++) {
        world.now_ms += 1000;
        uex_rebalance_continue(&world.engine);
    }
    assert_int_equal(world.logged[UEX_EVENT_OFFSETS_UNKNOWN], 0);
    for (int second = 0; second < 12; second++) {
        world.now_ms += 1000;
        uex_rebalance_continue(&world.engine);
    }
    assert_int_equal(world.logged[UEX_EVENT_OFFSETS_UNKNOWN], 2);
}

static void assign__partition_count_unknown__waits_for_it(void **state)
{
    (void)state;
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    fixture_assign(0, 1);
    assert_int_equal(world.assign_calls, 0);
    world.count_error = UEX_OK;
    uex_rebalance_continue(&world.engine);
    assert_true(is_held());
}

/* The topic has grown, and the broker that was asked has not heard of it: by its count partition 1 is no partition. */
static void assign__broker_knows_fewer_partitions_than_assigned__asks_again(void **state)
{
    (void)state;
    world.command_partitions = 1;
    fixture_assign(0, 2);
    assert_int_equal(world.assign_calls, 0);
    world.command_partitions = 2;
    uex_rebalance_continue(&world.engine);
    assert_true(is_held());
    assert_int_equal(world.engine.synced.partition_count, 2);
}

/* A retry topic may have more partitions than the command topic; nothing waits for that. */
static void assign__retry_topic_has_more_partitions__is_taken(void **state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    (void)state;
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 0);
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 1);
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_true(is_held());
    assert_int_equal(world.assigned->cnt, 2);
}

/* More members than partitions: there is nothing to ask the offsets of. */
static void assign__no_partitions__is_taken_without_asking_for_offsets(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    fixture_assign(0, 0);
    assert_true(is_held());
    assert_int_equal(world.assign_calls, 1);
    assert_int_equal(world.assigned->cnt, 0);
}

/* ---- metadata of the group */

static void lose_membership(void)
{
    world.has_no_metadata = true;
}

/* The revoke that an assignment begins with may take 5 s, and a heartbeat may fail meanwhile. */
static void assign__membership_lost_while_the_old_partitions_are_revoked__metadata_of_the_assignment_count(void **state)
{
    (void)state;
    (void)running_command();
    world.generation = 2;
    world.on_wait = lose_membership;
    fixture_assign(0, 1);
    assert_true(world.has_no_metadata);
    assert_true(is_held());
    assert_int_equal(uex_group_metadata_generation(world.engine.synced.group_metadata), 2);
}

static void transaction__client_is_in_a_later_generation__metadata_of_the_epoch_are_sent(void **state)
{
    struct uex_inflight *inflight = running_command();

    (void)state;
    world.generation = 2; /* it has joined again, and nobody was told yet */
    fixture_finish(inflight, UEX_OK);
    world.txn_metadata = NULL;
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
    assert_ptr_equal(world.txn_metadata, world.engine.synced.group_metadata);
    assert_int_equal(uex_group_metadata_generation(world.txn_metadata), 1);
}

/* At this step of a transaction the partitions are revoked and assigned again. */
static const char *rebalance_at;
static const rd_kafka_consumer_group_metadata_t *retired; /* then */

static void rebalance_at_step(const char *step)
{
    if (strcmp(step, rebalance_at) != 0)
        return;
    world.on_step = NULL;
    world.generation++;
    fixture_assign(0, 1);
    fixture_restore();
    retired = world.engine.synced.retired_metadata[0];
}

static void rebalance_in_transaction(const char *step)
{
    rebalance_at = step;
    world.on_step = rebalance_at_step;
}

static void transaction__assignment_came_before_offsets_were_sent__sends_none(void **state)
{
    struct uex_inflight *inflight = running_command();

    (void)state;
    fixture_finish(inflight, UEX_OK);
    world.txn_metadata = NULL;
    rebalance_in_transaction("flush");
    fixture_commits(1);
    assert_int_equal(world.engine.synced.epoch, 2);
    assert_null(world.txn_metadata);
    assert_int_equal(world.abort_calls, 1);
    assert_int_equal(world.committed_seen, 0);
    world.now_ms += 1000; /* the pause after an abort */
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(uex_group_metadata_generation(world.txn_metadata), 2);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

/* The transaction may still use the old metadata: they are freed when it has ended. */
static void transaction__assignment_came_while_offsets_are_sent__old_metadata_stay_until_its_end(void **state)
{
    const rd_kafka_consumer_group_metadata_t *old = NULL;
    struct uex_inflight *inflight = running_command();

    (void)state;
    old = world.engine.synced.group_metadata;
    fixture_finish(inflight, UEX_OK);
    rebalance_in_transaction("offsets");
    fixture_commits(1);
    assert_int_equal(world.engine.synced.epoch, 2);
    assert_ptr_equal(world.txn_metadata, old);
    assert_ptr_equal(retired, old);
    assert_null(world.engine.synced.retired_metadata[0]);
    assert_ptr_not_equal(world.engine.synced.group_metadata, old);
}

static rd_kafka_consumer_group_metadata_t *left_over[2];

/* What the places have no room for is never freed. */
static void rebalance_often(const char *step)
{
    if (strcmp(step, "offsets") != 0)
        return;
    world.on_step = NULL;
    for (size_t i = 0; i < 10; i++) {
        if (i >= 8)
            left_over[i - 8] = world.engine.synced.group_metadata;
        world.generation++;
        fixture_assign(0, 1);
    }
    retired = world.engine.synced.retired_metadata[0];
}

static void transaction__more_assignments_than_places_for_metadata__none_is_freed_before_its_end(void **state)
{
    const rd_kafka_consumer_group_metadata_t *old = NULL;
    struct uex_inflight *inflight = running_command();

    (void)state;
    old = world.engine.synced.group_metadata;
    fixture_finish(inflight, UEX_OK);
    world.on_step = rebalance_often;
    fixture_commits(1);
    assert_ptr_equal(retired, old);
    assert_int_equal(uex_group_metadata_generation(world.engine.synced.group_metadata), 11);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uex_group_metadata_generation(left_over[i]), 9 + i);
        rd_kafka_consumer_group_metadata_destroy(left_over[i]);
    }
}

/* ---- revoke */

static bool was_closing;

static void commit_while_waiting(void)
{
    was_closing = was_closing || world.engine.synced.assignment == UEX_ASSIGNMENT_CLOSING;
    fixture_committer_works();
}

/* How long it took, in ms. */
static int64_t revoke_with_committer(void)
{
    const int64_t started_ms = world.now_ms;

    was_closing = false;
    world.on_wait = commit_while_waiting;
    fixture_revoke();
    world.on_wait = NULL;
    return world.now_ms - started_ms;
}

static int64_t revoke_without_committer(void)
{
    const int64_t started_ms = world.now_ms;

    fixture_revoke();
    return world.now_ms - started_ms;
}

static void revoke__committer_works__crash_marker_is_taken_back_and_the_job_goes_on(void **state)
{
    const struct uex_inflight *inflight = running_command();

    (void)state;
    assert_true(revoke_with_committer() < 1000);
    assert_true(was_closing);
    assert_false(has_open_mark());
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_NONE);
    assert_null(world.assigned);
    assert_ptr_equal(world.engine.synced.in_flight.first, inflight);
    assert_false(uex_cancel_requested(&inflight->cancel));
    assert_false(world.engine.synced.partitions[0].assigned);
    assert_false(world.engine.synced.partitions[0].inputs[0].assigned);
}

static void revoke__outcome_is_ready__goes_out_with_the_marker(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    (void)revoke_with_committer();
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_false(has_open_mark());
}

static void revoke__marker_is_not_taken_back__waits_3_s(void **state)
{
    (void)state;
    (void)running_command();
    assert_int_equal(revoke_without_committer(), 3000);
    assert_true(has_open_mark());
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_NONE);
}

/* A suspected poison pill that never ran to its end stays suspected; that its start is taken back is all there is to
 * wait for. */
static void revoke__suspect_runs__its_start_is_taken_back_and_the_marker_stays(void **state)
{
    const struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1;u=5");
    fixture_fetch(fixture_record(COMMANDS, 0, 0, "g", NULL));
    fixture_intake();
    inflight = fixture_lane();
    assert_non_null(inflight);
    assert_non_null(strstr(fixture_committed_text(COMMANDS, 0), ";s=0:1"));
    assert_true(revoke_with_committer() < 1000);
    assert_true(has_open_mark());
    assert_null(strstr(fixture_committed_text(COMMANDS, 0), ";s="));
}

static void revoke__nothing_was_started__waits_for_nothing(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_int_equal(revoke_without_committer(), 0);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_NONE);
    assert_int_equal(revoke_without_committer(), 0); /* once more: nothing is held */
}

/* The partitions are somebody else's: no commit of this worker would be taken. */
static void revoke__assignment_is_lost__does_not_close(void **state)
{
    (void)state;
    (void)running_command();
    world.is_lost = true;
    assert_int_equal(revoke_with_committer(), 0);
    assert_false(was_closing);
    assert_true(has_open_mark());
}

static int64_t revoke_took_ms;

static void revoke_at_commit(const char *step)
{
    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    revoke_took_ms = revoke_without_committer();
}

static void revoke__transaction_does_not_end__waits_5_s_in_all(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    world.on_step = revoke_at_commit;
    fixture_commits(1);
    assert_int_equal(revoke_took_ms, 5000);
    assert_int_equal(world.logged[UEX_EVENT_TXN_UNFINISHED], 1);
    assert_int_equal(world.committed_seen, 1); /* it ended well after all: the audit line is written */
    assert_null(world.engine.synced.in_flight.first);
}

static bool seen_in[UEX_ASSIGNMENT_COUNT];

static void take_while_waiting(void)
{
    seen_in[world.engine.synced.assignment] = true;
    assert_null(uex_dispatch_next_synced(&world.engine));
}

static void revoke_while_lanes_ask(const char *step)
{
    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    world.on_wait = take_while_waiting;
    fixture_revoke();
    world.on_wait = NULL;
}

/* It would run without a crash marker, or without its partition. */
static void revoke__waits_for_markers_and_transaction__no_command_starts(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    assert_non_null(fixture_command(0, 1, "h"));
    memset(seen_in, 0, sizeof(seen_in));
    world.on_step = revoke_while_lanes_ask;
    fixture_commits(1);
    assert_true(seen_in[UEX_ASSIGNMENT_CLOSING]);
    assert_true(seen_in[UEX_ASSIGNMENT_ENDING]);
}

static void end_transaction(void)
{
    if (world.engine.synced.assignment == UEX_ASSIGNMENT_ENDING)
        world.engine.synced.outbox.transaction_open = false;
}

static void revoke__transaction_ends__goes_on_at_once(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.synced.outbox.transaction_open = true;
    world.on_wait = end_transaction;
    assert_int_equal(revoke_without_committer(), 100);
    assert_int_equal(world.logged[UEX_EVENT_TXN_UNFINISHED], 0);
}

/* No generation of this worker can take the marker back any more. */
static void revoke__fenced_while_closing__stops_closing(void **state)
{
    (void)state;
    (void)running_command();
    world.offsets_error = UEX_KAFKA;
    world.txn_was_fenced = true;
    assert_true(revoke_with_committer() < 1000);
    assert_true(was_closing);
    assert_true(has_open_mark());
}

static void revoke__fenced_before__does_not_close_and_the_next_assignment_commits_again(void **state)
{
    unsigned begun = 0;

    (void)state;
    fixture_finish(running_command(), UEX_OK);
    world.offsets_error = UEX_KAFKA;
    world.txn_was_fenced = true;
    fixture_commits(3);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_FENCED);
    begun = world.begin_calls;
    fixture_commits(3);
    assert_int_equal(world.begin_calls, begun);
    world.offsets_error = UEX_OK;
    world.txn_was_fenced = false;
    assert_int_equal(revoke_with_committer(), 0);
    assert_int_equal(world.begin_calls, begun);
    fixture_assign(0, 1);
    fixture_restore();
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
}

/* A pause must not outlive the assignment. */
static void revoke__paused_partitions__are_resumed(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    fixture_fetch(fixture_retry(1, 0, "g", STARTED_WALL_MS + world.now_ms + 30000));
    fixture_intake();
    assert_int_equal(world.paused->cnt, 1);
    fixture_revoke();
    assert_int_equal(world.resumed->cnt, 1);
    assert_non_null(rd_kafka_topic_partition_list_find(world.resumed, RETRIES, 1));
    assert_false(world.engine.synced.partitions[1].inputs[1].paused);
    assert_null(world.engine.synced.partitions[1].inputs[1].first_backpressured);
}

static void revoke__nothing_is_paused__resumes_nothing(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_revoke();
    assert_null(world.resumed);
}

/* Whoever gets the partition reads them again. */
static void revoke__queued_commands__are_forgotten_and_read_again(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_non_null(fixture_command(0, 1, "h"));
    fixture_revoke();
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    fixture_assign(0, 1);
    fixture_restore();
    assert_non_null(fixture_command(0, 0, "g"));
    assert_int_equal(world.engine.synced.in_flight.count, 1);
}

static void revoke__restore_is_running__ends_it(void **state)
{
    (void)state;
    world.state_high[0] = 5;
    fixture_assign(0, 1);
    assert_true(uex_restore_step(&world.engine, 20));
    assert_non_null(world.state_assigned);
    fixture_revoke();
    assert_null(world.state_assigned);
    assert_false(uex_restore_step(&world.engine, 20));
}

static void revoke__rejoin_is_due_soon__waits_for_the_assignment_that_follows(void **state)
{
    (void)state;
    world.confirm_error = UEX_KAFKA_UNAVAILABLE;
    fixture_assign(0, 1);
    world.now_ms += 20001;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(fixture_rejoins_in_ms(), REJOIN_AFTER_MS);
    fixture_revoke();
    assert_int_equal(fixture_rejoins_in_ms(), ANOTHER_WITHIN_MS);
}

static void revoke__no_rejoin_is_due__none_is_planned(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_revoke();
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    assert_int_equal(world.logged[UEX_EVENT_PARTITIONS_REVOKED], 1);
}

static void callback__rebalance_failed__is_answered_and_logged(void **state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)state;
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__FAIL, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(world.logged[UEX_EVENT_REBALANCE_FAILED], 1);
    assert_int_equal(world.assign_calls, 1);
    assert_null(world.assigned);
}

/* ---- while an assignment is pending */

static void assign__another_is_pending__only_the_last_counts(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    world.generation = 2;
    world.command_partitions = 2;
    fixture_assign(1, 1);
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.engine.synced.epoch, 1);
    assert_int_equal(uex_group_metadata_generation(world.engine.synced.group_metadata), 2);
    assert_int_equal(world.assigned->cnt, 2);
    assert_int_equal(world.assigned->elems[0].partition, 1);
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.engine.synced.epoch, 1);
}

/* Its offsets may take long to be stable; it is answered in the end. */
static void assign__is_pending_after_one_was_passed_over__rejoin_is_called_off(void **state)
{
    (void)state;
    world.holds = false;
    fixture_assign(0, 1);
    world.holds = true;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
}

static void revoke__assignment_is_pending__is_dropped(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    fixture_revoke();
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uex_rebalance_continue(&world.engine);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assign_calls, 1);
    assert_null(world.assigned);
}

/* librdkafka does not leave the group before the assignment is answered. */
static void abandon__assignment_is_pending__is_answered_as_a_revoke(void **state)
{
    (void)state;
    uex_rebalance_abandon(&world.engine);
    assert_int_equal(world.assign_calls, 0);
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    uex_rebalance_abandon(&world.engine);
    assert_int_equal(world.assign_calls, 1);
    assert_null(world.assigned);
    assert_null(world.engine.membership.pending);
    assert_null(world.engine.membership.pending_metadata);
}

static void assign__worker_is_leaving__is_not_taken(void **state)
{
    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_LEAVING);
    fixture_assign(0, 1);
    assert_int_equal(world.confirm_calls, 0);
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assign_calls, 1);
    assert_null(world.assigned);
    assert_null(world.engine.membership.pending);
}

/* ---- and the whole way of one command */

static void command__exported__outcome_and_offset_are_committed_together(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take()); /* its crash marker is not committed yet */
    fixture_commits(3);
    inflight = fixture_take();
    assert_non_null(inflight);
    fixture_finish(inflight, UEX_OK);
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
        REBALANCE_TEST(assign__numbers_with_a_gap__are_logged_as_ranges),
        REBALANCE_TEST(assign__coordinator_names_others__is_answered_with_nothing),
        REBALANCE_TEST(assign__passed_over_and_no_other_follows__rejoins_without_leaving),
        REBALANCE_TEST(assign__stands_after_some_were_passed_over__rejoin_is_called_off),
        REBALANCE_TEST(assign__membership_is_lost_already__is_answered_with_nothing),
        REBALANCE_TEST(assign__coordinator_is_silent_for_long__worker_rejoins),
        REBALANCE_TEST(assign__coordinator_is_silent_after_answers__has_20_s_again),
        REBALANCE_TEST(assign__offsets_not_stable_yet__waits_for_them),
        REBALANCE_TEST(assign__offset_of_one_partition_not_stable_yet__waits_for_it),
        REBALANCE_TEST(assign__coordinator_names_others_before_offsets_are_stable__is_answered_with_nothing),
        REBALANCE_TEST(assign__offsets_not_stable_for_long__says_so_every_10_s),
        REBALANCE_TEST(assign__partition_count_unknown__waits_for_it),
        REBALANCE_TEST(assign__broker_knows_fewer_partitions_than_assigned__asks_again),
        REBALANCE_TEST(assign__retry_topic_has_more_partitions__is_taken),
        REBALANCE_TEST(assign__no_partitions__is_taken_without_asking_for_offsets),
        REBALANCE_TEST(assign__membership_lost_while_the_old_partitions_are_revoked__metadata_of_the_assignment_count),
        REBALANCE_TEST(transaction__client_is_in_a_later_generation__metadata_of_the_epoch_are_sent),
        REBALANCE_TEST(transaction__assignment_came_before_offsets_were_sent__sends_none),
        REBALANCE_TEST(transaction__assignment_came_while_offsets_are_sent__old_metadata_stay_until_its_end),
        REBALANCE_TEST(transaction__more_assignments_than_places_for_metadata__none_is_freed_before_its_end),
        REBALANCE_TEST(revoke__committer_works__crash_marker_is_taken_back_and_the_job_goes_on),
        REBALANCE_TEST(revoke__outcome_is_ready__goes_out_with_the_marker),
        REBALANCE_TEST(revoke__marker_is_not_taken_back__waits_3_s),
        REBALANCE_TEST(revoke__suspect_runs__its_start_is_taken_back_and_the_marker_stays),
        REBALANCE_TEST(revoke__nothing_was_started__waits_for_nothing),
        REBALANCE_TEST(revoke__assignment_is_lost__does_not_close),
        REBALANCE_TEST(revoke__transaction_does_not_end__waits_5_s_in_all),
        REBALANCE_TEST(revoke__waits_for_markers_and_transaction__no_command_starts),
        REBALANCE_TEST(revoke__transaction_ends__goes_on_at_once),
        REBALANCE_TEST(revoke__fenced_while_closing__stops_closing),
        REBALANCE_TEST(revoke__fenced_before__does_not_close_and_the_next_assignment_commits_again),
        REBALANCE_TEST(revoke__paused_partitions__are_resumed),
        REBALANCE_TEST(revoke__nothing_is_paused__resumes_nothing),
        REBALANCE_TEST(revoke__queued_commands__are_forgotten_and_read_again),
        REBALANCE_TEST(revoke__restore_is_running__ends_it),
        REBALANCE_TEST(revoke__rejoin_is_due_soon__waits_for_the_assignment_that_follows),
        REBALANCE_TEST(revoke__no_rejoin_is_due__none_is_planned),
        REBALANCE_TEST(callback__rebalance_failed__is_answered_and_logged),
        REBALANCE_TEST(assign__another_is_pending__only_the_last_counts),
        REBALANCE_TEST(assign__is_pending_after_one_was_passed_over__rejoin_is_called_off),
        REBALANCE_TEST(revoke__assignment_is_pending__is_dropped),
        REBALANCE_TEST(abandon__assignment_is_pending__is_answered_as_a_revoke),
        REBALANCE_TEST(assign__worker_is_leaving__is_not_taken),
        REBALANCE_TEST(command__exported__outcome_and_offset_are_committed_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
