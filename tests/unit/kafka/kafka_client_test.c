/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#include "export/log.h"
#include "kafka/client_internal.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <librdkafka/rdkafka_mock.h> /* needs rdkafka.h before it */

static void assert_property(rd_kafka_conf_t *conf, const char *name, const char *expected)
{
    char value[256] = "";
    size_t size_bytes = sizeof(value);

    assert_int_equal(rd_kafka_conf_get(conf, name, value, &size_bytes), RD_KAFKA_CONF_OK);
    assert_string_equal(value, expected);
}

static rd_kafka_conf_t *conf_of(struct uex_config *config, enum uex_kafka_role role)
{
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, &fault);

    if (conf == NULL)
        fail_msg("%s", fault.text);
    return conf;
}

static void conf_new__group_consumer__is_exactly_once(void **state)
{
    struct kafka_fixture fixture;
    struct uex_config *config = fixture_config(&fixture, "client.rack", "rack-1", "session.timeout.ms", "7000", NULL);
    rd_kafka_conf_t *conf = conf_of(config, UEX_KAFKA_GROUP_CONSUMER);

    (void)state;
    assert_property(conf, "group.id", "export-workers");
    assert_property(conf, "enable.auto.commit", "false");
    assert_property(conf, "enable.auto.offset.store", "false");
    assert_property(conf, "enable.partition.eof", "true");
    assert_property(conf, "isolation.level", "read_committed");
    assert_property(conf, "partition.assignment.strategy", "range");
    assert_property(conf, "queued.min.messages", "1000");
    assert_property(conf, "session.timeout.ms", "7000");
    assert_property(conf, "client.rack", "");
    rd_kafka_conf_destroy(conf);
}

static void conf_new__readers__have_a_group_of_their_own(void **state)
{
    struct kafka_fixture fixture;
    struct uex_config *config =
        fixture_config(&fixture, "client.rack", "rack-1", "group.instance.id", "worker-1", NULL);
    rd_kafka_conf_t *committed = conf_of(config, UEX_KAFKA_READER);
    rd_kafka_conf_t *uncommitted = conf_of(config, UEX_KAFKA_READER_UNCOMMITTED);
    char value[8];
    size_t size_bytes = sizeof(value);

    (void)state;
    assert_property(committed, "group.id", "export-workers-reader");
    assert_property(committed, "isolation.level", "read_committed");
    assert_property(committed, "client.rack", "rack-1");
    assert_true(rd_kafka_conf_get(committed, "group.instance.id", value, &size_bytes) != RD_KAFKA_CONF_OK ||
                size_bytes <= 1);
    assert_property(uncommitted, "isolation.level", "read_uncommitted");
    rd_kafka_conf_destroy(committed);
    rd_kafka_conf_destroy(uncommitted);
}

static void conf_new__defaults__give_way_to_the_configuration(void **state)
{
    struct kafka_fixture fixture;
    struct uex_config *config = fixture_config(&fixture, "queued.min.messages", "7", "retry.backoff.ms", "33",
                                               "client.id", "me", "max.poll.interval.ms", "600000", NULL);
    rd_kafka_conf_t *consumer = conf_of(config, UEX_KAFKA_GROUP_CONSUMER);
    rd_kafka_conf_t *producer = conf_of(config, UEX_KAFKA_TX_PRODUCER);

    (void)state;
    assert_property(consumer, "queued.min.messages", "7");
    assert_property(consumer, "client.id", "me");
    assert_property(producer, "retry.backoff.ms", "33");
    assert_property(producer, "enable.idempotence", "true");
    assert_property(producer, "max.poll.interval.ms", "300000"); /* a consumer's: left out */
    rd_kafka_conf_destroy(consumer);
    rd_kafka_conf_destroy(producer);
}

