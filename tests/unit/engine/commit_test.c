/* SPDX-License-Identifier: Apache-2.0 */
/* The committer's steps: when a transaction begins and what may be in it, what follows from each way in which it ends.
 * The transactions are played; committer_test.c has a producer that cannot be built, against librdkafka. */
#include "engine_fixture.h"
#include "failing_memory.h"

static struct uex_committer *committer;
static char trail[512]; /* the steps of the transactions, "prepare begin flush …" */

/* ---- what the committer does, and what others do meanwhile */

static void note_step(const char *step)
{
    (void)snprintf(trail + strlen(trail), sizeof(trail) - strlen(trail), "%s ", step);
}

/* One partition, restored; the producer is ready. */
static int open_committer(void **state)
{
    (void)fixture_open(state);
    committer = uex_committer_new(&world.engine);
    trail[0] = '\0';
    world.on_step = note_step;
    fixture_begin_at(1, "uex1;n=1");
    return 0;
}

static int close_committer(void **state)
{
    uex_committer_free(committer);
    return fixture_close(state);
}

static void step(void)
{
    uex_engine_lock(&world.engine);
    uex_committer_step_synced(committer);
    uex_engine_unlock(&world.engine);
}

/* Steps until there was one more transaction; how long that took. */
static int64_t next_begin_ms(void)
{
    const unsigned begun = world.begin_calls;
    const int64_t since_ms = world.now_ms;

    for (unsigned i = 0; world.begin_calls == begun; i++) {
        assert_true(i < 10000);
        step();
    }
    return world.now_ms - since_ms;
}

/* Steps for so long. */
static void works_for(int64_t delay_ms)
{
    const int64_t until_ms = world.now_ms + delay_ms;

    while (world.now_ms < until_ms)
        step();
}

/* A command of the group is read, and started by a worker thread. */
static struct uex_inflight *started(int64_t offset, const char *group)
{
    struct uex_inflight *inflight = fixture_command(0, offset, group);
    struct uex_inflight *taken = fixture_take();

    for (unsigned i = 0; taken == NULL && i < 100; i++) { /* its crash marker is committed first */
        step();
        taken = fixture_take();
    }
    assert_ptr_equal(taken, inflight);
    return inflight;
}

/* An outcome that waits for the committer: skipped as empty. */
static struct uex_inflight *ended(int64_t offset, const char *group)
{
    struct uex_inflight *inflight = started(offset, group);

    fixture_finish(inflight, UEX_OK);
    return inflight;
}

/* An exported list of `bytes` in one message. */
static struct uex_inflight *exported(int64_t offset, const char *group, size_t bytes)
{
    struct uex_inflight *inflight = started(offset, group);

    fixture_finish_list(inflight, 1, bytes);
    return inflight;
}

/* Outcomes without any record: enough of them are cheap. */
static void end_duplicates(int64_t first_offset, size_t count)
{
    uex_engine_lock(&world.engine);
    for (size_t i = 0; i < count; i++) {
        const int64_t offset = first_offset + (int64_t)i;
        struct uex_inflight *inflight = uex_inflight_new(fixture_record(COMMANDS, 0, offset, "d", NULL), 0);

        inflight->outcome.kind = UEX_OUTCOME_SKIPPED;
        inflight->outcome.skip = UEX_SKIP_DUPLICATE;
        inflight->outcome.keeps_no_state = true;
        uex_window_see(&world.engine.synced.partitions[0].inputs[0].window, offset);
        uex_dispatch_add_synced(&world.engine, inflight);
        uex_dispatch_submit_synced(&world.engine, inflight);
    }
    uex_engine_unlock(&world.engine);
}

static size_t waiting_count(void)
{
    return world.engine.synced.outbox.count;
}

static int64_t committed_offset(void)
{
    return fixture_committed_of(COMMANDS, 0)->offset;
}

static bool is_finished(int64_t offset)
{
    struct uex_window window;
    const rd_kafka_topic_partition_t *place = fixture_committed_of(COMMANDS, 0);

    uex_window_restore(&window, place->offset, uex_bytes_of(place->metadata, place->metadata_size), NULL);
    return uex_window_finished(&window, offset);
}

/* ---- before the first transaction */

static void step__producer_not_ready__nothing_is_committed_and_it_is_logged_once_a_minute(void **state)
{
    (void)state;
    world.prepare_error = UEX_KAFKA_UNAVAILABLE;
    works_for(59000);
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 1);
    assert_false(world.engine.synced.outbox.can_commit);
    assert_int_equal(world.begin_calls, 0);
    works_for(2000);
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 2);
    world.prepare_error = UEX_OK;
    step();
    assert_true(world.engine.synced.outbox.can_commit);
}

static void step__nothing_to_commit__no_transaction_and_the_heartbeat_moves(void **state)
{
    (void)state;
    works_for(10000);
    assert_int_equal(world.begin_calls, 0);
    assert_true(world.now_ms - world.engine.committer_heartbeat_ms <= 200);
}

static void prepare__brokers_refuse_the_timeout__ends_the_program_with_2(void **state)
{
    (void)state;
    world.prepare_error = UEX_CONFIG;
    world.txn_code = RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT;
    step();
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    assert_int_equal(world.logged[UEX_EVENT_CONFIG_REFUSED], 1);
    assert_non_null(strstr(world.lines[UEX_EVENT_CONFIG_REFUSED].fields, "transaction.timeout.ms"));
    works_for(10000); /* it is not asked again */
    assert_int_equal(world.prepare_calls, 1);
}

