/* SPDX-License-Identifier: Apache-2.0 */
/* Handles and records against librdkafka's mock cluster. */
#include "unit/kafka/kafka_fixture.h"

#include <librdkafka/rdkafka_mock.h>

#define TOPIC "export-group"
#define WAIT_MS 20000

struct cluster {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *mock;
    struct kafka_fixture fixture;
};

static int setup(void **state)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = NULL;

    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_TEXT);
    fixture_config(&cluster->fixture, NULL);
    conf = uex_kafka_conf_new(&cluster->fixture.config, UEX_KAFKA_PRODUCER, &fault);
    cluster->owner = uex_kafka_create(UEX_KAFKA_PRODUCER, conf, &fault);
    cluster->mock = rd_kafka_mock_cluster_new(cluster->owner, 1);
    rd_kafka_mock_topic_create(cluster->mock, TOPIC, 3, 1);
    fixture_config(&cluster->fixture, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster->mock), NULL);
    *state = cluster;
    return 0;
}

static int teardown(void **state)
{
    struct cluster *cluster = *state;

    rd_kafka_mock_cluster_destroy(cluster->mock);
    uex_kafka_destroy(cluster->owner);
    free(cluster);
    return 0;
}

static rd_kafka_t *handle_of(struct cluster *cluster, enum uex_kafka_role role)
{
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = uex_kafka_conf_new(&cluster->fixture.config, role, &fault);
    rd_kafka_t *handle = conf == NULL ? NULL : uex_kafka_create(role, conf, &fault);

    if (handle == NULL)
        fail_msg("%s", fault.text);
    return handle;
}

static void produce(rd_kafka_t *producer, const char *key, const char *value, rd_kafka_headers_t *headers)
{
    size_t key_bytes = key == NULL ? 0 : strlen(key), value_bytes = value == NULL ? 0 : strlen(value);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(1), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key, (key_bytes)), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, (value_bytes)),
        RD_KAFKA_V_TIMESTAMP(1700000000123), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);

    assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

static struct uex_record *consume(rd_kafka_t *consumer)
{
    int64_t until_ms = uex_monotonic_ms() + WAIT_MS;
    struct uex_record *record = NULL;

    while (record == NULL && uex_monotonic_ms() < until_ms) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);

        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            record = uex_record_copy(message, TOPIC);
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    assert_non_null(record);
    return record;
}