static void applies__scopes__are_those_of_librdkafka(void **state)
{
    (void)state;
    assert_true(uex_kafka_property_applies("bootstrap.servers", true));
    assert_true(uex_kafka_property_applies("bootstrap.servers", false));
    assert_true(uex_kafka_property_applies("session.timeout.ms", true));
    assert_false(uex_kafka_property_applies("session.timeout.ms", false));
    assert_false(uex_kafka_property_applies("linger.ms", true));
    assert_true(uex_kafka_property_applies("linger.ms", false));
    assert_false(uex_kafka_property_applies("request.timeout.ms", true));
    assert_true(uex_kafka_property_applies("sasl.password", true));
}

static void check__good_properties__are_passed(void **state)
{
    struct kafka_fixture fixture;
    struct uex_buffer problems = {0};
    struct uex_config *config =
        fixture_config(&fixture, "bootstrap.servers", "127.0.0.1:1", "security.protocol", "sasl_plaintext",
                       "sasl.mechanisms", "PLAIN", "sasl.username", "u", "sasl.password", "p", "linger.ms", "3",
                       "fetch.max.bytes", "60000000", "compression.codec", "lz4", NULL);

    (void)state;
    assert_int_equal(uex_kafka_check_properties(config, &problems), UEX_OK);
    assert_string_equal(uex_buffer_text(&problems), "");
    uex_buffer_clear(&problems);
}

static void check__mistakes__are_all_said(void **state)
{
    static const char *const expected[] = {
        "kafka.no.such.thing: ",         "kafka.socket.timeout.ms: ",    "kafka.dr_msg_cb: ",
        "kafka.request.required.acks: ", "kafka.enable.partition.eof: ", "kafka.test.mock.num.brokers: ",
    };
    struct kafka_fixture fixture;
    struct uex_buffer problems = {0};
    struct uex_config *config = fixture_config(&fixture, "no.such.thing", "1", "socket.timeout.ms", "1", "dr_msg_cb",
                                               "x", "request.required.acks", "1", "enable.partition.eof", "false",
                                               "test.mock.num.brokers", "3", NULL);

    (void)state;
    assert_int_equal(uex_kafka_check_properties(config, &problems), UEX_CONFIG);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (strstr(uex_buffer_text(&problems), expected[i]) == NULL)
            fail_msg("'%s' is not in:\n%s", expected[i], uex_buffer_text(&problems));
    uex_buffer_clear(&problems);
}

static void check__set_that_does_not_fit__is_said_with_the_reason(void **state)
{
    struct kafka_fixture fixture;
    struct uex_buffer problems = {0};
    struct uex_config *config =
        fixture_config(&fixture, "session.timeout.ms", "60000", "max.poll.interval.ms", "10000", NULL);

    (void)state;
    assert_int_equal(uex_kafka_check_properties(config, &problems), UEX_CONFIG);
    assert_non_null(strstr(uex_buffer_text(&problems), "max.poll.interval.ms"));
    uex_buffer_clear(&problems);
}

static void check__secret_value__never_appears(void **state)
{
    struct kafka_fixture fixture;
    struct uex_buffer problems = {0};
    struct uex_config *config = fixture_config(&fixture, "ssl.key.password", "geheim", "security.protocol", "sssl",
                                               "sasl.password", "geheim2", NULL);

    (void)state;
    assert_int_equal(uex_kafka_check_properties(config, &problems), UEX_CONFIG);
    assert_null(strstr(uex_buffer_text(&problems), "geheim"));
    assert_non_null(strstr(uex_buffer_text(&problems), "security.protocol"));
    uex_buffer_clear(&problems);
}

static void message_max_bytes__given_or_not__is_in_force(void **state)
{
    struct kafka_fixture fixture;

    (void)state;
    assert_int_equal(uex_kafka_message_max_bytes(fixture_config(&fixture, NULL)), 1000000);
    assert_int_equal(uex_kafka_message_max_bytes(fixture_config(&fixture, "message.max.bytes", "20000", NULL)), 20000);
}

