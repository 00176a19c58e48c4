/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/client_internal.h"

#define TRANSACTION_LEAST_MS 15000
#define TRANSACTION_MAX_MS 900000 /* transaction.max.timeout.ms of a broker, by default */
#define LIST_BYTES_PER_MS 4096
#define WAIT_STEP_MS 500
#define MESSAGE_MAX_BYTES_DEFAULT 1000000

/* X in the role's set of `defaults` and `fixed` below. */
#define FOR_GROUP (1U << UEX_KAFKA_GROUP_CONSUMER)
#define FOR_READER (1U << UEX_KAFKA_READER)
#define FOR_UNCOMMITTED (1U << UEX_KAFKA_READER_UNCOMMITTED)
#define FOR_TX (1U << UEX_KAFKA_TX_PRODUCER)
#define FOR_PLAIN (1U << UEX_KAFKA_PRODUCER)
#define FOR_ADMIN (1U << UEX_KAFKA_ADMIN)
#define FOR_READERS (FOR_READER | FOR_UNCOMMITTED)
#define FOR_CONSUMERS (FOR_GROUP | FOR_READERS)
#define FOR_PRODUCERS (FOR_TX | FOR_PLAIN)
#define FOR_ALL (FOR_CONSUMERS | FOR_PRODUCERS | FOR_ADMIN)

struct preset {
    unsigned roles;
    const char *name, *value;
};

/* What the configuration may change. */
static const struct preset defaults[] = {
    {FOR_ALL, "client.id", "users-export"},
    {FOR_ALL, "socket.keepalive.enable", "true"},
    {FOR_ALL, "log.connection.close", "false"},
    {FOR_ALL, "topic.metadata.refresh.interval.ms", "30000"}, /* new partitions are worked within half a minute */
    {FOR_ALL, "reconnect.backoff.max.ms", "2000"},
    /* A worker takes a command when a lane is free: what is fetched ahead only costs memory. */
    {FOR_GROUP, "queued.min.messages", "1000"},
    {FOR_GROUP, "queued.max.messages.kbytes", "8192"},
    /* A restore reads everything there is; a fetch that finds its queue full pauses for a second. */
    {FOR_READERS, "queued.min.messages", "100000"},
    {FOR_READERS, "queued.max.messages.kbytes", "32768"},
    {FOR_CONSUMERS, "fetch.wait.max.ms", "100"},
    /* The broker answers CONCURRENT_TRANSACTIONS until the markers of the transaction before are written. */
    {FOR_TX, "retry.backoff.ms", "10"},
};

/* What it may not: exactly-once depends on it. */
static const struct preset fixed[] = {
    {FOR_CONSUMERS, "enable.auto.commit", "false"},
    {FOR_CONSUMERS, "enable.auto.offset.store", "false"},
    {FOR_CONSUMERS, "enable.partition.eof", "true"},
    {FOR_CONSUMERS, "auto.offset.reset", "earliest"},
    {FOR_CONSUMERS, "allow.auto.create.topics", "false"},
    {FOR_GROUP | FOR_READER, "isolation.level", "read_committed"},
    {FOR_UNCOMMITTED, "isolation.level", "read_uncommitted"},
    /* A partition number of every topic is on the same worker: range does that for equal counts. */
    {FOR_GROUP, "partition.assignment.strategy", "range"},
    {FOR_PRODUCERS, "enable.idempotence", "true"},
    {FOR_PRODUCERS, "acks", "all"},
};

/* Properties that one role must not have though others may. */
static const struct {
    unsigned roles;
    const char *name;
} left_out[] = {
    {FOR_GROUP, "client.rack"}, /* rack-aware range splits equal partition numbers */
    {FOR_READERS, "group.id"},
    {FOR_READERS, "group.instance.id"},
};

static bool is_consumer(enum uex_kafka_role role)
{
    return (1U << role & FOR_CONSUMERS) != 0;
}

enum uex_error uex_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct uex_fault *fault)
{
    char text[512] = "";

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return UEX_OK;
    return uex_fail(fault, UEX_CONFIG, "kafka.%s: librdkafka refuses the value", name);
}

static enum uex_error set_presets(rd_kafka_conf_t *conf, enum uex_kafka_role role, const struct preset *presets,
                                  size_t count, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < count && err == UEX_OK; i++)
        if ((presets[i].roles & 1U << role) != 0)
            err = uex_kafka_conf_set(conf, presets[i].name, presets[i].value, fault);
    return err;
}

static bool is_left_out(enum uex_kafka_role role, const char *name)
{
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if ((left_out[i].roles & 1U << role) != 0 && strcmp(left_out[i].name, name) == 0)
            return true;
    return !uex_kafka_property_applies(name, is_consumer(role));
}

