/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "kafka/topics_internal.h"

#define REPLICATION_WANTED 3

static rd_kafka_NewTopic_t *new_topic(const struct uex_topic *topic, char *text, size_t text_size)
{
    rd_kafka_NewTopic_t *result =
        rd_kafka_NewTopic_new(topic->name, topic->partition_count, topic->replication_factor, text, text_size);

    for (size_t i = 0; result != NULL && i < topic->setting_count; i++)
        (void)rd_kafka_NewTopic_set_config(result, topic->settings[i].name, topic->settings[i].value);
    return result;
}

static enum uex_error take_results(const struct uex_topic_plan *plan, rd_kafka_event_t *event,
                                   struct uex_topic_created *created, struct uex_fault *fault)
{
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *reason = rd_kafka_topic_result_error_string(results[i]);

        for (size_t j = 0; j < plan->count; j++) {
            if (strcmp(rd_kafka_topic_result_name(results[i]), plan->topics[j].name) != 0)
                continue;
            created[j].created = code == RD_KAFKA_RESP_ERR_NO_ERROR;
            if (created[j].created || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
                continue; /* somebody else was quicker: it is there */
            snprintf(created[j].error, sizeof(created[j].error), "%s",
                     reason != NULL ? reason : rd_kafka_err2str(code));
            err = uex_fail(fault, UEX_KAFKA, "Kafka does not create %s: %s", plan->topics[j].name, created[j].error);
        }
    }
    return err;
}

static enum uex_error create_missing(rd_kafka_t *handle, const struct uex_topic_plan *plan,
                                     const struct uex_topic_facts *facts, int64_t timeout_ms,
                                     struct uex_topic_created *created, struct uex_fault *fault)
{
    rd_kafka_NewTopic_t *topics[UEX_TOPICS_MAX];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_event_t *event = NULL;
    char text[256] = "";
    size_t count = 0;
    enum uex_error err = UEX_OK;
    struct uex_fault detail = {0};

    for (size_t i = 0; i < plan->count && err == UEX_OK; i++) {
        if (facts[i].partition_count > 0)
            continue;
        topics[count] = new_topic(&plan->topics[i], text, sizeof(text));
        if (topics[count] == NULL)
            err = uex_fail(fault, UEX_KAFKA, "topic %s: %s", plan->topics[i].name, text);
        else
            count++;
    }
    if (count == 0 || err != UEX_OK)
        goto done;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, NULL, 0);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, (int)timeout_ms, NULL, 0);
    rd_kafka_CreateTopics(handle, topics, count, options, queue);
    event =
        uex_kafka_await(queue, RD_KAFKA_EVENT_CREATETOPICS_RESULT, timeout_ms + 1000, "creating the topics", &detail);
    err = event == NULL ? uex_fail(fault, detail.error, "%s", detail.text) : take_results(plan, event, created, fault);
done:
    for (size_t i = 0; i < count; i++)
        rd_kafka_NewTopic_destroy(topics[i]);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

static bool is_there(const struct uex_topic *topic, const struct uex_topic_facts *facts)
{
    (void)topic;
    return facts->partition_count > 0 && facts->has_leaders;
}

/* A missing topic that must have the others' count gets it, whatever was asked for. */
static enum uex_error choose_count(const struct uex_topic_plan *plan, const struct uex_topic_facts *facts,
                                   int32_t *partition_count, struct uex_fault *fault)
{
    int32_t common_count = uex_topics_common_count(plan, facts);

    if (*partition_count == 0 || common_count == 0 || *partition_count == common_count) {
        *partition_count = common_count == 0 ? *partition_count : common_count;
        return UEX_OK;
    }
    for (size_t i = 0; i < plan->count; i++)
        if (plan->topics[i].same_count && facts[i].partition_count == 0)
            return uex_fail(fault, UEX_CONFIG,
                            "--partitions %d: %s must have as many partitions as the topics that are "
                            "there, %d",
                            *partition_count, plan->topics[i].name, common_count);
    return UEX_OK;
}

enum uex_error uex_topics_create(rd_kafka_t *handle, const struct uex_config *config, int32_t partition_count,
                                 int32_t replication_factor, int64_t timeout_ms, struct uex_topic_plan *plan,
                                 struct uex_topic_created *created, struct uex_fault *fault)
{
    struct uex_topic_facts *facts = calloc(UEX_TOPICS_MAX, sizeof(*facts));
    int32_t broker_count = 0;
    enum uex_error err = UEX_OK;

    if (facts == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the topics");
    memset(created, 0, UEX_TOPICS_MAX * sizeof(*created));
    err = uex_topics_plan(config, partition_count, replication_factor, plan, fault);
    if (err == UEX_OK)
        err = uex_topics_describe(handle, plan, timeout_ms, facts, &broker_count, fault);
    if (err != UEX_OK)
        goto done;
    err = choose_count(plan, facts, &partition_count, fault);
    if (err != UEX_OK)
        goto done;
    if (replication_factor == 0)
        replication_factor = broker_count < REPLICATION_WANTED ? broker_count : REPLICATION_WANTED;
    err = uex_topics_plan(config, partition_count, replication_factor, plan, fault);
    if (err == UEX_OK)
        err = create_missing(handle, plan, facts, timeout_ms, created, fault);
    if (err == UEX_OK)
        err = uex_topics_await_visible(handle, plan, is_there, timeout_ms, facts, fault);
done:
    free(facts);
    return err;
}
