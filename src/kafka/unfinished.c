/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/unfinished.h"

#include <stdlib.h>

#include "kafka/offset_window.h"

#define POLL_MS 100

/* A partition that is being read. */
struct part {
    size_t topic;
    int32_t partition;
    int64_t next, end; /* next: the offsets below it are known */
    struct uex_window window;
};

struct pass {
    const struct uex_lag_readers *readers;
    const struct uex_unfinished_reading *reading;
    struct uex_unfinished_topic *topics;
    size_t topic_count;
    struct part *parts;
    size_t part_count, open_count;
    struct uex_fault *fault;
};

/* Open offsets from `from` on that the window does not call finished. */
static uint64_t count_open(const struct uex_window *window, int64_t from, int64_t end)
{
    uint64_t count = (uint64_t)(end - from);

    for (int64_t offset = from; offset < end && offset - window->base < UEX_WINDOW_SPAN; offset++)
        count -= uex_window_finished(window, offset);
    return count;
}

static enum uex_error add_part(struct pass *pass, size_t topic, const struct uex_lag_place *place)
{
    struct part *parts = realloc(pass->parts, (pass->part_count + 1) * sizeof(*parts)), *part = NULL;

    if (parts == NULL)
        return uex_fail(pass->fault, UEX_NO_MEMORY, "no memory for the partitions of %s", pass->topics[topic].name);
    pass->parts = parts;
    part = &parts[pass->part_count++];
    *part = (struct part){.topic = topic, .partition = place->partition, .next = place->from, .end = place->end};
    uex_window_restore(&part->window, place->from, place->metadata, NULL);
    return UEX_OK;
}

/* Where the group stands in a topic: its partitions with open offsets become parts, or are only counted. */
static enum uex_error find_parts(struct pass *pass, size_t topic)
{
    struct uex_unfinished_topic *of = &pass->topics[topic];
    struct uex_lag_places places = {0};
    enum uex_error err = uex_lag_places_read(pass->readers, of->name, pass->reading->answer_ms, &places, pass->fault);
    const size_t first = pass->part_count;

    of->count = 0;
    of->is_missing = err == UEX_NOT_FOUND;
    of->is_exact = true;
    if (err == UEX_NOT_FOUND)
        err = UEX_OK;
    for (int32_t i = 0; i < places.count && err == UEX_OK; i++) {
        if (places.items[i].end > places.items[i].from)
            err = add_part(pass, topic, &places.items[i]);
    }
    uex_lag_places_clear(&places);
    if (err != UEX_OK)
        return err;
    for (size_t i = first; i < pass->part_count; i++)
        of->count += count_open(&pass->parts[i].window, pass->parts[i].next, pass->parts[i].end);
    if (of->count > of->read_max) {
        of->is_exact = pass->part_count == first;
        pass->part_count = first;
    } else {
        of->count = 0; /* counted while they are read */
    }
    return UEX_OK;
}

static enum uex_error assign(struct pass *pass)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)pass->part_count + 1);
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < pass->part_count; i++)
        rd_kafka_topic_partition_list_add(list, pass->topics[pass->parts[i].topic].name, pass->parts[i].partition)
            ->offset = pass->parts[i].next;
    err = uex_kafka_fail(pass->fault, rd_kafka_assign(pass->readers->ends, list), "starting to read");
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static struct part *part_of(struct pass *pass, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt == NULL ? "" : rd_kafka_topic_name(message->rkt);

    for (size_t i = 0; i < pass->part_count; i++)
        if (pass->parts[i].partition == message->partition &&
            strcmp(pass->topics[pass->parts[i].topic].name, topic) == 0)
            return &pass->parts[i];
    return NULL;
}

static void advance(struct pass *pass, struct part *part, int64_t next)
{
    if (part->next < part->end && next >= part->end)
        pass->open_count--;
    if (next > part->next)
        part->next = next;
}

static enum uex_error take(struct pass *pass, const rd_kafka_message_t *message)
{
    struct part *part = part_of(pass, message);
    const bool is_record = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    enum uex_error err = UEX_OK;

    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        return uex_fail(pass->fault, UEX_KAFKA, "not authorized to read %s; the Kafka user needs READ on it",
                        message->rkt == NULL ? "a topic" : rd_kafka_topic_name(message->rkt));
    if (part == NULL || (!is_record && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF))
        return UEX_OK; /* librdkafka tries again, or the time runs out */
    if (is_record && message->offset < part->end && !uex_window_finished(&part->window, message->offset)) {
        pass->topics[part->topic].count++;
        if (pass->reading->take != NULL)
            err = pass->reading->take(pass->reading->context, part->topic, message);
    }
    advance(pass, part, is_record ? message->offset + 1 : message->offset);
    return err;
}

static enum uex_error read_parts(struct pass *pass)
{
    enum uex_error err = pass->part_count == 0 ? UEX_OK : assign(pass);

    pass->open_count = pass->part_count;
    while (err == UEX_OK && pass->open_count > 0 && uex_monotonic_ms() < pass->reading->until_ms) {
        rd_kafka_message_t *message = NULL;

        if (uex_cancel_requested(pass->reading->cancel))
            return uex_fail(pass->fault, UEX_CANCELLED, "stopped while reading");
        message = rd_kafka_consumer_poll(pass->readers->ends, POLL_MS);
        if (message != NULL) {
            err = take(pass, message);
            rd_kafka_message_destroy(message);
        }
    }
    for (size_t i = 0; i < pass->part_count && err == UEX_OK; i++) { /* what time did not allow */
        struct part *part = &pass->parts[i];

        if (part->next >= part->end)
            continue;
        pass->topics[part->topic].is_exact = false;
        pass->topics[part->topic].count += count_open(&part->window, part->next, part->end);
    }
    return err;
}

enum uex_error uex_unfinished_read(const struct uex_lag_readers *readers, const struct uex_unfinished_reading *reading,
                                   struct uex_unfinished_topic *topics, size_t topic_count, struct uex_fault *fault)
{
    struct pass pass = {
        .readers = readers, .reading = reading, .topics = topics, .topic_count = topic_count, .fault = fault};
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < topic_count && err == UEX_OK; i++)
        err = find_parts(&pass, i);
    if (err == UEX_OK)
        err = read_parts(&pass);
    if (pass.part_count > 0)
        (void)rd_kafka_assign(readers->ends, NULL);
    free(pass.parts);
    return err;
}
