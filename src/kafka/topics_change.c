/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/topics_internal.h"

#define REPLICATION_WANTED 3
#define REPLICAS_MAX 100

/* ---- create */

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
                continue; /* somebody else has created it */
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

/* ---- grow */

/* Workers look at the command topic's count, so it grows last. */
static const enum uex_topic_kind order[] = {UEX_TOPIC_STATE, UEX_TOPIC_RETRY, UEX_TOPIC_COMMAND};

struct grower {
    rd_kafka_t *handle;
    int64_t timeout_ms;
    struct uex_topic_plan *plan;   /* all topics that must agree, in the order in which they grow */
    struct uex_topic_facts *facts; /* of them */
    int32_t broker_ids[REPLICAS_MAX];
    int32_t broker_count;
    int32_t replication_factor; /* 0: as the topic has */
};

/* The topics that must agree, as they are. */
static enum uex_error describe_topics(struct grower *grower, const struct uex_config *config, struct uex_fault *fault)
{
    struct uex_topic_plan *all = calloc(1, sizeof(*all));
    enum uex_error err = all == NULL ? uex_fail(fault, UEX_NO_MEMORY, "no memory for the topics")
                                     : uex_topics_plan(config, 0, 0, all, fault);
    int32_t broker_count = 0;

    if (err == UEX_OK)
        err = uex_topics_add_tiers(grower->handle, config, grower->timeout_ms, all, fault);
    for (size_t i = 0; err == UEX_OK && i < sizeof(order) / sizeof(order[0]); i++)
        for (size_t j = 0; j < all->count; j++)
            if (all->topics[j].kind == order[i])
                grower->plan->topics[grower->plan->count++] = all->topics[j];
    free(all);
    if (err == UEX_OK)
        err =
            uex_topics_describe(grower->handle, grower->plan, grower->timeout_ms, grower->facts, &broker_count, fault);
    return err;
}

static int by_id(const void *left, const void *right)
{
    return *(const int32_t *)left - *(const int32_t *)right;
}

static enum uex_error list_brokers(struct grower *grower, struct uex_fault *fault)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(grower->handle, 0, NULL, &metadata, (int)grower->timeout_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, code, "asking for the brokers");
    for (int i = 0; i < metadata->broker_cnt && i < REPLICAS_MAX; i++)
        grower->broker_ids[grower->broker_count++] = metadata->brokers[i].id;
    rd_kafka_metadata_destroy(metadata);
    qsort(grower->broker_ids, (size_t)grower->broker_count, sizeof(grower->broker_ids[0]), by_id);
    if (grower->replication_factor > grower->broker_count)
        return uex_fail(fault, UEX_CONFIG, "--replication-factor %" PRId32 ": there are only %" PRId32 " brokers",
                        grower->replication_factor, grower->broker_count);
    return UEX_OK;
}

/* What is asked for, compared with what exists. Nothing has been changed yet. */
static enum uex_error compare_counts(const struct grower *grower, int32_t wanted, struct uex_topic_growths *out,
                                     struct uex_fault *fault)
{
    int32_t most = uex_topics_common_count(grower->plan, grower->facts);

    out->partition_count = wanted == 0 ? most : wanted;
    for (size_t i = 0; i < grower->plan->count; i++) {
        const struct uex_topic *topic = &grower->plan->topics[i];
        struct uex_topic_growth *growth = &out->items[out->count++];

        snprintf(growth->topic, sizeof(growth->topic), "%s", topic->name);
        growth->before = grower->facts[i].partition_count;
        growth->after = out->partition_count;
        out->was_unequal = out->was_unequal || growth->before != most;
        if (growth->before == 0)
            return uex_fail(fault, UEX_KAFKA_TOPICS,
                            "%s is missing, or this principal may not see it; create it with exportctl topics create; "
                            "nothing was grown",
                            topic->name);
    }
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].before > out->partition_count)
            return uex_fail(fault, UEX_CONFIG,
                            "--partitions %" PRId32 ": %s has %" PRId32
                            " already, and partitions are never removed; nothing was grown",
                            out->partition_count, out->items[i].topic, out->items[i].before);
    return UEX_OK;
}

