/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends of runs against librdkafka's mock cluster: who writes, and who finds it written. */
#include "run/end.h"

#include "run/follow.h"
#include "run/records.h"
#include "run/start.h"
#include "unit/kafka/mock_cluster.h"

#define RUN "2026-11-22"
#define WAIT_MS 10000

struct fixture {
    struct mock_cluster mock;
    struct uex_bulk bulk;
    struct uex_run_record started;
};

static void no_record(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    (void)context;
    (void)index;
    *key = uex_bytes_of_text("g-1");
    uex_buffer_append_text(value, "{\"groupId\":\"g-1\",\"runId\":\"" RUN "\"}");
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_TEXT);
    mock_start(&fixture->mock);
    fixture->mock.config.topics_command = (char *)"export-group";
    fixture->mock.config.topics_run = (char *)"export-group-run";
    fixture->mock.config.topics_state = (char *)"export-group-state";
    mock_create_topic(&fixture->mock, "export-group", 3);
    mock_create_topic(&fixture->mock, "export-group-run", 1);
    mock_create_topic(&fixture->mock, "export-group-state", 3);
    fixture->bulk = (struct uex_bulk){.config = &fixture->mock.config,
                                      .timeout_ms = 10000,
                                      .topic = "export-group",
                                      .count = 1,
                                      .record = no_record,
                                      .opening = "starting",
                                      .what = "sending a command",
                                      .unknown_end = "again"};
    fixture->started = (struct uex_run_record){.run_id = (char *)RUN,
                                               .groups = 1,
                                               .exported = UEX_UNKNOWN,
                                               .skipped = UEX_UNKNOWN,
                                               .dead_lettered = UEX_UNKNOWN,
                                               .unfinished = UEX_UNKNOWN,
                                               .rows = UEX_UNKNOWN,
                                               .bytes = UEX_UNKNOWN,
                                               .started_at_ms = 1795369800000,
                                               .ended_at_ms = UEX_NO_TIME};
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

static bool start(struct fixture *fixture, bool again)
{
    struct uex_run_start_result result = {0};
    struct uex_fault fault = {0};
    bool was_there = false;

    if (uex_run_start(&fixture->bulk, &fixture->started, again, &result, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    assert_false(result.fenced);
    was_there = result.was_there;
    assert_true(was_there == (result.found.run_id != NULL && !again));
    uex_run_record_clear(&result.found);
    return was_there;
}

/* Write an end in the place of the start; was it written? */
static bool end(struct fixture *fixture, enum uex_run_status status, enum uex_run_status *found_status)
{
    struct uex_run_record record = fixture->started, found = {0};
    struct uex_fault fault = {0};
    bool written = false;

    record.status = status;
    record.ended_at_ms = record.started_at_ms + 1000;
    if (uex_run_end(&fixture->mock.config, &fixture->started, &record, WAIT_MS, NULL, &written, &found, &fault) !=
        UEX_OK)
        fail_msg("%s", fault.text);
    *found_status = found.status;
    uex_run_record_clear(&found);
    return written;
}

static void start__a_run_that_was_started__sends_nothing_unless_again(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_record found = {0};

    assert_false(start(fixture, false));
    assert_true(start(fixture, false));
    fixture->started.started_at_ms += 5;
    assert_false(start(fixture, true));
    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, NULL, NULL), UEX_OK);
    assert_true(found.started_at_ms == fixture->started.started_at_ms && found.started_again);
    uex_run_record_clear(&found);
}

static void again__of_a_run_that_is_not_there__is_its_first_start(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_record found = {0};

    assert_false(start(fixture, true));
    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, NULL, NULL), UEX_OK);
    assert_false(found.started_again);
    uex_run_record_clear(&found);
}

static void end__of_a_run_that_was_started_again__still_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_record found = {0};
    enum uex_run_status status = UEX_RUN_STARTED;

    assert_false(start(fixture, false));
    assert_false(start(fixture, true));
    fixture->started.started_again = true;
    assert_true(end(fixture, UEX_RUN_COMPLETED, &status));
    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, NULL, NULL), UEX_OK);
    assert_true(found.status == UEX_RUN_COMPLETED && found.started_again);
    uex_run_record_clear(&found);
}

static void end__in_the_place_of_the_start__is_written_once(void **state)
{
    struct fixture *fixture = *state;
    enum uex_run_status found = UEX_RUN_STARTED;

    assert_false(start(fixture, false));
    assert_true(end(fixture, UEX_RUN_COMPLETED, &found));
    assert_int_equal(found, UEX_RUN_COMPLETED);
    assert_false(end(fixture, UEX_RUN_INCOMPLETE, &found));
    assert_int_equal(found, UEX_RUN_COMPLETED);
}

