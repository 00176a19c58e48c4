/* SPDX-License-Identifier: Apache-2.0 */
/* What a record is: a command of this partition, one that belongs to another, or none at all; and which id and attempt
 * it has. */
#include "engine_fixture.h"
#include "failing_memory.h"

#define OWN_ID "0123abcd-0000-4000-8000-000000000001"
#define HEADER_ID "0123abcd-0000-4000-8000-000000000002"
#define FAILURES_MAX 50 /* allocations of one record at most */

/* What was found out of the record that was classified last. */
static struct {
    struct uex_inflight *inflight;
    enum uex_backpressure backpressure;
    bool ended;
} found;

static int close_engine(void **state)
{
    uex_inflight_free(found.inflight);
    memset(&found, 0, sizeof(found));
    return fixture_close(state);
}

/* The record is taken over. */
static const struct uex_outcome *classify(struct uex_record *record)
{
    const size_t input_topic = strcmp(record->topic, COMMANDS) == 0 ? 0 : 1;

    uex_inflight_free(found.inflight);
    uex_envelope_read(record, COMMANDS);
    found.inflight = uex_inflight_new(record, input_topic);
    found.ended = false;
    found.backpressure = uex_classify(&world.engine, found.inflight, &found.ended);
    return &found.inflight->outcome;
}

static bool is_command(void)
{
    return found.backpressure == UEX_BACKPRESSURE_NONE && !found.ended;
}

/* Is it rerouted to that partition? */
static bool is_rerouted(int32_t to_partition)
{
    const struct uex_outcome *outcome = &found.inflight->outcome;

    return found.backpressure == UEX_BACKPRESSURE_NONE && found.ended && outcome->kind == UEX_OUTCOME_REROUTED &&
           outcome->keeps_no_state && outcome->to_partition == to_partition;
}

static bool is_malformed(void)
{
    const struct uex_outcome *outcome = &found.inflight->outcome;

    return found.backpressure == UEX_BACKPRESSURE_NONE && found.ended && outcome->kind == UEX_OUTCOME_DEAD_LETTERED &&
           outcome->fault.error == UEX_MALFORMED;
}

/* A group that belongs to partition `before` of `count_before`, and to `after` of `count_after`. */
static const char *group_by(int32_t before, int32_t count_before, int32_t after, int32_t count_after)
{
    for (unsigned i = 0;; i++) {
        const char *group = fixture_group(before, count_before, i);

        if (uex_partition_of(uex_bytes_of_text(group), count_after) == after)
            return group;
    }
}

/* ---- commands */

static void classify__command_on_its_keys_partition__is_queued_and_nobody_is_asked(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_calls = 0;
    (void)classify(fixture_record(COMMANDS, 1, 7, group, NULL));
    assert_true(is_command());
    assert_string_equal(found.inflight->command.group_id, group);
    assert_int_equal(found.inflight->attempt, 1);
    assert_int_equal(found.inflight->origin.partition, 1);
    assert_int_equal(found.inflight->origin.offset, 7);
    assert_int_equal(world.count_calls, 0);
}

static void classify__record_of_a_retry_topic__has_its_attempt(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)classify(fixture_retry(0, 3, "g", STARTED_WALL_MS));
    assert_true(is_command());
    assert_int_equal(found.inflight->attempt, 2);
}

/* Anybody writes to the command topic: a copy out of another application's retry topic begins again. */
static void classify__foreign_retry_headers_in_the_command_topic__is_the_first_attempt(void **state)
{
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    record = fixture_retry(0, 3, "g", STARTED_WALL_MS);
    record->topic = COMMANDS;
    (void)classify(record);
    assert_true(is_command());
    assert_int_equal(found.inflight->attempt, 1);
}

/* ---- its id */

static void name__id_in_the_value__counts_before_the_header(void **state)
{
    const struct uex_record_header header = {UEX_HEADER_COMMAND_ID, uex_bytes_of_text(HEADER_ID)};
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    record = fixture_record(COMMANDS, 0, 0, "g", "{\"groupId\":\"g\",\"commandId\":\"" OWN_ID "\"}");
    record->headers = &header;
    record->header_count = 1;
    (void)classify(record);
    assert_string_equal(found.inflight->command.command_id, OWN_ID);
    assert_true(found.inflight->has_own_id);
}

/* A retry or a rerouted record brings the id that its first record stood for. */
static void name__id_in_the_header_alone__counts(void **state)
{
    const struct uex_record_header header = {UEX_HEADER_COMMAND_ID, uex_bytes_of_text(HEADER_ID)};
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    record = fixture_record(COMMANDS, 0, 0, "g", NULL);
    record->headers = &header;
    record->header_count = 1;
    (void)classify(record);
    assert_string_equal(found.inflight->command.command_id, HEADER_ID);
    assert_false(found.inflight->has_own_id);
}

