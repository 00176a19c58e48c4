/* SPDX-License-Identifier: Apache-2.0 */
/* The restore: which records of the state topic are read, when it ends, which of two states of a group counts, and who
 * waits for it. */
#include "engine_fixture.h"
#include "failing_memory.h"

#define NOON "2026-01-01T12:00:00Z"
#define EVENING "2026-01-01T20:00:00Z"
#define ID_FORMAT "00000000-0000-4000-8000-00000000000%c"
#define FAILURES_MAX 50 /* allocations of one record at most */

static char values[8][2048];
static size_t value_count;

static int open_engine(void **state)
{
    value_count = 0;
    return fixture_open(state);
}

/* The value of a state record that was written at `at`: the commands of the history, oldest first, one letter each. */
static const char *state_of(const char *group, const char *at, const char *history)
{
    char *text = values[value_count++];
    const char newest = history[strlen(history) - 1];
    int size = snprintf(text, sizeof(values[0]),
                        "{\"version\":1,\"groupId\":\"%s\",\"outcome\":\"exported\",\"commandId\":\"" ID_FORMAT
                        "\",\"at\":\"%s\",\"recent\":[",
                        group, newest, at);

    assert_true(value_count <= sizeof(values) / sizeof(values[0]));
    for (size_t i = 0; history[i] != '\0'; i++)
        size += snprintf(text + size, sizeof(values[0]) - (size_t)size,
                         "%s{\"commandId\":\"" ID_FORMAT "\",\"runId\":\"r\",\"outcome\":\"exported\",\"at\":\"%s\"}",
                         i == 0 ? "" : ",", history[i], at);
    (void)snprintf(text + size, sizeof(values[0]) - (size_t)size, "]}");
    return text;
}

/* The reader's next record; the high watermark stays as it is. */
static void bring(int32_t partition, int64_t offset, const char *key, const char *value)
{
    world.states[world.state_count++] =
        (struct fixture_state){.partition = partition, .offset = offset, .key = key, .value = value};
}

/* The reader says that the partition ends there. */
static void bring_end(int32_t partition, int64_t offset)
{
    bring(partition, offset, NULL, NULL);
}

/* Is the command of that letter known as done for the group? */
static bool knows(const char *group, char letter)
{
    const struct uex_group_entry *entry = uex_group_table_find(&world.engine.synced.in_flight.groups, group);
    char id[UEX_UUID_TEXT_SIZE];

    (void)snprintf(id, sizeof(id), ID_FORMAT, letter);
    return entry != NULL && entry->memory != NULL && uex_group_memory_is_duplicate(entry->memory, id);
}

static bool is_restored(int32_t partition)
{
    return world.engine.synced.partitions[partition].restored;
}

/* Where the reader was told to begin; -1: the partition is not read. */
static int64_t read_from(int32_t partition)
{
    const rd_kafka_topic_partition_t *place =
        world.state_assigned == NULL ? NULL
                                     : rd_kafka_topic_partition_list_find(world.state_assigned, STATES, partition);

    return place == NULL ? -1 : place->offset;
}

/* `count` partitions of which all are assigned; committed with this metadata; not restored. */
static void assign_at(int32_t count, const char *metadata)
{
    world.command_partitions = count;
    for (int32_t i = 0; i < count; i++) {
        fixture_set_committed(COMMANDS, i, 0, metadata);
        fixture_set_committed(RETRIES, i, 0, metadata);
    }
    fixture_assign(0, count);
}

static bool step(void)
{
    return uex_restore_step(&world.engine, 20);
}

/* ---- what it reads, and when it ends */

static void step__high_watermark_reached__states_are_known_and_the_partition_is_restored(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(0, 1, "h", state_of("h", NOON, "B"));
    assign_at(1, "uex1;n=1");
    assert_false(is_restored(0));
    assert_false(step());
    assert_true(is_restored(0));
    assert_true(knows("g", 'A'));
    assert_true(knows("h", 'B'));
    assert_int_equal(world.logged[UEX_EVENT_STATE_RESTORED], 1);
    assert_null(world.state_assigned); /* the reader rests */
}