static void prepare__properties_refused_before_the_first_producer__ends_the_program_with_2(void **state)
{
    (void)state;
    world.prepare_error = UEX_CONFIG;
    world.txn_has_no_producer = true;
    step();
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
}

/* A certificate is being replaced: librdkafka says the same, and it passes. */
static void prepare__properties_refused_that_were_taken_before__is_tried_again(void **state)
{
    (void)state;
    step();
    (void)ended(0, "g");
    world.prepare_error = UEX_CONFIG;
    world.txn_has_no_producer = true;
    world.rebuild_count = 1;
    works_for(30000);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    assert_int_equal(world.logged[UEX_EVENT_PRODUCER_REBUILD], 1);
    assert_int_equal(waiting_count(), 1);
    world.prepare_error = UEX_OK;
    works_for(6000);
    assert_int_equal(committed_offset(), 1);
}

/* No thread, no memory: that passes too, also the first time. */
static void prepare__first_producer_cannot_be_built__is_tried_again(void **state)
{
    (void)state;
    world.prepare_error = UEX_KAFKA;
    world.txn_has_no_producer = true;
    works_for(1000);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    assert_int_equal(world.logged[UEX_EVENT_PRODUCER_REBUILD], 1);
    assert_true(world.prepare_calls > 2);
}

/* Another refusal of the brokers, which may pass. */
static void prepare__brokers_refuse_otherwise__is_tried_again(void **state)
{
    (void)state;
    world.prepare_error = UEX_CONFIG;
    world.txn_code = RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    works_for(1000);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    assert_int_equal(world.logged[UEX_EVENT_PRODUCER_REBUILD], 0);
}

/* ---- when a transaction begins */

static void commit__outcome__records_then_offsets_then_end(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = started(0, "g");
    trail[0] = '\0';
    fixture_finish_list(inflight, 1, 10);
    (void)next_begin_ms();
    assert_string_equal(trail, "prepare begin produce produce flush offsets commit ");
    assert_int_equal(committed_offset(), 1);
    assert_int_equal(world.committed_seen, 1);
    assert_string_equal(world.transaction_result, "committed");
    assert_ptr_equal(world.txn_metadata, world.engine.synced.group_metadata);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_false(world.engine.synced.outbox.transaction_open);
}

static void interval__outcome_waits_for_others__until_commit_interval_is_over(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    (void)ended(0, "a");
    works_for(900);
    (void)ended(1, "b");
    assert_int_equal(waiting_count(), 2);
    assert_in_range(next_begin_ms(), 0, 100);
    assert_int_equal(committed_offset(), 2);
    (void)ended(2, "c"); /* its own wait begins again */
    assert_int_equal(next_begin_ms(), 1000);
}

static void interval__batch_is_full__begins_at_once(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    end_duplicates(0, UEX_BATCH_MAX - 1);
    step();
    assert_int_equal(world.begin_calls, 0);
    end_duplicates(UEX_BATCH_MAX - 1, 2);
    assert_int_equal(next_begin_ms(), 0);
    assert_int_equal(committed_offset(), UEX_BATCH_MAX);
    assert_int_equal(waiting_count(), 1);
}

static void interval__worker_drains__outcome_waits_for_nobody(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    (void)ended(0, "a");
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_DRAINING);
    assert_int_equal(next_begin_ms(), 0);
    assert_int_equal(committed_offset(), 1);
}

/* A revoke waits for the commit that takes back the crash markers. */
static void interval__partitions_are_revoked__outcome_waits_for_nobody(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    (void)ended(0, "a");
    (void)started(1, "b");
    uex_engine_lock(&world.engine);
    assert_true(uex_assignment_advance(&world.engine.synced.assignment, UEX_ASSIGNMENT_CLOSING));
    uex_engine_unlock(&world.engine);
    assert_int_equal(next_begin_ms(), 0);
    assert_int_equal(committed_offset(), 1);
    assert_null(strstr(fixture_committed_text(COMMANDS, 0), "u="));
}

/* All other commands wait for the end of the one that runs exclusively. */
static void interval__a_command_runs_exclusively__outcome_waits_for_nobody(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    inflight = ended(0, "a");
    uex_engine_lock(&world.engine);
    world.engine.synced.poison.exclusive = inflight;
    uex_engine_unlock(&world.engine);
    assert_int_equal(next_begin_ms(), 0);
    assert_null(world.engine.synced.poison.exclusive);
}

/* Its crash marker rides in the next commit: the worker thread would wait for the whole interval. */
static void interval__a_command_waits_for_its_crash_marker__outcome_waits_100_ms_at_most(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 1000;
    (void)ended(0, "a");
    (void)fixture_command(0, 40, "b"); /* beyond what the marker allows */
    assert_null(fixture_take());
    assert_int_equal(next_begin_ms(), 100);
    assert_non_null(fixture_take());
}

