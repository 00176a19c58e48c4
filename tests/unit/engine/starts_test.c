/* SPDX-License-Identifier: Apache-2.0 */
/* Crash markers and suspected poison pills: what a worker does about the commands of one that crashed, and what it
 * leaves to the next. */
#include "failing_memory.h"

#include "engine_fixture.h"

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

/* Partitions of the command topic with this metadata at offset 0, the last one given; the others and the retry topic
 * were left cleanly. */
static void begin(int32_t count, const char *metadata)
{
    char clean[16];

    (void)snprintf(clean, sizeof(clean), "uex1;n=%d", (int)count);
    world.command_partitions = count;
    for (int32_t i = 0; i < count; i++) {
        fixture_set_committed(COMMANDS, i, 0, i == count - 1 ? metadata : clean);
        fixture_set_committed(RETRIES, i, 0, clean);
    }
    fixture_assign(0, count);
    fixture_restore();
}

/* A record of the command topic is read. */
static struct uex_inflight *arrive(int32_t partition, int64_t offset, const char *key, const char *value)
{
    fixture_fetch(fixture_record(COMMANDS, partition, offset, key, value));
    fixture_intake();
    return uex_dispatch_find_synced(&world.engine, 0, partition, offset);
}

static const char *committed(void)
{
    return fixture_committed_text(COMMANDS, world.command_partitions - 1);
}

static bool says(const char *field)
{
    return strstr(committed(), field) != NULL;
}

static struct uex_input *input(void)
{
    return uex_engine_input(&world.engine, 0, world.command_partitions - 1);
}

/* A key that murmur2 gives to this partition of two. */
static const char *key_of(int32_t partition)
{
    static char key[2];

    for (key[0] = 'a'; uex_partition_of(uex_bytes_of_text(key), 2) != partition; key[0]++)
        assert_true(key[0] < 'z');
    return key;
}

static void revoke_all(void)
{
    world.on_wait = fixture_committer_works;
    fixture_revoke();
    world.on_wait = NULL;
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

/* ---- the crash marker of an ordinary command */

static void start__marker_not_committed_yet__waits_for_it(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    begin(1, "uex1;n=1");
    inflight = fixture_command(0, 0, "a");
    assert_false(inflight->suspect);
    world.commit_error = UEX_KAFKA;
    fixture_commits(3);
    assert_null(fixture_take());
    world.commit_error = UEX_OK;
    fixture_commits(3);
    assert_true(says(";u="));
    assert_ptr_equal(fixture_take(), inflight);
}

/* Few, because all of them are suspects after a crash. What waits far behind does not widen the marker. */
static void start__first_of_many__marker_allows_sixteen_more(void **state)
{
    char group[8];

    (void)state;
    begin(1, "uex1;n=1");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(group, sizeof(group), "g%d", i);
        (void)fixture_command(0, i, group);
    }
    assert_null(fixture_take());
    fixture_commits(2);
    assert_string_equal(committed(), "uex1;n=1;u=17");
    for (int i = 0; i < 17; i++) {
        struct uex_inflight *inflight = fixture_take();

        assert_non_null(inflight);
        assert_int_equal(inflight->offset, i);
    }
    assert_null(fixture_take());
    fixture_commits(1);
    assert_string_equal(committed(), "uex1;n=1;u=34");
    assert_non_null(fixture_take());
}

static void start__outcomes_are_committed__marker_moves_ahead_and_nobody_waits(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    fixture_finish(fixture_lane(), UEX_OK);
    (void)fixture_command(0, 10, "b");
    fixture_finish(fixture_take(), UEX_OK);
    fixture_commits(1);
    assert_true(says("u=27"));
    inflight = fixture_command(0, 26, "c");
    assert_ptr_equal(fixture_take(), inflight);
}

/* The marker of each partition is its own. */
static void start__marker_of_another_partition__does_not_count(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL;

    (void)state;
    begin(2, "uex1;n=2");
    first = fixture_command(0, 0, key_of(0));
    assert_ptr_equal(fixture_lane(), first);
    second = fixture_command(1, 0, key_of(1));
    assert_null(fixture_take());
    fixture_commits(1);
    assert_ptr_equal(fixture_take(), second);
}

