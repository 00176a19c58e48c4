/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life: what it reads, how it begins, what ends it, and what the worker waits for on the way to the end.
 */
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

static struct uex_inflight *running_command(void)
{
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    return fixture_lane();
}

/* ---- bounds */

static size_t outcomes_with(int64_t rate, int64_t lanes)
{
    static struct uex_engine engine;
    const struct uex_config config = {.producer_rate = rate, .export_lanes = (int)lanes};
    size_t most = 0;

    uex_engine_init(&engine, &config);
    most = engine.outcomes_max;
    uex_engine_close(&engine);
    return most;
}

/* All outcomes that wait are suspects if the worker dies: one batch, or what the rate lets out in a second. */
static void init__outcomes_that_may_wait__are_one_batch_or_one_second(void **state)
{
    (void)state;
    assert_int_equal(outcomes_with(0, 4), 500);
    assert_int_equal(outcomes_with(1000, 4), 500);
    assert_int_equal(outcomes_with(100, 4), 100);
    assert_int_equal(outcomes_with(1, 4), 4); /* each worker thread may bring one */
}

/* ---- topics */

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

static void input__number_out_of_range__is_none(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(uex_engine_input(&world.engine, 1, 0));
    assert_null(uex_engine_input(&world.engine, 2, 0));
    assert_null(uex_engine_input(&world.engine, 0, 1));
    assert_null(uex_engine_input(&world.engine, 0, -1));
}

/* ---- what ends the program */

static void break__and_a_setting_is_refused__the_refusal_is_the_exit_code(void **state)
{
    (void)state;
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_NONE);
    uex_engine_break(&world.engine);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    uex_engine_refuse(&world.engine, "error", "mend");
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
    uex_engine_break(&world.engine);
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_REFUSED);
}

static void refuse__twice__is_logged_once_with_what_to_do(void **state)
{
    (void)state;
    uex_engine_refuse(&world.engine, "too-long", "shorten-it");
    uex_engine_refuse(&world.engine, "other", "other");
    assert_int_equal(world.logged[UEX_EVENT_CONFIG_REFUSED], 1);
    assert_true(fixture_logged(UEX_EVENT_CONFIG_REFUSED, "error=too-long"));
    assert_true(fixture_logged(UEX_EVENT_CONFIG_REFUSED, "mend=shorten-it"));
}

/* What follows from the first want of memory says nothing. */
static void out_of_memory__twice__the_first_is_reported(void **state)
{
    (void)state;
    assert_null(uex_engine_starved(&world.engine));
    uex_engine_lock(&world.engine);
    uex_engine_out_of_memory_synced(&world.engine, "a group");
    uex_engine_out_of_memory_synced(&world.engine, "a list");
    uex_engine_unlock(&world.engine);
    assert_string_equal(uex_engine_starved(&world.engine), "a group");
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
}

static void break__no_command_starts_any_more(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take()); /* asks for the crash marker */
    fixture_commits(3);
    uex_engine_break(&world.engine);
    assert_null(fixture_take());
}

static void advance__to_an_earlier_phase__changes_nothing(void **state)
{
    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_LEAVING);
    uex_engine_drain(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
}

/* ---- the way to the end */

static struct uex_inflight *runs;

static void finish_while_waiting(void)
{
    if (world.sleep_count == 3)
        fixture_finish(runs, UEX_OK);
}

static void await_jobs__job_ends__returns_then(void **state)
{
    const int64_t started_ms = world.now_ms;

    (void)state;
    assert_true(uex_engine_await_jobs(&world.engine, 0)); /* none runs */
    runs = running_command();
    world.now_ms = started_ms;
    world.on_sleep = finish_while_waiting;
    assert_true(uex_engine_await_jobs(&world.engine, 60000));
    assert_true(world.now_ms - started_ms < 1000);
}

static void await_jobs__job_does_not_end__returns_in_time(void **state)
{
    int64_t started_ms = 0;

    (void)state;
    assert_non_null(running_command());
    started_ms = world.now_ms;
    assert_false(uex_engine_await_jobs(&world.engine, 3000));
    assert_true(world.now_ms - started_ms >= 3000 && world.now_ms - started_ms < 3100);
}

static void commit_while_waiting(void)
{
    if (world.sleep_count == 3)
        fixture_commits(3);
}

static void await_commits__outcome_waits__returns_when_it_is_committed(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    assert_false(uex_engine_await_commits(&world.engine, 0));
    world.sleep_count = 0;
    world.on_sleep = commit_while_waiting;
    assert_true(uex_engine_await_commits(&world.engine, 60000));
    assert_int_equal(world.committed_seen, 1);
}

static bool is_committed_in_transaction;

static void look_in_transaction(const char *step)
{
    if (strcmp(step, "commit") == 0)
        is_committed_in_transaction = uex_engine_await_commits(&world.engine, 0);
}

/* The outbox is empty then, and yet the outcome may come back. */
static void await_commits__transaction_is_running__is_not_committed_yet(void **state)
{
    (void)state;
    fixture_finish(running_command(), UEX_OK);
    is_committed_in_transaction = true;
    world.on_step = look_in_transaction;
    fixture_commits(3);
    assert_false(is_committed_in_transaction);
    assert_true(uex_engine_await_commits(&world.engine, 0));
}