static void interval__shorter_than_that__stays_as_it_is(void **state)
{
    (void)state;
    step();
    world.config.commit_interval_ms = 50;
    (void)ended(0, "a");
    (void)fixture_command(0, 40, "b");
    assert_null(fixture_take());
    assert_int_equal(next_begin_ms(), 50);
}

/* ---- the rate */

static void rate__more_outcomes_than_tokens__bound_the_transaction(void **state)
{
    (void)state;
    step();
    world.config.producer_rate = 10;
    world.now_ms += 60000; /* half a second's worth at most is saved */
    end_duplicates(0, 20);
    (void)next_begin_ms();
    assert_int_equal(committed_offset(), 5);
    assert_in_range(next_begin_ms(), 80, 120); /* one token takes 100 ms */
    assert_int_equal(committed_offset(), 6);
    works_for(1000);
    assert_in_range(committed_offset(), 15, 16);
}

/* Its records were sent: readers of uncommitted records count them. */
static void rate__transaction_is_aborted__its_tokens_are_spent(void **state)
{
    (void)state;
    step();
    world.config.producer_rate = 2;
    end_duplicates(0, 1);
    world.now_ms += 1000;
    world.commit_error = UEX_KAFKA;
    (void)next_begin_ms();
    world.commit_error = UEX_OK;
    assert_in_range(next_begin_ms(), 480, 520);
    assert_int_equal(committed_offset(), 1);
}

static void rate__no_outcome_waits__positions_need_no_token(void **state)
{
    (void)state;
    step();
    world.config.producer_rate = 1;
    (void)fixture_command(0, 0, "a");
    assert_null(fixture_take());
    assert_int_equal(next_begin_ms(), 0);
    assert_non_null(strstr(fixture_committed_text(COMMANDS, 0), "u="));
}

/* ---- aborts */

/* How long the committer pauses after the abort that comes now. */
static int64_t pause_after_abort_ms(void)
{
    const int64_t first_ms = (next_begin_ms(), world.now_ms);

    (void)next_begin_ms();
    return world.now_ms - first_ms;
}

static void abort__again_and_again__pause_grows_and_is_bounded(void **state)
{
    int64_t last_ms = 0;

    (void)state;
    step();
    (void)ended(0, "a");
    world.commit_error = UEX_KAFKA;
    (void)next_begin_ms();
    for (int i = 1; i <= 10; i++) {
        const int64_t pause_ms = next_begin_ms();

        assert_in_range(pause_ms, 50 * i, 50 * i + 100);
        assert_true(pause_ms > last_ms);
        last_ms = pause_ms;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(next_begin_ms(), 5000, 5100);
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 1); /* once a minute */
    world.now_ms += 60000;
    (void)next_begin_ms();
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 2);
    world.commit_error = UEX_OK;
    (void)next_begin_ms();
    assert_int_equal(committed_offset(), 1);
    (void)ended(1, "b"); /* a commit ends the row */
    world.commit_error = UEX_KAFKA;
    assert_in_range(pause_after_abort_ms(), 50, 150);
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 3);
}

/* A revoke has 5 s in all. */
static void abort__partitions_are_revoked__does_not_pause(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    (void)started(1, "b");
    world.commit_error = UEX_KAFKA;
    for (int i = 0; i < 20; i++)
        (void)next_begin_ms();
    uex_engine_lock(&world.engine);
    assert_true(uex_assignment_advance(&world.engine.synced.assignment, UEX_ASSIGNMENT_CLOSING));
    uex_engine_unlock(&world.engine);
    world.commit_error = UEX_OK;
    assert_int_equal(next_begin_ms(), 0);
    assert_int_equal(committed_offset(), 1);
}

/* In each step nothing is left open, and all is tried again. */
static void abort__whichever_step_fails__outcomes_stay_queued(void **state)
{
    enum uex_error *const errors[] = {&world.prepare_error, &world.begin_error,   &world.produce_error,
                                      &world.flush_error,   &world.offsets_error, &world.commit_error};

    (void)state;
    step();
    (void)ended(0, "a");
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        *errors[i] = UEX_KAFKA;
        works_for(1000);
        *errors[i] = UEX_OK;
        assert_int_equal(waiting_count(), 1);
        assert_string_equal(world.transaction_result, "aborted");
        assert_int_equal(committed_offset(), 0);
        assert_int_equal(world.committed_seen, 0);
        assert_false(world.engine.synced.outbox.transaction_open);
    }
    works_for(6000);
    assert_int_equal(committed_offset(), 1);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(world.committed_seen, 1);
}

static struct uex_inflight *running;

static void end_another_at_commit(const char *step_name)
{
    if (strcmp(step_name, "commit") == 0 && running != NULL) {
        fixture_finish(running, UEX_OK);
        running = NULL;
    }
}

static void abort__outcomes_came_meanwhile__those_of_the_transaction_go_first_and_in_order(void **state)
{
    struct uex_inflight *a = NULL, *b = NULL, *c = NULL, *outcome = NULL;

    (void)state;
    step();
    a = started(0, "a");
    b = started(1, "b");
    c = started(2, "c");
    fixture_finish(b, UEX_OK);
    fixture_finish(a, UEX_OK);
    running = c;
    world.on_step = end_another_at_commit;
    world.commit_error = UEX_KAFKA;
    (void)next_begin_ms();
    outcome = world.engine.synced.outbox.first;
    assert_ptr_equal(outcome, b);
    assert_ptr_equal(outcome->next_outcome, a);
    assert_ptr_equal(a->next_outcome, c);
    assert_ptr_equal(world.engine.synced.outbox.last, c);
    assert_int_equal(waiting_count(), 3);
    world.commit_error = UEX_OK;
    works_for(1000);
    assert_int_equal(committed_offset(), 3);
}

