/* SPDX-License-Identifier: Apache-2.0 */
/* What health and metrics learn of the engine. */
#include "failing_memory.h"

#include "engine_fixture.h"

static struct uex_engine_numbers numbers(void)
{
    struct uex_engine_numbers out;

    uex_engine_numbers(&world.engine, &out);
    return out;
}

/* Messages that an input partition is behind; -1: it is not in the list. */
static int64_t lag_of(const char *topic, int32_t partition)
{
    size_t count = 0;
    int64_t messages = -1;
    struct uex_engine_lag *lags = uex_engine_lags(&world.engine, &count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(lags[i].topic, topic) == 0 && lags[i].partition == partition)
            messages = lags[i].messages;
    }
    free(lags);
    return messages;
}

static void numbers__before_the_first_assignment__nothing_is_held(void **state)
{
    const struct uex_engine_numbers now = numbers();

    (void)state;
    assert_false(now.is_joined);
    assert_false(now.can_commit);
    assert_int_equal(now.partitions, 0);
    assert_int_equal(now.oldest_ms, UEX_NO_TIME);
}

static void numbers__assigned__says_what_is_owned_and_restored(void **state)
{
    (void)state;
    world.command_partitions = 3;
    world.state_high[1] = 1;
    fixture_assign(0, 2);
    assert_true(numbers().is_joined);
    assert_int_equal(numbers().partitions, 2);
    assert_int_equal(numbers().restored, 0);
    world.states[world.state_count++] = (struct fixture_state){.partition = 1, .offset = 1};
    fixture_restore();
    assert_int_equal(numbers().restored, 2);
    assert_int_equal(numbers().rebalances, 1);
    fixture_revoke();
    assert_false(numbers().is_joined);
    assert_int_equal(numbers().partitions, 0);
    assert_int_equal(numbers().restored, 0);
}

static void numbers__number_not_owned_in_every_topic__is_partial(void **state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)state;
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_true(numbers().is_partial);
    fixture_assign(0, 1);
    assert_false(numbers().is_partial);
}

static size_t uncommitted_in_transaction;

static void count_in_transaction(const char *step)
{
    if (strcmp(step, "commit") == 0)
        uncommitted_in_transaction = numbers().uncommitted;
}

static void numbers__command_on_its_way__is_counted_where_it_is(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "g");
    (void)fixture_command(0, 1, "h");
    assert_int_equal(numbers().queued, 2);
    assert_true(numbers().bytes > 0);
    assert_int_equal(numbers().groups, 2);
    inflight = fixture_lane();
    assert_true(numbers().can_commit);
    assert_int_equal(numbers().queued, 1);
    assert_int_equal(numbers().running, 1);
    fixture_finish(inflight, UEX_OK);
    assert_int_equal(numbers().running, 0);
    assert_int_equal(numbers().uncommitted, 1);
    world.on_step = count_in_transaction;
    fixture_commits(3);
    assert_int_equal(uncommitted_in_transaction, 1);
    assert_int_equal(numbers().uncommitted, 0);
    assert_int_equal(numbers().queued, 1);
}

/* For the alert of a command that waits too long, wherever it waits. */
static void numbers__several_commands__the_oldest_counts(void **state)
{
    const int64_t first_ms = STARTED_WALL_MS + world.now_ms;
    int64_t second_ms = 0;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_fetch(fixture_retry(0, 0, "g", first_ms + 30000));
    fixture_intake();
    assert_int_equal(numbers().oldest_ms, first_ms); /* it is not even in flight */
    world.now_ms += 30000;
    fixture_intake();
    second_ms = STARTED_WALL_MS + world.now_ms;
    (void)fixture_command(0, 0, "h");
    assert_int_equal(numbers().oldest_ms, first_ms);
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(3);
    assert_int_equal(numbers().oldest_ms, second_ms);
}

static void numbers__breaker_open__says_which(void **state)
{
    const struct uex_fault fault = {.error = UEX_STORE_UNAVAILABLE};

    (void)state;
    assert_true(uex_breaker_open(&world.engine, UEX_DEPENDENCY_STORE, &fault));
    assert_true(numbers().breakers[UEX_DEPENDENCY_STORE].open);
    assert_int_equal(numbers().breakers[UEX_DEPENDENCY_STORE].open_count, 1);
    assert_false(numbers().breakers[UEX_DEPENDENCY_DATABASE].open);
}

