/* SPDX-License-Identifier: Apache-2.0 */
/* The reading side with librdkafka behind it: what the engine's unit tests play is what librdkafka does. Brokers are
 * its mock cluster.
 */
#include "engine/consumer.h"
#include "kafka/group_metadata.h"
#include "unit/kafka/mock_cluster.h"

#include <dlfcn.h>

#define COMMANDS "export-group"
#define STATES "export-group-state"
#define API_JOIN_GROUP 11 /* Kafka protocol, "Api Keys" */
#define POLLS_MAX 600     /* of 100 ms */

#if defined(__SANITIZE_ADDRESS__)
/* librdkafka 2.0.2 may keep the queue of a request that has run out of time, one for a process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:librdkafka.so";
}
#endif

struct fixture {
    struct mock_cluster mock;
    rd_kafka_t *producer;
    struct uex_consumer_handles *handles;
    struct uex_consumer consumer;
    rd_kafka_resp_err_t rebalanced; /* the last code; NO_ERROR: none */
    int rebalanced_count;           /* partitions of it */
    bool was_member;
    int32_t partition; /* of the command topic: each test has its own */
};
#define PARTITIONS 16

/* Stand before librdkafka's: the isolation level of the client that was asked last. */
static char isolation[32];

static void note_isolation(const rd_kafka_t *handle)
{
    size_t size_bytes = sizeof(isolation);

    assert_int_equal(
        rd_kafka_conf_get(rd_kafka_conf((rd_kafka_t *)(uintptr_t)handle), "isolation.level", isolation, &size_bytes),
        RD_KAFKA_CONF_OK);
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *handle, int timeout_ms)
{
    rd_kafka_message_t *(*original)(rd_kafka_t *, int) = NULL;

    *(void **)&original = dlsym(RTLD_NEXT, "rd_kafka_consumer_poll");
    note_isolation(handle);
    return original(handle, timeout_ms);
}

rd_kafka_resp_err_t rd_kafka_query_watermark_offsets(rd_kafka_t *handle, const char *topic, int32_t partition,
                                                     int64_t *low, int64_t *high, int timeout_ms)
{
    rd_kafka_resp_err_t (*original)(rd_kafka_t *, const char *, int32_t, int64_t *, int64_t *, int) = NULL;

    *(void **)&original = dlsym(RTLD_NEXT, "rd_kafka_query_watermark_offsets");
    note_isolation(handle);
    return original(handle, topic, partition, low, high, timeout_ms);
}

/* As the engine does it. */
static void on_rebalance(void *opaque, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions)
{
    struct fixture *fixture = opaque;
    rd_kafka_consumer_group_metadata_t *metadata = fixture->consumer.group_metadata(fixture->consumer.context);

    fixture->rebalanced = code;
    fixture->rebalanced_count = partitions->cnt;
    fixture->was_member = uex_group_metadata_is_member(metadata);
    if (metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(metadata);
    fixture->consumer.assign(fixture->consumer.context,
                             code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? partitions : NULL);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct uex_fault fault = {0};

    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    mock_start(&fixture->mock);
    mock_create_topic(&fixture->mock, COMMANDS, PARTITIONS);
    mock_create_topic(&fixture->mock, STATES, 3);
    fixture->mock.config.topics_command = (char *)COMMANDS;
    fixture->mock.config.topics_state = (char *)STATES;
    fixture->mock.config.topics_retry = (char *)"export-group-retry";
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", NULL, 0), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", fixture->mock.properties[0].value, NULL, 0),
                     RD_KAFKA_CONF_OK);
    fixture->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    assert_non_null(fixture->producer);
    assert_int_equal(
        uex_consumer_open(&fixture->mock.config, on_rebalance, fixture, &fixture->handles, &fixture->consumer, &fault),
        UEX_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    uex_consumer_free(fixture->handles);
    rd_kafka_destroy(fixture->producer);
    mock_stop(&fixture->mock);
    free(fixture);
    return 0;
}

/* librdkafka takes a second to find brokers and topics: tests that leave them as they are share them. */
static int next_partition(void **state)
{
    struct fixture *fixture = *state;

    fixture->partition++;
    fixture->consumer.assign(fixture->consumer.context, NULL);
    return fixture->partition < PARTITIONS ? 0 : -1;
}