/* One that fails whenever it goes by itself must not hold up all others. */
static void abort__outcome_by_itself_three_times__lets_the_others_go_first(void **state)
{
    struct uex_inflight *by_itself = NULL;

    (void)state;
    step();
    by_itself = ended(0, "a");
    by_itself->commit_by_itself = true;
    (void)ended(1, "b");
    world.commit_error = UEX_KAFKA;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(by_itself->not_before_ms, 0);
        (void)next_begin_ms();
    }
    assert_int_equal(by_itself->not_before_ms, world.now_ms + 10000);
    world.commit_error = UEX_OK;
    works_for(1000);
    assert_true(is_finished(1));
    assert_false(is_finished(0));
    works_for(10000);
    assert_true(is_finished(0));
}

/* A list in the spool's file that cannot be read back is the command's failure, not the transaction's. */
static void abort__list_cannot_be_read_back__command_is_retried(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = exported(0, "a", 10);
    world.produce_error = UEX_SPOOL;
    (void)next_begin_ms();
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
    assert_int_equal(inflight->outcome.fault.error, UEX_SPOOL);
    world.produce_error = UEX_OK;
    (void)next_begin_ms();
    assert_int_equal(fixture_committed_records("results"), 0);
    assert_int_equal(fixture_committed_records(RETRIES), 1);
    assert_int_equal(committed_offset(), 1);
}

/* ---- a generation that is over */

static void fenced__offsets_of_an_old_generation__no_transaction_before_the_next_assignment(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    world.offsets_error = UEX_KAFKA;
    world.txn_was_fenced = true;
    (void)next_begin_ms();
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_FENCED);
    assert_int_equal(world.logged[UEX_EVENT_TXN_FENCED], 1);
    world.offsets_error = UEX_OK;
    world.txn_was_fenced = false;
    world.begin_calls = 0;
    works_for(20000);
    assert_int_equal(world.begin_calls, 0);
    assert_int_equal(waiting_count(), 1);
    fixture_revoke();
    fixture_assign(0, 1);
    fixture_restore();
    works_for(1000);
    assert_int_equal(committed_offset(), 1);
}

/* The crash markers cannot be taken back any more: the revoke need not wait for it. */
static void fenced__partitions_are_being_revoked__revoke_goes_on(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    (void)started(1, "b");
    uex_engine_lock(&world.engine);
    assert_true(uex_assignment_advance(&world.engine.synced.assignment, UEX_ASSIGNMENT_CLOSING));
    uex_engine_unlock(&world.engine);
    world.offsets_error = UEX_KAFKA;
    world.txn_was_fenced = true;
    (void)next_begin_ms();
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_ENDING);
}

/* A list that timed out with it is not to blame. */
static void fenced__transaction_had_timed_out__is_not_charged_to_the_list(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = exported(0, "a", 100000);
    world.commit_error = UEX_KAFKA;
    world.txn_was_fenced = true;
    world.txn_age = (struct uex_txn_age){.timed_out = true};
    (void)next_begin_ms();
    assert_int_equal(inflight->timed_out, 0);
}

static void rebalance_at_produce(const char *step_name)
{
    note_step(step_name);
    if (strcmp(step_name, "produce") != 0)
        return;
    world.on_step = note_step;
    fixture_revoke();
    world.generation++;
    fixture_assign(0, 1);
}

/* Its committed offsets are somebody else's now, or they are of before. */
static void stale__assignment_came_before_the_positions_were_sent__sends_nothing(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = ended(0, "a");
    trail[0] = '\0';
    world.on_step = rebalance_at_produce;
    (void)next_begin_ms();
    assert_string_equal(trail, "prepare begin produce flush abort ");
    assert_int_equal(world.engine.synced.epoch, 2);
    assert_int_equal(waiting_count(), 1);
    assert_int_equal(inflight->verdict, UEX_VERDICT_REDO);
    assert_int_equal(inflight->epoch, 2);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_HELD);
    fixture_restore();
    works_for(1000);
    assert_int_equal(committed_offset(), 1);
    assert_ptr_equal(world.txn_metadata, world.engine.synced.group_metadata);
    assert_int_equal(fixture_committed_records(STATES), 1);
}

/* The fence is for the generation before: the new assignment commits. */
static void stale__fenced_after_a_new_assignment__the_new_one_is_not_fenced(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    world.on_step = rebalance_at_produce;
    world.txn_was_fenced = true;
    (void)next_begin_ms();
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_HELD);
}

/* ---- an end that nobody knows */

/* The producer is rebuilt when it is prepared for the second time. */
static void rebuild_at_prepare(const char *step_name)
{
    note_step(step_name);
    if (strcmp(step_name, "commit") == 0)
        world.txn_is_lost = true;
    if (strcmp(step_name, "prepare") == 0 && world.txn_is_lost && world.prepare_error == UEX_OK) {
        world.txn_is_lost = false;
        world.commit_error = UEX_OK;
    }
}

