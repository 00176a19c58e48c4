/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the end of a transaction: what is done, what is somebody else's now, what is tried again; and what
 * follows where it lived for its timeout. */
#include "engine_fixture.h"

#define TIMEOUT_MS 10000
#define ID_FORMAT "0123abcd-0000-4000-8000-00000000000%c"
#define LIST_BYTES (1 << 20)
#define OUTAGE_ROUNDS 1000
/* Half of the list was acknowledged, part after part. */
static const struct uex_txn_age slow = {.age_ms = TIMEOUT_MS,
                                        .timeout_ms = TIMEOUT_MS,
                                        .timed_out = true,
                                        .was_sending = true,
                                        .acked_bytes = LIST_BYTES / 2,
                                        .moved_bytes = LIST_BYTES * 4 / 10,
                                        .moving_ms = TIMEOUT_MS * 8 / 10};
static const struct uex_txn_age outage = {.age_ms = TIMEOUT_MS, .timeout_ms = TIMEOUT_MS, .timed_out = true};

static struct uex_batch batch;

/* One partition, restored; the broker has a crash marker that lets commands start. */
static int open_engine(void **state)
{
    (void)fixture_open(state);
    fixture_begin_at(1, "uex1;n=1");
    world.engine.synced.partitions[0].inputs[0].committed_until = 10000;
    return 0;
}

static int close_engine(void **state)
{
    uex_batch_clear(&batch);
    return fixture_close(state);
}

static struct uex_input *input(void)
{
    return &world.engine.synced.partitions[0].inputs[0];
}

/* A command of a group that a worker thread runs; its id ends with the letter. */
static struct uex_inflight *running(const char *group, int64_t offset, char letter)
{
    struct uex_inflight *inflight = NULL;
    char value[128];

    (void)snprintf(value, sizeof(value), "{\"groupId\":\"%s\",\"commandId\":\"" ID_FORMAT "\"}", group, letter);
    fixture_fetch(fixture_record(COMMANDS, 0, offset, group, value));
    fixture_intake();
    inflight = fixture_take();
    assert_non_null(inflight);
    return inflight;
}

/* The same, and its job has ended: skipped as empty. */
static struct uex_inflight *ended(const char *group, int64_t offset, char letter)
{
    struct uex_inflight *inflight = running(group, offset, letter);

    fixture_finish(inflight, UEX_OK);
    return inflight;
}

/* A transaction begins with what waits. */
static void begin(void)
{
    uex_engine_lock(&world.engine);
    assert_true(uex_batch_collect_synced(&world.engine, UEX_BATCH_MAX, &batch));
    world.engine.synced.outbox.transaction_open = true;
    uex_engine_unlock(&world.engine);
}

static void settle(bool committed)
{
    uex_engine_lock(&world.engine);
    uex_settle_synced(&world.engine, &batch, committed);
    uex_engine_unlock(&world.engine);
}

/* What the intake does while the transaction runs: everything is revoked, and assigned again. Not restored yet. */
static void rebalance(void)
{
    fixture_revoke();
    world.generation++;
    fixture_assign(0, 1);
}

/* Is the command of that letter known as done for the group? */
static bool knows(const char *group, char letter)
{
    const struct uex_group_entry *entry = uex_group_table_find(&world.engine.synced.in_flight.groups, group);
    char id[UEX_UUID_TEXT_SIZE];

    (void)snprintf(id, sizeof(id), ID_FORMAT, letter);
    return entry != NULL && entry->memory != NULL && uex_group_memory_is_duplicate(entry->memory, id);
}

/* ---- what is committed */

static void settle__committed__group_knows_it_and_its_offset_is_finished(void **state)
{
    struct uex_inflight *next = NULL;

    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    assert_false(knows("g", 'a')); /* not before it is committed */
    settle(true);
    assert_true(knows("g", 'a'));
    assert_true(input()->window.base == 1);
    assert_true(input()->committed_base == 1);
    assert_int_equal(input()->committed_until, 1 + 16); /* commands below it may be started */
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_false(world.engine.synced.outbox.transaction_open);
    assert_null(batch.metadata);
    next = running("g", 1, 'b'); /* the group is free again */
    fixture_finish(next, UEX_OK);
    begin();
    settle(true);
    assert_true(knows("g", 'a')); /* one history */
    assert_true(knows("g", 'b'));
}

