/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "kafka/topics_internal.h"

#define VISIBLE_PAUSE_MS 100
#define VISIBLE_TIMES_MAX 5

const char *const uex_topic_value_names[UEX_TOPIC_VALUE_COUNT] = {
    [UEX_TOPIC_CLEANUP_POLICY] = "cleanup.policy",
    [UEX_TOPIC_RETENTION_MS] = "retention.ms",
    [UEX_TOPIC_MIN_INSYNC] = "min.insync.replicas",
    [UEX_TOPIC_MAX_MESSAGE_BYTES] = "max.message.bytes",
};

static void read_topic(const struct rd_kafka_metadata_topic *topic, struct uex_topic_facts *facts)
{
    facts->partition_count = topic->partition_cnt;
    facts->has_leaders = topic->partition_cnt > 0;
    for (int i = 0; i < topic->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *partition = &topic->partitions[i];

        if (partition->leader < 0)
            facts->has_leaders = false;
        if (facts->replication_factor == 0 || partition->replica_cnt < facts->replication_factor)
            facts->replication_factor = partition->replica_cnt;
    }
}

enum uex_error uex_topics_describe(rd_kafka_t *handle, const struct uex_topic_plan *plan, int64_t timeout_ms,
                                   struct uex_topic_facts *facts, int32_t *broker_count, struct uex_fault *fault)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 1, NULL, &metadata, (int)timeout_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, code, "asking for the topics");
    *broker_count = metadata->broker_cnt;
    for (size_t i = 0; i < plan->count; i++) {
        facts[i] = (struct uex_topic_facts){0};
        for (int j = 0; j < metadata->topic_cnt; j++)
            if (strcmp(plan->topics[i].name, metadata->topics[j].topic) == 0)
                read_topic(&metadata->topics[j], &facts[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    return UEX_OK;
}

enum uex_error uex_topics_await_visible(rd_kafka_t *handle, const struct uex_topic_plan *plan,
                                        bool (*ready)(const struct uex_topic *topic,
                                                      const struct uex_topic_facts *facts),
                                        int64_t timeout_ms, struct uex_topic_facts *facts, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;
    int32_t broker_count = 1, times = 0;

    for (;;) {
        bool all = true;
        enum uex_error err = uex_topics_describe(handle, plan, 5000, facts, &broker_count, fault);

        if (err != UEX_OK)
            return err;
        for (size_t i = 0; i < plan->count; i++)
            all = all && ready(&plan->topics[i], &facts[i]);
        times = all ? times + 1 : 0;
        if (times >= broker_count || times >= VISIBLE_TIMES_MAX)
            return UEX_OK;
        if (uex_monotonic_ms() >= until_ms)
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "what is new is not visible yet on all brokers");
        if (!all)
            (void)uex_sleep_ms(VISIBLE_PAUSE_MS, NULL);
    }
}

static void read_settings(const rd_kafka_ConfigResource_t *resource, struct uex_topic_facts *facts)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    if (rd_kafka_ConfigResource_error(resource) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    facts->settings_known = true;
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        for (size_t j = 0; j < UEX_TOPIC_VALUE_COUNT; j++)
            if (value != NULL && strcmp(name, uex_topic_value_names[j]) == 0)
                snprintf(facts->values[j], UEX_TOPIC_VALUE_SIZE, "%s", value);
    }
}

static void take_settings(const struct uex_topic_plan *plan, rd_kafka_event_t *event, struct uex_topic_facts *facts)
{
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < plan->count; j++)
            if (strcmp(rd_kafka_ConfigResource_name(resources[i]), plan->topics[j].name) == 0)
                read_settings(resources[i], &facts[j]);
}

enum uex_error uex_topics_describe_settings(rd_kafka_t *handle, const struct uex_topic_plan *plan, int64_t timeout_ms,
                                            struct uex_topic_facts *facts, struct uex_fault *fault)
{
    rd_kafka_ConfigResource_t *resources[UEX_TOPICS_MAX];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_event_t *event = NULL;
    size_t count = 0;
    enum uex_error err = UEX_OK;
    struct uex_fault detail = {0};

    for (size_t i = 0; i < plan->count; i++)
        if (facts[i].partition_count > 0)
            resources[count++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, plan->topics[i].name);
    if (count == 0)
        goto done;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, NULL, 0);
    rd_kafka_DescribeConfigs(handle, resources, count, options, queue);
    event = uex_kafka_await(queue, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, timeout_ms + 1000,
                            "asking for the settings of the topics", &detail);
    if (event == NULL)
        err = uex_fail(fault, detail.error, "%s", detail.text);
    else
        take_settings(plan, event, facts);
done:
    for (size_t i = 0; i < count; i++)
        rd_kafka_ConfigResource_destroy(resources[i]);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}
