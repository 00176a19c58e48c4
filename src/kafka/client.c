/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/client_internal.h"
#include "kafka/sasl.h"

#define TRANSACTION_LEAST_MS 15000
#define TRANSACTION_MAX_MS 900000 /* transaction.max.timeout.ms of a broker, by default */
#define LIST_BYTES_PER_MS 4096
#define WAIT_STEP_MS 500
#define REFUSED_MS 2000 /* another broker may answer meanwhile, or this one was only being stopped */
#define MESSAGE_MAX_BYTES_DEFAULT 1000000

rd_kafka_t *uex_kafka_create(enum uex_kafka_role role, rd_kafka_conf_t *conf, struct uex_fault *fault)
{
    char text[512] = "";
    bool is_refused = false;
    rd_kafka_t *handle =
        rd_kafka_new(uex_kafka_is_consumer(role) ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof(text));

    if (handle == NULL) {
        is_refused = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG; /* else no thread, no memory, … */
        rd_kafka_conf_destroy(conf);
        (void)uex_fail(fault, is_refused ? UEX_CONFIG : UEX_KAFKA, "%s: %s",
                       is_refused ? "librdkafka refuses the properties" : "librdkafka cannot start", text);
        return NULL;
    }
    if (uex_kafka_is_consumer(role))
        rd_kafka_poll_set_consumer(handle);
    return handle;
}

void uex_kafka_destroy(rd_kafka_t *handle)
{
    if (handle != NULL)
        rd_kafka_destroy(handle);
}

static void check_property(const struct uex_kafka_property *property, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    /* librdkafka's sentence quotes the value. */
    if (uex_kafka_judge_property(property->name, property->value, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "kafka.%s: %s\n", property->name,
                                 property->secret ? "librdkafka refuses the value" : fault.text);
}

/* Some mechanisms fetch a ticket or token as soon as a handle is made; a check touches nothing. */
static bool creating_touches_nothing(const struct uex_config *config)
{
    const char *protocol = uex_config_kafka(config, "security.protocol");
    const char *mechanism = uex_config_kafka(config, "sasl.mechanisms");

    if (mechanism == NULL)
        mechanism = uex_config_kafka(config, "sasl.mechanism");
    if (protocol == NULL || strncasecmp(protocol, "sasl", 4) != 0)
        return true;
    return mechanism != NULL && (strcmp(mechanism, "PLAIN") == 0 || strncmp(mechanism, "SCRAM-", 6) == 0);
}

static void check_set(const struct uex_config *config, enum uex_kafka_role role, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};
    rd_kafka_t *handle = NULL;
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, &fault);

    if (conf != NULL) {
        rd_kafka_conf_set_log_cb(conf, NULL);
        /* Without brokers nothing is reached. */
        if (uex_kafka_conf_set(conf, "bootstrap.servers", "", &fault) == UEX_OK &&
            (role != UEX_KAFKA_TX_PRODUCER || uex_kafka_conf_set(conf, "transactional.id", "check", &fault) == UEX_OK))
            handle = uex_kafka_create(role, conf, &fault);
        else
            rd_kafka_conf_destroy(conf);
    }
    if (handle == NULL && fault.error == UEX_CONFIG)
        uex_buffer_append_format(problems, "kafka.*: %s\n", fault.text);
    uex_kafka_destroy(handle);
}

enum uex_error uex_kafka_check_properties(const struct uex_config *config, struct uex_buffer *problems)
{
    static const enum uex_kafka_role roles[] = {UEX_KAFKA_GROUP_CONSUMER, UEX_KAFKA_TX_PRODUCER};
    size_t before_bytes = problems->size_bytes;

    for (size_t i = 0; i < config->kafka_count; i++)
        check_property(&config->kafka[i], problems);
    uex_sasl_check(config, problems);
    if (problems->size_bytes == before_bytes && creating_touches_nothing(config)) {
        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]) && problems->size_bytes == before_bytes; i++)
            check_set(config, roles[i], problems);
    }
    return problems->size_bytes == before_bytes ? UEX_OK : UEX_CONFIG;
}

static int step_ms(int64_t until_ms)
{
    int64_t left_ms = until_ms - uex_monotonic_ms();

    return left_ms < 1 ? 1 : left_ms > WAIT_STEP_MS ? WAIT_STEP_MS : (int)left_ms;
}

static bool gives_up_when_refused;

void uex_kafka_give_up_when_refused(void)
{
    gives_up_when_refused = true;
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
        if (gives_up_when_refused && uex_kafka_is_refused(REFUSED_MS)) {
            uex_kafka_last_failure(failure, sizeof(failure));
            return uex_fail(
                fault, UEX_KAFKA_UNAVAILABLE,
                "the brokers refuse this client (see kafka.security.protocol, kafka.sasl.*, kafka.ssl.*): %s", failure);
        }
        if (uex_monotonic_ms() >= until_ms) {
            uex_kafka_last_failure(failure, sizeof(failure));
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE,
                            "no broker of kafka.bootstrap.servers answered within %" PRId64 " ms: %s", timeout_ms,
                            failure[0] == 0 ? rd_kafka_err2str(code) : failure);
        }
        if (code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            (void)uex_sleep_ms(100, cancel); /* refused at once: do not loop without a pause */
    }
    return uex_fail(fault, UEX_CANCELLED, "stopped while waiting for Kafka");
}

enum uex_error uex_kafka_connect(const struct uex_config *config, enum uex_kafka_role role, int64_t wait_ms,
                                 const struct uex_cancel *cancel, rd_kafka_t **out, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, fault);

    *out = conf == NULL ? NULL : uex_kafka_create(role, conf, fault);
    return *out == NULL ? fault->error : uex_kafka_wait(*out, wait_ms, cancel, fault);
}

enum uex_error uex_kafka_cluster_id(rd_kafka_t *handle, int64_t timeout_ms, char *out, struct uex_fault *fault)
{
    char *id = rd_kafka_clusterid(handle, (int)timeout_ms);

    out[0] = 0;
    if (id == NULL) {
        /* No answer in time, or a cluster without an id: if a broker answers now, it is the second. */
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

/* The metadata of one topic. A cluster may have thousands of others, so only this one is asked for. A producer asks for
 * all: a broker would create the topic that a producer asks for (a consumer asks with allow.auto.create.topics=false).
 */
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
        return uex_fail(fault, err,
                        "topic %s does not exist or may not be seen by this principal; see exportctl topics check",
                        topic);
    if (err != UEX_OK)
        return uex_fail(fault, err, "the brokers do not know the partitions of %s yet", topic);
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
            return uex_fail(fault, uex_kafka_error_of(code),
                            "asking for the offsets of partition %" PRId32 " of %s: %s", partition, topic,
                            rd_kafka_err2str(code));
        if (!uex_sleep_ms(100, cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped while waiting for Kafka");
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