static void lose_the_commit(bool has_happened)
{
    world.on_step = rebuild_at_prepare;
    world.commit_error = UEX_TIMEOUT;
    world.commits_unseen = has_happened;
}

static void unknown__commit_has_happened__outcome_is_done_and_not_sent_again(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    lose_the_commit(true);
    trail[0] = '\0';
    (void)next_begin_ms();
    assert_string_equal(trail, "prepare begin produce flush offsets commit abort prepare ");
    assert_string_equal(world.transaction_result, "unknown");
    assert_int_equal(waiting_count(), 0);
    assert_int_equal(world.committed_seen, 1);
    works_for(10000);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(world.committed_seen, 1);
    assert_true(world.engine.synced.partitions[0].inputs[0].window.base == 1);
}

static void unknown__commit_has_not_happened__outcome_is_sent_again(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    lose_the_commit(false);
    (void)next_begin_ms();
    assert_int_equal(waiting_count(), 1);
    assert_int_equal(world.committed_seen, 0);
    works_for(10000);
    assert_int_equal(committed_offset(), 1);
    assert_int_equal(fixture_committed_records(STATES), 1);
    assert_int_equal(world.committed_seen, 1);
}

/* The committed offsets are the only evidence. */
static void commit_one_of_two(const char *step_name)
{
    rebuild_at_prepare(step_name);
    if (strcmp(step_name, "abort") == 0)
        fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1;u=30;b=Ag==");
}

static void unknown__each_outcome__is_judged_by_its_own_bit(void **state)
{
    struct uex_inflight *first = NULL;

    (void)state;
    step();
    first = ended(0, "a");
    (void)ended(1, "b");
    lose_the_commit(false);
    world.on_step = commit_one_of_two;
    (void)next_begin_ms();
    assert_int_equal(waiting_count(), 1);
    assert_ptr_equal(world.engine.synced.outbox.first, first);
    assert_int_equal(world.committed_seen, 1);
    assert_true(uex_window_finished(&world.engine.synced.partitions[0].inputs[0].window, 1));
}

static unsigned unanswered, stop_after;

static void answer_later(void)
{
    if (++unanswered == stop_after)
        uex_engine_advance(&world.engine, UEX_LIFECYCLE_STOPPING);
    if (unanswered == 20)
        world.prepare_error = UEX_OK;
    if (unanswered == 40)
        world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void fail_prepare_after_commit(const char *step_name)
{
    rebuild_at_prepare(step_name);
    if (strcmp(step_name, "abort") == 0) {
        world.prepare_error = UEX_KAFKA_UNAVAILABLE;
        world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
        world.on_sleep = answer_later;
    }
}

/* "Timed out" means: ask again. Until then neither is true. */
static void unknown__kafka_does_not_answer__asks_until_it_does(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    unanswered = stop_after = 0;
    lose_the_commit(true);
    world.on_step = fail_prepare_after_commit;
    (void)next_begin_ms();
    assert_int_equal(unanswered, 40);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(waiting_count(), 0);
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 1);
    assert_true(world.now_ms - world.engine.committer_heartbeat_ms < 1000); /* it works all the while */
}

/* The next owner reads the offsets. Until then there is no audit line. */
static void unknown__worker_stops_meanwhile__outcome_is_neither_done_nor_lost(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    unanswered = 0;
    stop_after = 1;
    lose_the_commit(true);
    world.on_step = fail_prepare_after_commit;
    (void)next_begin_ms();
    assert_int_equal(unanswered, 1);
    assert_int_equal(world.committed_seen, 0);
    assert_int_equal(waiting_count(), 1);
}

static void assign_while_unknown(void)
{
    world.on_sleep = NULL;
    fixture_revoke();
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.prepare_error = UEX_OK;
    fixture_assign(0, 1);
    /* What is committed later on is not this transaction's. */
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1");
}

static void unanswered_then_assigned(const char *step_name)
{
    rebuild_at_prepare(step_name);
    if (strcmp(step_name, "abort") == 0) {
        world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
        world.on_sleep = assign_while_unknown;
    }
}

static void unknown__an_assignment_came_first__its_judgement_counts(void **state)
{
    (void)state;
    step();
    (void)ended(0, "a");
    lose_the_commit(true);
    world.on_step = unanswered_then_assigned;
    (void)next_begin_ms();
    assert_int_equal(world.engine.synced.epoch, 2);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(waiting_count(), 0);
}

/* ---- records that Kafka refuses */

static struct {
    const char *topic; /* of which records are refused; NULL: none */
    bool with_value;   /* only those with a value */
    bool with_foreign; /* only those with a header of the command's own */
    rd_kafka_resp_err_t code;
} refusing;

static void refuse_at_flush(const char *step_name)
{
    note_step(step_name);
    if (strcmp(step_name, "flush") != 0)
        return;
    for (size_t i = 0; i < world.produced_count; i++) {
        const struct fixture_produced *record = &world.produced[i];

        if (record->is_over)
            continue;
        uex_committer_note_delivery(record->inflight, record->topic,
                                    refusing.topic != NULL && strcmp(record->topic, refusing.topic) == 0 &&
                                            (!refusing.with_value || record->value != NULL) &&
                                            (!refusing.with_foreign || fixture_header(record, "own") != NULL)
                                        ? refusing.code
                                        : RD_KAFKA_RESP_ERR_NO_ERROR,
                                    1);
    }
}