/* The end that the reader reports is the last stable offset: an open transaction stands behind it, and its outcome may
 * be in the committed offset already. */
static void step__end_below_the_high_watermark__goes_on(void **state)
{
    (void)state;
    world.state_high[0] = 3;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring_end(0, 1);
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_false(is_restored(0));
    bring(0, 1, "g", state_of("g", NOON, "AB"));
    bring_end(0, 3); /* a transaction's marker has the last offset */
    assert_false(step());
    assert_true(is_restored(0));
    assert_true(knows("g", 'B'));
}

/* An outcome can be in the committed offset and not yet behind the high watermark of before. */
static void step__high_watermark__is_asked_after_the_committed_offsets_are_known(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    world.committed_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    assign_at(1, "uex1;n=1");
    assert_false(step()); /* nothing to restore yet */
    world.state_high[0] = 2;
    world.committed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    uex_rebalance_continue(&world.engine);
    assert_true(step());
    bring(0, 1, "g", state_of("g", NOON, "AB"));
    assert_false(step());
    assert_true(knows("g", 'B'));
}

/* What is written from now on is this worker's own: a busy topic would never let a restore end. */
static void step__topic_grows_meanwhile__ends_at_the_watermark_that_was_asked(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    assign_at(1, "uex1;n=1");
    assert_true(step());
    world.state_high[0] = 100;
    bring(0, 1, "g", state_of("g", NOON, "AB"));
    assert_false(step());
    assert_true(is_restored(0));
}

static void step__empty_state_topic__ends_at_once_and_reads_nothing(void **state)
{
    (void)state;
    assign_at(2, "uex1;n=2");
    assert_false(step());
    assert_true(is_restored(0));
    assert_true(is_restored(1));
    assert_int_equal(world.state_next, 0);
}

static void step__oldest_records_are_gone__begins_at_the_low_watermark(void **state)
{
    (void)state;
    world.state_low[0] = 40;
    world.state_high[0] = 50;
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_int_equal(read_from(0), 40);
}

static void step__budget_is_over__comes_back_for_the_rest(void **state)
{
    (void)state;
    world.state_high[0] = 20;
    for (int64_t i = 0; i < 20; i++)
        bring(0, i, "g", NULL);
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_true(world.state_next < world.state_count);
    fixture_restore();
    assert_true(is_restored(0));
    assert_int_equal(world.state_next, world.state_count);
}

static void begin__partition_stays__only_the_tail_is_read(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(0, 1, "g", state_of("g", NOON, "AB"));
    assign_at(1, "uex1;n=1");
    fixture_restore();
    fixture_revoke();
    world.state_high[0] = 3;
    fixture_assign(0, 1);
    assert_true(step());
    assert_int_equal(read_from(0), 2);
    assert_false(is_restored(0));
    assert_true(knows("g", 'B')); /* its memory stayed */
    bring(0, 2, "g", state_of("g", NOON, "ABC"));
    assert_false(step());
    assert_true(knows("g", 'C'));
}

static void begin__partition_was_away__is_read_from_its_beginning(void **state)
{
    const char *gone = fixture_group(0, 2, 0);

    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, gone, state_of(gone, NOON, "A"));
    bring(0, 1, gone, state_of(gone, NOON, "AB"));
    assign_at(2, "uex1;n=2");
    fixture_restore();
    assert_true(knows(gone, 'B'));
    fixture_revoke();
    fixture_assign(1, 1);
    fixture_restore();
    assert_false(knows(gone, 'B')); /* another worker's now */
    fixture_revoke();
    fixture_assign(0, 2);
    assert_true(step());
    assert_int_equal(read_from(0), 0);
    assert_int_equal(read_from(1), -1); /* it stayed, and nothing was written there */
}

