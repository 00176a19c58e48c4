/* SPDX-License-Identifier: Apache-2.0 */
/* The intake: what is taken, what is backpressured and for how long, when partitions are paused, where the consumer
 * seeks.
 */
#include "engine_fixture.h"

#define OTHER_TOPIC "other"

static struct uex_intake intake;
static unsigned read_seen, ready_seen;

static void on_read(void *context, const struct uex_inflight *inflight)
{
    (void)context;
    assert_non_null(inflight->record);
    read_seen++;
}

static void on_ready(void *context, const struct uex_inflight *inflight)
{
    (void)context;
    assert_non_null(inflight->command.group_id);
    ready_seen++;
}

static int open_intake(void **state)
{
    const int failed = fixture_open(state);

    intake = (struct uex_intake){0};
    read_seen = ready_seen = 0;
    world.engine.observer.read = on_read;
    world.engine.observer.seen = on_ready;
    return failed;
}

static struct uex_input *input_at(size_t input_topic, int32_t partition)
{
    return uex_engine_input(&world.engine, input_topic, partition);
}

static size_t in_flight(void)
{
    return world.engine.synced.in_flight.count;
}

static int64_t wall_ms(void)
{
    return STARTED_WALL_MS + world.now_ms;
}

static bool is_known(size_t input_topic, int32_t partition, int64_t offset)
{
    bool known = false;

    uex_engine_lock(&world.engine);
    known = uex_dispatch_find_synced(&world.engine, input_topic, partition, offset) != NULL;
    uex_engine_unlock(&world.engine);
    return known;
}

/* Rounds without a record, 100 ms each; the last one is at this monotonic time. */
static void idle_until(int64_t at_ms)
{
    while (world.now_ms < at_ms - 100)
        uex_intake_step(&world.engine, &intake);
    world.now_ms = at_ms - 100;
    uex_intake_step(&world.engine, &intake);
    assert_int_equal(world.now_ms, at_ms);
}

static void read_record(const char *topic, int32_t partition, int64_t offset, const char *group)
{
    fixture_fetch(fixture_record(topic, partition, offset, group, NULL));
    fixture_intake();
}

static void read_retry(int64_t offset, const char *group, int64_t in_ms)
{
    fixture_fetch(fixture_retry(0, offset, group, wall_ms() + in_ms));
    fixture_intake();
}

/* The next command is run and its outcome committed. */
static void complete_one(void)
{
    struct uex_inflight *inflight = fixture_take();

    if (inflight == NULL) {
        fixture_commits(3);
        inflight = fixture_take();
    }
    assert_non_null(inflight);
    fixture_finish(inflight, UEX_OK);
    fixture_commits(3);
}

static void forget_pauses(void)
{
    fixture_keep(&world.paused, NULL);
    fixture_keep(&world.resumed, NULL);
}

static bool was_told(const rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition)
{
    return list != NULL && rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)list, topic,
                                                              partition) != NULL;
}

/* ---- records */

static void record__command__is_queued_and_the_observer_hears_of_it(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "g");
    assert_int_equal(in_flight(), 1);
    assert_int_equal(read_seen, 1);
    assert_int_equal(ready_seen, 1);
}

static void record__no_command__is_read_but_nothing_to_run(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_fetch(fixture_record(COMMANDS, 0, 0, "g", "no command"));
    fixture_intake();
    assert_int_equal(read_seen, 1);
    assert_int_equal(ready_seen, 0);
    fixture_commits(3);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
}

/* librdkafka may still deliver what it had fetched before a rebalance. */
static void record__of_a_partition_that_is_not_assigned__is_dropped(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 7, 0, "g");
    read_record(OTHER_TOPIC, 0, 0, "g");
    fixture_revoke();
    read_record(COMMANDS, 0, 0, "g");
    assert_int_equal(in_flight(), 0);
}

static void record__delivered_twice__is_taken_once(void **state)
{
    const int64_t first_ms = world.now_ms;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "g");
    world.now_ms = first_ms; /* the same record has the same timestamp */
    read_record(COMMANDS, 0, 0, "g");
    assert_int_equal(in_flight(), 1);
    assert_int_equal(read_seen, 1);
    assert_int_equal(world.logged[UEX_EVENT_LOG_CHECK], 0);
}

/* The bitmap of the committed offset says so. */
static void record__finished_before__is_passed_over(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1;b=Ag==");
    read_record(COMMANDS, 0, 0, "g");
    read_record(COMMANDS, 0, 1, "h");
    assert_int_equal(in_flight(), 1);
    assert_int_equal(input_at(0, 0)->window.next, 2);
    assert_null(input_at(0, 0)->first_backpressured);
}

