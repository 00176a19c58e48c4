/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster that answers too late, from librdkafka's mock: nobody is believed, and what comes late harms nothing. What
 * a coordinator says is tried on a real cluster, tests/integration/test_assignments.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "export/clock.h"
#include "kafka/group_members.h"

#include <librdkafka/rdkafka_mock.h> /* needs rdkafka.h before it */

#if defined(__SANITIZE_ADDRESS__)
/* librdkafka 2.0.2 may keep the queue of a request that has run out of time, one for a process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:librdkafka.so";
}
#endif

#define LATE_MS 2500
#define BROKERS 3

static rd_kafka_t *make_handle(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[200] = "";
    rd_kafka_t *handle = NULL;

    assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "3", text, sizeof(text)), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text)), RD_KAFKA_CONF_OK);
    handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(handle);
    return handle;
}

static void confirm__brokers_answer_after_the_time__nobody_is_believed_and_nothing_breaks(void **state)
{
    rd_kafka_t *handle = make_handle();
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(handle);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const struct uex_group_claim claim = {.group_id = "export-workers", .member_id = "one", .partitions = list};
    const struct rd_kafka_metadata *metadata = NULL;
    struct uex_fault fault = {0};
    int32_t coordinator = 2; /* remembered from before */
    bool holds = true;

    (void)state;
    rd_kafka_topic_partition_list_add(list, "export-group", 0);
    assert_int_equal(rd_kafka_metadata(handle, 0, NULL, &metadata, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_metadata_destroy(metadata);
    for (int32_t id = 1; id <= BROKERS; id++)
        assert_int_equal(rd_kafka_mock_broker_set_rtt(cluster, id, LATE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(uex_group_members_confirm(handle, &claim, 2000, &coordinator, &holds, &fault), UEX_OK);
        assert_false(holds);
        assert_in_range(coordinator, 1, BROKERS);
        assert_string_not_equal(fault.text, "");
    }
    /* Connections, versions and answers come now. */
    assert_true(uex_sleep_ms(2 * LATE_MS, NULL));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confirm__brokers_answer_after_the_time__nobody_is_believed_and_nothing_breaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
