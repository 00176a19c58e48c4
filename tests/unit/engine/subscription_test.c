/* SPDX-License-Identifier: Apache-2.0 */
/* Which topics are read, in which order, and what happens when one comes or goes. */
#include "failing_memory.h"

#include "engine_fixture.h"

static const char *topic_at(size_t input_topic)
{
    return world.engine.input_topics[input_topic].topic;
}

static void set_tier(size_t number, bool configured, int32_t partition_count)
{
    struct uex_tier *tier = &world.tiers[number];

    *tier = (struct uex_tier){.number = number, .partition_count = partition_count, .configured = configured};
    (void)snprintf(tier->topic, sizeof(tier->topic), "retry-%zu", number);
    if (world.tier_count <= number)
        world.tier_count = number + 1;
}

/* As before the first join: no topic is known. */
static int open_unjoined(void **state)
{
    const int failed = fixture_open(state);

    for (size_t i = 0; i < world.engine.input_topic_count; i++) {
        free(world.engine.input_topics[i].topic);
        world.engine.input_topics[i].topic = NULL;
    }
    world.engine.input_topic_count = 0;
    return failed;
}

static void join__configured_retry_topics__are_read_in_their_order(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    set_tier(0, true, 3);
    set_tier(1, true, 3);
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
    assert_string_equal(topic_at(0), COMMANDS);
    assert_string_equal(topic_at(1), "retry-0");
    assert_string_equal(topic_at(2), "retry-1");
    assert_string_equal(world.engine.cluster_id, "another-cluster");
    assert_int_equal(world.subscribe_calls, 1);
}

/* A retry goes to the topic whose number is its attempt: those that are no longer configured stand behind. */
static void join__retry_topics_that_are_no_longer_configured__are_read_after_the_others(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    set_tier(0, false, 3);
    set_tier(1, true, 3);
    set_tier(2, false, 0); /* it is gone */
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
    assert_string_equal(topic_at(1), "retry-1");
    assert_string_equal(topic_at(2), "retry-0");
}

static void join__configured_retry_topic_is_missing__says_which(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    set_tier(0, true, 3);
    set_tier(1, true, 0);
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_KAFKA_TOPICS);
    assert_non_null(strstr(fault.text, "retry-1"));
    assert_int_equal(world.subscribe_calls, 0);
}

static void join__kafka_does_not_answer__is_an_error_and_can_be_repeated(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    world.cluster_error = UEX_KAFKA_UNAVAILABLE;
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_KAFKA_UNAVAILABLE);
    world.cluster_error = UEX_OK;
    world.tiers_error = UEX_KAFKA_UNAVAILABLE;
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_int_equal(world.subscribe_calls, 0);
    world.tiers_error = UEX_OK;
    world.subscribe_code = RD_KAFKA_RESP_ERR__INVALID_ARG;
    assert_int_not_equal(uex_engine_join(&world.engine, &fault), UEX_OK);
    world.subscribe_code = RD_KAFKA_RESP_ERR_NO_ERROR;
    assert_int_equal(uex_engine_join(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 2);
}

static void subscribe__topic_came_meanwhile__is_added_and_the_others_keep_their_places(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    set_tier(1, false, 1);
    assert_int_equal(uex_engine_subscribe(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
    assert_string_equal(topic_at(1), RETRIES);
    assert_string_equal(topic_at(2), "retry-1");
    assert_int_equal(uex_engine_input(&world.engine, 0, 0)->window.next, 1);
    assert_int_equal(uex_engine_input(&world.engine, 2, 0)->window.base, UEX_OFFSET_NONE);
    assert_int_equal(uex_engine_subscribe(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
}

/* A topic that goes must not move the numbers of the others: records in flight hold them. */
static void subscribe__topic_is_gone__keeps_its_place(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    set_tier(0, true, 1);
    set_tier(1, false, 1);
    assert_int_equal(uex_engine_subscribe(&world.engine, &fault), UEX_OK);
    set_tier(1, false, 0);
    assert_int_equal(uex_engine_subscribe(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
}

static void subscribe__no_memory_for_a_topic__is_an_error_and_can_be_repeated(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    set_tier(1, false, 1);
    for (size_t failing = 1; failing <= 2; failing++) { /* its name, its input partitions */
        enum uex_error error = UEX_OK;

        uex_torture_from(failing);
        error = uex_engine_subscribe(&world.engine, &fault);
        uex_torture.armed = false;
        assert_int_equal(error, UEX_NO_MEMORY);
        assert_int_equal(world.engine.input_topic_count, 2);
    }
    assert_int_equal(world.subscribe_calls, 0);
    assert_int_equal(uex_engine_subscribe(&world.engine, &fault), UEX_OK);
    assert_int_equal(world.engine.input_topic_count, 3);
}

static void join__no_memory_for_the_cluster_id__is_an_error(void **state)
{
    struct uex_fault fault = {0};
    enum uex_error error = UEX_OK;

    (void)state;
    uex_torture_from(1);
    error = uex_engine_join(&world.engine, &fault);
    uex_torture.armed = false;
    assert_int_equal(error, UEX_NO_MEMORY);
    assert_int_equal(world.subscribe_calls, 0);
}

int main(void)
{
#define SUBSCRIBE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
#define JOIN_TEST(function) cmocka_unit_test_setup_teardown(function, open_unjoined, fixture_close)
    const struct CMUnitTest tests[] = {
        JOIN_TEST(join__configured_retry_topics__are_read_in_their_order),
        JOIN_TEST(join__retry_topics_that_are_no_longer_configured__are_read_after_the_others),
        JOIN_TEST(join__configured_retry_topic_is_missing__says_which),
        JOIN_TEST(join__kafka_does_not_answer__is_an_error_and_can_be_repeated),
        SUBSCRIBE_TEST(subscribe__topic_came_meanwhile__is_added_and_the_others_keep_their_places),
        SUBSCRIBE_TEST(subscribe__topic_is_gone__keeps_its_place),
        SUBSCRIBE_TEST(subscribe__no_memory_for_a_topic__is_an_error_and_can_be_repeated),
        JOIN_TEST(join__no_memory_for_the_cluster_id__is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
