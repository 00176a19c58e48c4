/* SPDX-License-Identifier: Apache-2.0 */
/* A suspected poison pill that has the process to itself: its start is committed first, then it is looked at. */
#include "failing_memory.h"

#include "engine_fixture.h"
#include "suspects.h"

#define COMMAND_ID "00000000-0000-4000-8000-000000000007"
#define COMMAND "{\"groupId\":\"a\",\"commandId\":\"" COMMAND_ID "\"}"
/* The group's state: this command is exported. */
#define EXPORTED                                                                                                       \
    "{\"version\":1,\"groupId\":\"a\",\"outcome\":\"exported\",\"commandId\":\"" COMMAND_ID                            \
    "\",\"at\":\"2026-01-01T00:00:00Z\",\"recent\":[{\"commandId\":\"" COMMAND_ID                                      \
    "\",\"runId\":\"r\",\"outcome\":\"exported\",\"at\":\"2026-01-01T00:00:00Z\"}]}"

static struct uex_inflight *watched; /* by the callbacks below */
static unsigned rounds;              /* of a callback */

/* The outcome that was committed last. */
static struct {
    enum uex_outcome_kind kind;
    enum uex_skip_reason skip;
    enum uex_error error;
    unsigned attempt;
    bool keeps_no_state;
    char command_id[UEX_UUID_TEXT_SIZE];
    char group_id[16]; /* "": not known */
} ended;

static void note_committed(void *context, const struct uex_inflight *inflight)
{
    (void)context;
    ended.kind = inflight->outcome.kind;
    ended.skip = inflight->outcome.skip;
    ended.error = inflight->outcome.fault.error;
    ended.attempt = inflight->attempt;
    ended.keeps_no_state = inflight->outcome.keeps_no_state;
    memcpy(ended.command_id, inflight->command.command_id, sizeof(ended.command_id));
    (void)snprintf(ended.group_id, sizeof(ended.group_id), "%s",
                   inflight->command.group_id == NULL ? "" : inflight->command.group_id);
    world.committed_seen++;
}

static int open_world(void **state)
{
    (void)fixture_open(state);
    world.engine.observer.committed = note_committed;
    memset(&ended, 0, sizeof(ended));
    watched = NULL;
    rounds = 0;
    return 0;
}

/* Until its start is committed the watched command is neither parsed nor over. */
static void watch_until_started(void)
{
    if (watched != NULL && !says("s=0:1") && !says("s=0:4")) {
        assert_null(watched->command.group_id);
        assert_int_equal(watched->state, UEX_INFLIGHT_RUNNING);
        rounds++;
    } else {
        watched = NULL; /* it may be over at any time now */
    }
    fixture_committer_works();
}

static void drain_soon(void)
{
    if (++rounds == 10)
        (void)uex_lifecycle_advance(&world.engine.synced.lifecycle, UEX_LIFECYCLE_DRAINING);
    fixture_committer_works();
}

static void cancel_soon(void)
{
    if (++rounds == 10 && watched != NULL) {
        uex_cancel_request(&watched->cancel);
        watched = NULL;
    }
    fixture_committer_works();
}

/* ---- starts are counted */

static void take__suspect__start_is_committed_before_its_record_is_parsed(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1");
    suspect = watched = arrive(0, 0, "a", COMMAND);
    world.on_wait = watch_until_started;
    assert_ptr_equal(fixture_lane(), suspect);
    assert_true(rounds > 0);
    assert_string_equal(suspect->command.command_id, COMMAND_ID);
    assert_string_equal(committed(), "uex1;n=1;u=17;s=0:1");
    assert_true(suspect->holds_group);
}

static void take__suspect_that_is_no_command__start_is_committed_before_its_dead_letter(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    watched = arrive(0, 0, "a", "no JSON");
    world.on_wait = watch_until_started;
    assert_null(fixture_lane());
    assert_true(rounds > 0);
    assert_int_equal(ended.error, UEX_MALFORMED);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_false(says("s="));
}

static void take__suspect_was_started_before__counts_one_more(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:2");
    (void)fixture_command(0, 0, "a");
    assert_int_equal(fixture_lane()->start_count, 3);
    assert_true(says("s=0:3"));
}