static enum uex_error set_passed_through(rd_kafka_conf_t *conf, const struct uex_config *config,
                                         enum uex_kafka_role role, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < config->kafka_count && err == UEX_OK; i++)
        if (!is_left_out(role, config->kafka[i].name))
            err = uex_kafka_conf_set(conf, config->kafka[i].name, config->kafka[i].value, fault);
    return err;
}

/* librdkafka wants a group id even of a consumer that only assigns by hand. */
static enum uex_error set_group(rd_kafka_conf_t *conf, const struct uex_config *config, enum uex_kafka_role role,
                                struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;
    char *group = NULL;

    if (role == UEX_KAFKA_GROUP_CONSUMER)
        return uex_kafka_conf_set(conf, "group.id", config->kafka_group_id, fault);
    if (!is_consumer(role))
        return UEX_OK;
    if (asprintf(&group, "%s-reader", config->kafka_group_id) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "the name of the reader's group");
    err = uex_kafka_conf_set(conf, "group.id", group, fault);
    free(group);
    return err;
}

rd_kafka_conf_t *uex_kafka_conf_new(const struct uex_config *config, enum uex_kafka_role role, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    uex_kafka_log_install(conf);
    if (set_presets(conf, role, defaults, sizeof(defaults) / sizeof(defaults[0]), fault) != UEX_OK ||
        set_passed_through(conf, config, role, fault) != UEX_OK ||
        set_presets(conf, role, fixed, sizeof(fixed) / sizeof(fixed[0]), fault) != UEX_OK ||
        set_group(conf, config, role, fault) != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

rd_kafka_t *uex_kafka_create(enum uex_kafka_role role, rd_kafka_conf_t *conf, struct uex_fault *fault)
{
    char text[512] = "";
    bool is_mistake = false;
    rd_kafka_t *handle =
        rd_kafka_new(is_consumer(role) ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof(text));

    if (handle == NULL) {
        is_mistake = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG; /* else no thread, no memory, … */
        rd_kafka_conf_destroy(conf);
        (void)uex_fail(fault, is_mistake ? UEX_CONFIG : UEX_KAFKA, "%s: %s",
                       is_mistake ? "librdkafka refuses the properties" : "librdkafka cannot start", text);
        return NULL;
    }
    if (is_consumer(role))
        rd_kafka_poll_set_consumer(handle);
    return handle;
}

void uex_kafka_destroy(rd_kafka_t *handle)
{
    if (handle != NULL)
        rd_kafka_destroy(handle);
}

static int step_ms(int64_t until_ms)
{
    int64_t left_ms = until_ms - uex_monotonic_ms();

    return left_ms < 1 ? 1 : left_ms > WAIT_STEP_MS ? WAIT_STEP_MS : (int)left_ms;
}

enum uex_error uex_kafka_wait(rd_kafka_t *handle, int64_t timeout_ms, const struct uex_cancel *cancel,
                              struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    char failure[200];

    while (!uex_cancel_requested(cancel)) {
        const struct rd_kafka_metadata *metadata = NULL;

        code = rd_kafka_metadata(handle, 0, NULL, &metadata, step_ms(until_ms));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            return UEX_OK;
        }
        if (uex_monotonic_ms() >= until_ms) {
            uex_kafka_last_failure(failure, sizeof(failure));
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE,
                            "no broker of kafka.bootstrap.servers answered within %" PRId64 " ms: %s", timeout_ms,
                            failure[0] == 0 ? rd_kafka_err2str(code) : failure);
        }
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            (void)uex_sleep_ms(100, cancel); /* refused at once: no busy loop */
    }
    return uex_fail(fault, UEX_CANCELLED, "waiting for Kafka was given up");
}

enum uex_error uex_kafka_cluster_id(rd_kafka_t *handle, int64_t timeout_ms, char *out, struct uex_fault *fault)
{
    char *id = rd_kafka_clusterid(handle, (int)timeout_ms);

    out[0] = 0;
    if (id == NULL) {
        /* Nothing within the time, or a cluster without id: the second is told apart by asking. */
        return uex_kafka_wait(handle, 1000, NULL, fault);
    }
    if (strlen(id) >= UEX_KAFKA_CLUSTER_ID_SIZE) {
        rd_kafka_mem_free(handle, id);
        return uex_fail(fault, UEX_KAFKA, "the cluster's id is too long");
    }
    strcpy(out, id);
    rd_kafka_mem_free(handle, id);
    return UEX_OK;
}

/* What a broker says of one topic. Clusters have thousands of others, so they are not asked for; except by a producer,
 * for which a broker would create the topic if there is none (a consumer asks with allow.auto.create.topics=false). */