static void error_of__codes__are_told_apart(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_kafka_error_of(RD_KAFKA_RESP_ERR_NO_ERROR), UEX_OK);
    assert_int_equal(uex_kafka_error_of(RD_KAFKA_RESP_ERR__TRANSPORT), UEX_KAFKA_UNAVAILABLE);
    assert_int_equal(uex_kafka_error_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), UEX_RESULT_REFUSED);
    assert_int_equal(uex_kafka_error_of(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION), UEX_KAFKA_TOPICS);
    assert_int_equal(uex_kafka_error_of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), UEX_KAFKA);
    assert_true(uex_kafka_refuses_record(RD_KAFKA_RESP_ERR_INVALID_RECORD));
    assert_false(uex_kafka_refuses_record(RD_KAFKA_RESP_ERR__QUEUE_FULL));
    assert_int_equal(uex_kafka_fail(&fault, RD_KAFKA_RESP_ERR__TIMED_OUT, "asking"), UEX_KAFKA_UNAVAILABLE);
    assert_non_null(strstr(fault.text, "asking: "));
    assert_int_equal(uex_kafka_fail_error(&fault, NULL, "asking"), UEX_OK);
}

static void log_allowed__same_kind__is_said_every_ten_seconds(void **state)
{
    uint64_t suppressed = 7;

    (void)state;
    assert_true(uex_kafka_log_allowed("FAIL", 1000, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_false(uex_kafka_log_allowed("FAIL", 1001, &suppressed));
    assert_false(uex_kafka_log_allowed("FAIL", 10999, &suppressed));
    assert_true(uex_kafka_log_allowed("OTHER", 1001, &suppressed));
    assert_true(uex_kafka_log_allowed("FAIL", 11000, &suppressed));
    assert_int_equal(suppressed, 2);
}

/* What stands on stderr while a handle finds no broker for a moment. */
static void stderr_without_a_broker(char *out, size_t size)
{
    struct kafka_fixture fixture;
    struct uex_fault fault = {0};
    rd_kafka_t *handle = NULL;
    FILE *kept = tmpfile();
    const int before = dup(STDERR_FILENO);
    uint64_t failures = uex_kafka_connection_failures();

    assert_non_null(kept);
    assert_true(dup2(fileno(kept), STDERR_FILENO) >= 0);
    handle = uex_kafka_create(
        UEX_KAFKA_READER, conf_of(fixture_config(&fixture, "bootstrap.servers", "127.0.0.1:1", NULL), UEX_KAFKA_READER),
        &fault);
    for (int i = 0; i < 100 && uex_kafka_connection_failures() < failures + 3; i++)
        assert_int_equal(uex_kafka_wait(handle, 100, NULL, &fault), UEX_KAFKA_UNAVAILABLE);
    rd_kafka_destroy(handle);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    assert_true(uex_kafka_connection_failures() >= failures + 3);
    rewind(kept);
    out[fread(out, 1, size - 1, kept)] = '\0';
    fclose(kept);
}

static void log_watched__no_broker__is_counted_and_no_longer_logged(void **state)
{
    char text[16384], failure[200];

    (void)state;
    uex_log_setup("client-test", UEX_LOG_INFO, UEX_LOG_JSON);
    stderr_without_a_broker(text, sizeof(text));
    assert_non_null(strstr(text, "\"event\":\"kafka-client\""));
    uex_kafka_log_watched();
    stderr_without_a_broker(text, sizeof(text));
    assert_string_equal(text, "");
    uex_kafka_last_failure(failure, sizeof(failure));
    assert_non_null(strstr(failure, "127.0.0.1:1"));
}

static unsigned all_topics_count, one_topic_count;

static void note_request(const rd_kafka_t *handle, int level, const char *kind, const char *text)
{
    (void)handle;
    (void)level;
    (void)kind;
    all_topics_count += strstr(text, "Request metadata for all topics") != NULL;
    one_topic_count += strstr(text, "Request metadata for 1 topic(s)") != NULL;
}

static void partition_count__consumer__asks_for_this_topic_only(void **state)
{
    rd_kafka_conf_t *quiet = rd_kafka_conf_new();
    rd_kafka_t *owner = NULL, *handle = NULL;
    rd_kafka_mock_cluster_t *cluster = NULL;
    struct kafka_fixture fixture;
    rd_kafka_conf_t *conf = NULL;
    struct uex_fault fault = {0};
    int32_t count = 0;

    (void)state;
    assert_int_equal(rd_kafka_conf_set(quiet, "log_level", "0", NULL, 0), RD_KAFKA_CONF_OK);
    owner = rd_kafka_new(RD_KAFKA_PRODUCER, quiet, NULL, 0);
    cluster = rd_kafka_mock_cluster_new(owner, 1);
    assert_non_null(cluster);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "export-group", 5, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "somebody-elses", 7, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    conf = conf_of(fixture_config(&fixture, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), "debug",
                                  "metadata", NULL),
                   UEX_KAFKA_READER_UNCOMMITTED);
    rd_kafka_conf_set_log_cb(conf, note_request);
    handle = uex_kafka_create(UEX_KAFKA_READER_UNCOMMITTED, conf, &fault);
    assert_non_null(handle);
    assert_int_equal(uex_kafka_wait(handle, 10000, NULL, &fault), UEX_OK);
    all_topics_count = one_topic_count = 0;
    assert_int_equal(uex_kafka_partition_count(handle, "export-group", 10000, &count, &fault), UEX_OK);
    assert_int_equal(count, 5);
    assert_int_equal(uex_kafka_partition_count(handle, "export-group", 10000, &count, &fault), UEX_OK);
    assert_int_equal(all_topics_count, 0);
    assert_true(one_topic_count >= 2);
    uex_kafka_destroy(handle);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
}

/* A server that speaks no TLS, and answers what it does not understand. */
static void *answer_in_plain_text(void *argument)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    int listener = *(int *)argument, client = -1;

    while ((client = accept(listener, NULL, NULL)) >= 0) {
        (void)!write(client, answer, sizeof(answer) - 1);
        (void)close(client);
    }
    return NULL;
}

