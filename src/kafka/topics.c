/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/topics_internal.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define MAX_MESSAGE_BYTES_DEFAULT 1048588 /* Kafka's own default for a topic */
#define HEADER_ROOM_BYTES 65536           /* what retries and dead letters add to a command */
#define VISIBLE_PAUSE_MS 100
#define VISIBLE_TIMES_MAX 5

/* ---- the topics that the configuration needs */

/* What each kind of topic is made with. */
static const struct {
    const char *cleanup_policy;
    int64_t retention_ms; /* 0: not set */
    bool same_count;
    bool has_header_room;
    int32_t partition_count; /* 0: what was asked for */
} kinds[] = {
    [UEX_TOPIC_COMMAND] = {"delete", 7 * DAY_MS, true, false, 0},
    [UEX_TOPIC_RETRY] = {"delete", 7 * DAY_MS, true, true, 0},
    [UEX_TOPIC_STATE] = {"compact", 0, true, false, 0},
    [UEX_TOPIC_PROGRESS] = {"delete", 3600 * 1000, false, false, 0},
    [UEX_TOPIC_RESULT] = {"delete", 7 * DAY_MS, false, false, 0},
    [UEX_TOPIC_DLQ] = {"delete", 30 * DAY_MS, false, true, 0},
    [UEX_TOPIC_RUN] = {"compact", 0, false, false, 1},
};

static void add_setting(struct uex_topic *topic, const char *name, int64_t number, const char *text)
{
    struct uex_topic_setting *setting = NULL;

    if (topic->setting_count == UEX_TOPIC_SETTINGS_MAX)
        return;
    setting = &topic->settings[topic->setting_count++];
    setting->name = name;
    if (text != NULL)
        snprintf(setting->value, sizeof(setting->value), "%s", text);
    else
        snprintf(setting->value, sizeof(setting->value), "%" PRId64, number);
}

static void add_settings(const struct uex_config *config, struct uex_topic *topic)
{
    size_t most_bytes = uex_kafka_message_max_bytes(config);
    int64_t retention_ms = kinds[topic->kind].retention_ms;

    if (most_bytes < MAX_MESSAGE_BYTES_DEFAULT)
        most_bytes = MAX_MESSAGE_BYTES_DEFAULT;
    if (kinds[topic->kind].has_header_room)
        most_bytes += HEADER_ROOM_BYTES;
    /* A command must outlive its wait in a retry topic. */
    if (topic->kind == UEX_TOPIC_RETRY && topic->tier < config->retry_tier_count &&
        config->retry_delays_ms[topic->tier] + DAY_MS > retention_ms)
        retention_ms = config->retry_delays_ms[topic->tier] + DAY_MS;
    add_setting(topic, "cleanup.policy", 0, kinds[topic->kind].cleanup_policy);
    if (retention_ms > 0)
        add_setting(topic, "retention.ms", retention_ms, NULL);
    add_setting(topic, "max.message.bytes", (int64_t)most_bytes, NULL);
    if (topic->replication_factor > 0)
        add_setting(topic, "min.insync.replicas", topic->replication_factor >= 3 ? 2 : 1, NULL);
}

/* Source: Apache Kafka, org.apache.kafka.common.internals.Topic. */
static bool name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);

    return length > 0 && length < UEX_TOPIC_NAME_SIZE && strspn(name, allowed) == length && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static enum uex_error plan_add(const struct uex_config *config, struct uex_topic_plan *plan, enum uex_topic_kind kind,
                               size_t tier, const char *name, int32_t partition_count, int32_t replication_factor,
                               struct uex_fault *fault)
{
    struct uex_topic *topic = &plan->topics[plan->count];

    if (!name_valid(name))
        return uex_fail(fault, UEX_CONFIG, "topics.*: '%.260s' is not a valid name of a Kafka topic", name);
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->topics[i].name, name) == 0)
            return uex_fail(fault, UEX_CONFIG, "topics.*: two topics have the name '%.250s'", name);
    *topic = (struct uex_topic){.kind = kind,
                                .tier = tier,
                                .partition_count =
                                    kinds[kind].partition_count > 0 ? kinds[kind].partition_count : partition_count,
                                .same_count = kinds[kind].same_count,
                                .replication_factor = replication_factor};
    snprintf(topic->name, sizeof(topic->name), "%s", name);
    add_settings(config, topic);
    plan->count++;
    return UEX_OK;
}