/* New partitions with as many replicas as asked for, the leaders one broker after the other. */
static enum uex_error place_replicas(const struct grower *grower, const struct uex_topic_growth *growth,
                                     rd_kafka_NewPartitions_t *request, struct uex_fault *fault)
{
    int32_t replicas[REPLICAS_MAX];
    char text[200] = "";

    for (int32_t i = growth->before; i < growth->after; i++) {
        for (int32_t j = 0; j < grower->replication_factor; j++)
            replicas[j] = grower->broker_ids[(i + j) % grower->broker_count];
        if (rd_kafka_NewPartitions_set_replica_assignment(request, i - growth->before, replicas,
                                                          (size_t)grower->replication_factor, text,
                                                          sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return uex_fail(fault, UEX_KAFKA, "%s: %s", growth->topic, text);
    }
    return UEX_OK;
}

/* Kafka's answer. "It has as many already" is a success: an earlier answer was lost, or somebody else has grown it. Its
 * count is checked afterwards. */
static enum uex_error take_result(rd_kafka_event_t *event, struct uex_topic_growth *growth, struct uex_fault *fault)
{
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
    rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    const char *reason = count == 1 ? rd_kafka_topic_result_error_string(results[0]) : NULL;

    growth->grown = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (growth->grown || code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS)
        return UEX_OK;
    snprintf(growth->error, sizeof(growth->error), "%s", reason != NULL ? reason : rd_kafka_err2str(code));
    return uex_fail(fault, uex_kafka_error_of(code) == UEX_KAFKA_UNAVAILABLE ? UEX_KAFKA_UNAVAILABLE : UEX_KAFKA,
                    "Kafka does not grow %s: %s", growth->topic, growth->error);
}

static enum uex_error create_partitions(const struct grower *grower, struct uex_topic_growth *growth,
                                        struct uex_fault *fault)
{
    char text[200] = "", what[UEX_TOPIC_NAME_SIZE + 16];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(grower->handle, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(grower->handle);
    rd_kafka_NewPartitions_t *request =
        rd_kafka_NewPartitions_new(growth->topic, (size_t)growth->after, text, sizeof(text));
    rd_kafka_event_t *event = NULL;
    enum uex_error err = request == NULL ? uex_fail(fault, UEX_KAFKA, "%s: %s", growth->topic, text) : UEX_OK;

    if (err == UEX_OK && grower->replication_factor > 0)
        err = place_replicas(grower, growth, request, fault);
    if (err != UEX_OK)
        goto done;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)grower->timeout_ms, NULL, 0);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, (int)grower->timeout_ms, NULL, 0);
    rd_kafka_CreatePartitions(grower->handle, &request, 1, options, queue);
    snprintf(what, sizeof(what), "growing %s", growth->topic);
    event = uex_kafka_await(queue, RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT, grower->timeout_ms + 1000, what, fault);
    if (event == NULL)
        err = fault == NULL ? UEX_KAFKA_UNAVAILABLE : fault->error;
    else
        err = take_result(event, growth, fault);
done:
    rd_kafka_event_destroy(event);
    if (request != NULL)
        rd_kafka_NewPartitions_destroy(request);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

static bool has_grown(const struct uex_topic *topic, const struct uex_topic_facts *facts)
{
    return facts->partition_count >= topic->partition_count && facts->has_leaders;
}

static enum uex_error grow_one(const struct grower *grower, size_t index, struct uex_topic_growth *growth,
                               struct uex_fault *fault)
{
    struct uex_topic_plan *one = calloc(1, sizeof(*one));
    struct uex_topic_facts facts = {0};
    enum uex_error err = one == NULL ? uex_fail(fault, UEX_NO_MEMORY, "no memory for the topics") : UEX_OK;

    if (err == UEX_OK && growth->before < growth->after)
        err = create_partitions(grower, growth, fault);
    if (err == UEX_OK) {
        one->topics[0] = grower->plan->topics[index];
        one->topics[0].partition_count = growth->after;
        one->count = 1;
        err = uex_topics_await_visible(grower->handle, one, has_grown, grower->timeout_ms, &facts, fault);
    }
    free(one);
    return err;
}

enum uex_error uex_topics_grow(rd_kafka_t *handle, const struct uex_config *config, int32_t partition_count,
                               int32_t replication_factor, int64_t timeout_ms, const struct uex_cancel *cancel,
                               struct uex_topic_growths *out, struct uex_fault *fault)
{
    struct grower grower = {.handle = handle,
                            .timeout_ms = timeout_ms,
                            .plan = calloc(1, sizeof(*grower.plan)),
                            .facts = calloc(UEX_TOPICS_MAX, sizeof(*grower.facts)),
                            .replication_factor = replication_factor};
    enum uex_error err = UEX_OK;

    *out = (struct uex_topic_growths){0};
    if (grower.plan == NULL || grower.facts == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the topics");
    if (err == UEX_OK)
        err = describe_topics(&grower, config, fault);
    if (err == UEX_OK)
        err = compare_counts(&grower, partition_count, out, fault);
    if (err == UEX_OK)
        err = list_brokers(&grower, fault);
    for (size_t i = 0; err == UEX_OK && i < out->count; i++) {
        if (uex_cancel_requested(cancel))
            err = uex_fail(fault, UEX_CANCELLED, "stopped; run the same command again to finish");
        else
            err = grow_one(&grower, i, &out->items[i], fault);
    }
    free(grower.plan);
    free(grower.facts);
    return err;
}