static void name__no_id__is_that_of_the_records_place_and_the_same_each_time(void **state)
{
    char first[UEX_UUID_TEXT_SIZE], expected[UEX_UUID_TEXT_SIZE];
    int64_t timestamp_ms = 0;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)classify(fixture_record(COMMANDS, 0, 5, "g", NULL));
    memcpy(first, found.inflight->command.command_id, sizeof(first));
    timestamp_ms = found.inflight->record->timestamp_ms;
    uex_command_id_of_record("cluster", COMMANDS, 0, 5, timestamp_ms, expected);
    assert_string_equal(first, expected);
    (void)classify(fixture_record(COMMANDS, 0, 5, "g", NULL));
    assert_string_equal(found.inflight->command.command_id, first);
    (void)classify(fixture_record(COMMANDS, 0, 6, "g", NULL));
    assert_string_not_equal(found.inflight->command.command_id, first);
}

static void name__no_time_of_the_request__is_that_of_the_record(void **state)
{
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    record = fixture_record(COMMANDS, 0, 0, "g", NULL);
    record->timestamp_ms = 1234567;
    (void)classify(record);
    assert_int_equal(found.inflight->command.requested_at_ms, 1234567);
    record = fixture_record(COMMANDS, 0, 1, "g", "{\"groupId\":\"g\",\"requestedAt\":\"1970-01-01T00:00:01Z\"}");
    (void)classify(record);
    assert_int_equal(found.inflight->command.requested_at_ms, 1000);
}

/* ---- no command */

static void classify__no_command__is_a_dead_letter_without_a_state(void **state)
{
    static const char *const texts[] = {"", "no JSON", "[]", "{\"groupId\":\"another\"}",
                                        "{\"groupId\":\"g\",\"commandId\":\"x\"}"};

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct uex_outcome *outcome = classify(fixture_record(COMMANDS, 0, (int64_t)i, "g", texts[i]));

        assert_true(is_malformed());
        assert_true(outcome->keeps_no_state);
        assert_int_equal(outcome->at_ms, STARTED_WALL_MS + world.now_ms);
        assert_string_not_equal(found.inflight->command.command_id, ""); /* the dead letter has an id all the same */
    }
}

/* It has no key that could be trusted, and no worker would make more of it. */
static void classify__no_command_on_a_wrong_partition__is_not_rerouted(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_calls = 0;
    (void)classify(fixture_record(COMMANDS, 0, 0, fixture_group(1, 2, 0), "no JSON"));
    assert_true(is_malformed());
    assert_int_equal(world.count_calls, 0);
}

static void classify__no_memory__says_nothing_of_the_command_and_breaks_the_engine(void **state)
{
    size_t failing = 1;
    bool is_read = false;

    for (; !is_read && failing < FAILURES_MAX; failing++) {
        fixture_begin_at(1, "uex1;n=1");
        found.inflight = uex_inflight_new(
            fixture_record(COMMANDS, 0, 0, "g", "{\"groupId\":\"g\",\"commandId\":\"" OWN_ID "\"}"), 0);
        found.ended = false;
        uex_torture_from(failing);
        found.backpressure = uex_classify(&world.engine, found.inflight, &found.ended);
        uex_torture_count(false);
        assert_false(found.ended);
        is_read = found.backpressure == UEX_BACKPRESSURE_NONE;
        if (!is_read) {
            assert_int_equal(found.backpressure, UEX_BACKPRESSURE_NO_MEMORY);
            assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
        }
        (void)close_engine(state);
        (void)fixture_open(state);
    }
    assert_true(is_read);
    assert_true(failing > 2);
}

/* ---- another partition */

static void route__key_of_another_partition__is_rerouted_there_after_the_count_was_asked(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_calls = 0;
    (void)classify(fixture_record(COMMANDS, 0, 0, fixture_group(1, 2, 0), NULL));
    assert_true(is_rerouted(1));
    assert_int_equal(found.inflight->outcome.at_ms, STARTED_WALL_MS + world.now_ms);
    assert_int_equal(world.count_calls, 1);
}

/* By the count of the epoch it would be rerouted to the wrong place, and from there again. */
static void route__topic_has_grown__goes_where_the_new_count_says(void **state)
{
    const char *group = group_by(1, 2, 3, 4);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.command_partitions = 4;
    (void)classify(fixture_record(COMMANDS, 0, 0, group, NULL));
    assert_true(is_rerouted(3));
}

static void route__no_key__is_written_again_with_the_groups_key(void **state)
{
    const char *group = fixture_group(1, 2, 0);
    char value[64];
    struct uex_record *record = NULL;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    (void)snprintf(value, sizeof(value), "{\"groupId\":\"%s\"}", group);
    (void)classify(fixture_record(COMMANDS, 0, 0, NULL, value));
    assert_true(is_rerouted(1));
    record = fixture_record(COMMANDS, 1, 0, NULL, value); /* on the right one by chance: nobody may rely on it */
    (void)classify(record);
    assert_true(is_rerouted(1));
}

/* Records of a wrong partitioner come in thousands. */
static void route__many_on_wrong_partitions__count_is_asked_every_quarter_of_a_second(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_calls = 0;
    for (int64_t i = 0; i < 50; i++) {
        world.now_ms += 5;
        (void)classify(fixture_record(COMMANDS, 0, i, group, NULL));
        assert_true(is_rerouted(1));
    }
    assert_int_equal(world.count_calls, 1);
    world.now_ms += 5;
    (void)classify(fixture_record(COMMANDS, 0, 50, group, NULL));
    assert_int_equal(world.count_calls, 2);
}