static void begin__partition_of_another_worker__is_not_read(void **state)
{
    (void)state;
    world.command_partitions = 2;
    world.state_high[0] = world.state_high[1] = 5;
    fixture_set_committed(COMMANDS, 1, 0, "uex1;n=2");
    fixture_set_committed(RETRIES, 1, 0, "uex1;n=2");
    fixture_assign(1, 1);
    assert_true(step());
    assert_int_equal(read_from(0), -1);
    assert_int_equal(read_from(1), 0);
}

static void begin__restore_is_running__starts_again(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    assign_at(1, "uex1;n=1");
    assert_true(step());
    uex_restore_begin(&world.engine);
    assert_null(world.state_assigned);
    assert_true(step());
    assert_int_equal(read_from(0), 0);
}

static void revoke__restore_is_running__is_given_up(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_non_null(world.state_assigned);
    fixture_revoke();
    assert_null(world.state_assigned);
    assert_false(step());
    assert_false(is_restored(0));
}

/* ---- Kafka does not answer */

static void step__count_of_the_state_topic_unknown__asks_again_after_a_second(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    world.state_count_error = UEX_KAFKA_UNAVAILABLE;
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_int_equal(world.logged[UEX_EVENT_STATE_END_UNKNOWN], 1);
    world.state_count_error = UEX_OK;
    world.now_ms += 999;
    assert_true(step());
    assert_null(world.state_assigned);
    world.now_ms += 1;
    assert_true(step());
    assert_non_null(world.state_assigned);
    assert_int_equal(world.logged[UEX_EVENT_STATE_END_UNKNOWN], 1);
}

static void step__watermark_unknown__partition_is_not_taken_for_empty(void **state)
{
    (void)state;
    world.watermark_code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_false(is_restored(0));
    assert_null(world.state_assigned);
    world.watermark_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.now_ms += 1000;
    assert_false(step());
    assert_true(is_restored(0));
}

static void step__reader_takes_no_assignment__is_told_again(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    world.state_assign_code = RD_KAFKA_RESP_ERR__STATE;
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_int_equal(world.state_next, 0);
    world.state_assign_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    world.now_ms += 1000;
    assert_false(step());
    assert_true(knows("g", 'A'));
}

static void take__error_of_the_reader__is_logged_and_reading_goes_on(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    world.states[world.state_count++] = (struct fixture_state){.code = RD_KAFKA_RESP_ERR__TRANSPORT};
    bring(0, 0, "g", state_of("g", NOON, "A"));
    assign_at(1, "uex1;n=1");
    assert_false(step());
    assert_int_equal(world.logged[UEX_EVENT_STATE_READ_ERROR], 1);
    assert_true(knows("g", 'A'));
}

/* ---- single records */

static void take__unreadable_state__is_skipped_and_the_one_before_stays(void **state)
{
    (void)state;
    world.state_high[0] = 3;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(0, 1, "g", "{\"version\":2}");
    bring(0, 2, "h", "no JSON at all");
    assign_at(1, "uex1;n=1");
    assert_false(step());
    assert_true(is_restored(0));
    assert_true(knows("g", 'A'));
    assert_null(uex_group_table_find(&world.engine.synced.in_flight.groups, "h"));
    assert_int_equal(world.logged[UEX_EVENT_STATE_UNREADABLE], 2);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
}

/* Neither is a state of a group; they are not logged. */
static void take__record_without_a_key_or_value_of_a_group__is_passed_over(void **state)
{
    char long_key[UEX_GROUP_ID_MAX_BYTES + 2];

    (void)state;
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    world.state_high[0] = 3;
    bring(0, 0, "g", NULL);
    bring(0, 1, "", state_of("", NOON, "A"));
    bring(0, 2, long_key, state_of("g", NOON, "A"));
    assign_at(1, "uex1;n=1");
    assert_false(step());
    assert_true(is_restored(0));
    assert_int_equal(world.engine.synced.in_flight.groups.entry_count, 0);
    assert_int_equal(world.logged[UEX_EVENT_STATE_UNREADABLE], 0);
}