static void record__no_memory_for_it__program_ends(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.fetched[world.fetched_count++] =
        (struct uex_fetched){.kind = UEX_FETCHED_RECORD, .topic = COMMANDS, .partition = 0, .offset = 0};
    fixture_intake();
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    assert_int_equal(world.logged[UEX_EVENT_OUT_OF_MEMORY], 1);
    assert_int_equal(input_at(0, 0)->window.next, 0); /* the next owner reads it again */
}

/* What may have killed a worker is not parsed before its start is committed. */
static void record__below_a_crash_marker__is_not_even_parsed(void **state)
{
    const struct uex_inflight *first = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1;u=2");
    fixture_fetch(fixture_record(COMMANDS, 0, 0, "g", "no command"));
    fixture_intake();
    read_record(COMMANDS, 0, 1, "h");
    read_record(COMMANDS, 0, 2, "i");
    assert_int_equal(read_seen, 1); /* that of the last one */
    first = world.engine.synced.poison.first_suspect;
    assert_int_equal(first->offset, 0);
    assert_int_equal(first->state, UEX_INFLIGHT_QUEUED);
    assert_int_equal(first->next_in_group->offset, 1);
    assert_ptr_equal(world.engine.synced.poison.last_suspect, first->next_in_group);
    assert_null(first->next_in_group->next_in_group);
}

static void record__suspect_in_a_retry_topic__waits_for_its_time_first(void **state)
{
    const int64_t due_ms = world.now_ms + 30000;

    (void)state;
    world.command_partitions = 1;
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1");
    fixture_set_committed(RETRIES, 0, 0, "uex1;n=1;u=1");
    fixture_assign(0, 1);
    fixture_restore();
    read_retry(0, "g", due_ms - world.now_ms);
    assert_null(world.engine.synced.poison.first_suspect);
    idle_until(due_ms);
    assert_non_null(world.engine.synced.poison.first_suspect);
}

/* ---- backpressured: a record that is not due, and all behind it */

static void backpressured__not_due__is_taken_when_it_is(void **state)
{
    const int64_t due_ms = world.now_ms + 30000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "g", due_ms - world.now_ms);
    assert_int_equal(in_flight(), 0);
    assert_int_equal(input_at(1, 0)->backpressure, UEX_BACKPRESSURE_DUE);
    assert_int_equal(world.paused->cnt, 1); /* commands are read on */
    assert_true(was_told(world.paused, RETRIES, 0));
    assert_int_equal(world.engine.oldest_backpressured_ms, input_at(1, 0)->first_backpressured->since_ms);
    idle_until(due_ms - 1);
    assert_int_equal(in_flight(), 0);
    assert_null(world.resumed);
    idle_until(due_ms);
    assert_int_equal(in_flight(), 1);
    assert_true(was_told(world.resumed, RETRIES, 0));
    assert_int_equal(world.engine.oldest_backpressured_ms, UEX_NO_TIME);
}

/* Each of those behind it would be due. */
static void backpressured__records_behind__stay_in_order(void **state)
{
    const int64_t due_ms = world.now_ms + 30000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "a", due_ms - world.now_ms);
    read_retry(1, "b", 0);
    read_retry(2, "c", due_ms + 10000 - world.now_ms);
    read_retry(3, "d", 0);
    assert_int_equal(in_flight(), 0);
    idle_until(due_ms);
    assert_int_equal(in_flight(), 2);
    assert_int_equal(input_at(1, 0)->first_backpressured->offset, 2);
    idle_until(due_ms + 10000);
    assert_int_equal(in_flight(), 4);
    assert_null(input_at(1, 0)->first_backpressured);
    assert_null(input_at(1, 0)->last_backpressured);
    for (const char *group = "abcd"; *group != '\0'; group++) {
        struct uex_inflight *inflight = fixture_take();

        if (inflight == NULL) {
            fixture_commits(3);
            inflight = fixture_take();
        }
        assert_int_equal(inflight->command.group_id[0], *group);
    }
}

static void backpressured__new_record_after_the_last_was_taken__is_taken_at_once(void **state)
{
    const int64_t due_ms = world.now_ms + 1000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "a", due_ms - world.now_ms);
    idle_until(due_ms);
    read_retry(1, "b", 0);
    assert_int_equal(in_flight(), 2);
}