/* What is produced for `topic` is refused by the broker. */
static void refuse(const char *topic)
{
    memset(&refusing, 0, sizeof(refusing));
    refusing.topic = topic;
    refusing.code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    world.on_step = refuse_at_flush;
}

static const struct fixture_produced *last_of(const char *topic)
{
    for (size_t i = world.produced_count; i-- > 0;) {
        if (strcmp(world.produced[i].topic, topic) == 0)
            return &world.produced[i];
    }
    return NULL;
}

static void note_delivery__codes_that_are_not_the_records_fault__say_nothing(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = ended(0, "a");
    uex_committer_note_delivery(NULL, "results", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, -1);
    uex_committer_note_delivery(inflight, "results", RD_KAFKA_RESP_ERR_NO_ERROR, 5);
    uex_committer_note_delivery(inflight, "results", RD_KAFKA_RESP_ERR__PURGE_QUEUE, -1);
    assert_int_equal(inflight->refused_code, 0);
    uex_committer_note_delivery(inflight, "results", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, -1);
    uex_committer_note_delivery(inflight, "states", RD_KAFKA_RESP_ERR_INVALID_RECORD, -1);
    assert_int_equal(inflight->refused_code, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE); /* the first counts */
    assert_string_equal(inflight->refused_topic, "results");
}

static void refused__with_others__goes_by_itself_next_and_the_others_are_not_touched(void **state)
{
    struct uex_inflight *guilty = NULL, *other = NULL;

    (void)state;
    step();
    guilty = exported(0, "a", 10);
    other = ended(1, "b");
    refuse("results");
    (void)next_begin_ms();
    assert_int_equal(guilty->outcome.kind, UEX_OUTCOME_EXPORTED); /* not known yet whose fault it is */
    assert_true(guilty->commit_by_itself);
    assert_false(other->commit_by_itself);
    assert_int_equal(waiting_count(), 2);
    assert_int_equal(next_begin_ms(), 0); /* no pause: Kafka is well */
    assert_int_equal(guilty->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(waiting_count(), 2);
    assert_int_equal(other->outcome.kind, UEX_OUTCOME_SKIPPED);
    works_for(1000);
    assert_int_equal(committed_offset(), 2);
    assert_int_equal(fixture_committed_records("results"), 0);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(world.committed_seen, 2);
    assert_string_equal(fixture_header(last_of("dead-letters"), UEX_HEADER_ERROR_CODE), "result-refused");
    assert_non_null(strstr(fixture_header(last_of("dead-letters"), UEX_HEADER_ERROR), "results"));
    assert_int_equal(fixture_committed_records(STATES), 2); /* the group's state says so too */
    assert_int_equal(world.logged[UEX_EVENT_TXN_ABORTED], 0);
}

/* A refused record does not fail its transaction by itself. */
static void refused__transaction_could_commit__is_aborted_all_the_same(void **state)
{
    (void)state;
    step();
    (void)exported(0, "a", 10);
    refuse("results");
    trail[0] = '\0';
    (void)next_begin_ms();
    assert_null(strstr(trail, "commit"));
    assert_null(strstr(trail, "offsets"));
    assert_non_null(strstr(trail, "abort"));
}

/* A list that the transaction's timeout ended is not charged twice. */
static void refused__transaction_had_timed_out_too__only_the_refusal_counts(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = exported(0, "a", 100000);
    refuse("results");
    world.txn_age = (struct uex_txn_age){.timed_out = true};
    (void)next_begin_ms();
    assert_int_equal(inflight->timed_out, 0);
}

/* A command with a header of its own, which fails with what no retry can fix. */
static struct uex_inflight *dead_letter(int64_t offset, const char *group)
{
    static const struct uex_record_header header = {"own", {(const uint8_t *)"x", 1}};
    struct uex_record *record = fixture_record(COMMANDS, 0, offset, group, NULL);
    struct uex_inflight *inflight = NULL;

    record->headers = &header;
    record->header_count = 1;
    fixture_fetch(record);
    fixture_intake();
    while ((inflight = fixture_take()) == NULL)
        step();
    fixture_finish(inflight, UEX_DB_DATA);
    return inflight;
}

/* Step by step down to a few hundred bytes that say where the command stands. */
static void refused__dead_letter__goes_without_value_then_bare(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = dead_letter(0, "a");
    refuse("dead-letters");
    (void)next_begin_ms();
    assert_true(inflight->outcome.value_refused);
    (void)next_begin_ms();
    assert_null(last_of("dead-letters")->value);
    assert_non_null(fixture_header(last_of("dead-letters"), "own"));
    assert_true(inflight->outcome.headers_refused);
    assert_int_equal(inflight->not_before_ms, 0);
    refusing.with_foreign = true;
    (void)next_begin_ms();
    assert_null(last_of("dead-letters")->value);
    assert_null(fixture_header(last_of("dead-letters"), "own"));
    assert_string_equal(fixture_header(last_of("dead-letters"), UEX_HEADER_ERROR_CODE), "database-data");
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(fixture_committed_records(STATES), 0); /* that may be what is refused */
    assert_int_equal(committed_offset(), 1);
}

static void refused__even_bare__waits_30_seconds_and_all_others_go_first(void **state)
{
    struct uex_inflight *inflight = NULL;
    int64_t refused_ms = 0;

    (void)state;
    step();
    inflight = dead_letter(0, "a");
    refuse("dead-letters");
    for (int i = 0; i < 3; i++)
        (void)next_begin_ms();
    refused_ms = world.now_ms;
    assert_int_equal(inflight->not_before_ms, refused_ms + 30000);
    assert_int_equal(world.logged[UEX_EVENT_DEAD_LETTER_REFUSED], 1);
    assert_true(fixture_logged(UEX_EVENT_DEAD_LETTER_REFUSED, "offset=0"));
    (void)ended(1, "b");
    works_for(1000);
    assert_true(is_finished(1));
    assert_int_equal(waiting_count(), 1);
    (void)next_begin_ms();
    assert_in_range(world.now_ms - refused_ms, 30000, 30400);
    assert_int_equal(world.logged[UEX_EVENT_DEAD_LETTER_REFUSED], 2);
    refuse(NULL);
    works_for(40000);
    assert_int_equal(committed_offset(), 2); /* an operator has raised the topic's limit */
}

/* The state is too large for its topic: the dead letter is tried with it before it goes without. */
static void refused__state_record__ends_as_a_dead_letter_without_a_state(void **state)
{
    (void)state;
    step();
    (void)exported(0, "a", 10);
    refuse(STATES);
    works_for(1000);
    assert_int_equal(committed_offset(), 1);
    assert_int_equal(fixture_committed_records(STATES), 0);
    assert_int_equal(fixture_committed_records("results"), 0);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_string_equal(fixture_header(last_of("dead-letters"), UEX_HEADER_ERROR_CODE), "result-refused");
}

/* A command of another partition; its value says its id, or does not. */
static struct uex_inflight *misplaced(bool has_own_id)
{
    const char *group = fixture_group(1, 2, 0);
    char value[128];

    fixture_revoke();
    fixture_begin_at(2, "uex1;n=2");
    (void)snprintf(value, sizeof(value), "{\"groupId\":\"%s\"%s}", group,
                   has_own_id ? ",\"commandId\":\"0123abcd-0000-4000-8000-000000000001\"" : "");
    fixture_fetch(fixture_record(COMMANDS, 0, 0, group, value));
    fixture_intake();
    return world.engine.synced.outbox.first;
}

/* It moves as it came: our header is what was too much. */
static void refused__rerouted_command_with_its_own_id__moves_without_our_header(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = misplaced(true);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_REROUTED);
    refuse(COMMANDS);
    (void)next_begin_ms();
    assert_non_null(fixture_header(last_of(COMMANDS), UEX_HEADER_COMMAND_ID));
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_REROUTED);
    refuse(NULL);
    (void)next_begin_ms();
    assert_null(fixture_header(last_of(COMMANDS), UEX_HEADER_COMMAND_ID));
    assert_int_equal(last_of(COMMANDS)->partition, 1);
    assert_int_equal(committed_offset(), 1);
}

