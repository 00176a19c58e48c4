/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/lag.h"

#include <stdlib.h>

static enum uex_error open_reader(const struct uex_config *config, const char *group, enum uex_kafka_role role,
                                  rd_kafka_t **out, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, fault);
    enum uex_error err = conf == NULL ? UEX_CONFIG : uex_kafka_conf_set(conf, "group.id", group, fault);

    if (err != UEX_OK) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return err;
    }
    *out = uex_kafka_create(role, conf, fault);
    return *out == NULL ? fault->error : UEX_OK;
}

enum uex_error uex_lag_readers_open(const struct uex_config *config, const char *group, struct uex_lag_readers *out,
                                    struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    *out = (struct uex_lag_readers){0};
    err = open_reader(config, group, UEX_KAFKA_READER, &out->ends, fault);
    return err == UEX_OK ? open_reader(config, group, UEX_KAFKA_READER_UNCOMMITTED, &out->committed, fault) : err;
}

void uex_lag_readers_close(struct uex_lag_readers *readers)
{
    uex_kafka_destroy(readers->committed);
    uex_kafka_destroy(readers->ends);
    *readers = (struct uex_lag_readers){0};
}

void uex_lag_places_clear(struct uex_lag_places *places)
{
    if (places->committed != NULL)
        rd_kafka_topic_partition_list_destroy(places->committed);
    free(places->items);
    *places = (struct uex_lag_places){0};
}

static enum uex_error read_place(const struct uex_lag_readers *readers, const rd_kafka_topic_partition_t *at,
                                 int64_t timeout_ms, struct uex_lag_place *out, struct uex_fault *fault)
{
    int64_t low = 0, high = 0;
    /* Asks again while there is no leader, as after the topic was made or while a broker restarts. */
    enum uex_error err =
        uex_kafka_watermarks(readers->ends, at->topic, at->partition, timeout_ms, NULL, &low, &high, fault);

    if (err != UEX_OK)
        return err;
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, at->err, "asking for the offsets of a consumer group");
    *out = (struct uex_lag_place){.partition = at->partition, .has_committed = at->offset >= low};
    out->from = out->has_committed ? at->offset : low;
    out->end = high > out->from ? high : out->from;
    if (out->has_committed && at->metadata != NULL && at->metadata_size > 0)
        out->metadata = uex_bytes_of(at->metadata, at->metadata_size);
    return UEX_OK;
}

/* librdkafka tells of a missing right as an event of the consumer, while the answer runs out of time. */
static enum uex_error why_no_offsets(rd_kafka_t *consumer, enum uex_error err, struct uex_fault *fault)
{
    rd_kafka_message_t *message = NULL;

    while (err == UEX_KAFKA_UNAVAILABLE && (message = rd_kafka_consumer_poll(consumer, 0)) != NULL) {
        if (message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            err = uex_kafka_fail(fault, message->err, "asking for the offsets of a consumer group");
        rd_kafka_message_destroy(message);
    }
    return err;
}

enum uex_error uex_lag_places_read(const struct uex_lag_readers *readers, const char *topic, int64_t timeout_ms,
                                   struct uex_lag_places *out, struct uex_fault *fault)
{
    int32_t partition_count = 0;
    enum uex_error err = uex_kafka_partition_count(readers->ends, topic, timeout_ms, &partition_count, fault);

    *out = (struct uex_lag_places){0};
    if (err != UEX_OK)
        return err;
    out->items = calloc((size_t)partition_count, sizeof(*out->items));
    if (out->items == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the partitions of %s", topic);
    out->committed = rd_kafka_topic_partition_list_new(partition_count);
    rd_kafka_topic_partition_list_add_range(out->committed, topic, 0, partition_count - 1);
    err = uex_kafka_fail(fault, rd_kafka_committed(readers->committed, out->committed, (int)timeout_ms),
                         "asking for the offsets of a consumer group");
    err = why_no_offsets(readers->committed, err, fault);
    for (int i = 0; err == UEX_OK && i < out->committed->cnt; i++) {
        struct uex_lag_place *place = &out->items[i];

        err = read_place(readers, &out->committed->elems[i], timeout_ms, place, fault);
        if (err != UEX_OK)
            break;
        out->count++;
        out->lag += place->end - place->from;
    }
    return err;
}

enum uex_error uex_lag_of(const struct uex_lag_readers *readers, const char *topic, int64_t timeout_ms, int64_t *lag,
                          struct uex_fault *fault)
{
    struct uex_lag_places places = {0};
    enum uex_error err = uex_lag_places_read(readers, topic, timeout_ms, &places, fault);

    *lag = err == UEX_OK ? places.lag : 0;
    uex_lag_places_clear(&places);
    return err;
}