/* The header may come from another program, or from a worker with a wrong clock. */
static void backpressured__asks_for_more_than_its_topics_delay__waits_no_longer_than_that(void **state)
{
    const int64_t bound_ms = world.now_ms + 60000 + 5000; /* and what clocks may differ */

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "g", 3600000);
    assert_int_equal(world.logged[UEX_EVENT_RETRY_DUE_BOUNDED], 1);
    idle_until(bound_ms - 1);
    assert_int_equal(in_flight(), 0);
    idle_until(bound_ms);
    assert_int_equal(in_flight(), 1);
}

static void backpressured__asks_for_its_topics_delay__is_not_worth_a_line(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "g", 60000);
    read_record(COMMANDS, 0, 0, "g");
    assert_int_equal(world.logged[UEX_EVENT_RETRY_DUE_BOUNDED], 0);
}

/* Written by another program: its topic's delay is not asked for. */
static void record__retry_without_a_due_time__is_taken_at_once(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(RETRIES, 0, 0, "g");
    assert_int_equal(in_flight(), 1);
    assert_int_equal(world.logged[UEX_EVENT_RETRY_DUE_BOUNDED], 0);
}

/* Its age counts from when it was read. */
static void record__without_a_timestamp__is_as_old_as_it_is_known(void **state)
{
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    record = fixture_record(COMMANDS, 0, 0, "g", NULL);
    record->timestamp_ms = -1;
    uex_envelope_read(record, COMMANDS);
    fixture_fetch(record);
    world.now_ms += 5000;
    uex_intake_step(&world.engine, &intake);
    assert_int_equal(world.engine.synced.in_flight.first->since_ms, wall_ms());
}

/* A retry whose key belongs elsewhere is moved to the command topic when it is due. What is left of its time is the
 * difference of two clocks: more than that holds nothing up. */
static void record__retry_that_was_moved__waits_for_no_more_than_clocks_differ(void **state)
{
    static const int64_t asks_ms[] = {3600000, 3000};

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    for (int64_t i = 0; i < 2; i++) {
        struct uex_record *record = fixture_retry(0, i, "g", wall_ms() + asks_ms[i]);

        record->topic = COMMANDS; /* the envelope stays that of a second attempt */
        fixture_fetch(record);
        fixture_intake();
    }
    assert_int_equal(in_flight(), 1);
    assert_int_equal(input_at(0, 0)->first_backpressured->offset, 1);
    assert_int_equal(world.logged[UEX_EVENT_RETRY_DUE_BOUNDED], 0);
    idle_until(world.now_ms + 3000);
    assert_int_equal(in_flight(), 2);
}

/* For the metric of what waits longest. */
static void backpressured__several_records__the_oldest_is_reported(void **state)
{
    int64_t first_ms = 0;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    first_ms = wall_ms();
    fixture_fetch(fixture_retry(1, 0, fixture_group(1, 2, 0), wall_ms() + 50000));
    fixture_intake();
    fixture_fetch(fixture_retry(0, 0, fixture_group(0, 2, 0), wall_ms() + 50000));
    fixture_intake();
    assert_int_equal(world.engine.oldest_backpressured_ms, first_ms);
}

/* ---- backpressured: metadata of the committed offset has room for so many offsets */

static void backpressured__window_is_full__is_taken_when_the_first_offsets_are_finished(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "a");
    read_record(COMMANDS, 0, UEX_WINDOW_SPAN - 1, "b");
    assert_int_equal(in_flight(), 2);
    read_record(COMMANDS, 0, UEX_WINDOW_SPAN, "c");
    assert_int_equal(in_flight(), 2);
    assert_int_equal(input_at(0, 0)->backpressure, UEX_BACKPRESSURE_WINDOW);
    assert_true(was_told(world.paused, COMMANDS, 0));
    complete_one();
    idle_until(world.now_ms + 300);
    assert_true(is_known(0, 0, UEX_WINDOW_SPAN));
    assert_true(was_told(world.resumed, COMMANDS, 0));
}

/* ---- backpressured: the partition of its key is not known */

static void backpressured__partition_count_unknown__is_asked_again_after_200_ms(void **state)
{
    unsigned asked = 0;
    int64_t since_ms = 0;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    asked = world.count_calls;
    fixture_fetch(fixture_record(COMMANDS, 0, 0, fixture_group(1, 2, 0), NULL));
    uex_intake_step(&world.engine, &intake);
    since_ms = world.now_ms;
    assert_int_equal(input_at(0, 0)->backpressure, UEX_BACKPRESSURE_ROUTE);
    assert_int_equal(world.logged[UEX_EVENT_PARTITION_COUNT_UNKNOWN], 1);
    assert_int_equal(world.count_calls, asked + 1);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    idle_until(since_ms + 199);
    assert_int_equal(world.count_calls, asked + 1);
    world.count_error = UEX_OK;
    idle_until(since_ms + 200);
    assert_int_equal(world.count_calls, asked + 2);
    assert_int_equal(in_flight(), 1);
    fixture_commits(3);
    assert_int_equal(fixture_committed_records(COMMANDS), 1); /* it is moved to the partition of its key */
}