static void take__record_without_a_value__group_is_forgotten(void **state)
{
    (void)state;
    world.state_high[0] = 4;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(0, 1, "h", state_of("h", NOON, "A"));
    bring(0, 2, "g", NULL);
    bring(0, 3, "h", state_of("h", NOON, "AB"));
    assign_at(1, "uex1;n=1");
    assert_false(step());
    assert_false(knows("g", 'A'));
    assert_true(knows("h", 'B'));
    assert_int_equal(world.engine.synced.in_flight.groups.entry_count, 1);
}

static void take__grown_topic_and_record_without_a_value_in_another_partition__state_stays(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    world.state_high[1] = 1;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(1, 0, "g", NULL);
    assign_at(2, "uex1;n=1");
    assert_false(step());
    assert_true(knows("g", 'A'));
}

static void take__partition_that_the_epoch_does_not_know__is_passed_over(void **state)
{
    (void)state;
    world.state_high[0] = 1;
    bring(1, 0, "g", state_of("g", NOON, "A"));
    bring(-1, 0, "g", state_of("g", NOON, "A"));
    assign_at(1, "uex1;n=1");
    assert_true(step());
    assert_int_equal(world.engine.synced.in_flight.groups.entry_count, 0);
}

/* The order of a partition is the order of its transactions; clocks of workers differ. */
static void take__two_states_in_one_partition__the_later_record_counts_whatever_the_clocks_say(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", EVENING, "A"));
    bring(0, 1, "g", state_of("g", NOON, "B"));
    assign_at(1, "");
    assert_false(step());
    assert_true(knows("g", 'B'));
    assert_false(knows("g", 'A'));
}

/* ---- the topic has grown */

/* `group` stands in partition 0 as before the growth, and in 1, where it belongs now. */
static void restore_grown(const char *group, const char *in_zero, const char *in_one, bool one_first)
{
    world.state_high[0] = world.state_high[1] = 1;
    bring(one_first ? 1 : 0, 0, group, one_first ? in_one : in_zero);
    bring(one_first ? 0 : 1, 0, group, one_first ? in_zero : in_one);
    assign_at(2, "uex1;n=1"); /* committed when there was one partition */
    assert_false(step());
}

static void begin__committed_with_another_partition_count__all_partitions_are_read(void **state)
{
    (void)state;
    world.command_partitions = 3;
    for (int32_t i = 0; i < 3; i++)
        world.state_high[i] = 5;
    fixture_set_committed(COMMANDS, 2, 0, "uex1;n=2");
    fixture_set_committed(RETRIES, 2, 0, "uex1;n=3");
    fixture_assign(2, 1);
    assert_true(step());
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(read_from(i), 0);
}

/* A tail is not enough then: the group's newest state may stand far back in another partition. */
static void begin__grown_and_partition_stays__is_read_from_its_beginning(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "g", state_of("g", NOON, "A"));
    bring(0, 1, "g", state_of("g", NOON, "AB"));
    assign_at(1, "uex1;n=1");
    fixture_restore();
    fixture_revoke();
    assign_at(2, "uex1;n=1");
    assert_true(step());
    assert_int_equal(read_from(0), 0);
}

/* What moved away from the partition that stayed is asked for by the one that did not know of the growth. */
static void begin__only_one_partition_is_of_before_the_growth__all_are_read_from_their_beginning(void **state)
{
    (void)state;
    world.state_high[0] = 2;
    bring(0, 0, "x", NULL);
    bring(0, 1, "x", NULL);
    assign_at(2, "uex1;n=2");
    fixture_restore();
    fixture_revoke();
    fixture_set_committed(COMMANDS, 1, 0, "uex1;n=1");
    fixture_assign(0, 2);
    assert_true(step());
    assert_int_equal(read_from(0), 0);
}