static enum uex_error plan_add_tier(const struct uex_config *config, struct uex_topic_plan *plan, size_t tier,
                                    int32_t partition_count, int32_t replication_factor, struct uex_fault *fault)
{
    char name[UEX_TOPIC_NAME_SIZE + 24];

    snprintf(name, sizeof(name), "%.*s-%zu", UEX_TOPIC_NAME_SIZE, config->topics_retry, tier);
    return plan_add(config, plan, UEX_TOPIC_RETRY, tier, name, partition_count, replication_factor, fault);
}

enum uex_error uex_topics_plan(const struct uex_config *config, int32_t partition_count, int32_t replication_factor,
                               struct uex_topic_plan *out, struct uex_fault *fault)
{
    const struct {
        enum uex_topic_kind kind;
        const char *name;
    } singles[] = {{UEX_TOPIC_COMMAND, config->topics_command},   {UEX_TOPIC_STATE, config->topics_state},
                   {UEX_TOPIC_PROGRESS, config->topics_progress}, {UEX_TOPIC_RESULT, config->topics_result},
                   {UEX_TOPIC_DLQ, config->topics_dlq},           {UEX_TOPIC_RUN, config->topics_run}};
    int32_t count = partition_count > 0 ? partition_count : UEX_PARTITIONS_DEFAULT;
    enum uex_error err = UEX_OK;

    *out = (struct uex_topic_plan){0};
    for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]) && err == UEX_OK; i++)
        err = plan_add(config, out, singles[i].kind, 0, singles[i].name, count, replication_factor, fault);
    for (size_t i = 0; i < config->retry_tier_count && err == UEX_OK; i++)
        err = plan_add_tier(config, out, i, count, replication_factor, fault);
    return err;
}

bool uex_topics_tier_number(const char *retry, const char *topic, size_t *number)
{
    size_t length = strlen(retry);
    const char *digits = topic + length + 1;
    size_t value = 0;

    if (strncmp(topic, retry, length) != 0 || topic[length] != '-' || digits[0] == 0 || strlen(digits) > 2 ||
        strspn(digits, "0123456789") != strlen(digits) || (digits[0] == '0' && digits[1] != 0))
        return false;
    value = (size_t)strtoul(digits, NULL, 10);
    if (value >= UEX_TIERS_MAX)
        return false;
    *number = value;
    return true;
}

enum uex_error uex_topics_tiers(rd_kafka_t *handle, const struct uex_config *config, int64_t timeout_ms,
                                struct uex_tier *out, size_t *count, struct uex_fault *fault)
{
    const struct rd_kafka_metadata *metadata = NULL;
    struct uex_tier all[UEX_TIERS_MAX] = {0};
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 1, NULL, &metadata, (int)timeout_ms);
    size_t number = 0;

    *count = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, code, "asking for the retry topics");
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (uex_topics_tier_number(config->topics_retry, metadata->topics[i].topic, &number))
            all[number].partition_count = metadata->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    for (size_t i = 0; i < UEX_TIERS_MAX; i++) {
        all[i].number = i;
        all[i].configured = i < config->retry_tier_count;
        snprintf(all[i].topic, sizeof(all[i].topic), "%.*s-%zu", UEX_TOPIC_NAME_SIZE - 4, config->topics_retry, i);
        if (all[i].configured || all[i].partition_count > 0)
            out[(*count)++] = all[i];
    }
    return UEX_OK;
}

enum uex_error uex_topics_add_tiers(rd_kafka_t *handle, const struct uex_config *config, int64_t timeout_ms,
                                    struct uex_topic_plan *plan, struct uex_fault *fault)
{
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t count = 0;
    enum uex_error err = uex_topics_tiers(handle, config, timeout_ms, tiers, &count, fault);

    for (size_t i = 0; i < count && err == UEX_OK; i++)
        if (!tiers[i].configured)
            err = plan_add_tier(config, plan, tiers[i].number, tiers[i].partition_count,
                                plan->topics[0].replication_factor, fault);
    return err;
}

int32_t uex_topics_common_count(const struct uex_topic_plan *plan, const struct uex_topic_facts *facts)
{
    int32_t most = 0;

    for (size_t i = 0; i < plan->count; i++)
        if (plan->topics[i].same_count && facts[i].partition_count > most)
            most = facts[i].partition_count;
    return most;
}

/* ---- the topics that exist */

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
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "the change is not visible on all brokers yet");
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