/* By a count that this epoch does not know its group is right here; but its state is at another worker. */
static void backpressured__topic_has_grown__worker_rejoins(void **state)
{
    const char *group = NULL;

    (void)state;
    for (unsigned i = 0; group == NULL; i++) {
        const char *name = fixture_group(1, 2, i);

        if (uex_partition_of(uex_bytes_of_text(name), 3) == 0)
            group = name;
    }
    fixture_begin_at(2, "uex1;n=2");
    world.command_partitions = 3;
    fixture_fetch(fixture_record(COMMANDS, 0, 0, group, NULL));
    uex_intake_step(&world.engine, &intake);
    assert_int_equal(input_at(0, 0)->backpressure, UEX_BACKPRESSURE_GROWN);
    assert_int_equal(fixture_rejoins_in_ms(), 1000);
    idle_until(world.now_ms + 500);
    assert_int_equal(fixture_rejoins_in_ms(), 500); /* it is looked at again, and that puts nothing off */
    idle_until(world.now_ms + 500);
    assert_int_equal(world.subscribe_calls, 1);
    assert_int_equal(world.leave_calls, 1);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    assert_int_equal(in_flight(), 0);
}

/* It has not heard of a growth yet. */
static void backpressured__broker_knows_fewer_partitions__is_asked_again_without_rejoining(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.command_partitions = 1;
    read_record(COMMANDS, 0, 0, fixture_group(1, 2, 0));
    assert_int_equal(input_at(0, 0)->backpressure, UEX_BACKPRESSURE_ROUTE);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    world.command_partitions = 2;
    idle_until(world.now_ms + 500);
    assert_int_equal(in_flight(), 1);
}

/* A suspect is looked at by a lane, which leaves the rejoining to the intake. */
static void step__lane_found_that_the_topic_has_grown__rejoins_once(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.synced.wants_rejoin = true;
    fixture_intake();
    assert_int_equal(fixture_rejoins_in_ms(), 1000);
    assert_false(world.engine.synced.wants_rejoin);
    world.engine.membership.resubscribe_at_ms = world.now_ms + 400;
    world.engine.synced.wants_rejoin = true;
    fixture_intake();
    assert_int_equal(world.engine.membership.resubscribe_at_ms - world.now_ms, 300);
}

/* ---- backpressure */

static void read_commands(int64_t from, int64_t until)
{
    for (int64_t i = from; i < until; i++) {
        char group[16];

        (void)snprintf(group, sizeof(group), "group-%d", (int)i);
        read_record(COMMANDS, 0, i, group);
    }
}

static void queue__full__all_are_paused_until_it_is_half_empty(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.queue_max = 4;
    read_commands(0, 3);
    assert_null(world.paused);
    read_record(COMMANDS, 0, 3, "last");
    assert_true(was_told(world.paused, COMMANDS, 0));
    assert_true(was_told(world.paused, RETRIES, 0));
    complete_one();
    fixture_intake();
    assert_int_equal(in_flight(), 3);
    assert_null(world.resumed);
    complete_one();
    fixture_intake();
    assert_int_equal(in_flight(), 2);
    assert_true(was_told(world.resumed, COMMANDS, 0));
    assert_true(was_told(world.resumed, RETRIES, 0));
}

static void queue__full_of_bytes__all_are_paused_until_it_is_half_empty(void **state)
{
    size_t each = 0;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_commands(0, 1);
    each = world.engine.synced.in_flight.bytes;
    world.engine.queue_max_bytes = 4 * each - each / 2;
    read_commands(1, 4);
    assert_true(was_told(world.paused, COMMANDS, 0));
    complete_one();
    complete_one();
    fixture_intake();
    assert_null(world.resumed);
    complete_one();
    fixture_intake();
    assert_true(was_told(world.resumed, COMMANDS, 0));
}

/* Small records come by the thousand between two looks at the input partitions, which are 20 ms apart. */
static void queue__becomes_full_between_two_rounds__is_seen_at_once(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.queue_max = 3;
    intake.served_ms = world.now_ms;
    for (int i = 0; i < 3; i++)
        fixture_fetch(fixture_record(COMMANDS, 0, i, "g", NULL));
    uex_intake_step(&world.engine, &intake);
    uex_intake_step(&world.engine, &intake);
    assert_null(world.paused);
    uex_intake_step(&world.engine, &intake);
    assert_true(was_told(world.paused, COMMANDS, 0));
}