static void end__the_run_was_started_again__is_not_written(void **state)
{
    struct fixture *fixture = *state;
    enum uex_run_status found = UEX_RUN_COMPLETED;

    assert_false(start(fixture, false));
    fixture->started.started_at_ms += 5;
    assert_false(start(fixture, true));
    fixture->started.started_at_ms -= 5;
    assert_false(end(fixture, UEX_RUN_COMPLETED, &found));
    assert_int_equal(found, UEX_RUN_STARTED);
}

static void end__another_process_takes_over__is_not_written(void **state)
{
    static const enum api apis[] = {API_INIT_PRODUCER_ID, API_ADD_PARTITIONS};
    struct fixture *fixture = *state;
    enum uex_run_status found = UEX_RUN_COMPLETED;

    assert_false(start(fixture, false));
    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
        mock_fail(&fixture->mock, apis[i], RD_KAFKA_RESP_ERR_PRODUCER_FENCED, 1);
        assert_false(end(fixture, UEX_RUN_COMPLETED, &found));
        assert_int_equal(found, UEX_RUN_STARTED);
    }
    assert_true(end(fixture, UEX_RUN_COMPLETED, &found));
}

static void find__no_such_run_or_no_topic__are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_record found = {0};
    struct uex_fault fault = {0};

    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, NULL, &fault),
                     UEX_NOT_FOUND);
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "gone", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    fixture->mock.config.topics_run = (char *)"gone";
    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, NULL, &fault),
                     UEX_KAFKA_TOPICS);
}

static void find__written_for_another_command_topic__is_foreign(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_record found = {0};
    struct uex_run_records records = {0};
    struct uex_fault fault = {0};
    bool is_foreign = false;

    assert_false(start(fixture, false));
    fixture->mock.config.topics_command = (char *)"another";
    assert_int_equal(uex_run_record_find(&fixture->mock.config, RUN, WAIT_MS, NULL, &found, &is_foreign, &fault),
                     UEX_NOT_FOUND);
    assert_true(is_foreign);
    assert_int_equal(uex_run_records_read(&fixture->mock.config, WAIT_MS, NULL, &records, &fault), UEX_OK);
    assert_int_equal(records.count, 1);
    assert_null(uex_run_records_last(&records));
    assert_non_null(uex_run_records_find(&records, RUN));
    uex_run_records_clear(&records);
}

static void produce_state(struct fixture *fixture, const char *group_id, const char *outcome)
{
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = uex_kafka_conf_new(&fixture->mock.config, UEX_KAFKA_PRODUCER, &fault);
    rd_kafka_t *producer = uex_kafka_create(UEX_KAFKA_PRODUCER, conf, &fault);
    char value[400];

    (void)snprintf(value, sizeof(value),
                   "{\"version\":1,\"groupId\":\"%s\",\"outcome\":\"%s\",\"runId\":\"" RUN
                   "\",\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"at\":\"2026-11-22T19:00:00Z\"}",
                   group_id, outcome);
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("export-group-state"),
                                       RD_KAFKA_V_KEY((void *)(uintptr_t)group_id, strlen(group_id)),
                                       RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    uex_kafka_destroy(producer);
}

static void follow__states_of_the_run__end_it_once_the_topic_is_read(void **state)
{
    struct fixture *fixture = *state;
    struct uex_run_members members = {0};
    struct uex_run_follow_setup setup = {
        .config = &fixture->mock.config, .run = &fixture->started, .members = &members};
    struct uex_run_follow *follow = NULL;
    struct uex_fault fault = {0};

    assert_int_equal(uex_run_members_add(&members, uex_bytes_of_text("g-1")), UEX_OK);
    produce_state(fixture, "g-1", "retried");
    follow = uex_run_follow_new(&setup);
    assert_non_null(follow);
    while (!uex_run_follow_is_caught_up(follow))
        assert_int_equal(uex_run_follow_read(follow, 100, &fault), UEX_OK);
    assert_int_equal(uex_run_follow_counts(follow).retrying, 1);
    assert_false(uex_run_follow_is_away(follow));
    produce_state(fixture, "g-1", "exported");
    assert_int_equal(uex_run_follow_read(follow, WAIT_MS, &fault), UEX_END);
    assert_int_equal(uex_run_follow_counts(follow).exported, 1);
    uex_run_follow_free(follow);
    uex_run_members_clear(&members);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(start__a_run_that_was_started__sends_nothing_unless_again),
        TEST(again__of_a_run_that_is_not_there__is_its_first_start),
        TEST(end__of_a_run_that_was_started_again__still_says_so),
        TEST(end__in_the_place_of_the_start__is_written_once),
        TEST(end__the_run_was_started_again__is_not_written),
        TEST(end__another_process_takes_over__is_not_written),
        TEST(find__no_such_run_or_no_topic__are_told_apart),
        TEST(find__written_for_another_command_topic__is_foreign),
        TEST(follow__states_of_the_run__end_it_once_the_topic_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
