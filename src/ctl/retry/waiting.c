/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/retry/waiting.h"

#include <stdlib.h>

#include "ctl/connect.h"
#include "export/program.h"
#include "kafka/offset_window.h"

#define ASK_MS 10000
#define POLL_MS 100

struct reading {
    const struct uex_config *config;
    rd_kafka_t *committed; /* has the workers' group, but never joins it */
    rd_kafka_t *consumer;
    const struct uex_tier *tier;
    struct uex_window *windows; /* per partition of the tier: what is finished */
    size_t open_count;          /* partitions whose end was not reached yet */
    enum uex_error (*take)(void *context, const struct uex_record *record, const struct uex_tier *tier);
    void *context;
};

/* read_uncommitted, so that offsets of a transaction that is under way do not hold the answer up. */
static enum uex_error open_group_reader(const struct uex_config *config, rd_kafka_t **out, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, UEX_KAFKA_READER_UNCOMMITTED, fault);
    enum uex_error err = conf == NULL ? UEX_CONFIG : UEX_OK;

    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "group.id", config->kafka_group_id, fault);
    if (err != UEX_OK) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return err;
    }
    *out = uex_kafka_create(UEX_KAFKA_READER_UNCOMMITTED, conf, fault);
    return *out == NULL ? fault->error : UEX_OK;
}

/* The windows of the tier's partitions; `list` gets the offsets to read from. Without a committed offset nothing is
 * finished. */
static enum uex_error restore_windows(struct reading *reading, rd_kafka_topic_partition_list_t *list,
                                      struct uex_fault *fault)
{
    enum uex_error err =
        uex_kafka_fail(fault, rd_kafka_committed(reading->committed, list, ASK_MS), "asking for committed offsets");

    for (int i = 0; i < list->cnt && err == UEX_OK; i++) {
        rd_kafka_topic_partition_t *place = &list->elems[i];
        struct uex_window *window = &reading->windows[place->partition];

        err = uex_kafka_fail(fault, place->err, "asking for committed offsets");
        uex_window_init(window);
        if (err == UEX_OK && place->offset >= 0)
            uex_window_restore(window, place->offset, uex_bytes_of(place->metadata, place->metadata_size), NULL);
        place->offset = window->base == UEX_OFFSET_NONE ? 0 : window->base; /* what is gone is passed over */
    }
    return err;
}

static enum uex_error take_record(struct reading *reading, const rd_kafka_message_t *message, struct uex_fault *fault)
{
    struct uex_record *record = NULL;
    enum uex_error err = UEX_OK;

    if (message->partition >= reading->tier->partition_count ||
        uex_window_finished(&reading->windows[message->partition], message->offset))
        return UEX_OK;
    record = uex_record_copy(message, reading->config->topics_command);
    if (record == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a command of a retry topic");
    err = reading->take(reading->context, record, reading->tier);
    uex_record_free(record);
    return err;
}

static enum uex_error take_message(struct reading *reading, const rd_kafka_message_t *message, struct uex_fault *fault)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return take_record(reading, message, fault);
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        reading->open_count -= reading->open_count > 0;
        return UEX_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return uex_fail(fault, UEX_KAFKA, "not authorized to read %s; the Kafka user needs READ on it",
                        reading->tier->topic);
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return uex_kafka_fail(fault, message->err, "reading a retry topic");
    default:
        return UEX_OK; /* librdkafka tries again, or the stall ends it */
    }
}

/* Each partition to its end. */
static enum uex_error read_records(struct reading *reading, struct uex_fault *fault)
{
    int64_t heard_ms = uex_monotonic_ms();
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && reading->open_count > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reading->consumer, POLL_MS);

        if (uex_cancel_requested(&uex_program_cancel))
            err = uex_fail(fault, UEX_CANCELLED, "stopped while reading");
        else if (message != NULL)
            err = take_message(reading, message, fault);
        else if (uex_monotonic_ms() - heard_ms > reading->config->startup_timeout_ms)
            err = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka returned nothing of %s for startup.timeout",
                           reading->tier->topic);
        if (message != NULL) {
            heard_ms = uex_monotonic_ms();
            rd_kafka_message_destroy(message);
        }
    }
    return err;
}

static enum uex_error read_tier(struct reading *reading, struct uex_fault *fault)
{
    const int32_t count = reading->tier->partition_count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    enum uex_error err = UEX_OK;

    reading->windows = calloc((size_t)count, sizeof(*reading->windows));
    if (reading->windows == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the partitions of %s", reading->tier->topic);
    rd_kafka_topic_partition_list_add_range(list, reading->tier->topic, 0, count - 1);
    if (err == UEX_OK)
        err = restore_windows(reading, list, fault);
    reading->open_count = (size_t)count;
    if (err == UEX_OK)
        err = uex_kafka_fail(fault, rd_kafka_assign(reading->consumer, list), "starting to read");
    if (err == UEX_OK)
        err = read_records(reading, fault);
    (void)rd_kafka_assign(reading->consumer, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    free(reading->windows);
    reading->windows = NULL;
    return err;
}

enum uex_error uex_retries_read(const struct uex_config *config,
                                enum uex_error (*take)(void *context, const struct uex_record *record,
                                                       const struct uex_tier *tier),
                                void *context, struct uex_fault *fault)
{
    struct reading reading = {.config = config, .take = take, .context = context};
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t tier_count = 0;
    enum uex_error err = uex_ctl_connect(config, UEX_KAFKA_READER, &reading.consumer, fault);

    if (err == UEX_OK)
        err = open_group_reader(config, &reading.committed, fault);
    if (err == UEX_OK)
        err = uex_topics_tiers(reading.consumer, config, ASK_MS, tiers, &tier_count, fault);
    for (size_t i = 0; i < tier_count && err == UEX_OK; i++) {
        reading.tier = &tiers[i];
        if (tiers[i].partition_count > 0)
            err = read_tier(&reading, fault);
    }
    uex_kafka_destroy(reading.committed);
    uex_kafka_destroy(reading.consumer);
    return err;
}
