/* SPDX-License-Identifier: Apache-2.0 */
/* Many records in one transaction, against librdkafka's mock cluster: what is sent, repeated and given up. */
#include "kafka/bulk.h"

#include "unit/kafka/mock_cluster.h"

#define TOPIC "export-group"
#define RECORD_COUNT 25
#define UNKNOWN_END "run it again"

struct fixture {
    struct mock_cluster mock;
    struct uex_cancel cancel;
    struct uex_bulk bulk;
    char key[16];
    uint64_t asked, first_count, delivered;
    bool stops; /* cancel when the records are asked for */
};

static void record_of(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    struct fixture *fixture = context;

    fixture->first_count += index == 0;
    fixture->asked++;
    (void)snprintf(fixture->key, sizeof(fixture->key), "g-%u", (unsigned)index);
    *key = uex_bytes_of_text(fixture->key);
    uex_buffer_append_text(value, "{}");
    if (fixture->stops)
        uex_cancel_request(&fixture->cancel);
}

static void note_progress(void *context, uint64_t delivered)
{
    ((struct fixture *)context)->delivered = delivered;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_TEXT);
    mock_start(&fixture->mock);
    mock_create_topic(&fixture->mock, TOPIC, 3);
    fixture->bulk = (struct uex_bulk){.config = &fixture->mock.config,
                                      .transactional_id = "export-workers-test",
                                      .timeout_ms = 10000,
                                      .topic = TOPIC,
                                      .count = RECORD_COUNT,
                                      .record = record_of,
                                      .progress = note_progress,
                                      .context = fixture,
                                      .cancel = &fixture->cancel,
                                      .opening = "becoming the one that sends",
                                      .what = "sending a command",
                                      .unknown_end = UNKNOWN_END};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    mock_stop(&fixture->mock);
    free(fixture);
    return 0;
}

static enum uex_error send_all(struct fixture *fixture, bool *fenced, struct uex_fault *fault)
{
    *fault = (struct uex_fault){0};
    return uex_bulk_send(&fixture->bulk, fenced, fault);
}

static void send__all_is_well__delivers_each_record_once(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_OK);
    assert_false(fenced);
    assert_int_equal(fixture->asked, RECORD_COUNT);
    assert_int_equal(fixture->delivered, RECORD_COUNT);
}

/* What a topic of one partition has. */
static void expect_one(struct fixture *fixture, const char *topic, const char *key, const char *value,
                       const char *header)
{
    struct uex_fault fault = {0};
    rd_kafka_t *reader = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_message_t *message = NULL;
    rd_kafka_headers_t *headers = NULL;
    const void *found = NULL;
    size_t size_bytes = 0;

    assert_int_equal(uex_kafka_connect(&fixture->mock.config, UEX_KAFKA_READER, 10000, NULL, &reader, &fault), UEX_OK);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(reader, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    message = rd_kafka_consumer_poll(reader, 10000);
    assert_non_null(message);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_memory_equal(message->key, key, strlen(key));
    assert_memory_equal(message->payload, value, strlen(value));
    assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_header_get_last(headers, "name", &found, &size_bytes), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_memory_equal(found, header, strlen(header));
    rd_kafka_message_destroy(message);
    rd_kafka_topic_partition_list_destroy(list);
    uex_kafka_destroy(reader);
}

static void send__one_record_more__goes_to_its_own_topic_and_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    const struct uex_bulk_extra also = {.topic = "runs",
                                        .key = uex_bytes_of_text("night"),
                                        .value = uex_bytes_of_text("started"),
                                        .headers = {{"name", "text"}}};
    struct uex_fault fault;
    bool fenced = true;

    mock_create_topic(&fixture->mock, "runs", 1);
    fixture->bulk.also = &also;
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_OK);
    assert_int_equal(fixture->delivered, RECORD_COUNT);
    expect_one(fixture, "runs", "night", "started", "text");
    fixture->bulk.count = 0;
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_OK);
}

static enum uex_error refuse(void *context, struct uex_fault *fault)
{
    (void)context;
    return uex_fail(fault, UEX_END, "not needed");
}

static void send__not_ready__asks_for_no_record(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    fixture->bulk.ready = refuse;
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_END);
    assert_false(fenced);
    assert_int_equal(fixture->asked, 0);
}

static void send__transaction_must_be_aborted__is_repeated_from_its_first_record(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    mock_fail(&fixture->mock, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, 1);
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_OK);
    assert_false(fenced);
    assert_int_equal(fixture->first_count, 2);
    assert_int_equal(fixture->delivered, RECORD_COUNT);
}

static void send__aborted_again_and_again__ends_after_three_times(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    mock_fail(&fixture->mock, API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 100);
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_KAFKA);
    assert_false(fenced);
    assert_true(fixture->first_count <= 3);
    assert_int_equal(fixture->delivered, 0);
}

static void send__record_is_refused__is_not_repeated(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    mock_fail(&fixture->mock, API_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 3);
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_RESULT_REFUSED);
    assert_false(fenced);
    assert_int_equal(fixture->first_count, 1);
}

static void send__another_process_takes_over__is_fenced_and_no_error(void **state)
{
    static const enum api apis[] = {API_INIT_PRODUCER_ID, API_ADD_PARTITIONS, API_END_TXN};
    struct fixture *fixture = *state;
    struct uex_fault fault;

    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
        bool fenced = false;

        mock_fail(&fixture->mock, apis[i], RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1);
        assert_int_equal(send_all(fixture, &fenced, &fault), UEX_OK);
        assert_true(fenced);
    }
}

static void send__stopped_before_the_commit__sends_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    fixture->stops = true;
    fixture->bulk.count = 1000; /* it is looked at after so many */
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_CANCELLED);
    assert_false(fenced);
    assert_string_equal(fault.text, "stopped; nothing was sent");
}

static void slow_down(void *context, uint64_t delivered)
{
    struct fixture *fixture = context;

    note_progress(context, delivered);
    mock_delay(&fixture->mock, 10000);
}

static void send__commit_is_not_answered__has_an_unknown_outcome(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    fixture->bulk.timeout_ms = 2000;
    fixture->bulk.count = 1000; /* progress is reported before the commit */
    fixture->bulk.progress = slow_down;
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_TIMEOUT);
    assert_false(fenced);
    assert_non_null(strstr(fault.text, UNKNOWN_END));
}

static void send__topic_is_missing__is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct uex_fault fault;
    bool fenced = true;

    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    fixture->bulk.topic = "gone";
    assert_int_equal(send_all(fixture, &fenced, &fault), UEX_NOT_FOUND);
    assert_int_equal(fixture->asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(send__all_is_well__delivers_each_record_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__one_record_more__goes_to_its_own_topic_and_is_not_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(send__not_ready__asks_for_no_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__transaction_must_be_aborted__is_repeated_from_its_first_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(send__aborted_again_and_again__ends_after_three_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__record_is_refused__is_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__another_process_takes_over__is_fenced_and_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__stopped_before_the_commit__sends_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__commit_is_not_answered__has_an_unknown_outcome, set_up, tear_down),
        cmocka_unit_test_setup_teardown(send__topic_is_missing__is_not_found, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