/* What was read later may wait at a lower offset: a retry that was not due, or a record that was backpressured. */
static void start__command_before_the_one_that_waits__is_allowed_by_the_same_marker(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    uex_engine_lock(&world.engine);
    assert_false(uex_starts_allowed_synced(&world.engine, input(), 100));
    assert_false(uex_starts_allowed_synced(&world.engine, input(), 5));
    uex_engine_unlock(&world.engine);
    (void)fixture_command(0, 0, "a");
    fixture_commits(2);
    assert_string_equal(committed(), "uex1;n=1;u=22");
}

static void revoke__clean__marker_is_taken_back(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    assert_non_null(fixture_lane());
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1");
}

static void revoke__partitions_are_lost__marker_stays(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    assert_non_null(fixture_lane());
    world.is_lost = true;
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1;u=17");
}

/* Where nothing was started there is no marker, and a revoke has nothing to commit. */
static void revoke__nothing_was_started__commits_nothing(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    fixture_commits(2);
    revoke_all();
    assert_int_equal(world.commit_calls, 0);
}

/* The transaction was begun before the revoke: what it says of a partition that is gone allows nothing. */
static void committed__partition_is_gone__changes_nothing(void **state)
{
    struct uex_markers markers;

    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    assert_null(fixture_take());
    uex_engine_lock(&world.engine);
    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_engine_unlock(&world.engine);
    world.is_lost = true;
    revoke_all();
    uex_engine_lock(&world.engine);
    uex_starts_committed_synced(&world.engine, 0, 0, &markers);
    uex_starts_committed_synced(&world.engine, 0, 7, &markers); /* a number that never was */
    uex_engine_unlock(&world.engine);
    assert_int_equal(input()->committed_until, UEX_OFFSET_NONE);
}

/* A start that was asked for while the transaction was under way is not in it: another one has to follow. */
static void committed__start_was_asked_for_meanwhile__is_committed_next(void **state)
{
    struct uex_inflight *far = NULL;
    struct uex_markers markers;

    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    assert_null(fixture_take());
    uex_engine_lock(&world.engine);
    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_engine_unlock(&world.engine);
    assert_non_null(uex_engine_input(&world.engine, 0, 0));
    far = fixture_command(0, 100, "b");
    input()->refused_from = 100; /* the nearer one has been cancelled */
    uex_engine_lock(&world.engine);
    uex_starts_committed_synced(&world.engine, 0, 0, &markers);
    assert_true(uex_starts_need_commit_synced(&world.engine, input()));
    uex_engine_unlock(&world.engine);
    assert_int_equal(fixture_take()->offset, 0);
    assert_null(fixture_take());
    fixture_commits(2);
    assert_ptr_equal(fixture_take(), far);
}

/* ---- who is suspected */

static void assign__open_marker__unfinished_commands_below_it_run_exclusively_in_order(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL, *ordinary = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=3;b=Ag=="); /* 1 is finished */
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 1);
    first = fixture_command(0, 0, "a");
    assert_null(fixture_command(0, 1, "b"));
    second = fixture_command(0, 2, "c");
    ordinary = fixture_command(0, 3, "d");
    assert_true(first->suspect && second->suspect && !ordinary->suspect);
    assert_ptr_equal(fixture_lane(), first);
    assert_int_equal(world.logged[UEX_EVENT_POISON_SUSPECTED], 1);
    assert_null(fixture_take());
    fixture_finish(first, UEX_OK);
    assert_null(fixture_take()); /* before its outcome is committed nobody knows that it has ended */
    fixture_commits(1);
    assert_ptr_equal(fixture_lane(), second);
    assert_null(fixture_take());
    fixture_finish(second, UEX_OK);
    fixture_commits(1);
    assert_ptr_equal(fixture_lane(), ordinary);
}

static void assign__closed_marker__nobody_is_suspected(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    assert_false(fixture_command(0, 0, "a")->suspect);
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 0);
}

/* Work is repeated then, never lost. */
static void assign__foreign_metadata__nobody_is_suspected(void **state)
{
    (void)state;
    begin(1, "another program's; u=9");
    assert_false(fixture_command(0, 0, "a")->suspect);
}

/* Without a marker: another owner has closed it, but this command had been started without an end. */
static void assign__start_is_counted_behind_a_closed_marker__is_suspected(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;s=1:2");
    assert_false(fixture_command(0, 0, "a")->suspect);
    assert_true(fixture_command(0, 1, "b")->suspect);
}