static rd_kafka_resp_err_t ask_for_topic(rd_kafka_t *handle, const char *topic, int64_t timeout_ms,
                                         const struct rd_kafka_metadata **out)
{
    rd_kafka_topic_t *only = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (rd_kafka_type(handle) != RD_KAFKA_CONSUMER)
        return rd_kafka_metadata(handle, 1, NULL, out, (int)timeout_ms);
    only = rd_kafka_topic_new(handle, topic, NULL);
    if (only == NULL)
        return rd_kafka_last_error();
    code = rd_kafka_metadata(handle, 0, only, out, (int)timeout_ms);
    rd_kafka_topic_destroy(only);
    return code;
}

enum uex_error uex_kafka_partition_count(rd_kafka_t *handle, const char *topic, int64_t timeout_ms, int32_t *out,
                                         struct uex_fault *fault)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = ask_for_topic(handle, topic, timeout_ms, &metadata);
    enum uex_error err = UEX_NOT_FOUND;

    *out = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, code, "asking for the partitions of a topic");
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_resp_err_t about = metadata->topics[i].err;

        if (strcmp(metadata->topics[i].topic, topic) != 0 || about == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
            about == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || about == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
            continue;
        *out = metadata->topics[i].partition_cnt;
        err = *out > 0 ? UEX_OK : UEX_KAFKA_UNAVAILABLE;
    }
    rd_kafka_metadata_destroy(metadata);
    if (err == UEX_NOT_FOUND)
        return uex_fail(fault, err, "there is no topic %s, or it may not be seen; exportctl topics check says more",
                        topic);
    if (err != UEX_OK)
        return uex_fail(fault, err, "the partitions of %s are not known yet", topic);
    return UEX_OK;
}

enum uex_error uex_kafka_watermarks(rd_kafka_t *handle, const char *topic, int32_t partition, int64_t timeout_ms,
                                    const struct uex_cancel *cancel, int64_t *low, int64_t *high,
                                    struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;

    for (;;) {
        int64_t left_ms = until_ms - uex_monotonic_ms();
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(handle, topic, partition, low, high, left_ms < 1 ? 1 : (int)left_ms);

        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return UEX_OK;
        if (uex_kafka_error_of(code) != UEX_KAFKA_UNAVAILABLE || uex_monotonic_ms() >= until_ms)
            return uex_fail(fault, uex_kafka_error_of(code), "asking how far partition %" PRId32 " of %s goes: %s",
                            partition, topic, rd_kafka_err2str(code));
        if (!uex_sleep_ms(100, cancel))
            return uex_fail(fault, UEX_CANCELLED, "waiting for Kafka was given up");
    }
}

rd_kafka_event_t *uex_kafka_await(rd_kafka_queue_t *queue, rd_kafka_event_type_t type, int64_t timeout_ms,
                                  const char *what, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;

    for (;;) {
        int64_t left_ms = until_ms - uex_monotonic_ms();
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms < 0 ? 0 : (int)left_ms);

        if (event == NULL && left_ms <= 0) {
            (void)uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "%s: no answer in time", what);
            return NULL;
        }
        if (event == NULL || rd_kafka_event_type(event) != type) {
            rd_kafka_event_destroy(event);
            continue;
        }
        if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            (void)uex_fail(fault, uex_kafka_error_of(rd_kafka_event_error(event)), "%s: %s", what,
                           rd_kafka_event_error_string(event));
            rd_kafka_event_destroy(event);
            return NULL;
        }
        return event;
    }
}

int64_t uex_kafka_longest_list_ms(const struct uex_config *config)
{
    return config->commit_max_list_bytes / LIST_BYTES_PER_MS;
}

int64_t uex_kafka_transaction_timeout_ms(const struct uex_config *config)
{
    const char *text = uex_config_kafka(config, "transaction.timeout.ms");
    const long long configured_ms = text == NULL ? 0 : strtoll(text, NULL, 10);
    const int64_t list_ms = uex_kafka_longest_list_ms(config);

    if (configured_ms > 0)
        return configured_ms;
    return list_ms > TRANSACTION_MAX_MS - TRANSACTION_LEAST_MS ? TRANSACTION_MAX_MS : TRANSACTION_LEAST_MS + list_ms;
}

size_t uex_kafka_message_max_bytes(const struct uex_config *config)
{
    const char *text = uex_config_kafka(config, "message.max.bytes");
    unsigned long long value = text == NULL ? 0 : strtoull(text, NULL, 10);

    return value == 0 ? MESSAGE_MAX_BYTES_DEFAULT : (size_t)value;
}