static void take__start_cannot_be_committed__suspect_is_not_read_and_not_counted(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    world.commit_error = UEX_KAFKA;
    world.on_wait = drain_soon;
    assert_null(fixture_lane());
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.in_flight.running_count, 0);
    assert_null(world.engine.synced.poison.exclusive);
    assert_int_equal(uex_markers_starts(&input()->markers, 0), 0);
    assert_int_equal(world.logged[UEX_EVENT_POISON_SUSPECTED], 0);
}

static void take__partition_is_lost_while_the_start_waits__suspect_is_given_up(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    watched = fixture_command(0, 0, "a");
    world.commit_error = UEX_KAFKA;
    world.on_wait = cancel_soon;
    assert_null(fixture_lane());
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
}

static void commit_of_another_partition(void)
{
    struct uex_markers markers;

    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_starts_committed_synced(&world.engine, 0, 1, &markers);
    assert_false(world.engine.synced.poison.exclusive->start_committed);
    if (++rounds == 10)
        (void)uex_lifecycle_advance(&world.engine.synced.lifecycle, UEX_LIFECYCLE_DRAINING);
}

static void take__start_of_another_partition_is_committed__suspect_waits_for_its_own(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;s=0:2");
    world.is_lost = true;
    revoke_all();
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=2;u=1");
    fixture_assign(0, 2);
    fixture_restore();
    (void)fixture_command(0, 0, key_of(0));
    world.on_wait = commit_of_another_partition;
    assert_null(fixture_lane());
    assert_int_equal(rounds, 10);
}

static void assign_again(void)
{
    if (rounds++ == 0) {
        uex_engine_unlock(&world.engine); /* as a wait does */
        fixture_assign(0, 1);
        fixture_restore();
        uex_engine_lock(&world.engine);
    }
    fixture_committer_works();
}

static void take__revoked_before_the_start_was_counted__counts_in_the_next_epoch(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    suspect = fixture_take();
    revoke_all();
    world.on_wait = assign_again;
    assert_true(uex_exclusive_begin(&world.engine, suspect));
    assert_true(says("s=0:1"));
    assert_int_equal(suspect->start_epoch, 2);
}

/* The new epoch has counted one more start of a command that was taken, and not yet looked at. */
static void take__poison_pill_is_adopted_before_it_is_looked_at__is_not_run_once_more(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:3");
    (void)fixture_command(0, 0, "a");
    suspect = fixture_take();
    revoke_all();
    fixture_assign(0, 1);
    fixture_restore();
    assert_int_equal(world.adopted, 1);
    world.on_wait = fixture_committer_works;
    assert_false(uex_exclusive_begin(&world.engine, suspect));
    fixture_commits(1);
    assert_int_equal(ended.error, UEX_WORKER_CRASHED);
    assert_string_equal(ended.group_id, "a");
}

/* ---- poison pills */

static void take__retry_crashes_starts__dead_letter_read_after_one_more_start(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:3");
    watched = arrive(0, 0, "a", COMMAND);
    assert_null(watched->command.group_id);
    world.on_wait = watch_until_started;
    assert_null(fixture_lane());
    assert_true(rounds > 0); /* the fourth start was committed first */
    assert_int_equal(ended.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(ended.error, UEX_WORKER_CRASHED);
    assert_string_equal(ended.command_id, COMMAND_ID);
    assert_string_equal(ended.group_id, "a");
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_false(says("s="));
    assert_null(world.engine.synced.poison.exclusive);
}

static void take__reading_the_poison_pill_killed_too__dead_letter_stays_unread(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:4");
    (void)arrive(0, 0, "a", COMMAND);
    assert_null(fixture_lane());
    assert_int_equal(ended.error, UEX_WORKER_CRASHED);
    assert_string_not_equal(ended.command_id, COMMAND_ID); /* that stands in the value */
    assert_string_equal(ended.group_id, "a");              /* the key says it */
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(world.begin_calls, 1); /* no start was committed for it */
}

static void take__poison_pill_that_is_no_command__dead_letter_of_the_group_of_its_key(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:3");
    (void)arrive(0, 0, "a", "no JSON");
    assert_null(fixture_lane());
    assert_int_equal(ended.error, UEX_WORKER_CRASHED);
    assert_string_equal(ended.group_id, "a");
    assert_false(ended.keeps_no_state);
}

static void take__poison_pill_without_a_group__dead_letter_without_state(void **state)
{
    static const char *const keys[] = {NULL, "", "a\tb"}; /* none, and what is no group id */

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)open_world(state);
        begin(1, "uex1;n=1;u=1;s=0:4");
        (void)arrive(0, 0, keys[i], COMMAND);
        assert_null(fixture_lane());
        assert_int_equal(ended.error, UEX_WORKER_CRASHED);
        assert_true(ended.keeps_no_state);
        assert_string_equal(ended.group_id, "");
        assert_int_equal(fixture_committed_records("dead-letters"), 1);
        assert_int_equal(fixture_committed_records(STATES), 0);
        (void)fixture_close(state);
    }
}