static void end__of_the_partition_is_below_the_marker__later_commands_are_not_suspected(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=9");
    for (int i = 0; i < 2; i++)
        assert_true(fixture_command(0, i, "a")->suspect);
    world.fetched[world.fetched_count++] =
        (struct uex_fetched){.kind = UEX_FETCHED_END, .topic = COMMANDS, .partition = 0, .offset = 2};
    fixture_intake();
    assert_true(uex_starts_is_suspect_synced(input(), 1));
    assert_false(fixture_command(0, 2, "b")->suspect);
    fixture_commits(2);
    assert_true(says("u=2")); /* nor does the next owner suspect them */
}

static void end__of_the_partition_is_beyond_the_marker__changes_nothing(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=3");
    uex_engine_lock(&world.engine);
    uex_starts_see_end_synced(&world.engine, input(), 12);
    assert_false(uex_starts_need_commit_synced(&world.engine, input()));
    uex_engine_unlock(&world.engine);
    assert_true(fixture_command(0, 2, "a")->suspect);
    assert_false(fixture_command(0, 3, "b")->suspect);
}

static void cut__log_lost_its_end__what_stood_there_is_not_suspected(void **state)
{
    struct uex_markers markers;

    (void)state;
    begin(1, "uex1;n=1;u=9;s=3:1,7:2,8:1");
    uex_engine_lock(&world.engine);
    uex_starts_cut_synced(input(), 5);
    assert_true(uex_starts_is_suspect_synced(input(), 4));
    assert_false(uex_starts_is_suspect_synced(input(), 5));
    assert_false(uex_starts_is_suspect_synced(input(), 7));
    assert_false(uex_starts_is_suspect_synced(input(), 8));
    assert_true(uex_starts_need_commit_synced(&world.engine, input()));
    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_engine_unlock(&world.engine);
    assert_int_equal(markers.open_until, 5);
    assert_int_equal(uex_markers_starts(&markers, 3), 1);
}

static void cut__commands_were_started_or_waited_behind_it__marker_goes_back(void **state)
{
    struct uex_markers markers;

    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 8, "a");
    assert_non_null(fixture_lane());
    (void)fixture_command(0, 100, "b");
    assert_null(fixture_take());
    uex_engine_lock(&world.engine);
    uex_starts_cut_synced(input(), 5);
    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_engine_unlock(&world.engine);
    assert_int_equal(markers.open_until, 5 + 16);
    uex_engine_lock(&world.engine);
    assert_false(uex_starts_allowed_synced(&world.engine, input(), 200));
    uex_starts_cut_synced(input(), 300); /* behind everything */
    uex_starts_to_commit_synced(&world.engine, input(), &markers);
    uex_engine_unlock(&world.engine);
    assert_int_equal(markers.open_until, 200 + 1 + 16);
}

/* ---- exclusive means exclusive */

static void take__suspect_waits_for_a_restore__nothing_else_starts(void **state)
{
    struct uex_inflight *ordinary = NULL, *suspect = NULL;

    (void)state;
    begin(2, "uex1;n=2;u=1");
    ordinary = fixture_command(0, 0, key_of(0));
    suspect = fixture_command(1, 0, key_of(1));
    uex_engine_input(&world.engine, 0, 0)->committed_until = 1000;
    world.engine.synced.partitions[1].restored = false;
    assert_null(fixture_take());
    world.engine.synced.partitions[1].restored = true;
    assert_ptr_equal(fixture_lane(), suspect);
    assert_null(fixture_take());
    fixture_finish(suspect, UEX_OK);
    fixture_commits(1);
    assert_ptr_equal(fixture_lane(), ordinary);
}

static void take__adopted_command_is_running__suspect_waits_for_its_end(void **state)
{
    struct uex_inflight *running = NULL, *suspect = NULL;

    (void)state;
    begin(2, "uex1;n=2");
    running = fixture_command(0, 0, key_of(0));
    assert_ptr_equal(fixture_lane(), running);
    world.is_lost = true;
    revoke_all();
    fixture_set_committed(COMMANDS, 1, 0, "uex1;n=2;u=1");
    fixture_assign(0, 2);
    fixture_restore();
    assert_int_equal(world.adopted, 1);
    suspect = fixture_command(1, 0, key_of(1));
    assert_true(suspect->suspect);
    assert_null(fixture_take());
    fixture_finish(running, UEX_OK);
    assert_ptr_equal(fixture_lane(), suspect);
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

static void finish__suspect__its_commit_carries_the_start_of_the_next(void **state)
{
    struct uex_inflight *second = NULL;
    unsigned commits = 0;

    (void)state;
    begin(1, "uex1;n=1;u=2");
    (void)fixture_command(0, 0, "a");
    second = fixture_command(0, 1, "b");
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_true(says("s=1:1"));
    commits = world.commit_calls;
    assert_ptr_equal(fixture_lane(), second);
    assert_int_equal(world.commit_calls, commits);
    assert_int_equal(second->start_count, 1);
}

/* It is not started but dead-lettered; that is found out when it is taken. */
static void finish__suspect_before_a_poison_pill__no_start_is_counted_for_it(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=2;s=1:3");
    (void)fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "b");
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(1);
    assert_true(says("s=1:3"));
}