/* The audit line is written without the lock, and once. */
static void announce__committed__observer_hears_of_it_once(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    uex_settle_announce(&world.engine, &batch, true);
    assert_int_equal(world.committed_seen, 1);
    settle(true);
    assert_int_equal(world.committed_seen, 1);
}

static void announce__not_committed__observer_hears_of_what_was_judged_done_alone(void **state)
{
    struct uex_inflight *done = ended("g", 0, 'a'), *redo = ended("h", 1, 'b');

    (void)state;
    begin();
    done->verdict = UEX_VERDICT_DONE;
    redo->verdict = UEX_VERDICT_REDO;
    uex_settle_announce(&world.engine, &batch, false);
    assert_int_equal(world.committed_seen, 1);
    assert_true(done->announced);
    assert_false(redo->announced);
    settle(false);
    assert_int_equal(world.committed_seen, 1);
    assert_ptr_equal(world.engine.synced.outbox.first, redo);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
}

/* An assignment judged it between the announcement and this. */
static void settle__done_and_not_announced__is_announced_now(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    uex_settle_announce(&world.engine, &batch, false);
    assert_int_equal(world.committed_seen, 0);
    batch.commands[0]->verdict = UEX_VERDICT_DONE;
    settle(false);
    assert_int_equal(world.committed_seen, 1);
    assert_true(knows("g", 'a'));
}

/* Its partition went to another worker, and its offset was not finished: that worker runs it again. */
static void settle__lost__is_dropped_and_nobody_hears_of_it(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    batch.commands[0]->verdict = UEX_VERDICT_LOST;
    settle(false);
    assert_int_equal(world.committed_seen, 0);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_false(knows("g", 'a'));
}

static void settle__not_committed__outcomes_wait_again_and_nothing_is_finished(void **state)
{
    struct uex_inflight *a = ended("g", 0, 'a'), *b = ended("h", 1, 'b');

    (void)state;
    begin();
    settle(false);
    assert_int_equal(world.engine.synced.outbox.count, 2);
    assert_ptr_equal(world.engine.synced.outbox.first, a);
    assert_ptr_equal(world.engine.synced.outbox.last, b);
    assert_int_equal(a->state, UEX_INFLIGHT_ENDED);
    assert_int_equal(input()->window.base, 0);
    assert_false(knows("g", 'a'));
    assert_false(a->commit_by_itself);
}

/* ---- an assignment came meanwhile */

/* The restore has read the group's state since, and perhaps a newer one of another worker. */
static void settle__epoch_is_another__memory_is_that_of_the_restore(void **state)
{
    static const char newer[] = "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\",\"commandId\":"
                                "\"0123abcd-0000-4000-8000-00000000000c\",\"at\":\"2026-01-01T00:00:00Z\",\"recent\":"
                                "[{\"commandId\":\"0123abcd-0000-4000-8000-00000000000c\",\"runId\":\"r\",\"outcome\":"
                                "\"exported\",\"at\":\"2026-01-01T00:00:00Z\"}]}";

    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    rebalance();
    world.state_high[0] = 1;
    world.states[world.state_count++] = (struct fixture_state){.key = "g", .value = newer};
    fixture_restore();
    settle(true);
    assert_true(knows("g", 'c'));
    assert_false(knows("g", 'a'));
    assert_true(uex_window_finished(&input()->window, 0)); /* the window did not know it */
    assert_int_equal(world.engine.synced.in_flight.count, 0);
}

/* The memory of its groups is another worker's. */
static void settle__partition_was_revoked__memory_is_not_taken(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    fixture_revoke();
    settle(true);
    assert_false(knows("g", 'a'));
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.committed_seen, 1);
}

/* The log was cut behind it: offset and group are those of another command now. */
static void settle__command_was_cancelled__window_and_memory_stay(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    uex_cancel_request(&batch.commands[0]->cancel);
    settle(true);
    assert_false(uex_window_finished(&input()->window, 0));
    assert_false(knows("g", 'a'));
    assert_int_equal(world.engine.synced.in_flight.count, 0);
}