static void queue__full__backpressured_records_wait_too(void **state)
{
    const int64_t due_ms = world.now_ms + 1000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.queue_max = 2;
    read_retry(0, "g", due_ms - world.now_ms);
    read_commands(0, 2);
    idle_until(due_ms + 1000);
    assert_int_equal(in_flight(), 2);
    assert_int_equal(world.engine.oldest_backpressured_ms, input_at(1, 0)->first_backpressured->since_ms);
    complete_one();
    fixture_intake();
    assert_int_equal(in_flight(), 2);
    assert_null(input_at(1, 0)->first_backpressured);
}

static void queue__full_and_a_record_is_backpressured__its_partition_stays_paused(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.engine.queue_max = 2;
    read_retry(0, "g", 50000);
    assert_true(was_told(world.paused, RETRIES, 0));
    read_commands(0, 2);
    assert_int_equal(world.paused->cnt, 1); /* what is paused is not told again */
    assert_true(was_told(world.paused, COMMANDS, 0));
    complete_one();
    fixture_intake();
    assert_int_equal(world.resumed->cnt, 1);
    assert_true(was_told(world.resumed, COMMANDS, 0));
}

static void breaker__open__all_are_paused_until_it_closes(void **state)
{
    struct uex_fault fault = {.error = UEX_DB_UNAVAILABLE};

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_DATABASE, &fault));
    fixture_intake();
    assert_int_equal(world.paused->cnt, 4);
    uex_breaker_close(&world.engine, UEX_DEPENDENCY_DATABASE);
    fixture_intake();
    assert_int_equal(world.resumed->cnt, 4);
}

static void lifecycle__draining__all_are_paused(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_DRAINING);
    fixture_intake();
    assert_int_equal(world.paused->cnt, 2);
}

static void pause__refused__is_told_again(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.pause_code = RD_KAFKA_RESP_ERR__STATE;
    read_retry(0, "g", 50000);
    assert_false(input_at(1, 0)->paused);
    forget_pauses();
    world.pause_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.pause_element_code = RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    fixture_intake();
    assert_true(was_told(world.paused, RETRIES, 0));
    assert_false(input_at(1, 0)->paused);
    forget_pauses();
    world.pause_element_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    fixture_intake();
    assert_true(was_told(world.paused, RETRIES, 0));
    assert_true(input_at(1, 0)->paused);
    forget_pauses();
    fixture_intake();
    assert_null(world.paused);
}

static rd_kafka_resp_err_t refuse_to_resume(void *context, rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    fixture_keep(&world.resumed, list);
    return RD_KAFKA_RESP_ERR__STATE;
}

static void resume__refused__is_told_again(void **state)
{
    const struct uex_consumer consumer = world.engine.consumer;
    const int64_t due_ms = world.now_ms + 1000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "g", due_ms - world.now_ms);
    world.engine.consumer.resume = refuse_to_resume;
    idle_until(due_ms);
    assert_true(input_at(1, 0)->paused);
    forget_pauses();
    world.engine.consumer = consumer;
    fixture_intake();
    assert_true(was_told(world.resumed, RETRIES, 0));
    assert_false(input_at(1, 0)->paused);
}

/* ---- ends of partitions */

static int64_t committed_offset(const char *topic)
{
    const rd_kafka_topic_partition_t *place = fixture_committed_of(topic, 0);

    return place == NULL ? UEX_OFFSET_NONE : place->offset;
}

static void end__behind_transaction_markers__offset_is_committed_without_an_outcome(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "g");
    complete_one();
    assert_int_equal(committed_offset(COMMANDS), 1);
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(committed_offset(COMMANDS), 3);
    assert_int_equal(world.committed_seen, 1);
}

/* So that a new consumer group does not begin anew each time. */
static void end__of_a_partition_without_a_committed_offset__is_committed(void **state)
{
    (void)state;
    fixture_assign(0, 1);
    fixture_restore();
    fixture_fetch_end(COMMANDS, 0, 0);
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(committed_offset(COMMANDS), 0);
    assert_int_equal(committed_offset(RETRIES), UEX_OFFSET_NONE);
}

static void end__is_where_the_offset_stands__nothing_is_committed(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_fetch_end(COMMANDS, 0, 0);
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(world.commit_calls, 0);
}

static void end__command_before_it_is_unfinished__offset_stays_with_it(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "g");
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(committed_offset(COMMANDS), 0);
    complete_one();
    assert_int_equal(committed_offset(COMMANDS), 3);
}