static void wait__brokers_refuse_this_client__tools_end_at_once(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size_bytes = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct kafka_fixture fixture;
    struct uex_fault fault = {0};
    char servers[40];
    pthread_t thread;
    rd_kafka_t *handle = NULL;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size_bytes), 0);
    snprintf(servers, sizeof(servers), "127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, answer_in_plain_text, &listener), 0);
    handle = uex_kafka_create(
        UEX_KAFKA_ADMIN,
        conf_of(fixture_config(&fixture, "bootstrap.servers", servers, "security.protocol", "ssl", NULL),
                UEX_KAFKA_ADMIN),
        &fault);
    assert_non_null(handle);
    /* A program that runs by itself goes on until its time is over. */
    assert_int_equal(uex_kafka_wait(handle, 2500, NULL, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_non_null(strstr(fault.text, "answered within 2500 ms"));
    uex_kafka_give_up_when_refused();
    assert_int_equal(uex_kafka_wait(handle, 3600000, NULL, &fault), UEX_KAFKA_UNAVAILABLE);
    assert_non_null(strstr(fault.text, "refuse this client"));
    assert_non_null(strstr(fault.text, "wrong version number"));
    uex_kafka_destroy(handle);
    (void)shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conf_new__group_consumer__is_exactly_once),
        cmocka_unit_test(conf_new__readers__have_a_group_of_their_own),
        cmocka_unit_test(conf_new__defaults__give_way_to_the_configuration),
        cmocka_unit_test(applies__scopes__are_those_of_librdkafka),
        cmocka_unit_test(check__good_properties__are_passed),
        cmocka_unit_test(check__mistakes__are_all_said),
        cmocka_unit_test(check__set_that_does_not_fit__is_said_with_the_reason),
        cmocka_unit_test(check__secret_value__never_appears),
        cmocka_unit_test(message_max_bytes__given_or_not__is_in_force),
        cmocka_unit_test(error_of__codes__are_told_apart),
        cmocka_unit_test(log_allowed__same_kind__is_said_every_ten_seconds),
        cmocka_unit_test(partition_count__consumer__asks_for_this_topic_only),
        cmocka_unit_test(wait__brokers_refuse_this_client__tools_end_at_once),
        cmocka_unit_test(log_watched__no_broker__is_counted_and_no_longer_logged), /* for the whole process: last */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