/* One record with a header, at the next offset of the partition. */
static void produce(const struct fixture *fixture, const char *topic, int32_t partition, const char *key)
{
    assert_int_equal(rd_kafka_producev(fixture->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                       RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t) "value", 5),
                                       RD_KAFKA_V_HEADER(UEX_HEADER_ERROR_CODE, "db-unavailable", -1), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(fixture->producer, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void assign(const struct fixture *fixture, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, COMMANDS, fixture->partition)->offset = offset;
    fixture->consumer.assign(fixture->consumer.context, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void fetch(const struct fixture *fixture, struct uex_fetched *out)
{
    for (int i = 0; i < POLLS_MAX; i++) {
        if (fixture->consumer.poll(fixture->consumer.context, 100, out))
            return;
    }
    fail();
}

/* The next is a record with this key. */
static void fetch_record(const struct fixture *fixture, const char *key, int64_t offset)
{
    struct uex_fetched fetched = {0};

    fetch(fixture, &fetched);
    assert_int_equal(fetched.kind, UEX_FETCHED_RECORD);
    assert_int_equal(fetched.offset, offset);
    assert_string_equal((const char *)fetched.record->key.data, key);
    uex_record_free(fetched.record);
}

static void fetch_end(const struct fixture *fixture, int64_t offset)
{
    struct uex_fetched fetched = {0};

    fetch(fixture, &fetched);
    assert_int_equal(fetched.kind, UEX_FETCHED_END);
    assert_string_equal(fetched.topic, COMMANDS);
    assert_int_equal(fetched.partition, fixture->partition);
    assert_int_equal(fetched.offset, offset);
}

/* ---- the group's consumer */

static void poll__record__is_a_copy_with_its_envelope(void **state)
{
    const struct fixture *fixture = *state;
    struct uex_fetched fetched = {0};

    produce(fixture, COMMANDS, fixture->partition, "a");
    assign(fixture, 0);
    fetch(fixture, &fetched);
    assert_int_equal(fetched.kind, UEX_FETCHED_RECORD);
    assert_string_equal(fetched.topic, COMMANDS);
    assert_int_equal(fetched.offset, 0);
    fetch_end(fixture, 1); /* librdkafka's message is freed by this */
    assert_string_equal(fetched.record->topic, COMMANDS);
    assert_string_equal((const char *)fetched.record->key.data, "a");
    assert_string_equal((const char *)fetched.record->value.data, "value");
    assert_string_equal((const char *)fetched.record->envelope.error_code.data, "db-unavailable");
    uex_record_free(fetched.record);
}

/* What ends the program, see intake.c. */
static void poll__session_timeout_is_refused__is_an_error_of_the_whole_client(void **state)
{
    struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    struct uex_fetched fetched = {0};

    rd_kafka_mock_push_request_errors(fixture->mock.cluster, API_JOIN_GROUP, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, RD_KAFKA_PARTITION_UA);
    assert_int_equal(fixture->consumer.subscribe(fixture->consumer.context, list, true), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    fetch(fixture, &fetched);
    assert_int_equal(fetched.kind, UEX_FETCHED_ERROR);
    assert_int_equal(fetched.code, RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT);
    assert_null(fetched.topic);
    assert_string_not_equal(fetched.error_text, "");
}

static void assign__none__nothing_is_read_any_more(void **state)
{
    const struct fixture *fixture = *state;
    struct uex_fetched fetched = {0};

    assign(fixture, 0);
    fetch_end(fixture, 0);
    fixture->consumer.assign(fixture->consumer.context, NULL);
    produce(fixture, COMMANDS, fixture->partition, "a");
    assert_false(fixture->consumer.poll(fixture->consumer.context, 300, &fetched));
}

static void seek__back__records_come_again(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    produce(fixture, COMMANDS, fixture->partition, "a");
    produce(fixture, COMMANDS, fixture->partition, "b");
    assign(fixture, 0);
    fetch_record(fixture, "a", 0);
    fetch_record(fixture, "b", 1);
    rd_kafka_topic_partition_list_add(list, COMMANDS, fixture->partition)->offset = 1;
    assert_int_equal(fixture->consumer.seek(fixture->consumer.context, list, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(list->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    fetch_record(fixture, "b", 1);
}

static void seek__partition_is_not_assigned__its_element_says_so(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, COMMANDS, 0)->offset = 0;
    (void)fixture->consumer.seek(fixture->consumer.context, list, 1000);
    assert_int_not_equal(list->elems[0].err, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

static void pause__and_resume__records_wait_meanwhile(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    struct uex_fetched fetched = {0};

    assign(fixture, 0);
    fetch_end(fixture, 0);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, fixture->partition);
    assert_int_equal(fixture->consumer.pause(fixture->consumer.context, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    produce(fixture, COMMANDS, fixture->partition, "a");
    assert_false(fixture->consumer.poll(fixture->consumer.context, 300, &fetched));
    assert_int_equal(fixture->consumer.resume(fixture->consumer.context, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    fetch_record(fixture, "a", 0);
}

static void committed__nothing_is__is_no_offset(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, fixture->partition);
    assert_int_equal(fixture->consumer.committed(fixture->consumer.context, list, 30000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(list->elems[0].offset, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Who is no member must not be believed. */
static void confirm__never_joined__holds_nothing(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_consumer_group_metadata_t *metadata = fixture->consumer.group_metadata(fixture->consumer.context);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    struct uex_fault fault = {0};
    int32_t coordinator = -1;
    bool holds = true;

    assert_false(uex_group_metadata_is_member(metadata));
    assert_false(fixture->consumer.is_lost(fixture->consumer.context));
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, fixture->partition);
    (void)fixture->consumer.confirm(fixture->consumer.context, list, 1000, &coordinator, &holds, &fault);
    assert_false(holds);
    rd_kafka_topic_partition_list_destroy(list);
    if (metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(metadata);
}

static void subscribe__group_assigns__is_called_back_in_poll_and_revoked_in_close(void **state)
{
    struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    struct uex_fetched fetched = {0};

    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, RD_KAFKA_PARTITION_UA);
    assert_int_equal(fixture->consumer.subscribe(fixture->consumer.context, list, true), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int i = 0; i < POLLS_MAX && fixture->rebalanced == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        assert_false(fixture->consumer.poll(fixture->consumer.context, 100, &fetched));
    assert_int_equal(fixture->rebalanced, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
    assert_int_equal(fixture->rebalanced_count, PARTITIONS);
    assert_true(fixture->was_member);
    assert_int_equal(fixture->consumer.subscribe(fixture->consumer.context, list, false), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    fixture->consumer.close(fixture->consumer.context);
    assert_int_equal(fixture->rebalanced, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
}

/* ---- counts and the state topic */

static void partitions__of_commands_and_states__are_those_of_the_brokers(void **state)
{
    const struct fixture *fixture = *state;
    struct uex_fault fault = {0};
    int32_t count = 0;

    assert_int_equal(fixture->consumer.command_partitions(fixture->consumer.context, 30000, &count, &fault), UEX_OK);
    assert_int_equal(count, PARTITIONS);
    assert_int_equal(fixture->consumer.state_partitions(fixture->consumer.context, 30000, &count, &fault), UEX_OK);
    assert_int_equal(count, 3);
}

static rd_kafka_message_t *poll_state(const struct fixture *fixture)
{
    for (int i = 0; i < POLLS_MAX; i++) {
        rd_kafka_message_t *message = fixture->consumer.state_poll(fixture->consumer.context, 100);

        if (message != NULL)
            return message;
    }
    fail();
    return NULL;
}

static void state__read_from_an_offset__records_come_to_the_watermark(void **state)
{
    const struct fixture *fixture = *state;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_message_t *message = NULL;
    int64_t low = -1, high = -1;

    produce(fixture, STATES, 2, "a");
    produce(fixture, STATES, 2, "b");
    assert_int_equal(fixture->consumer.state_watermarks(fixture->consumer.context, 2, &low, &high, 30000),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(low, 0);
    assert_int_equal(high, 2);
    rd_kafka_topic_partition_list_add(list, STATES, 2)->offset = 1;
    assert_int_equal(fixture->consumer.state_assign(fixture->consumer.context, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    message = poll_state(fixture);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(message->offset, 1);
    fixture->consumer.state_release(fixture->consumer.context, message);
    message = poll_state(fixture);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR__PARTITION_EOF);
    assert_int_equal(message->offset, 2);
    fixture->consumer.state_release(fixture->consumer.context, message);
    assert_int_equal(fixture->consumer.state_assign(fixture->consumer.context, NULL), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* The last stable offset, which a read_committed client is told, could stand before an outcome whose offset is
 * committed: the marker of its transaction may reach the state topic later. */
static void state__end_of_a_restore__is_the_high_watermark_and_records_are_committed_ones(void **state)
{
    const struct fixture *fixture = *state;
    struct uex_fetched fetched = {0};
    int64_t low = 0, high = 0;

    (void)fixture->consumer.state_watermarks(fixture->consumer.context, 0, &low, &high, 30000);
    assert_string_equal(isolation, "read_uncommitted");
    assert_null(fixture->consumer.state_poll(fixture->consumer.context, 0));
    assert_string_equal(isolation, "read_committed");
    isolation[0] = '\0';
    (void)fixture->consumer.poll(fixture->consumer.context, 0, &fetched);
    assert_string_equal(isolation, "read_committed");
}

/* ---- life */

static void open__property_is_refused__is_an_error_and_can_be_freed(void **state)
{
    struct fixture *fixture = *state;
    struct uex_consumer_handles *handles = NULL;
    struct uex_consumer consumer = {0};
    struct uex_fault fault = {0};

    mock_add_property(&fixture->mock, "no.such.property", "1");
    assert_int_equal(uex_consumer_open(&fixture->mock.config, on_rebalance, fixture, &handles, &consumer, &fault),
                     UEX_CONFIG);
    assert_non_null(strstr(fault.text, "no.such.property"));
    uex_consumer_free(handles);
}

/* ---- for the start, health and metrics */

static void start__brokers_answer__says_who_they_are(void **state)
{
    const struct fixture *fixture = *state;
    char cluster_id[UEX_KAFKA_CLUSTER_ID_SIZE] = "";
    struct uex_fault fault = {0};

    assert_int_equal(uex_consumer_wait(fixture->handles, 30000, NULL, &fault), UEX_OK);
    assert_true(uex_consumer_is_answered(fixture->handles, 30000));
    assert_int_equal(uex_consumer_cluster_id(fixture->handles, 30000, cluster_id, &fault), UEX_OK);
    assert_string_not_equal(cluster_id, "");
}

static void is_answered__brokers_are_gone__says_no(void **state)
{
    struct fixture *fixture = *state;

    assert_true(uex_consumer_is_answered(fixture->handles, 30000));
    rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    assert_false(uex_consumer_is_answered(fixture->handles, 100));
}

static void tiers__configured_one_is_there__is_found(void **state)
{
    struct fixture *fixture = *state;
    struct uex_tier tiers[UEX_TIERS_MAX];
    struct uex_fault fault = {0};
    size_t count = 0;

    fixture->mock.config.retry_tier_count = 1;
    mock_create_topic(&fixture->mock, "export-group-retry-0", 2);
    assert_int_equal(uex_consumer_tiers(fixture->handles, 30000, tiers, &count, &fault), UEX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(tiers[0].topic, "export-group-retry-0");
    assert_int_equal(tiers[0].partition_count, 2);
}

static void known_range__after_a_fetch__is_that_of_the_fetch(void **state)
{
    const struct fixture *fixture = *state;
    int64_t low = -1, high = -1;

    produce(fixture, COMMANDS, fixture->partition, "a");
    assign(fixture, 0);
    fetch_record(fixture, "a", 0);
    assert_true(uex_consumer_known_range(fixture->handles, COMMANDS, fixture->partition, &low, &high));
    assert_int_equal(high, 1);
}

int main(void)
{
#define CONSUMER_TEST(function) cmocka_unit_test_setup(function, next_partition)
#define LONELY_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CONSUMER_TEST(poll__record__is_a_copy_with_its_envelope),
        CONSUMER_TEST(assign__none__nothing_is_read_any_more),
        CONSUMER_TEST(seek__back__records_come_again),
        CONSUMER_TEST(seek__partition_is_not_assigned__its_element_says_so),
        CONSUMER_TEST(pause__and_resume__records_wait_meanwhile),
        CONSUMER_TEST(committed__nothing_is__is_no_offset),
        CONSUMER_TEST(confirm__never_joined__holds_nothing),
        CONSUMER_TEST(partitions__of_commands_and_states__are_those_of_the_brokers),
        CONSUMER_TEST(state__read_from_an_offset__records_come_to_the_watermark),
        CONSUMER_TEST(state__end_of_a_restore__is_the_high_watermark_and_records_are_committed_ones),
        CONSUMER_TEST(open__property_is_refused__is_an_error_and_can_be_freed),
        CONSUMER_TEST(start__brokers_answer__says_who_they_are),
        CONSUMER_TEST(tiers__configured_one_is_there__is_found),
        CONSUMER_TEST(known_range__after_a_fetch__is_that_of_the_fetch),
    };
    const struct CMUnitTest lonely_tests[] = {
        LONELY_TEST(poll__session_timeout_is_refused__is_an_error_of_the_whole_client),
        LONELY_TEST(subscribe__group_assigns__is_called_back_in_poll_and_revoked_in_close),
        LONELY_TEST(is_answered__brokers_are_gone__says_no),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down) + cmocka_run_group_tests(lonely_tests, NULL, NULL);
}