static void end__record_before_it_is_backpressured__offset_stays_with_it(void **state)
{
    const int64_t due_ms = world.now_ms + 1000;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_retry(0, "g", due_ms - world.now_ms);
    fixture_fetch_end(RETRIES, 0, 2);
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(committed_offset(RETRIES), 0);
    idle_until(due_ms);
    complete_one();
    assert_int_equal(committed_offset(RETRIES), 2);
}

static void end__beyond_the_window__waits_for_room(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_record(COMMANDS, 0, 0, "g");
    fixture_fetch_end(COMMANDS, 0, UEX_WINDOW_SPAN + 5);
    fixture_intake();
    assert_int_equal(input_at(0, 0)->window.next, 1);
    complete_one();
    fixture_intake();
    fixture_commits(3);
    assert_int_equal(committed_offset(COMMANDS), UEX_WINDOW_SPAN + 5);
}

/* A crash marker reaches beyond the end: what comes later was not there when the worker died. */
static void end__below_a_crash_marker__later_commands_are_no_suspects(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1;u=9");
    fixture_fetch_end(COMMANDS, 0, 1);
    fixture_intake();
    read_record(COMMANDS, 0, 1, "g");
    assert_null(world.engine.synced.poison.first_suspect);
    assert_int_equal(ready_seen, 1);
}

static void end__of_a_partition_that_is_not_assigned__is_dropped(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_revoke();
    fixture_fetch_end(COMMANDS, 0, 5);
    fixture_fetch_end(OTHER_TOPIC, 0, 5);
    fixture_intake();
    assert_int_equal(input_at(0, 0)->end_offset, UEX_OFFSET_NONE);
}

/* ---- a log that goes back */

static int64_t sought(void)
{
    return world.sought == NULL ? -1 : world.sought->elems[0].offset;
}

/* Records 0 to 4 of one log are read; their timestamps say which log it is. */
static void read_log(int64_t from, int64_t until, int64_t at_ms)
{
    const int64_t now_ms = world.now_ms;

    for (int64_t offset = from; offset < until; offset++) {
        world.now_ms = at_ms;
        fixture_fetch(fixture_record(COMMANDS, 0, offset, "g", NULL));
        world.now_ms = now_ms;
    }
    fixture_intake();
}

static void log__ends_before_what_was_read__is_compared_and_read_on_from_the_cut(void **state)
{
    const int64_t old_ms = world.now_ms;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_log(0, 5, old_ms);
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    assert_int_equal(world.logged[UEX_EVENT_LOG_CHECK], 1);
    assert_true(fixture_logged(UEX_EVENT_LOG_CHECK, "read_from=0"));
    assert_int_equal(sought(), 0);
    read_log(0, 3, old_ms);
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    assert_int_equal(world.logged[UEX_EVENT_LOG_CUT], 1);
    assert_int_equal(world.lines[UEX_EVENT_LOG_CUT].level, UEX_LOG_ERROR);
    assert_int_equal(sought(), 3);
    assert_true(is_known(0, 0, 2));
    assert_false(is_known(0, 0, 3));
    read_log(3, 4, old_ms + 500);
    assert_true(is_known(0, 0, 3));
}

static void log__records_are_the_same__goes_on(void **state)
{
    const int64_t old_ms = world.now_ms;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_log(0, 5, old_ms);
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    read_log(0, 6, old_ms);
    assert_int_equal(world.logged[UEX_EVENT_LOG_UNCHANGED], 1);
    assert_int_equal(world.logged[UEX_EVENT_LOG_CUT], 0);
    assert_true(is_known(0, 0, 5));
}

static void log__other_records__is_read_from_its_beginning(void **state)
{
    const int64_t old_ms = world.now_ms;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_log(0, 5, old_ms);
    read_log(2, 3, old_ms + 500);
    assert_int_equal(world.logged[UEX_EVENT_LOG_CHECK], 1);
    read_log(0, 1, old_ms + 500);
    assert_int_equal(world.logged[UEX_EVENT_TOPIC_RESET], 1);
    assert_int_equal(sought(), RD_KAFKA_OFFSET_BEGINNING);
    assert_false(is_known(0, 0, 0));
    read_log(0, 1, old_ms + 500);
    assert_true(is_known(0, 0, 0));
}