static void begin__committed_offset_is_unknown__all_partitions_are_read(void **state)
{
    (void)state;
    world.command_partitions = 2;
    world.state_high[0] = 5;
    fixture_assign(1, 1);
    assert_true(step());
    assert_int_equal(read_from(0), 0);
}

/* The worker's clock that wrote the newer one was behind. */
static void take__grown_topic_and_one_state_follows_the_other__it_counts_whatever_the_clocks_say(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    restore_grown(group, state_of(group, EVENING, "A"), state_of(group, NOON, "AB"), false);
    assert_true(knows(group, 'B'));
    assert_false(world.engine.synced.partitions[1].state_spread);
}

static void take__grown_topic_and_the_follower_is_read_first__it_counts_too(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    restore_grown(group, state_of(group, EVENING, "A"), state_of(group, NOON, "AB"), true);
    assert_true(knows(group, 'B'));
}

static void take__grown_topic_and_neither_state_follows__the_later_time_counts(void **state)
{
    const char *group = fixture_group(1, 2, 0), *other = fixture_group(1, 2, 1);

    (void)state;
    world.state_high[0] = world.state_high[1] = 2;
    bring(0, 0, group, state_of(group, EVENING, "A"));
    bring(1, 0, group, state_of(group, NOON, "B"));
    bring(0, 1, other, state_of(other, NOON, "A"));
    bring(1, 1, other, state_of(other, EVENING, "B"));
    assign_at(2, "uex1;n=1");
    assert_false(step());
    assert_true(knows(group, 'A'));
    assert_true(knows(other, 'B'));
}

/* Of all partitions only what is this worker's is kept: the rest would cost memory for nothing. */
static void take__grown_topic_and_group_of_another_worker__is_not_kept(void **state)
{
    const char *own = fixture_group(1, 2, 0), *other = fixture_group(0, 2, 0);

    (void)state;
    world.command_partitions = 2;
    world.state_high[0] = 2;
    bring(0, 0, other, state_of(other, NOON, "A"));
    bring(0, 1, own, state_of(own, NOON, "A"));
    fixture_set_committed(COMMANDS, 1, 0, "uex1;n=1");
    fixture_assign(1, 1);
    assert_false(step());
    assert_true(knows(own, 'A'));
    assert_null(uex_group_table_find(&world.engine.synced.in_flight.groups, other));
}

/* The next owner would look for the group's state in its new partition only. */
static void finish__newest_state_stands_in_another_partition__next_owner_reads_all_of_them_too(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    restore_grown(group, state_of(group, NOON, "AB"), state_of(group, NOON, "A"), false);
    assert_true(knows(group, 'B'));
    assert_true(world.engine.synced.partitions[1].state_spread);
    assert_false(world.engine.synced.partitions[0].state_spread);
    (void)fixture_command(0, 0, fixture_group(0, 2, 0));
    (void)fixture_command(1, 0, group);
    assert_null(fixture_take()); /* both ask for their crash markers */
    fixture_commits(3);
    assert_non_null(strstr(fixture_committed_text(COMMANDS, 0), "n=2"));
    assert_null(strstr(fixture_committed_text(COMMANDS, 1), "n=2"));
}

static void finish__states_are_where_they_belong_again__partition_is_no_longer_mixed(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    restore_grown(group, state_of(group, NOON, "AB"), state_of(group, NOON, "A"), false);
    fixture_revoke();
    world.state_high[1] = 2;
    bring(0, 0, group, state_of(group, NOON, "AB"));
    bring(1, 0, group, state_of(group, NOON, "A"));
    bring(1, 1, group, state_of(group, NOON, "ABC"));
    assign_at(2, "uex1;n=0");
    fixture_restore();
    assert_true(knows(group, 'C'));
    assert_false(world.engine.synced.partitions[1].state_spread);
}

/* ---- who waits for it */