/* Its group's history is another worker's: a state written here would lose it. */
static void take__poison_pill_of_a_group_of_another_partition__dead_letter_without_state(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=1;s=0:4");
    (void)arrive(1, 0, key_of(0), NULL);
    assert_null(fixture_lane());
    assert_int_equal(ended.error, UEX_WORKER_CRASHED);
    assert_true(ended.keeps_no_state);
    assert_int_equal(fixture_committed_records(STATES), 0);
}

static void take__poison_pill_that_was_exported__is_a_duplicate_and_no_dead_letter(void **state)
{
    (void)state;
    world.states[world.state_count++] = (struct fixture_state){.key = "a", .value = EXPORTED};
    world.states[world.state_count++] = (struct fixture_state){.offset = 1};
    world.state_high[0] = 1;
    begin(1, "uex1;n=1;u=1;s=0:3");
    (void)arrive(0, 0, "a", COMMAND);
    assert_null(fixture_lane());
    assert_int_equal(ended.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(ended.skip, UEX_SKIP_DUPLICATE);
    assert_int_equal(fixture_committed_records("dead-letters"), 0);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

static void take__engine_drains_before_the_poison_pill_is_read__next_owner_decides(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:3");
    (void)arrive(0, 0, "a", COMMAND);
    world.commit_error = UEX_KAFKA;
    world.on_wait = drain_soon;
    assert_null(fixture_lane());
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_int_equal(uex_markers_starts(&input()->markers, 0), 3);
}

/* ---- what a suspect turns out to be */

static void take__suspect_that_was_exported__is_a_duplicate_without_a_job(void **state)
{
    (void)state;
    world.states[world.state_count++] = (struct fixture_state){.key = "a", .value = EXPORTED};
    world.states[world.state_count++] = (struct fixture_state){.offset = 1};
    world.state_high[0] = 1;
    begin(1, "uex1;n=1;u=1");
    (void)arrive(0, 0, "a", COMMAND);
    assert_null(fixture_lane());
    assert_int_equal(ended.skip, UEX_SKIP_DUPLICATE);
    assert_true(ended.keeps_no_state);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_false(says("s="));
}

static void take__suspect_on_a_wrong_partition__is_moved_without_a_job(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=1");
    (void)arrive(1, 0, key_of(0), NULL);
    assert_null(fixture_lane());
    assert_int_equal(ended.kind, UEX_OUTCOME_REROUTED);
    assert_int_equal(fixture_committed_records(COMMANDS), 1);
    assert_int_equal(world.produced[0].partition, 0);
}

static void count_is_known(void)
{
    rounds++;
    world.count_error = UEX_OK;
}

static void take__partition_count_is_unknown__suspect_waits_for_it(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=1");
    (void)arrive(1, 0, key_of(0), NULL);
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    world.on_sleep = count_is_known;
    assert_null(fixture_lane());
    assert_int_equal(rounds, 1);
    assert_int_equal(ended.kind, UEX_OUTCOME_REROUTED);
}

static enum uex_error count_comes_too_late(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault)
{
    (void)context;
    (void)timeout_ms;
    (void)fault;
    uex_cancel_request(&world.engine.synced.poison.exclusive->cancel);
    *count = 2;
    return UEX_OK;
}

/* Whoever has the partition now says what becomes of the command. */
static void take__partition_is_lost_while_the_suspect_is_looked_at__its_outcome_is_dropped(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=1");
    (void)arrive(1, 0, key_of(0), NULL);
    world.engine.consumer.command_partitions = count_comes_too_late;
    assert_null(fixture_lane());
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_int_equal(uex_markers_starts(&input()->markers, 0), 0);
}

static void rejoin_is_asked_for(void)
{
    assert_true(world.engine.synced.wants_rejoin);
    uex_cancel_request(&world.engine.synced.poison.exclusive->cancel); /* the next assignment does */
}

/* It belongs here by a count that this epoch does not know: its group's state is found by the next one only. */
static void take__topic_has_grown__suspect_asks_for_another_assignment(void **state)
{
    char key[2] = "a";

    (void)state;
    begin(2, "uex1;n=2;u=1");
    for (; uex_partition_of(uex_bytes_of_text(key), 2) == 1 || uex_partition_of(uex_bytes_of_text(key), 3) != 1;)
        key[0]++;
    (void)arrive(1, 0, key, NULL);
    world.command_partitions = 3;
    world.on_sleep = rejoin_is_asked_for;
    assert_null(fixture_lane());
    assert_int_equal(world.sleep_count, 1);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    fixture_intake();
    assert_true(world.engine.membership.resubscribe_at_ms > 0);
}

/* Its group is locked by an outcome that is not committed yet, over a rebalance. */
static void assign_with_an_outcome_of_the_group(void)
{
    begin(1, "uex1;n=1");
    watched = fixture_command(0, 0, "a");
    assert_ptr_equal(fixture_lane(), watched);
    fixture_finish(watched, UEX_OK);
    world.is_lost = true;
    revoke_all();
    fixture_assign(0, 1);
    fixture_restore();
    watched->not_before_ms = world.now_ms + 2000; /* refused again and again */
}

static void watch_the_group(void)
{
    if (world.committed_seen == 0 && says("s=1:1")) {
        assert_ptr_equal(uex_group_table_find(&world.engine.synced.in_flight.groups, "a")->holder, watched);
        rounds++;
    }
    fixture_committer_works();
}

static void take__group_of_the_suspect_is_locked__waits_for_the_commit(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    assign_with_an_outcome_of_the_group();
    suspect = fixture_command(0, 1, "a");
    assert_true(suspect->suspect);
    world.on_wait = watch_the_group;
    assert_ptr_equal(fixture_lane(), suspect);
    assert_true(rounds > 0);
    assert_int_equal(world.committed_seen, 1);
    assert_ptr_equal(uex_group_table_find(&world.engine.synced.in_flight.groups, "a")->holder, suspect);
}

static void take__engine_drains_while_the_group_is_locked__suspect_is_given_up(void **state)
{
    (void)state;
    assign_with_an_outcome_of_the_group();
    assert_true(fixture_command(0, 1, "a")->suspect);
    world.on_wait = drain_soon;
    assert_null(fixture_lane());
    assert_int_equal(world.engine.synced.in_flight.count, 1); /* the outcome */
    assert_int_equal(uex_markers_starts(&input()->markers, 1), 0);
    assert_ptr_equal(uex_group_table_find(&world.engine.synced.in_flight.groups, "a")->holder, watched);
}

/* ---- without memory */

static void committer_works_uncounted(void)
{
    uex_torture_count(false);
    fixture_committer_works();
    uex_torture_count(true);
}

/* A suspect is taken; UEX_NO_MEMORY: the engine is broken, and nothing is said of the command. */
static enum uex_error take_suspect(const char *metadata, const char *value)
{
    const struct uex_record_header id = {UEX_HEADER_COMMAND_ID, uex_bytes_of_text(COMMAND_ID)};
    struct uex_record *record = NULL;
    struct uex_inflight *inflight = NULL;
    enum uex_error error = UEX_OK;

    uex_torture_count(false);
    (void)open_world(NULL);
    begin(1, metadata);
    record = fixture_record(COMMANDS, 0, 0, "a", value);
    record->headers = &id; /* else it is computed, which ends the program without memory */
    record->header_count = 1;
    uex_envelope_read(record, COMMANDS);
    fixture_fetch(record);
    fixture_intake();
    inflight = fixture_take();
    world.on_wait = committer_works_uncounted;
    uex_torture_count(true);
    if (!uex_exclusive_begin(&world.engine, inflight))
        inflight = world.engine.synced.outbox.first;
    uex_torture_count(false);
    error = world.engine.synced.failure == UEX_FAILURE_BROKEN ? UEX_NO_MEMORY : UEX_OK;
    if (error == UEX_OK)
        uex_torture_note("kind=%d error=%s id=%s group=%s", (int)inflight->outcome.kind,
                         uex_error_code(inflight->outcome.fault.error), inflight->command.command_id,
                         inflight->command.group_id);
    else
        assert_null(world.engine.synced.outbox.first);
    (void)fixture_close(NULL);
    return error;
}

static enum uex_error take_suspected_command(void)
{
    return take_suspect("uex1;n=1;u=1", COMMAND);
}

static enum uex_error take_poison_pill(void)
{
    return take_suspect("uex1;n=1;u=1;s=0:3", COMMAND);
}

static enum uex_error take_unread_poison_pill(void)
{
    return take_suspect("uex1;n=1;u=1;s=0:4", COMMAND);
}

static void torture__suspect_is_taken__right_result_or_broken(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "a suspect", .run = take_suspected_command},
        {.name = "a poison pill", .run = take_poison_pill},
        {.name = "a poison pill that is not read", .run = take_unread_poison_pill},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

int main(void)
{
#define EXCLUSIVE_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, fixture_close)
    const struct CMUnitTest tests[] = {
        EXCLUSIVE_TEST(take__suspect__start_is_committed_before_its_record_is_parsed),
        EXCLUSIVE_TEST(take__suspect_that_is_no_command__start_is_committed_before_its_dead_letter),
        EXCLUSIVE_TEST(take__suspect_was_started_before__counts_one_more),
        EXCLUSIVE_TEST(take__start_cannot_be_committed__suspect_is_not_read_and_not_counted),
        EXCLUSIVE_TEST(take__partition_is_lost_while_the_start_waits__suspect_is_given_up),
        EXCLUSIVE_TEST(take__start_of_another_partition_is_committed__suspect_waits_for_its_own),
        EXCLUSIVE_TEST(take__revoked_before_the_start_was_counted__counts_in_the_next_epoch),
        EXCLUSIVE_TEST(take__poison_pill_is_adopted_before_it_is_looked_at__is_not_run_once_more),
        EXCLUSIVE_TEST(take__retry_crashes_starts__dead_letter_read_after_one_more_start),
        EXCLUSIVE_TEST(take__reading_the_poison_pill_killed_too__dead_letter_stays_unread),
        EXCLUSIVE_TEST(take__poison_pill_that_is_no_command__dead_letter_of_the_group_of_its_key),
        cmocka_unit_test(take__poison_pill_without_a_group__dead_letter_without_state),
        EXCLUSIVE_TEST(take__poison_pill_of_a_group_of_another_partition__dead_letter_without_state),
        EXCLUSIVE_TEST(take__poison_pill_that_was_exported__is_a_duplicate_and_no_dead_letter),
        EXCLUSIVE_TEST(take__engine_drains_before_the_poison_pill_is_read__next_owner_decides),
        EXCLUSIVE_TEST(take__suspect_that_was_exported__is_a_duplicate_without_a_job),
        EXCLUSIVE_TEST(take__suspect_on_a_wrong_partition__is_moved_without_a_job),
        EXCLUSIVE_TEST(take__partition_count_is_unknown__suspect_waits_for_it),
        EXCLUSIVE_TEST(take__partition_is_lost_while_the_suspect_is_looked_at__its_outcome_is_dropped),
        EXCLUSIVE_TEST(take__topic_has_grown__suspect_asks_for_another_assignment),
        EXCLUSIVE_TEST(take__group_of_the_suspect_is_locked__waits_for_the_commit),
        EXCLUSIVE_TEST(take__engine_drains_while_the_group_is_locked__suspect_is_given_up),
        cmocka_unit_test(torture__suspect_is_taken__right_result_or_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