static void seek__fails__is_tried_again_and_nothing_is_taken_before(void **state)
{
    const int64_t old_ms = world.now_ms;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_log(0, 5, old_ms);
    world.seek_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_fetch_end(COMMANDS, 0, 3);
    fixture_intake();
    assert_int_equal(input_at(0, 0)->seek_to, 0);
    read_log(5, 6, old_ms);
    assert_false(is_known(0, 0, 5));
    world.seek_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.seek_element_code = RD_KAFKA_RESP_ERR__STATE;
    fixture_intake();
    assert_int_equal(input_at(0, 0)->seek_to, 0);
    world.seek_element_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    fixture_intake();
    assert_int_equal(input_at(0, 0)->seek_to, UEX_OFFSET_NONE);
    fixture_keep(&world.sought, NULL);
    fixture_intake();
    assert_null(world.sought);
}

/* ---- errors of the consumer */

static void error__session_timeout_is_refused__program_ends_with_2(void **state)
{
    (void)state;
    fixture_fetch_error(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT);
    fixture_intake();
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    assert_int_equal(world.logged[UEX_EVENT_CONFIG_REFUSED], 1);
    fixture_fetch_error(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT);
    fixture_intake();
    assert_int_equal(world.logged[UEX_EVENT_CONFIG_REFUSED], 1); /* said once */
}

static void error__fatal__program_ends_with_1(void **state)
{
    (void)state;
    fixture_fetch_error(RD_KAFKA_RESP_ERR__FATAL);
    fixture_intake();
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(world.logged[UEX_EVENT_CONSUMER_FATAL], 1);
}

static void error__any_other__is_logged_and_the_intake_goes_on(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_fetch_error(RD_KAFKA_RESP_ERR__TRANSPORT);
    read_record(COMMANDS, 0, 0, "g");
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    assert_int_equal(world.logged[UEX_EVENT_CONSUMER_ERROR], 1);
    assert_int_equal(in_flight(), 1);
}

/* ---- rounds, and the end */

static void step__subscribing_fails__is_tried_again_after_5_s(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    world.subscribe_code = RD_KAFKA_RESP_ERR__FATAL;
    world.engine.membership.resubscribe_at_ms = world.now_ms;
    fixture_intake();
    assert_int_equal(world.subscribe_calls, 1);
    assert_int_equal(world.logged[UEX_EVENT_SUBSCRIBE_FAILED], 1);
    assert_int_equal(fixture_rejoins_in_ms(), 5000);
    world.subscribe_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.tiers_error = UEX_KAFKA_UNAVAILABLE; /* the topics have to be known first */
    idle_until(world.now_ms + 5000);
    assert_int_equal(world.subscribe_calls, 1);
    assert_int_equal(world.logged[UEX_EVENT_SUBSCRIBE_FAILED], 2);
    world.tiers_error = UEX_OK;
    idle_until(world.now_ms + 5000);
    assert_int_equal(world.subscribe_calls, 2);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
}

static int polled_with_ms;

static bool note_timeout(void *context, int timeout_ms, struct uex_fetched *out)
{
    (void)context;
    (void)out;
    polled_with_ms = timeout_ms;
    world.now_ms += timeout_ms;
    return false;
}

/* A restore does not wait for a topic without commands. */
static void step__restore_is_running__does_not_wait_for_records(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    fixture_assign(0, 1);
    world.engine.consumer.poll = note_timeout;
    uex_intake_step(&world.engine, &intake); /* begins to read */
    uex_intake_step(&world.engine, &intake);
    assert_int_equal(polled_with_ms, 0);
    world.states[world.state_count++] = (struct fixture_state){.partition = 0, .offset = 1};
    uex_intake_step(&world.engine, &intake);
    uex_intake_step(&world.engine, &intake);
    assert_int_equal(polled_with_ms, 100);
    assert_int_equal(world.engine.intake_heartbeat_ms, world.now_ms - 100);
}

static void step__assignment_is_pending__is_finished(void **state)
{
    (void)state;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    fixture_intake();
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_HELD);
}

static unsigned polls_left;

static bool leave_after_polls(void *context, int timeout_ms, struct uex_fetched *out)
{
    (void)context;
    (void)out;
    world.now_ms += timeout_ms;
    if (--polls_left == 0)
        uex_engine_advance(&world.engine, UEX_LIFECYCLE_LEAVING);
    return false;
}

/* librdkafka does not leave the group before the assignment is answered. */
static void run__worker_leaves_while_an_assignment_is_pending__answers_it_first(void **state)
{
    (void)state;
    world.engine.consumer.poll = leave_after_polls;
    polls_left = 3;
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    fixture_assign(0, 1);
    assert_null(uex_intake_run(&world.engine));
    assert_int_equal(polls_left, 0);
    assert_int_equal(world.assign_calls, 1);
    assert_null(world.assigned);
    assert_int_equal(world.close_calls, 1);
}