static void numbers__producer_was_built_again__is_counted(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "g");
    world.rebuild_count = 2;
    fixture_finish(fixture_lane(), UEX_OK);
    fixture_commits(3);
    assert_int_equal(numbers().rebuilds, 2);
}

static void heartbeats__threads_come_round__say_when(void **state)
{
    (void)state;
    assert_int_equal(uex_engine_intake_heartbeat_ms(&world.engine), 0);
    assert_int_equal(uex_engine_committer_heartbeat_ms(&world.engine), 0);
    world.now_ms = 5000000;
    fixture_intake();
    assert_int_equal(uex_engine_intake_heartbeat_ms(&world.engine), 5000000);
    world.now_ms = 6000000;
    fixture_commits(1);
    assert_int_equal(uex_engine_committer_heartbeat_ms(&world.engine), 6000000);
}

/* ---- lag */

static void lags__end_is_known_from_the_last_fetch__is_the_distance_to_the_committed_offset(void **state)
{
    (void)state;
    fixture_set_committed(COMMANDS, 0, 40, "uex1;n=1");
    fixture_assign(0, 1);
    world.known_low = 10;
    world.known_high = 100;
    assert_int_equal(lag_of(COMMANDS, 0), 60);
    assert_int_equal(lag_of(RETRIES, 0), 90); /* nothing is committed: all that is there */
}

/* A paused partition is not fetched: what the client knows of it is old. */
static void lags__engine_has_read_further_than_the_client_knows__its_number_counts(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "g");
    (void)fixture_command(0, 1, "h");
    assert_int_equal(lag_of(COMMANDS, 0), 2);
    world.known_high = 1;
    assert_int_equal(lag_of(COMMANDS, 0), 2);
    fixture_fetch(fixture_retry(0, 0, "g", STARTED_WALL_MS + world.now_ms + 30000));
    fixture_fetch_end(RETRIES, 0, 7);
    fixture_intake();
    assert_int_equal(lag_of(RETRIES, 0), 7); /* what is read is not taken yet */
}

static void lags__nothing_is_known__is_0(void **state)
{
    (void)state;
    fixture_assign(0, 1);
    assert_int_equal(lag_of(COMMANDS, 0), 0);
}

static void lags__partition_is_not_assigned__is_not_in_the_list(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    assert_int_equal(lag_of(COMMANDS, 1), 0);
    fixture_assign(0, 1);
    assert_int_equal(lag_of(COMMANDS, 0), 0);
    assert_int_equal(lag_of(COMMANDS, 1), -1);
}

static void lags__no_memory__is_an_empty_list(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    for (size_t failing = 1; failing <= 2; failing++) {
        struct uex_engine_lag *lags = NULL;
        size_t count = 5;

        uex_torture_from(failing);
        uex_torture.from_then_on = false;
        lags = uex_engine_lags(&world.engine, &count);
        uex_torture.armed = false;
        assert_int_equal(count, 0);
        free(lags);
    }
}

int main(void)
{
#define NUMBERS_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        NUMBERS_TEST(numbers__before_the_first_assignment__nothing_is_held),
        NUMBERS_TEST(numbers__assigned__says_what_is_owned_and_restored),
        NUMBERS_TEST(numbers__number_not_owned_in_every_topic__is_partial),
        NUMBERS_TEST(numbers__command_on_its_way__is_counted_where_it_is),
        NUMBERS_TEST(numbers__several_commands__the_oldest_counts),
        NUMBERS_TEST(numbers__breaker_open__says_which),
        NUMBERS_TEST(numbers__producer_was_built_again__is_counted),
        NUMBERS_TEST(heartbeats__threads_come_round__say_when),
        NUMBERS_TEST(lags__end_is_known_from_the_last_fetch__is_the_distance_to_the_committed_offset),
        NUMBERS_TEST(lags__engine_has_read_further_than_the_client_knows__its_number_counts),
        NUMBERS_TEST(lags__nothing_is_known__is_0),
        NUMBERS_TEST(lags__partition_is_not_assigned__is_not_in_the_list),
        NUMBERS_TEST(lags__no_memory__is_an_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