/* Before the restore it cannot run, and a crash meanwhile would not be its own. */
static void finish__next_suspect_waits_for_a_restore__no_start_is_counted_for_it(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=1");
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=2;u=1");
    world.is_lost = true;
    revoke_all();
    fixture_assign(0, 2);
    fixture_restore();
    (void)fixture_command(0, 0, key_of(0));
    (void)fixture_command(1, 0, key_of(1));
    assert_int_equal(fixture_lane()->partition, 0);
    world.engine.synced.partitions[1].restored = false;
    fixture_finish(world.engine.synced.poison.exclusive, UEX_OK);
    assert_int_equal(uex_markers_starts(&input()->markers, 0), 0);
}

static void retry__suspect_in_a_retry_topic__counts_anew(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    world.command_partitions = 1;
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1;u=1;s=0:3");
    fixture_set_committed(RETRIES, 0, 0, "uex1;n=1;u=1");
    fixture_assign(0, 1);
    fixture_restore();
    fixture_fetch(fixture_retry(0, 0, "a", 0));
    fixture_intake();
    suspect = fixture_lane();
    assert_non_null(suspect);
    assert_int_equal(suspect->start_count, 1);
    assert_non_null(strstr(fixture_committed_text(RETRIES, 0), "s=0:1"));
    assert_true(says("s=0:3"));
}

/* ---- starts are taken back */

static void revoke__clean__start_is_taken_back_and_the_others_stay_suspected(void **state)
{
    struct uex_inflight *first = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=2");
    (void)fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "b");
    first = fixture_lane();
    assert_true(says("s=0:1"));
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1;u=2");
    assert_int_equal(first->state, UEX_INFLIGHT_RUNNING);
}

static void revoke__partitions_are_lost__start_stays_counted(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    assert_non_null(fixture_lane());
    world.is_lost = true;
    revoke_all();
    assert_true(says("s=0:1"));
}

static void revoke__clean_with_the_next_start_committed__that_is_taken_back_too(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=2");
    (void)fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "b");
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(1);
    assert_true(says("s=1:1"));
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1;u=2");
}

/* The other partition has a suspect at the same offset. */
static void revoke__clean__start_at_the_same_offset_of_another_partition_stays(void **state)
{
    (void)state;
    begin(2, "uex1;n=2;u=2;s=1:1");
    world.is_lost = true;
    revoke_all();
    world.is_lost = false;
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=2;u=2;s=1:1");
    fixture_assign(0, 2);
    fixture_restore();
    (void)fixture_command(0, 0, key_of(0));
    (void)fixture_command(1, 1, key_of(1));
    (void)fixture_command(0, 1, key_of(0));
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(1);
    assert_int_equal(fixture_lane()->partition, 1);
    assert_true(says("s=1:2"));
    revoke_all();
    assert_true(says("s=1:1"));
    assert_string_equal(fixture_committed_text(COMMANDS, 0), "uex1;n=2;u=2;s=1:1");
}

/* The revoke comes while the outcome waits: it is committed with the closed marker, and counts. */
static void revoke__clean_after_the_last_suspect_ended__nobody_is_suspected_any_more(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    fixture_finish(fixture_lane(), UEX_OK);
    revoke_all();
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_false(says("s="));
    fixture_assign(0, 1);
    fixture_restore();
    assert_false(fixture_command(0, 1, "b")->suspect);
}

static void assign__running_suspect_is_adopted__its_start_counts_in_the_new_epoch(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    suspect = fixture_lane();
    revoke_all();
    assert_false(says("s="));
    fixture_assign(0, 1);
    fixture_restore();
    assert_int_equal(world.adopted, 1);
    fixture_commits(2);
    assert_true(says("s=0:1"));
    assert_null(fixture_take());
    fixture_finish(suspect, UEX_OK);
    fixture_commits(1);
    assert_false(says("s="));
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

/* Its job goes on under the marker of the new epoch: the next owner has to know that it was started. */
static void assign__running_command_is_adopted__marker_covers_it(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 5, "a");
    assert_non_null(fixture_lane());
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1");
    fixture_assign(0, 1);
    fixture_restore();
    fixture_commits(2);
    assert_string_equal(committed(), "uex1;n=1;u=22");
}