int main(void)
{
#define INTAKE_TEST(function) cmocka_unit_test_setup_teardown(function, open_intake, fixture_close)
    const struct CMUnitTest tests[] = {
        INTAKE_TEST(record__command__is_queued_and_the_observer_hears_of_it),
        INTAKE_TEST(record__no_command__is_read_but_nothing_to_run),
        INTAKE_TEST(record__of_a_partition_that_is_not_assigned__is_dropped),
        INTAKE_TEST(record__delivered_twice__is_taken_once),
        INTAKE_TEST(record__finished_before__is_passed_over),
        INTAKE_TEST(record__no_memory_for_it__program_ends),
        INTAKE_TEST(record__below_a_crash_marker__is_not_even_parsed),
        INTAKE_TEST(record__suspect_in_a_retry_topic__waits_for_its_time_first),
        INTAKE_TEST(backpressured__not_due__is_taken_when_it_is),
        INTAKE_TEST(backpressured__records_behind__stay_in_order),
        INTAKE_TEST(backpressured__new_record_after_the_last_was_taken__is_taken_at_once),
        INTAKE_TEST(backpressured__asks_for_more_than_its_topics_delay__waits_no_longer_than_that),
        INTAKE_TEST(backpressured__asks_for_its_topics_delay__is_not_worth_a_line),
        INTAKE_TEST(record__retry_without_a_due_time__is_taken_at_once),
        INTAKE_TEST(record__without_a_timestamp__is_as_old_as_it_is_known),
        INTAKE_TEST(record__retry_that_was_moved__waits_for_no_more_than_clocks_differ),
        INTAKE_TEST(backpressured__several_records__the_oldest_is_reported),
        INTAKE_TEST(backpressured__window_is_full__is_taken_when_the_first_offsets_are_finished),
        INTAKE_TEST(backpressured__partition_count_unknown__is_asked_again_after_200_ms),
        INTAKE_TEST(backpressured__topic_has_grown__worker_rejoins),
        INTAKE_TEST(backpressured__broker_knows_fewer_partitions__is_asked_again_without_rejoining),
        INTAKE_TEST(step__lane_found_that_the_topic_has_grown__rejoins_once),
        INTAKE_TEST(queue__full__all_are_paused_until_it_is_half_empty),
        INTAKE_TEST(queue__full_of_bytes__all_are_paused_until_it_is_half_empty),
        INTAKE_TEST(queue__becomes_full_between_two_rounds__is_seen_at_once),
        INTAKE_TEST(queue__full__backpressured_records_wait_too),
        INTAKE_TEST(queue__full_and_a_record_is_backpressured__its_partition_stays_paused),
        INTAKE_TEST(breaker__open__all_are_paused_until_it_closes),
        INTAKE_TEST(lifecycle__draining__all_are_paused),
        INTAKE_TEST(pause__refused__is_told_again),
        INTAKE_TEST(resume__refused__is_told_again),
        INTAKE_TEST(end__behind_transaction_markers__offset_is_committed_without_an_outcome),
        INTAKE_TEST(end__of_a_partition_without_a_committed_offset__is_committed),
        INTAKE_TEST(end__is_where_the_offset_stands__nothing_is_committed),
        INTAKE_TEST(end__command_before_it_is_unfinished__offset_stays_with_it),
        INTAKE_TEST(end__record_before_it_is_backpressured__offset_stays_with_it),
        INTAKE_TEST(end__beyond_the_window__waits_for_room),
        INTAKE_TEST(end__below_a_crash_marker__later_commands_are_no_suspects),
        INTAKE_TEST(end__of_a_partition_that_is_not_assigned__is_dropped),
        INTAKE_TEST(log__ends_before_what_was_read__is_compared_and_read_on_from_the_cut),
        INTAKE_TEST(log__records_are_the_same__goes_on),
        INTAKE_TEST(log__other_records__is_read_from_its_beginning),
        INTAKE_TEST(seek__fails__is_tried_again_and_nothing_is_taken_before),
        INTAKE_TEST(error__session_timeout_is_refused__program_ends_with_2),
        INTAKE_TEST(error__fatal__program_ends_with_1),
        INTAKE_TEST(error__any_other__is_logged_and_the_intake_goes_on),
        INTAKE_TEST(step__subscribing_fails__is_tried_again_after_5_s),
        INTAKE_TEST(step__restore_is_running__does_not_wait_for_records),
        INTAKE_TEST(step__assignment_is_pending__is_finished),
        INTAKE_TEST(run__worker_leaves_while_an_assignment_is_pending__answers_it_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