/* The offsets and crash markers of the transaction are those of a log that does not exist any more. */
static void settle__log_was_created_again__its_offset_is_committed_again(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    input()->log_number++;
    input()->committed_until = UEX_OFFSET_NONE;
    input()->starts_dirty = true;
    settle(true);
    assert_int_equal(input()->committed_base, 0);
    assert_true(input()->committed_until == UEX_OFFSET_NONE);
    assert_true(input()->starts_dirty);
}

/* The group's first transaction of all; committed offsets of before there are none. */
static void begin_first(int64_t offset)
{
    (void)fixture_close(NULL);
    (void)fixture_open(NULL);
    fixture_assign(0, 1);
    fixture_restore();
    input()->committed_until = 10000;
    (void)ended("g", offset, 'a');
    (void)running("h", offset + 3, 'b');
    begin();
    rebalance();
    fixture_restore();
}

/* Else its command, which is read again, would be taken again. */
static void settle__first_transaction_accepted_after_an_assignment_found_no_offset__it_counts(void **state)
{
    (void)state;
    begin_first(5);
    assert_true(input()->window.base == UEX_OFFSET_NONE);
    settle(true);
    assert_int_equal(input()->window.base, 8);
    assert_int_equal(input()->window.next, 8); /* nothing was read in this epoch */
    assert_true(input()->starts_dirty);
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_null(fixture_command(0, 5, "g")); /* known as finished */
    assert_non_null(fixture_command(0, 9, "g"));
}

static void settle__first_transaction_of_a_log_that_is_no_more__does_not_count(void **state)
{
    (void)state;
    begin_first(5);
    input()->log_number++;
    settle(true);
    assert_true(input()->window.base == UEX_OFFSET_NONE);
}

static void settle__first_transaction_and_partition_went_away__does_not_count(void **state)
{
    (void)state;
    begin_first(5);
    fixture_revoke();
    settle(true);
    assert_true(input()->window.base == UEX_OFFSET_NONE);
}

/* The assignment has read a later one: another worker's. */
static void settle__epoch_is_another_and_has_an_offset__that_counts(void **state)
{
    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    fixture_set_committed(COMMANDS, 0, 9, "uex1;n=1");
    rebalance();
    settle(true);
    assert_int_equal(input()->window.base, 9);
    assert_int_equal(input()->committed_base, 9);
}

/* The transaction sends the metadata of its own epoch; nobody needs it afterwards. */
static void settle__metadata_of_older_epochs__lives_as_long_as_the_transaction(void **state)
{
    const rd_kafka_consumer_group_metadata_t *used = NULL;

    (void)state;
    (void)ended("g", 0, 'a');
    begin();
    used = batch.metadata;
    assert_ptr_equal(used, world.engine.synced.group_metadata);
    rebalance();
    rebalance();
    assert_ptr_equal(world.engine.synced.retired_metadata[0], used);
    assert_non_null(world.engine.synced.retired_metadata[1]);
    assert_ptr_not_equal(world.engine.synced.group_metadata, used);
    settle(false);
    assert_null(world.engine.synced.retired_metadata[0]);
    assert_null(world.engine.synced.retired_metadata[1]);
    assert_null(batch.metadata);
    assert_non_null(world.engine.synced.group_metadata);
}

/* ---- a transaction that lived for its timeout */

/* An outcome that waits: exported, with a list of so many bytes; 0: a file. */
static struct uex_inflight *exported(const char *group, int64_t offset, size_t list_bytes)
{
    struct uex_inflight *inflight = running(group, offset, 'a');
    struct uex_job_outcome file = {0};

    if (list_bytes > 0) {
        fixture_finish_list(inflight, 1, list_bytes);
    } else {
        file.object.url = strdup("file:///x");
        uex_engine_finish(&world.engine, inflight, &file);
    }
    return inflight;
}

/* A transaction has begun with such an outcome by itself. */
static struct uex_inflight *by_itself(size_t list_bytes)
{
    struct uex_inflight *inflight = exported("g", 0, list_bytes);

    begin();
    assert_int_equal(batch.count, 1);
    return inflight;
}

/* The transaction fails, and the next one begins. */
static void fails(const struct uex_txn_age *age)
{
    uex_settle_age(&batch, age);
    settle(false);
    begin();
}

