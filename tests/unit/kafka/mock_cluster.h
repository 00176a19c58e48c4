/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's mock cluster, whose brokers answer with the errors that a test wants, and a configuration for it. */
#ifndef EXPORT_TESTS_MOCK_CLUSTER_H
#define EXPORT_TESTS_MOCK_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kafka/client.h"

#include <librdkafka/rdkafka_mock.h> /* needs rdkafka.h before it */

/* Kafka protocol, "Api Keys". */
enum api {
    API_PRODUCE = 0,
    API_FIND_COORDINATOR = 10,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS = 24,
    API_ADD_OFFSETS = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28
};

struct mock_cluster {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    struct uex_kafka_property properties[3];
    struct uex_config config; /* with the first two properties; a test may add the third */
};

static inline void mock_start(struct mock_cluster *mock)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    /* librdkafka warns of a producer without brokers; this one only owns the cluster. */
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", NULL, 0), RD_KAFKA_CONF_OK);
    *mock = (struct mock_cluster){.owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0)};
    assert_non_null(mock->owner);
    mock->cluster = rd_kafka_mock_cluster_new(mock->owner, 1);
    assert_non_null(mock->cluster);
    mock->properties[0] =
        (struct uex_kafka_property){.name = (char *)"bootstrap.servers",
                                    .value = (char *)(uintptr_t)rd_kafka_mock_cluster_bootstraps(mock->cluster)};
    mock->properties[1] = (struct uex_kafka_property){.name = (char *)"group.id", .value = (char *)"export-workers"};
    mock->config = (struct uex_config){.kafka_group_id = (char *)"export-workers",
                                       .commit_max_list_bytes = 1048576,
                                       .startup_timeout_ms = 10000,
                                       .kafka = mock->properties,
                                       .kafka_count = 2};
}

static inline void mock_add_property(struct mock_cluster *mock, const char *name, const char *value)
{
    mock->properties[2] =
        (struct uex_kafka_property){.name = (char *)(uintptr_t)name, .value = (char *)(uintptr_t)value};
    mock->config.kafka_count = 3;
}

static inline void mock_create_topic(struct mock_cluster *mock, const char *topic, int partition_count)
{
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, topic, partition_count, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* The next `times` requests of this kind are answered with an error. */
static inline void mock_fail(struct mock_cluster *mock, enum api api, rd_kafka_resp_err_t code, int times)
{
    for (int i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(mock->cluster, (int16_t)api, 1, code);
}

/* Each answer takes so long. */
static inline void mock_delay(struct mock_cluster *mock, int delay_ms)
{
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock->cluster, 1, delay_ms), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static inline void mock_stop(struct mock_cluster *mock)
{
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->owner);
}
#endif