static void abandon_jobs__some_run__those_are_cancelled(void **state)
{
    struct uex_inflight *first = running_command(), *waits = NULL;

    (void)state;
    waits = fixture_command(0, 1, "h");
    assert_int_equal(uex_engine_abandon_jobs(&world.engine), 1);
    assert_true(uex_cancel_requested(&first->cancel));
    assert_false(uex_cancel_requested(&waits->cancel));
    fixture_finish(first, UEX_CANCELLED);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0); /* the next owner runs it again */
}

static void leave_and_stop__threads_were_never_started__return(void **state)
{
    (void)state;
    uex_engine_leave(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    uex_engine_stop(&world.engine);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_STOPPING);
    assert_int_equal(world.close_calls, 0);
}

/* The phase is the last one already, so both threads end at once. */
static void start__then_leave_and_stop__threads_have_left_the_group_and_ended(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    uex_engine_advance(&world.engine, UEX_LIFECYCLE_STOPPING);
    assert_int_equal(uex_engine_start(&world.engine, &fault), UEX_OK);
    uex_engine_leave(&world.engine);
    assert_int_equal(world.close_calls, 1);
    uex_engine_stop(&world.engine);
    uex_engine_leave(&world.engine);
    uex_engine_stop(&world.engine);
    assert_int_equal(world.close_calls, 1);
}

/* ---- with librdkafka: no broker is asked */

static enum uex_error make_with(const char *property, const char *value)
{
    struct uex_kafka_property properties[] = {{.name = (char *)(uintptr_t)property, .value = (char *)(uintptr_t)value}};
    const struct uex_config config = {
        .kafka_group_id = (char *)GROUP, .kafka = properties, .kafka_count = 1, .export_lanes = 1};
    const struct uex_engine_observer observer = {.committed = fixture_on_committed};
    struct uex_engine *engine = NULL;
    struct uex_fault fault = {0};
    const enum uex_error error = uex_engine_new(&config, &observer, &engine, &fault);

    assert_non_null(engine);
    assert_ptr_equal(engine->observer.committed, fixture_on_committed);
    uex_engine_free(engine);
    return error;
}

static void new__brokers_are_not_there__is_made(void **state)
{
    (void)state;
    assert_int_equal(make_with("bootstrap.servers", "127.0.0.1:1"), UEX_OK);
    uex_engine_free(NULL);
}

static void new__property_is_refused__is_an_error(void **state)
{
    (void)state;
    assert_int_equal(make_with("no.such.property", "1"), UEX_CONFIG);
}

static void new__no_memory__is_an_error(void **state)
{
    const struct uex_config config = {0};
    struct uex_engine *engine = NULL;
    struct uex_fault fault = {0};
    enum uex_error error = UEX_OK;

    (void)state;
    uex_torture_from(1);
    error = uex_engine_new(&config, NULL, &engine, &fault);
    uex_torture.armed = false;
    assert_int_equal(error, UEX_NO_MEMORY);
    assert_null(engine);
    uex_engine_free(engine);
}

int main(void)
{
#define ENGINE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
#define JOIN_TEST(function) cmocka_unit_test_setup_teardown(function, open_unjoined, fixture_close)
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(init__outcomes_that_may_wait__are_one_batch_or_one_second),
        JOIN_TEST(join__configured_retry_topics__are_read_in_their_order),
        JOIN_TEST(join__retry_topics_that_are_no_longer_configured__are_read_after_the_others),
        JOIN_TEST(join__configured_retry_topic_is_missing__says_which),
        JOIN_TEST(join__kafka_does_not_answer__is_an_error_and_can_be_repeated),
        ENGINE_TEST(subscribe__topic_came_meanwhile__is_added_and_the_others_keep_their_places),
        ENGINE_TEST(subscribe__topic_is_gone__keeps_its_place),
        ENGINE_TEST(subscribe__no_memory_for_a_topic__is_an_error_and_can_be_repeated),
        JOIN_TEST(join__no_memory_for_the_cluster_id__is_an_error),
        ENGINE_TEST(input__number_out_of_range__is_none),
        ENGINE_TEST(break__and_a_setting_is_refused__the_refusal_is_the_exit_code),
        ENGINE_TEST(refuse__twice__is_logged_once_with_what_to_do),
        ENGINE_TEST(out_of_memory__twice__the_first_is_reported),
        ENGINE_TEST(break__no_command_starts_any_more),
        ENGINE_TEST(advance__to_an_earlier_phase__changes_nothing),
        ENGINE_TEST(await_jobs__job_ends__returns_then),
        ENGINE_TEST(await_jobs__job_does_not_end__returns_in_time),
        ENGINE_TEST(await_commits__outcome_waits__returns_when_it_is_committed),
        ENGINE_TEST(await_commits__transaction_is_running__is_not_committed_yet),
        ENGINE_TEST(abandon_jobs__some_run__those_are_cancelled),
        ENGINE_TEST(leave_and_stop__threads_were_never_started__return),
        ENGINE_TEST(start__then_leave_and_stop__threads_have_left_the_group_and_ended),
        ENGINE_TEST(new__brokers_are_not_there__is_made),
        ENGINE_TEST(new__property_is_refused__is_an_error),
        ENGINE_TEST(new__no_memory__is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