static void age__lone_list_sent_all_the_while__is_a_dead_letter_the_third_time(void **state)
{
    struct uex_inflight *inflight = by_itself(LIST_BYTES);

    (void)state;
    fails(&slow);
    fails(&slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    fails(&slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(inflight->outcome.fault.error, UEX_RESULT_REFUSED);
    assert_non_null(strstr(inflight->outcome.fault.text, "transaction.timeout.ms"));
    assert_false(inflight->given_up); /* it needs no list any more */
    assert_false(inflight->outcome.keeps_no_state);
}

/* However long it lasts: the list goes through when the broker is back. */
static void stays_exported(const struct uex_txn_age *age)
{
    struct uex_inflight *inflight = by_itself(LIST_BYTES);

    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(age);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
}

static void age__nothing_acknowledged__is_not_the_lists_fault(void **state)
{
    (void)state;
    stays_exported(&outage);
}

static void age__transaction_that_did_not_time_out__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age young = slow;

    (void)state;
    young.timed_out = false;
    stays_exported(&young);
}

/* For more than half of the timeout nothing was acknowledged. */
static void age__outage_in_the_middle__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age interrupted = slow;

    (void)state;
    interrupted.was_sending = false;
    stays_exported(&interrupted);
}

/* It lost half of the time to a pause, and half of the list went out in a quarter of it. */
static void age__pace_that_is_enough_but_for_a_pause__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age paused = slow;

    (void)state;
    paused.moving_ms = TIMEOUT_MS / 4;
    stays_exported(&paused);
}

/* The coordinator of the consumer group is down: the records are out, the committed offsets are not. */
static void age__all_of_it_acknowledged__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age sent = slow;

    (void)state;
    sent.acked_bytes = LIST_BYTES;
    stays_exported(&sent);
}

static void age__outages_between_slow_ends__begin_the_count_anew(void **state)
{
    struct uex_inflight *inflight = by_itself(LIST_BYTES);

    (void)state;
    for (int i = 0; i < 10 * UEX_SLOW_ENDS_MAX; i++)
        fails(i % UEX_SLOW_ENDS_MAX == 0 ? &outage : &slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    fails(&slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
}

static void age__several_outcomes__lists_go_by_themselves_and_nobody_is_charged(void **state)
{
    struct uex_inflight *list = exported("g", 0, LIST_BYTES), *file = exported("h", 1, 0);

    (void)state;
    begin();
    assert_int_equal(batch.count, 2);
    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        uex_settle_age(&batch, &slow);
    settle(false);
    assert_true(list->commit_by_itself);
    assert_false(file->commit_by_itself);
    assert_int_equal(list->timed_out, 0);
    assert_int_equal(list->outcome.kind, UEX_OUTCOME_EXPORTED);
    begin();
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], list);
}

/* It is not why a transaction takes long. */
static void age__file_or_short_list_by_itself__is_never_charged(void **state)
{
    struct uex_inflight *file = by_itself(0);

    (void)state;
    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(&slow);
    assert_int_equal(file->outcome.kind, UEX_OUTCOME_EXPORTED);
    settle(true);
    (void)exported("h", 1, 1000);
    begin();
    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(&slow);
    assert_int_equal(batch.commands[0]->outcome.kind, UEX_OUTCOME_EXPORTED);
    assert_int_equal(world.logged[UEX_EVENT_LIST_TIMED_OUT], 0);
}

/* An operator sees that it hangs, and what to do; not once for each try. */
static void age__outage__is_logged_once_a_minute_and_a_slow_end_each_time(void **state)
{
    (void)state;
    (void)by_itself(LIST_BYTES);
    for (int i = 0; i < 59; i++) {
        fails(&outage);
        world.now_ms += 1000;
    }
    assert_int_equal(world.logged[UEX_EVENT_LIST_TIMED_OUT], 1);
    assert_true(fixture_logged(UEX_EVENT_LIST_TIMED_OUT, "group=g"));
    world.now_ms += 1000;
    fails(&outage);
    assert_int_equal(world.logged[UEX_EVENT_LIST_TIMED_OUT], 2);
    fails(&slow);
    fails(&slow);
    assert_int_equal(world.logged[UEX_EVENT_LIST_TIMED_OUT], 4);
}