static void assign__two_running_commands_are_adopted__marker_covers_the_highest(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 3, "a");
    (void)fixture_command(0, 5, "b");
    assert_non_null(fixture_lane());
    assert_non_null(fixture_lane());
    revoke_all();
    fixture_assign(0, 1);
    fixture_restore();
    assert_int_equal(world.adopted, 2);
    fixture_commits(2);
    assert_true(says("u=22"));
}

static void return__breaker_opened__start_is_taken_back(void **state)
{
    struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE};
    struct uex_fault fault = {.error = UEX_DB_UNAVAILABLE};
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    suspect = fixture_lane();
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_DATABASE, &fault));
    uex_engine_return(&world.engine, suspect, &job);
    fixture_commits(1);
    assert_string_equal(committed(), "uex1;n=1;u=1");
    uex_breaker_close(&world.engine, UEX_DEPENDENCY_DATABASE);
    assert_ptr_equal(fixture_lane(), suspect);
    assert_true(says("s=0:1"));
}

static void return_during_the_commit(const char *step)
{
    struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE};

    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    uex_engine_return(&world.engine, watched, &job);
}

/* That transaction still says that it was started: another one has to follow. */
static void return__transaction_is_under_way__start_is_taken_back_by_the_next(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    watched = fixture_lane();
    (void)arrive(0, 1, "b", "no JSON");
    world.on_step = return_during_the_commit;
    fixture_commits(1);
    assert_null(world.on_step);
    assert_true(says("s=0:1"));
    fixture_commits(1);
    assert_false(says("s="));
}

static void give_back__no_connection__start_is_taken_back_and_the_suspect_is_first_again(void **state)
{
    struct uex_job_outcome job = {.error = UEX_DB_CONNECTIONS};
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=2;s=0:1");
    (void)fixture_command(0, 0, "a");
    (void)fixture_command(0, 1, "b");
    suspect = fixture_lane();
    assert_true(says("s=0:2"));
    uex_engine_give_back(&world.engine, suspect, &job, false);
    assert_null(world.engine.synced.poison.exclusive);
    fixture_commits(1);
    assert_true(says("s=0:1"));
    assert_ptr_equal(fixture_lane(), suspect);
    assert_null(fixture_take());
}

