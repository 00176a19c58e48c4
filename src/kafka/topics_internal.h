/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/topics_internal.h — what is asked of Kafka about topics; used by the files of topics.h only. */
#ifndef EXPORT_KAFKA_TOPICS_INTERNAL_H
#define EXPORT_KAFKA_TOPICS_INTERNAL_H

#include "kafka/topics.h"

#define UEX_TOPIC_VALUE_SIZE 64

/* The settings that are looked at. */
enum uex_topic_value {
    UEX_TOPIC_CLEANUP_POLICY,
    UEX_TOPIC_RETENTION_MS,
    UEX_TOPIC_MIN_INSYNC,
    UEX_TOPIC_MAX_MESSAGE_BYTES,
    UEX_TOPIC_VALUE_COUNT
};
extern const char *const uex_topic_value_names[UEX_TOPIC_VALUE_COUNT];

/* A topic as it is. */
struct uex_topic_facts {
    int32_t partition_count; /* 0: it does not exist */
    int32_t replication_factor;
    bool has_leaders;                                         /* all partitions */
    bool settings_known;                                      /* false: they may not be described */
    char values[UEX_TOPIC_VALUE_COUNT][UEX_TOPIC_VALUE_SIZE]; /* "" where unknown */
};

/* Partitions and replicas of the topics of `plan`, without settings. `facts` has plan->count places. */
UEX_MUST_CHECK enum uex_error uex_topics_describe(rd_kafka_t *handle, const struct uex_topic_plan *plan,
                                                  int64_t timeout_ms, struct uex_topic_facts *facts,
                                                  int32_t *broker_count, struct uex_fault *fault);
/* Add the settings of those that exist. */
UEX_MUST_CHECK enum uex_error uex_topics_describe_settings(rd_kafka_t *handle, const struct uex_topic_plan *plan,
                                                           int64_t timeout_ms, struct uex_topic_facts *facts,
                                                           struct uex_fault *fault);
/* Wait until `ready` holds for all topics. Each request goes to some broker, so it has to hold as many times in a row
 * as there are brokers, 5 times at most. UEX_KAFKA_UNAVAILABLE after `timeout_ms`. */
UEX_MUST_CHECK enum uex_error
uex_topics_await_visible(rd_kafka_t *handle, const struct uex_topic_plan *plan,
                         bool (*ready)(const struct uex_topic *topic, const struct uex_topic_facts *facts),
                         int64_t timeout_ms, struct uex_topic_facts *facts, struct uex_fault *fault);
/* Add to the plan the existing retry topics beyond the configuration. */
UEX_MUST_CHECK enum uex_error uex_topics_add_tiers(rd_kafka_t *handle, const struct uex_config *config,
                                                   int64_t timeout_ms, struct uex_topic_plan *plan,
                                                   struct uex_fault *fault);
/* How many partitions command, state and retry topics need, given what exists: the highest count of them; 0 when none
 * exists. They grow in the order state, retry, command, so the command topic may still have fewer. */
int32_t uex_topics_common_count(const struct uex_topic_plan *plan, const struct uex_topic_facts *facts);
#endif