static void restored__command_was_read_before__starts_only_then_and_knows_the_history(void **state)
{
    struct uex_inflight *inflight = NULL;
    char value[128];

    (void)state;
    world.state_high[0] = 1;
    assign_at(1, "uex1;n=1");
    (void)snprintf(value, sizeof(value), "{\"groupId\":\"g\",\"commandId\":\"" ID_FORMAT "\"}", 'A');
    fixture_fetch(fixture_record(COMMANDS, 0, 0, "g", value));
    inflight = fixture_command(0, 1, "h");
    assert_non_null(inflight);
    fixture_commits(3);
    assert_null(fixture_take());
    assert_int_equal(world.begin_calls, 0);
    bring(0, 0, "g", state_of("g", NOON, "A"));
    fixture_restore();
    assert_null(fixture_take()); /* its crash marker is not committed yet; the other command is a duplicate */
    fixture_commits(3);
    assert_ptr_equal(fixture_take(), inflight);
    assert_null(fixture_take());
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
    assert_int_equal(fixture_committed_records(STATES), 0);
}

static void restored__command_of_another_partition__did_not_wait(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    assign_at(2, "uex1;n=2");
    fixture_restore();
    world.engine.synced.partitions[0].restored = false;
    assert_non_null(fixture_command(1, 0, group));
    assert_null(fixture_take());
    fixture_commits(3);
    assert_non_null(fixture_take());
}