static void finish__suspect_is_given_up__start_is_taken_back(void **state)
{
    struct uex_job_outcome job = {.error = UEX_CANCELLED};

    (void)state;
    begin(1, "uex1;n=1;u=1;s=0:2");
    (void)fixture_command(0, 0, "a");
    uex_engine_finish(&world.engine, fixture_lane(), &job);
    assert_int_equal(uex_markers_starts(&input()->markers, 0), 2);
    assert_null(world.engine.synced.poison.exclusive);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
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
    struct uex_inflight *inflight = NULL;
    enum uex_error error = UEX_OK;

    uex_torture_count(false);
    (void)open_world(NULL);
    begin(1, metadata);
    (void)arrive(0, 0, "a", value);
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
        {.name = "a poison pill that is not read", .run = take_unread_poison_pill, .in_child = true},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

int main(void)
{
#define STARTS_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, fixture_close)
    const struct CMUnitTest tests[] = {
        STARTS_TEST(start__marker_not_committed_yet__waits_for_it),
        STARTS_TEST(start__first_of_many__marker_allows_sixteen_more),
        STARTS_TEST(start__outcomes_are_committed__marker_moves_ahead_and_nobody_waits),
        STARTS_TEST(start__marker_of_another_partition__does_not_count),
        STARTS_TEST(start__command_before_the_one_that_waits__is_allowed_by_the_same_marker),
        STARTS_TEST(revoke__clean__marker_is_taken_back),
        STARTS_TEST(revoke__partitions_are_lost__marker_stays),
        STARTS_TEST(revoke__nothing_was_started__commits_nothing),
        STARTS_TEST(committed__partition_is_gone__changes_nothing),
        STARTS_TEST(committed__start_was_asked_for_meanwhile__is_committed_next),
        STARTS_TEST(assign__open_marker__unfinished_commands_below_it_run_exclusively_in_order),
        STARTS_TEST(assign__closed_marker__nobody_is_suspected),
        STARTS_TEST(assign__foreign_metadata__nobody_is_suspected),
        STARTS_TEST(assign__start_is_counted_behind_a_closed_marker__is_suspected),
        STARTS_TEST(end__of_the_partition_is_below_the_marker__later_commands_are_not_suspected),
        STARTS_TEST(end__of_the_partition_is_beyond_the_marker__changes_nothing),
        STARTS_TEST(cut__log_lost_its_end__what_stood_there_is_not_suspected),
        STARTS_TEST(cut__commands_were_started_or_waited_behind_it__marker_goes_back),
        STARTS_TEST(take__suspect_waits_for_a_restore__nothing_else_starts),
        STARTS_TEST(take__adopted_command_is_running__suspect_waits_for_its_end),
        STARTS_TEST(take__suspect__start_is_committed_before_its_record_is_parsed),
        STARTS_TEST(take__suspect_that_is_no_command__start_is_committed_before_its_dead_letter),
        STARTS_TEST(take__suspect_was_started_before__counts_one_more),
        STARTS_TEST(take__start_cannot_be_committed__suspect_is_not_read_and_not_counted),
        STARTS_TEST(take__partition_is_lost_while_the_start_waits__suspect_is_given_up),
        STARTS_TEST(take__start_of_another_partition_is_committed__suspect_waits_for_its_own),
        STARTS_TEST(take__revoked_before_the_start_was_counted__counts_in_the_next_epoch),
        STARTS_TEST(take__poison_pill_is_adopted_before_it_is_looked_at__is_not_run_once_more),
        STARTS_TEST(finish__suspect__its_commit_carries_the_start_of_the_next),
        STARTS_TEST(finish__suspect_before_a_poison_pill__no_start_is_counted_for_it),
        STARTS_TEST(finish__next_suspect_waits_for_a_restore__no_start_is_counted_for_it),
        STARTS_TEST(retry__suspect_in_a_retry_topic__counts_anew),
        STARTS_TEST(revoke__clean__start_is_taken_back_and_the_others_stay_suspected),
        STARTS_TEST(revoke__partitions_are_lost__start_stays_counted),
        STARTS_TEST(revoke__clean_with_the_next_start_committed__that_is_taken_back_too),
        STARTS_TEST(revoke__clean__start_at_the_same_offset_of_another_partition_stays),
        STARTS_TEST(revoke__clean_after_the_last_suspect_ended__nobody_is_suspected_any_more),
        STARTS_TEST(assign__running_suspect_is_adopted__its_start_counts_in_the_new_epoch),
        STARTS_TEST(assign__running_command_is_adopted__marker_covers_it),
        STARTS_TEST(assign__two_running_commands_are_adopted__marker_covers_the_highest),
        STARTS_TEST(return__breaker_opened__start_is_taken_back),
        STARTS_TEST(return__transaction_is_under_way__start_is_taken_back_by_the_next),
        STARTS_TEST(give_back__no_connection__start_is_taken_back_and_the_suspect_is_first_again),
        STARTS_TEST(finish__suspect_is_given_up__start_is_taken_back),
        STARTS_TEST(take__retry_crashes_starts__dead_letter_read_after_one_more_start),
        STARTS_TEST(take__reading_the_poison_pill_killed_too__dead_letter_stays_unread),
        STARTS_TEST(take__poison_pill_that_is_no_command__dead_letter_of_the_group_of_its_key),
        cmocka_unit_test(take__poison_pill_without_a_group__dead_letter_without_state),
        STARTS_TEST(take__poison_pill_of_a_group_of_another_partition__dead_letter_without_state),
        STARTS_TEST(take__poison_pill_that_was_exported__is_a_duplicate_and_no_dead_letter),
        STARTS_TEST(take__engine_drains_before_the_poison_pill_is_read__next_owner_decides),
        STARTS_TEST(take__suspect_that_was_exported__is_a_duplicate_without_a_job),
        STARTS_TEST(take__suspect_on_a_wrong_partition__is_moved_without_a_job),
        STARTS_TEST(take__partition_count_is_unknown__suspect_waits_for_it),
        STARTS_TEST(take__topic_has_grown__suspect_asks_for_another_assignment),
        STARTS_TEST(take__group_of_the_suspect_is_locked__waits_for_the_commit),
        STARTS_TEST(take__engine_drains_while_the_group_is_locked__suspect_is_given_up),
        cmocka_unit_test(torture__suspect_is_taken__right_result_or_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
