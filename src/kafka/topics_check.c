/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/topics_internal.h"

/* Fills the list; remembers whether memory ended. */
struct checker {
    const struct uex_config *config;
    const char *brokers;
    struct uex_topic_findings *out;
    bool is_optional; /* nothing of the topic stops a worker */
    bool no_memory;
};

void uex_topic_findings_clear(struct uex_topic_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].topic);
        free(findings->items[i].what);
        free(findings->items[i].expected);
        free(findings->items[i].found);
        free(findings->items[i].fix);
    }
    free(findings->items);
    *findings = (struct uex_topic_findings){0};
}

static char *copy_text(struct checker *checker, const char *text)
{
    char *result = text == NULL ? NULL : strdup(text);

    if (text != NULL && result == NULL)
        checker->no_memory = true;
    return result;
}

/* `fix` NULL: good. */
static void add_finding(struct checker *checker, enum uex_topic_severity severity, const char *topic, const char *what,
                        const char *expected, const char *found, const char *fix)
{
    struct uex_topic_findings *out = checker->out;

    if (severity == UEX_TOPIC_ERROR && checker->is_optional)
        severity = UEX_TOPIC_WARNING;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity == 0 ? 64 : out->capacity * 2;
        void *items = realloc(out->items, capacity * sizeof(out->items[0]));

        if (items == NULL) {
            checker->no_memory = true;
            return;
        }
        out->items = items;
        out->capacity = capacity;
    }
    out->items[out->count++] = (struct uex_topic_finding){.severity = severity,
                                                          .topic = copy_text(checker, topic),
                                                          .what = copy_text(checker, what),
                                                          .expected = copy_text(checker, expected),
                                                          .found = copy_text(checker, found),
                                                          .fix = copy_text(checker, fix)};
    out->error_count += severity == UEX_TOPIC_ERROR;
    out->warning_count += severity == UEX_TOPIC_WARNING;
}

static void add_setting(struct checker *checker, enum uex_topic_severity severity, const char *topic, const char *name,
                        const char *expected, const char *found, const char *value)
{
    char fix[512];

    snprintf(fix, sizeof(fix),
             "kafka-configs.sh --bootstrap-server %.100s --alter --entity-type topics --entity-name %.249s "
             "--add-config %s=%s",
             checker->brokers, topic, name, value);
    add_finding(checker, severity, topic, name, expected, found, severity == UEX_TOPIC_GOOD ? NULL : fix);
}

static const char *planned_value(const struct uex_topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, name) == 0)
            return topic->settings[i].value;
    return NULL;
}

static void check_partitions(struct checker *checker, const struct uex_topic *topic,
                             const struct uex_topic_facts *facts, int32_t common_count)
{
    char expected[32], found[32], fix[64];

    snprintf(found, sizeof(found), "%" PRId32, facts->partition_count);
    if (topic->kind == UEX_TOPIC_RUN) {
        snprintf(expected, sizeof(expected), "%" PRId32, topic->partition_count);
        add_finding(checker, facts->partition_count == topic->partition_count ? UEX_TOPIC_GOOD : UEX_TOPIC_WARNING,
                    topic->name, "partitions", expected, found,
                    facts->partition_count == topic->partition_count
                        ? NULL
                        : "delete this topic, then exportctl topics create (runs of before are forgotten)");
        return;
    }
    snprintf(expected, sizeof(expected), topic->same_count ? "%" PRId32 : "at least 1", common_count);
    if (!topic->same_count || facts->partition_count == common_count) {
        add_finding(checker, UEX_TOPIC_GOOD, topic->name, "partitions", expected, found, NULL);
        return;
    }
    snprintf(fix, sizeof(fix), "exportctl topics grow --partitions %" PRId32, common_count);
    add_finding(checker, UEX_TOPIC_ERROR, topic->name, "partitions", expected, found, fix);
}

/* Compaction would remove commands, retries and dead letters; deletion would remove the states of groups. */
static void check_cleanup(struct checker *checker, const struct uex_topic *topic, const char *found)
{
    const char *expected = planned_value(topic, "cleanup.policy");
    enum uex_topic_severity severity = UEX_TOPIC_ERROR;

    if (strcmp(found, expected) == 0)
        severity = UEX_TOPIC_GOOD;
    else if (topic->kind == UEX_TOPIC_RESULT || topic->kind == UEX_TOPIC_PROGRESS)
        severity = UEX_TOPIC_WARNING;
    add_setting(checker, severity, topic->name, "cleanup.policy", expected, found, expected);
}

static bool parse_number(const char *text, int64_t *out)
{
    char *end = NULL;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return text[0] != 0 && *end == 0 && errno == 0;
}