static void record_copy__what_was_produced__outlives_its_message(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_t *producer = handle_of(cluster, UEX_KAFKA_PRODUCER);
    rd_kafka_t *consumer = handle_of(cluster, UEX_KAFKA_READER_UNCOMMITTED);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    struct uex_record *full = NULL, *bare = NULL;
    struct uex_bytes value = {0};

    rd_kafka_header_add(headers, "a", -1, "1", -1);
    rd_kafka_header_add(headers, "null", -1, NULL, 0);
    rd_kafka_header_add(headers, "empty", -1, "", 0);
    rd_kafka_header_add(headers, "a", -1, "\0\1\2", 3);
    produce(producer, "g-1", "{}", headers);
    produce(producer, NULL, NULL, rd_kafka_headers_new(0));
    assert_int_equal(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_add(partitions, TOPIC, 1)->offset = 0;
    assert_int_equal(rd_kafka_assign(consumer, partitions), RD_KAFKA_RESP_ERR_NO_ERROR);
    full = consume(consumer);
    bare = consume(consumer);

    assert_string_equal(full->topic, TOPIC);
    assert_int_equal(full->partition, 1);
    assert_int_equal(full->offset, 0);
    assert_true(full->timestamp_ms == 1700000000123);
    assert_string_equal((const char *)full->key.data, "g-1");
    assert_int_equal(full->value.size_bytes, 2);
    assert_string_equal((const char *)full->value.data, "{}");
    assert_int_equal(full->header_count, 4);
    assert_true(uex_record_header(full, "a", &value));
    assert_int_equal(value.size_bytes, 3);
    assert_memory_equal(value.data, "\0\1\2", 3);
    assert_true(uex_record_header(full, "null", &value));
    assert_null(value.data);
    assert_true(uex_record_header(full, "empty", &value));
    assert_non_null(value.data);
    assert_int_equal(value.size_bytes, 0);
    assert_null(bare->key.data);
    assert_null(bare->value.data);
    assert_int_equal(bare->header_count, 0);
    assert_true(uex_record_size_bytes(full) > sizeof(*full));
    assert_true(uex_record_size_bytes(full) < 1024);
    uex_record_free(full);
    uex_record_free(bare);
    uex_record_free(NULL);
    rd_kafka_topic_partition_list_destroy(partitions);
    uex_kafka_destroy(consumer);
    uex_kafka_destroy(producer);
}

static void wait__broker_there__is_told_with_its_cluster(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_t *admin = handle_of(cluster, UEX_KAFKA_ADMIN);
    char id[UEX_KAFKA_CLUSTER_ID_SIZE];
    struct uex_fault fault = {0};
    int32_t count = 0;

    assert_int_equal(uex_kafka_wait(admin, WAIT_MS, NULL, &fault), UEX_OK);
    assert_int_equal(uex_kafka_cluster_id(admin, WAIT_MS, id, &fault), UEX_OK);
    assert_true(strlen(id) > 0);
    assert_int_equal(uex_kafka_partition_count(admin, TOPIC, WAIT_MS, &count, &fault), UEX_OK);
    assert_int_equal(count, 3);
    assert_int_equal(uex_kafka_partition_count(admin, "no-such-topic", WAIT_MS, &count, &fault), UEX_NOT_FOUND);
    assert_int_equal(uex_kafka_partition_count(admin, "no-such-topic", WAIT_MS, &count, &fault), UEX_NOT_FOUND);
    uex_kafka_destroy(admin);
}

static void wait__no_broker__ends_in_time(void **state)
{
    struct cluster cluster = {0};
    rd_kafka_t *admin = NULL;
    struct uex_fault fault = {0};
    struct uex_cancel cancel = {0};
    int64_t start_ms = uex_monotonic_ms();

    (void)state;
    fixture_config(&cluster.fixture, "bootstrap.servers", "127.0.0.1:1", NULL);
    admin = handle_of(&cluster, UEX_KAFKA_ADMIN);
    assert_int_equal(uex_kafka_wait(admin, 700, NULL, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_in_range(uex_monotonic_ms() - start_ms, 600, 3000);
    assert_non_null(strstr(fault.text, "kafka.bootstrap.servers"));
    uex_cancel_request(&cancel);
    assert_int_equal(uex_kafka_wait(admin, 60000, &cancel, &fault), UEX_CANCELLED);
    uex_kafka_destroy(admin);
}

static void tiers__existing_ones_beyond_the_list__are_found(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_t *admin = handle_of(cluster, UEX_KAFKA_ADMIN);
    struct uex_tier tiers[UEX_TIERS_MAX];
    struct uex_fault fault = {0};
    size_t count = 0;

    rd_kafka_mock_topic_create(cluster->mock, "export-group-retry-1", 3, 1);
    rd_kafka_mock_topic_create(cluster->mock, "export-group-retry-7", 2, 1);
    rd_kafka_mock_topic_create(cluster->mock, "export-group-retry-x", 2, 1);
    assert_int_equal(uex_topics_tiers(admin, &cluster->fixture.config, WAIT_MS, tiers, &count, &fault), UEX_OK);
    assert_int_equal(count, 4);
    assert_int_equal(tiers[0].partition_count, 0);
    assert_true(tiers[0].configured);
    assert_int_equal(tiers[1].partition_count, 3);
    assert_string_equal(tiers[3].topic, "export-group-retry-7");
    assert_int_equal(tiers[3].number, 7);
    assert_int_equal(tiers[3].partition_count, 2);
    assert_false(tiers[3].configured);
    uex_kafka_destroy(admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(record_copy__what_was_produced__outlives_its_message, setup, teardown),
        cmocka_unit_test_setup_teardown(wait__broker_there__is_told_with_its_cluster, setup, teardown),
        cmocka_unit_test(wait__no_broker__ends_in_time),
        cmocka_unit_test_setup_teardown(tiers__existing_ones_beyond_the_list__are_found, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