/* Without the header it would be another command at its next place. */
static void refused__rerouted_command_without_an_id__is_a_dead_letter(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = misplaced(false);
    refuse(COMMANDS);
    (void)next_begin_ms();
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(inflight->outcome.fault.error, UEX_RESULT_REFUSED);
    assert_true(inflight->outcome.keeps_no_state); /* the group is another worker's */
}

/* ---- lists that take too long */

/* How a transaction has spent its time in which half of a list of 100,000 bytes was acknowledged. */
static const struct uex_txn_age slow = {.age_ms = 10000,
                                        .timeout_ms = 10000,
                                        .timed_out = true,
                                        .was_sending = true,
                                        .acked_bytes = 50000,
                                        .moved_bytes = 50000,
                                        .moving_ms = 8000};

static void too_slow__list_by_itself_three_times__is_a_dead_letter(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = exported(0, "a", 100000);
    world.commit_error = UEX_KAFKA;
    world.txn_age = slow;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
        (void)next_begin_ms();
    }
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(world.logged[UEX_EVENT_LIST_TIMED_OUT], 3);
    world.commit_error = UEX_OK;
    works_for(1000);
    assert_int_equal(fixture_committed_records("results"), 0);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
    assert_int_equal(committed_offset(), 1);
}

/* The age is that of the transaction before. */
static void too_slow__next_transaction_does_not_even_begin__does_not_count(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    step();
    inflight = exported(0, "a", 100000);
    world.commit_error = UEX_KAFKA;
    world.txn_age = slow;
    (void)next_begin_ms();
    assert_int_equal(inflight->too_slow, 1);
    world.prepare_error = UEX_KAFKA_UNAVAILABLE;
    works_for(10000);
    assert_int_equal(inflight->too_slow, 1);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
}

/* ---- the thread */

static void stop_soon(void)
{
    if (world.wait_count == 5) {
        (void)uex_lifecycle_advance(&world.engine.synced.lifecycle, UEX_LIFECYCLE_STOPPING);
        world.on_wait = NULL;
    }
}