/* Its state record would be written without what the topic says of the group. */
static void restored__adopted_outcome__is_committed_only_then_and_with_the_history(void **state)
{
    struct uex_inflight *inflight = NULL;
    const struct fixture_produced *produced = NULL;

    (void)state;
    assign_at(1, "uex1;n=1");
    fixture_restore();
    inflight = fixture_command(0, 0, "g");
    assert_null(fixture_take());
    fixture_commits(3);
    assert_ptr_equal(fixture_take(), inflight);
    fixture_revoke();
    world.state_high[0] = 1;
    fixture_assign(0, 1);
    assert_int_equal(world.adopted, 1);
    fixture_finish(inflight, UEX_OK);
    fixture_commits(3);
    assert_int_equal(fixture_committed_records(STATES), 0);
    bring(0, 0, "g", state_of("g", NOON, "A"));
    fixture_restore();
    fixture_commits(3);
    assert_int_equal(fixture_committed_records(STATES), 1);
    produced = &world.produced[world.produced_count - 1];
    assert_non_null(strstr(produced->value, "00000000000a"));
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

/* ---- memory */

/* A history with a gap would let a command run twice. */
static void take__no_memory_for_a_record__engine_breaks_and_the_restore_never_ends(void **state)
{
    const char *value = state_of("g", NOON, "AB");
    const rd_kafka_message_t message = {.key = (void *)(uintptr_t) "g",
                                        .key_len = 1,
                                        .payload = (void *)(uintptr_t)value,
                                        .len = strlen(value),
                                        .partition = 0,
                                        .offset = 0};
    size_t failing = 1;
    bool is_kept = false;

    for (; !is_kept && failing < FAILURES_MAX; failing++) {
        world.state_high[0] = 1;
        assign_at(1, "uex1;n=1");
        assert_true(step());
        uex_torture_from(failing);
        uex_restore_take(&world.engine, &message);
        uex_torture_count(false);
        is_kept = uex_engine_failure(&world.engine) == UEX_FAILURE_NONE;
        if (!is_kept) {
            assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
            assert_true(step());
            assert_false(is_restored(0));
            assert_false(knows("g", 'A'));
        }
        assert_int_equal(world.logged[UEX_EVENT_STATE_UNREADABLE], 0);
        (void)fixture_close(state);
        (void)fixture_open(state);
    }
    assert_true(is_kept);
    assert_true(failing > 3);
}

static void begin__no_memory__engine_breaks(void **state)
{
    for (size_t failing = 1; failing <= 3; failing++) {
        world.state_high[0] = 1;
        assign_at(1, "uex1;n=1");
        uex_torture_from(failing);
        uex_restore_begin(&world.engine);
        uex_torture_count(false);
        assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
        assert_false(step());
        assert_false(is_restored(0));
        (void)fixture_close(state);
        (void)fixture_open(state);
    }
}

int main(void)
{
#define RESTORE_TEST(function) cmocka_unit_test_setup_teardown(function, open_engine, fixture_close)
    const struct CMUnitTest tests[] = {
        RESTORE_TEST(step__high_watermark_reached__states_are_known_and_the_partition_is_restored),
        RESTORE_TEST(step__end_below_the_high_watermark__goes_on),
        RESTORE_TEST(step__high_watermark__is_asked_after_the_committed_offsets_are_known),
        RESTORE_TEST(step__topic_grows_meanwhile__ends_at_the_watermark_that_was_asked),
        RESTORE_TEST(step__empty_state_topic__ends_at_once_and_reads_nothing),
        RESTORE_TEST(step__oldest_records_are_gone__begins_at_the_low_watermark),
        RESTORE_TEST(step__budget_is_over__comes_back_for_the_rest),
        RESTORE_TEST(begin__partition_stays__only_the_tail_is_read),
        RESTORE_TEST(begin__partition_was_away__is_read_from_its_beginning),
        RESTORE_TEST(begin__partition_of_another_worker__is_not_read),
        RESTORE_TEST(begin__restore_is_running__starts_again),
        RESTORE_TEST(revoke__restore_is_running__is_given_up),
        RESTORE_TEST(step__count_of_the_state_topic_unknown__asks_again_after_a_second),
        RESTORE_TEST(step__watermark_unknown__partition_is_not_taken_for_empty),
        RESTORE_TEST(step__reader_takes_no_assignment__is_told_again),
        RESTORE_TEST(take__error_of_the_reader__is_logged_and_reading_goes_on),
        RESTORE_TEST(take__unreadable_state__is_skipped_and_the_one_before_stays),
        RESTORE_TEST(take__record_without_a_key_or_value_of_a_group__is_passed_over),
        RESTORE_TEST(take__record_without_a_value__group_is_forgotten),
        RESTORE_TEST(take__grown_topic_and_record_without_a_value_in_another_partition__state_stays),
        RESTORE_TEST(take__partition_that_the_epoch_does_not_know__is_passed_over),
        RESTORE_TEST(take__two_states_in_one_partition__the_later_record_counts_whatever_the_clocks_say),
        RESTORE_TEST(begin__committed_with_another_partition_count__all_partitions_are_read),
        RESTORE_TEST(begin__grown_and_partition_stays__is_read_from_its_beginning),
        RESTORE_TEST(begin__only_one_partition_is_of_before_the_growth__all_are_read_from_their_beginning),
        RESTORE_TEST(begin__committed_offset_is_unknown__all_partitions_are_read),
        RESTORE_TEST(take__grown_topic_and_one_state_follows_the_other__it_counts_whatever_the_clocks_say),
        RESTORE_TEST(take__grown_topic_and_the_follower_is_read_first__it_counts_too),
        RESTORE_TEST(take__grown_topic_and_neither_state_follows__the_later_time_counts),
        RESTORE_TEST(take__grown_topic_and_group_of_another_worker__is_not_kept),
        RESTORE_TEST(finish__newest_state_stands_in_another_partition__next_owner_reads_all_of_them_too),
        RESTORE_TEST(finish__states_are_where_they_belong_again__partition_is_no_longer_mixed),
        RESTORE_TEST(restored__command_was_read_before__starts_only_then_and_knows_the_history),
        RESTORE_TEST(restored__command_of_another_partition__did_not_wait),
        RESTORE_TEST(restored__adopted_outcome__is_committed_only_then_and_with_the_history),
        RESTORE_TEST(take__no_memory_for_a_record__engine_breaks_and_the_restore_never_ends),
        RESTORE_TEST(begin__no_memory__engine_breaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