static void route__count_unknown__waits_and_the_next_asks_again(void **state)
{
    const char *group = fixture_group(1, 2, 0);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_calls = 0;
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    (void)classify(fixture_record(COMMANDS, 0, 0, group, NULL));
    assert_int_equal(found.backpressure, UEX_BACKPRESSURE_ROUTE);
    assert_false(found.ended);
    assert_int_equal(world.logged[UEX_EVENT_PARTITION_COUNT_UNKNOWN], 1);
    world.count_error = UEX_OK;
    (void)classify(fixture_record(COMMANDS, 0, 0, group, NULL));
    assert_true(is_rerouted(1));
    assert_int_equal(world.count_calls, 2);
}

/* The state of its group is found by the next assignment only: started now, it would forget the group's history. */
static void route__right_by_a_count_that_the_epoch_does_not_know__is_not_started_here(void **state)
{
    const char *group = group_by(1, 2, 0, 3);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.command_partitions = 3;
    (void)classify(fixture_record(COMMANDS, 0, 0, group, NULL));
    assert_int_equal(found.backpressure, UEX_BACKPRESSURE_GROWN);
    assert_false(found.ended);
}

/* That broker has not heard of the growth yet which this epoch knows. */
static void route__right_by_a_lower_count__waits_for_a_broker_that_knows_more(void **state)
{
    const char *group = group_by(2, 3, 0, 2);

    (void)state;
    fixture_begin_at(3, "uex1;n=3");
    world.command_partitions = 2;
    (void)classify(fixture_record(COMMANDS, 0, 0, group, NULL));
    assert_int_equal(found.backpressure, UEX_BACKPRESSURE_ROUTE);
}

/* ---- as the intake sees it */

static void intake__count_unknown__partition_is_paused_and_goes_on_when_it_is_known(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.count_error = UEX_KAFKA_UNAVAILABLE;
    assert_null(fixture_command(0, 0, fixture_group(1, 2, 0)));
    assert_null(fixture_command(0, 1, fixture_group(0, 2, 0))); /* all behind it wait */
    assert_true(world.engine.synced.partitions[0].inputs[0].paused);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    world.count_error = UEX_OK;
    world.now_ms += 200;
    fixture_intake();
    assert_false(world.engine.synced.partitions[0].inputs[0].paused);
    assert_int_equal(world.engine.synced.in_flight.count, 2);
    assert_int_equal(world.engine.synced.outbox.count, 1); /* the first is rerouted */
}

static void intake__topic_has_grown__worker_rejoins_a_second_later(void **state)
{
    const char *group = group_by(1, 2, 0, 3);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    world.command_partitions = 3;
    assert_null(fixture_command(0, 0, group));
    assert_true(world.engine.membership.resubscribe_at_ms > 0);
    assert_true(world.engine.membership.resubscribe_at_ms <= world.now_ms + 1000);
}

int main(void)
{
#define CLASSIFY_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, close_engine)
    const struct CMUnitTest tests[] = {
        CLASSIFY_TEST(classify__command_on_its_keys_partition__is_queued_and_nobody_is_asked),
        CLASSIFY_TEST(classify__record_of_a_retry_topic__has_its_attempt),
        CLASSIFY_TEST(classify__foreign_retry_headers_in_the_command_topic__is_the_first_attempt),
        CLASSIFY_TEST(name__id_in_the_value__counts_before_the_header),
        CLASSIFY_TEST(name__id_in_the_header_alone__counts),
        CLASSIFY_TEST(name__no_id__is_that_of_the_records_place_and_the_same_each_time),
        CLASSIFY_TEST(name__no_time_of_the_request__is_that_of_the_record),
        CLASSIFY_TEST(classify__no_command__is_a_dead_letter_without_a_state),
        CLASSIFY_TEST(classify__no_command_on_a_wrong_partition__is_not_rerouted),
        CLASSIFY_TEST(classify__no_memory__says_nothing_of_the_command_and_breaks_the_engine),
        CLASSIFY_TEST(route__key_of_another_partition__is_rerouted_there_after_the_count_was_asked),
        CLASSIFY_TEST(route__topic_has_grown__goes_where_the_new_count_says),
        CLASSIFY_TEST(route__no_key__is_written_again_with_the_groups_key),
        CLASSIFY_TEST(route__many_on_wrong_partitions__count_is_asked_every_quarter_of_a_second),
        CLASSIFY_TEST(route__count_unknown__waits_and_the_next_asks_again),
        CLASSIFY_TEST(route__right_by_a_count_that_the_epoch_does_not_know__is_not_started_here),
        CLASSIFY_TEST(route__right_by_a_lower_count__waits_for_a_broker_that_knows_more),
        CLASSIFY_TEST(intake__count_unknown__partition_is_paused_and_goes_on_when_it_is_known),
        CLASSIFY_TEST(intake__topic_has_grown__worker_rejoins_a_second_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