static void run__worker_stops__producer_is_closed(void **state)
{
    (void)state;
    world.wait_count = 0;
    world.on_wait = stop_soon;
    assert_null(uex_committer_run(&world.engine));
    assert_true(world.engine.synced.outbox.can_commit);
    assert_int_equal(world.close_producer_calls, 1);
}

static void run__no_memory_for_the_committer__engine_breaks(void **state)
{
    (void)state;
    uex_torture_from(1);
    assert_null(uex_committer_run(&world.engine));
    uex_torture_count(false);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(world.close_producer_calls, 1);
}

int main(void)
{
#define COMMIT_TEST(function) cmocka_unit_test_setup_teardown(function, open_committer, close_committer)
    const struct CMUnitTest tests[] = {
        COMMIT_TEST(step__producer_not_ready__nothing_is_committed_and_it_is_logged_once_a_minute),
        COMMIT_TEST(step__nothing_to_commit__no_transaction_and_the_heartbeat_moves),
        COMMIT_TEST(prepare__brokers_refuse_the_timeout__ends_the_program_with_2),
        COMMIT_TEST(prepare__properties_refused_before_the_first_producer__ends_the_program_with_2),
        COMMIT_TEST(prepare__properties_refused_that_were_taken_before__is_tried_again),
        COMMIT_TEST(prepare__first_producer_cannot_be_built__is_tried_again),
        COMMIT_TEST(prepare__brokers_refuse_otherwise__is_tried_again),
        COMMIT_TEST(commit__outcome__records_then_offsets_then_end),
        COMMIT_TEST(interval__outcome_waits_for_others__until_commit_interval_is_over),
        COMMIT_TEST(interval__batch_is_full__begins_at_once),
        COMMIT_TEST(interval__worker_drains__outcome_waits_for_nobody),
        COMMIT_TEST(interval__partitions_are_revoked__outcome_waits_for_nobody),
        COMMIT_TEST(interval__a_command_runs_exclusively__outcome_waits_for_nobody),
        COMMIT_TEST(interval__a_command_waits_for_its_crash_marker__outcome_waits_100_ms_at_most),
        COMMIT_TEST(interval__shorter_than_that__stays_as_it_is),
        COMMIT_TEST(rate__more_outcomes_than_tokens__bound_the_transaction),
        COMMIT_TEST(rate__transaction_is_aborted__its_tokens_are_spent),
        COMMIT_TEST(rate__no_outcome_waits__positions_need_no_token),
        COMMIT_TEST(abort__again_and_again__pause_grows_and_is_bounded),
        COMMIT_TEST(abort__partitions_are_revoked__does_not_pause),
        COMMIT_TEST(abort__whichever_step_fails__outcomes_stay_queued),
        COMMIT_TEST(abort__outcomes_came_meanwhile__those_of_the_transaction_go_first_and_in_order),
        COMMIT_TEST(abort__outcome_by_itself_three_times__lets_the_others_go_first),
        COMMIT_TEST(abort__list_cannot_be_read_back__command_is_retried),
        COMMIT_TEST(fenced__offsets_of_an_old_generation__no_transaction_before_the_next_assignment),
        COMMIT_TEST(fenced__partitions_are_being_revoked__revoke_goes_on),
        COMMIT_TEST(fenced__transaction_had_timed_out__is_not_charged_to_the_list),
        COMMIT_TEST(stale__assignment_came_before_the_positions_were_sent__sends_nothing),
        COMMIT_TEST(stale__fenced_after_a_new_assignment__the_new_one_is_not_fenced),
        COMMIT_TEST(unknown__commit_has_happened__outcome_is_done_and_not_sent_again),
        COMMIT_TEST(unknown__commit_has_not_happened__outcome_is_sent_again),
        COMMIT_TEST(unknown__each_outcome__is_judged_by_its_own_bit),
        COMMIT_TEST(unknown__kafka_does_not_answer__asks_until_it_does),
        COMMIT_TEST(unknown__worker_stops_meanwhile__outcome_is_neither_done_nor_lost),
        COMMIT_TEST(unknown__an_assignment_came_first__its_judgement_counts),
        COMMIT_TEST(note_delivery__codes_that_are_not_the_records_fault__say_nothing),
        COMMIT_TEST(refused__with_others__goes_by_itself_next_and_the_others_are_not_touched),
        COMMIT_TEST(refused__transaction_could_commit__is_aborted_all_the_same),
        COMMIT_TEST(refused__transaction_had_timed_out_too__only_the_refusal_counts),
        COMMIT_TEST(refused__dead_letter__goes_without_value_then_bare),
        COMMIT_TEST(refused__even_bare__waits_30_seconds_and_all_others_go_first),
        COMMIT_TEST(refused__state_record__ends_as_a_dead_letter_without_a_state),
        COMMIT_TEST(refused__rerouted_command_with_its_own_id__moves_without_our_header),
        COMMIT_TEST(refused__rerouted_command_without_an_id__is_a_dead_letter),
        COMMIT_TEST(too_slow__list_by_itself_three_times__is_a_dead_letter),
        COMMIT_TEST(too_slow__next_transaction_does_not_even_begin__does_not_count),
        COMMIT_TEST(run__worker_stops__producer_is_closed),
        COMMIT_TEST(run__no_memory_for_the_committer__engine_breaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
