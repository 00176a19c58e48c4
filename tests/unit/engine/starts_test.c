/* SPDX-License-Identifier: Apache-2.0 */
/* Crash markers: who is suspected, which start is counted, what is taken back, and what is left to the next owner. */
#include "engine_fixture.h"
#include "suspects.h"

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
    assert_true(fixture_logged(UEX_EVENT_POISON_SUSPECTED, "cause=crash-marker"));
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

/* Nobody crashed: this process lost its membership, and what it had committed is as it left it. */
static void assign__own_marker_after_a_lost_membership__nobody_is_said_to_have_crashed(void **state)
{
    (void)state;
    begin(1, "uex1;n=1");
    (void)fixture_command(0, 0, "a");
    assert_non_null(fixture_lane());
    world.is_lost = true;
    revoke_all();
    world.is_lost = false;
    fixture_assign(0, 1);
    assert_int_equal(world.logged[UEX_EVENT_CRASH_MARKER_OWN], 1);
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 0);
    assert_int_equal(input()->suspect_until, 17);
}

/* Somebody else has had the partition meanwhile, and has started something. */
static void assign__marker_of_another_after_a_lost_membership__is_its_crash(void **state)
{
    static const char *const left[] = {"uex1;n=1;u=17;s=0:1", "uex1;n=1;u=18"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        begin(1, "uex1;n=1");
        (void)fixture_command(0, 0, "a");
        assert_non_null(fixture_lane());
        world.is_lost = true;
        revoke_all();
        world.is_lost = false;
        fixture_set_committed(COMMANDS, 0, 0, left[i]);
        fixture_assign(0, 1);
        assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 1);
        assert_int_equal(world.logged[UEX_EVENT_CRASH_MARKER_OWN], 0);
        (void)fixture_close(state);
        (void)fixture_open(state);
    }
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
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 1); /* at the first assignment */
    assert_false(fixture_command(0, 1, "b")->suspect);
}

/* An outcome that Kafka refuses again and again lets others go first: it is not in the last transaction. */
static void revoke__clean_while_the_outcome_of_a_suspect_waits__its_start_is_taken_back(void **state)
{
    struct uex_inflight *suspect = NULL;

    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    suspect = fixture_lane();
    fixture_finish(suspect, UEX_OK);
    suspect->not_before_ms = world.now_ms + 60000;
    revoke_all();
    assert_string_equal(committed(), "uex1;n=1;u=1");
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

static struct uex_inflight *under_way;

static void return_during_the_commit(const char *step)
{
    struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE};

    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    uex_engine_return(&world.engine, under_way, &job);
}

/* That transaction still says that it was started: another one has to follow. */
static void return__transaction_is_under_way__start_is_taken_back_by_the_next(void **state)
{
    (void)state;
    begin(1, "uex1;n=1;u=1");
    (void)fixture_command(0, 0, "a");
    under_way = fixture_lane();
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

int main(void)
{
#define STARTS_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
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
        STARTS_TEST(assign__own_marker_after_a_lost_membership__nobody_is_said_to_have_crashed),
        STARTS_TEST(assign__marker_of_another_after_a_lost_membership__is_its_crash),
        STARTS_TEST(assign__foreign_metadata__nobody_is_suspected),
        STARTS_TEST(assign__start_is_counted_behind_a_closed_marker__is_suspected),
        STARTS_TEST(end__of_the_partition_is_below_the_marker__later_commands_are_not_suspected),
        STARTS_TEST(end__of_the_partition_is_beyond_the_marker__changes_nothing),
        STARTS_TEST(cut__log_lost_its_end__what_stood_there_is_not_suspected),
        STARTS_TEST(cut__commands_were_started_or_waited_behind_it__marker_goes_back),
        STARTS_TEST(take__suspect_waits_for_a_restore__nothing_else_starts),
        STARTS_TEST(take__adopted_command_is_running__suspect_waits_for_its_end),
        STARTS_TEST(finish__suspect__its_commit_carries_the_start_of_the_next),
        STARTS_TEST(finish__suspect_before_a_poison_pill__no_start_is_counted_for_it),
        STARTS_TEST(finish__next_suspect_waits_for_a_restore__no_start_is_counted_for_it),
        STARTS_TEST(retry__suspect_in_a_retry_topic__counts_anew),
        STARTS_TEST(revoke__clean__start_is_taken_back_and_the_others_stay_suspected),
        STARTS_TEST(revoke__partitions_are_lost__start_stays_counted),
        STARTS_TEST(revoke__clean_with_the_next_start_committed__that_is_taken_back_too),
        STARTS_TEST(revoke__clean__start_at_the_same_offset_of_another_partition_stays),
        STARTS_TEST(revoke__clean_after_the_last_suspect_ended__nobody_is_suspected_any_more),
        STARTS_TEST(revoke__clean_while_the_outcome_of_a_suspect_waits__its_start_is_taken_back),
        STARTS_TEST(assign__running_suspect_is_adopted__its_start_counts_in_the_new_epoch),
        STARTS_TEST(assign__running_command_is_adopted__marker_covers_it),
        STARTS_TEST(assign__two_running_commands_are_adopted__marker_covers_the_highest),
        STARTS_TEST(return__breaker_opened__start_is_taken_back),
        STARTS_TEST(return__transaction_is_under_way__start_is_taken_back_by_the_next),
        STARTS_TEST(give_back__no_connection__start_is_taken_back_and_the_suspect_is_first_again),
        STARTS_TEST(finish__suspect_is_given_up__start_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