static void txn_age__acknowledgements__tell_a_slow_link_from_an_outage(void **state)
{
    struct uex_kafka_property property = {.name = (char *)"transaction.timeout.ms", .value = (char *)"10000"};
    const struct uex_config config = {.kafka = &property, .kafka_count = 1};
    struct uex_txn txn = {.setup.config = &config,
                          .begun_ms = 1000,
                          .acked_ms = 10500,
                          .quiet_ms = 2000,
                          .quiet_bytes = 3000,
                          .acked_bytes = 10000};

    (void)state;
    assert_false(uex_txn_age(&txn, 10900).timed_out);
    assert_true(uex_txn_age(&txn, 11000).timed_out);
    assert_true(uex_txn_age(&txn, 11000).was_sending);
    assert_true(uex_txn_age(&txn, 30000).was_sending); /* after its end there is nothing to be acknowledged */
    assert_int_equal(uex_txn_age(&txn, 11000).acked_bytes, 10000);
    assert_int_equal(uex_txn_age(&txn, 11000).moved_bytes, 7000);
    assert_int_equal(uex_txn_age(&txn, 11000).moving_ms, 7500);
    txn.acked_ms = 5000; /* then an outage */
    assert_true(uex_txn_age(&txn, 12000).timed_out);
    assert_false(uex_txn_age(&txn, 12000).was_sending);
    txn.acked_ms = 10500;
    txn.quiet_ms = 6000; /* an outage in the middle */
    assert_false(uex_txn_age(&txn, 12000).was_sending);
}

int main(void)
{
#define SETTLE_TEST(function) cmocka_unit_test_setup_teardown(function, open_engine, close_engine)
    const struct CMUnitTest tests[] = {
        SETTLE_TEST(settle__committed__group_knows_it_and_its_offset_is_finished),
        SETTLE_TEST(announce__committed__observer_hears_of_it_once),
        SETTLE_TEST(announce__not_committed__observer_hears_of_what_was_judged_done_alone),
        SETTLE_TEST(settle__done_and_not_announced__is_announced_now),
        SETTLE_TEST(settle__lost__is_dropped_and_nobody_hears_of_it),
        SETTLE_TEST(settle__not_committed__outcomes_wait_again_and_nothing_is_finished),
        SETTLE_TEST(settle__epoch_is_another__memory_is_that_of_the_restore),
        SETTLE_TEST(settle__partition_was_revoked__memory_is_not_taken),
        SETTLE_TEST(settle__command_was_cancelled__window_and_memory_stay),
        SETTLE_TEST(settle__log_was_created_again__its_offset_is_committed_again),
        SETTLE_TEST(settle__first_transaction_accepted_after_an_assignment_found_no_offset__it_counts),
        SETTLE_TEST(settle__first_transaction_of_a_log_that_is_no_more__does_not_count),
        SETTLE_TEST(settle__first_transaction_and_partition_went_away__does_not_count),
        SETTLE_TEST(settle__epoch_is_another_and_has_an_offset__that_counts),
        SETTLE_TEST(settle__metadata_of_older_epochs__lives_as_long_as_the_transaction),
        SETTLE_TEST(age__lone_list_sent_all_the_while__is_a_dead_letter_the_third_time),
        SETTLE_TEST(age__nothing_acknowledged__is_not_the_lists_fault),
        SETTLE_TEST(age__transaction_that_did_not_time_out__is_not_the_lists_fault),
        SETTLE_TEST(age__outage_in_the_middle__is_not_the_lists_fault),
        SETTLE_TEST(age__pace_that_is_enough_but_for_a_pause__is_not_the_lists_fault),
        SETTLE_TEST(age__all_of_it_acknowledged__is_not_the_lists_fault),
        SETTLE_TEST(age__outages_between_slow_ends__begin_the_count_anew),
        SETTLE_TEST(age__several_outcomes__lists_go_by_themselves_and_nobody_is_charged),
        SETTLE_TEST(age__file_or_short_list_by_itself__is_never_charged),
        SETTLE_TEST(age__outage__is_logged_once_a_minute_and_a_slow_end_each_time),
        SETTLE_TEST(txn_age__acknowledgements__tell_a_slow_link_from_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