/* Wanted: at least `least`. Less is a warning; less than `must` is an error. */
static void check_least(struct checker *checker, const struct uex_topic *topic, const char *name, const char *found,
                        int64_t least, int64_t must)
{
    char expected[48], value[24];
    int64_t is = 0;
    enum uex_topic_severity severity = UEX_TOPIC_GOOD;

    if (!parse_number(found, &is))
        return;
    if (is == -1 && strcmp(name, "retention.ms") == 0)
        is = INT64_MAX; /* for ever */
    if (is < least)
        severity = is < must ? UEX_TOPIC_ERROR : UEX_TOPIC_WARNING;
    snprintf(value, sizeof(value), "%" PRId64, least);
    snprintf(expected, sizeof(expected), "at least %s", value);
    add_setting(checker, severity, topic->name, name, expected, found, value);
}

static void check_settings(struct checker *checker, const struct uex_topic *topic, const struct uex_topic_facts *facts)
{
    const char *retention = planned_value(topic, "retention.ms");
    int64_t least = 0, must = 0, insync = 0;

    if (!facts->settings_known) {
        add_finding(checker, UEX_TOPIC_WARNING, topic->name, "settings", "may be described", "not shown by the brokers",
                    "allow this principal DescribeConfigs on the topic");
        return;
    }
    check_cleanup(checker, topic, facts->values[UEX_TOPIC_CLEANUP_POLICY]);
    if (retention != NULL && strstr(facts->values[UEX_TOPIC_CLEANUP_POLICY], "delete") != NULL &&
        parse_number(retention, &least)) {
        if (topic->kind == UEX_TOPIC_RETRY && topic->tier < checker->config->retry_tier_count)
            must = checker->config->retry_delays_ms[topic->tier];
        check_least(checker, topic, "retention.ms", facts->values[UEX_TOPIC_RETENTION_MS], least, must);
    }
    if (topic->kind != UEX_TOPIC_PROGRESS)
        check_least(checker, topic, "max.message.bytes", facts->values[UEX_TOPIC_MAX_MESSAGE_BYTES],
                    (int64_t)uex_kafka_message_max_bytes(checker->config), 0);
    if (parse_number(facts->values[UEX_TOPIC_MIN_INSYNC], &insync) && insync > facts->replication_factor)
        add_setting(checker, UEX_TOPIC_ERROR, topic->name, "min.insync.replicas", "at most the replicas",
                    facts->values[UEX_TOPIC_MIN_INSYNC], "1");
    else
        check_least(checker, topic, "min.insync.replicas", facts->values[UEX_TOPIC_MIN_INSYNC],
                    facts->replication_factor >= 3 ? 2 : 1, 0);
}

static void check_topic(struct checker *checker, const struct uex_topic *topic, const struct uex_topic_facts *facts,
                        int32_t common_count)
{
    checker->is_optional = topic->kind == UEX_TOPIC_RUN;
    if (facts->partition_count == 0) {
        /* Progress is for people who watch; nothing depends on it. Without runs commands are sent all the same. */
        add_finding(checker, topic->kind == UEX_TOPIC_PROGRESS ? UEX_TOPIC_WARNING : UEX_TOPIC_ERROR, topic->name,
                    "topic", "exists", "missing, or this principal may not see it", "exportctl topics create");
        return;
    }
    check_partitions(checker, topic, facts, common_count);
    check_settings(checker, topic, facts);
}

enum uex_error uex_topics_check(rd_kafka_t *handle, const struct uex_config *config, int64_t timeout_ms,
                                struct uex_topic_findings *out, struct uex_fault *fault)
{
    struct checker checker = {.config = config, .out = out, .brokers = uex_config_kafka(config, "bootstrap.servers")};
    struct uex_topic_plan *plan = calloc(1, sizeof(*plan));
    struct uex_topic_facts *facts = calloc(UEX_TOPICS_MAX, sizeof(*facts));
    int32_t broker_count = 0;
    enum uex_error err = UEX_NO_MEMORY;

    *out = (struct uex_topic_findings){0};
    if (checker.brokers == NULL)
        checker.brokers = "BROKER:9092";
    if (plan == NULL || facts == NULL) {
        (void)uex_fail(fault, err, "no memory for the check of the topics");
        goto done;
    }
    err = uex_topics_plan(config, 0, 0, plan, fault);
    if (err == UEX_OK)
        err = uex_topics_add_tiers(handle, config, timeout_ms, plan, fault);
    if (err == UEX_OK)
        err = uex_topics_describe(handle, plan, timeout_ms, facts, &broker_count, fault);
    if (err == UEX_OK)
        err = uex_topics_describe_settings(handle, plan, timeout_ms, facts, fault);
    if (err != UEX_OK)
        goto done;
    out->partition_count = facts[0].partition_count;
    /* The command topic, first in the plan, is reported last: partitions grow in the order state, retry, command. */
    for (size_t i = 1; i <= plan->count; i++)
        check_topic(&checker, &plan->topics[i % plan->count], &facts[i % plan->count],
                    uex_topics_common_count(plan, facts));
    if (checker.no_memory)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the check of the topics");
done:
    free(plan);
    free(facts);
    return err;
}
