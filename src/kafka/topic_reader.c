/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/topic_reader.h"

#include <stdlib.h>

#define ASK_MS 10000
#define ALIVE_MS 1000
#define SILENCE_MS 10000
#define POLL_MS 100 /* a signal is noticed within this time */
#define BATCH 256   /* messages that are taken from librdkafka's queue at once */
#define QUEUE_IS_LONG 8192
#define NUDGE_MS 100
#define NUDGE_EVERY_MS 20

struct source {
    const char *name;
    int32_t partition_count;
    bool *is_read;    /* per partition: its end was reached once */
    int64_t *starts;  /* per partition: the first offset there is; NULL: not asked for */
    int64_t *targets; /* per partition: the end is at this offset or later; NULL: where it is now */
    int64_t *nexts;   /* per partition: the offset behind the last record; 0: none was read */
};

struct uex_topic_reader {
    const struct uex_config *config;
    const struct uex_cancel *cancel;
    int64_t wait_ms; /* for Kafka's first answer, and for the next record of a topic that has more */
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue;          /* the consumer's */
    rd_kafka_message_t *batch[BATCH]; /* from `batch_at` on they wait for their turn */
    size_t batch_at, batch_count;
    int64_t filled_ms; /* monotonic: when the batch came */
    size_t queue_most; /* the queue's length since it was short, or the last nudge */
    int64_t nudged_ms; /* monotonic */
    struct source sources[UEX_READ_TOPICS_MAX];
    size_t source_count;
    size_t open_count; /* partitions whose end was not reached yet */
    bool end_returned;
    int64_t heard_ms; /* monotonic: the last record, or the last check whether Kafka answers */
    bool is_away;     /* it did not answer, and no record has come since */
    bool went_back;   /* a record came that stands before one that was read */
};

/* A read_committed handle reports the last stable offset as the high watermark, so another handle asks. */
static enum uex_error find_targets(const struct uex_topic_reader *reader, struct source *source,
                                   struct uex_fault *fault)
{
    rd_kafka_t *handle = NULL;
    enum uex_error err = uex_kafka_connect(reader->config, UEX_KAFKA_READER_UNCOMMITTED, reader->wait_ms,
                                           reader->cancel, &handle, fault);

    source->starts = calloc((size_t)source->partition_count, sizeof(*source->starts));
    source->targets = calloc((size_t)source->partition_count, sizeof(*source->targets));
    if (err == UEX_OK && (source->starts == NULL || source->targets == NULL))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the partitions of %s", source->name);
    for (int32_t number = 0; err == UEX_OK && number < source->partition_count; number++)
        err = uex_kafka_watermarks(handle, source->name, number, ASK_MS, reader->cancel, &source->starts[number],
                                   &source->targets[number], fault);
    uex_kafka_destroy(handle);
    return err;
}

static bool answers(struct uex_topic_reader *reader)
{
    const struct rd_kafka_metadata *metadata = NULL;
    bool is_there = rd_kafka_metadata(reader->consumer, 0, NULL, &metadata, ALIVE_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;

    if (is_there)
        rd_kafka_metadata_destroy(metadata);
    return is_there;
}

bool uex_topic_reader_is_away(struct uex_topic_reader *reader, bool *is_new)
{
    bool was_away = reader->is_away;

    if (uex_monotonic_ms() - reader->heard_ms >= SILENCE_MS) {
        reader->is_away = !answers(reader);
        reader->heard_ms = uex_monotonic_ms();
    }
    *is_new = reader->is_away && !was_away;
    return reader->is_away;
}

static enum uex_error add_source(struct uex_topic_reader *reader, const struct uex_read_topic *topic,
                                 struct uex_fault *fault)
{
    struct source *source = &reader->sources[reader->source_count];
    enum uex_error err =
        uex_kafka_partition_count(reader->consumer, topic->name, ASK_MS, &source->partition_count, fault);

    if (err == UEX_NOT_FOUND)
        return uex_fail(
            fault, UEX_KAFKA_TOPICS,
            "topic %s does not exist, or this Kafka user may not see it; to create it: exportctl topics create",
            topic->name);
    if (err != UEX_OK)
        return err;
    source->name = topic->name;
    source->is_read = calloc((size_t)source->partition_count, sizeof(*source->is_read));
    source->nexts = calloc((size_t)source->partition_count, sizeof(*source->nexts));
    reader->source_count++;
    if (source->is_read == NULL || source->nexts == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the partitions of %s", topic->name);
    reader->open_count += (size_t)source->partition_count;
    return topic->whole ? find_targets(reader, source, fault) : UEX_OK;
}

/* The first offsets that are not older than the times; the end where there is none. */
static enum uex_error find_offsets(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *list, struct uex_fault *fault)
{
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(consumer, list, ASK_MS);

    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    return uex_kafka_fail(fault, code, "looking up start offsets");
}

/* Where reading starts. 0 for the beginning: asking librdkafka for it costs half a second, and if that record is gone,
 * it goes to the first existing one by itself (auto.offset.reset). */
static int64_t first_offset(const struct uex_read_topic *topic, const struct source *source, int32_t number)
{
    if (topic->from == UEX_READ_NEW)
        return RD_KAFKA_OFFSET_END;
    if (topic->from == UEX_READ_SINCE)
        return topic->since_ms;
    return source->starts == NULL ? 0 : source->starts[number];
}

static enum uex_error assign(struct uex_topic_reader *reader, const struct uex_read_topic *topics,
                             struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(64);
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < reader->source_count && err == UEX_OK; i++) {
        rd_kafka_topic_partition_list_t *list =
            rd_kafka_topic_partition_list_new(reader->sources[i].partition_count + 1);

        for (int32_t number = 0; number < reader->sources[i].partition_count; number++)
            rd_kafka_topic_partition_list_add(list, topics[i].name, number)->offset =
                first_offset(&topics[i], &reader->sources[i], number);
        if (topics[i].from == UEX_READ_SINCE)
            err = find_offsets(reader->consumer, list, fault);
        for (int at = 0; at < list->cnt; at++)
            rd_kafka_topic_partition_list_add(all, list->elems[at].topic, list->elems[at].partition)->offset =
                list->elems[at].offset;
        rd_kafka_topic_partition_list_destroy(list);
    }
    if (err == UEX_OK)
        err = uex_kafka_fail(fault, rd_kafka_assign(reader->consumer, all), "starting to read");
    rd_kafka_topic_partition_list_destroy(all);
    return err;
}

enum uex_error uex_topic_reader_open(const struct uex_config *config, const struct uex_read_topic *topics,
                                     size_t topic_count, int64_t wait_ms, const struct uex_cancel *cancel,
                                     struct uex_topic_reader **out, struct uex_fault *fault)
{
    struct uex_topic_reader *reader = calloc(1, sizeof(*reader));
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (reader == NULL || topic_count > UEX_READ_TOPICS_MAX) {
        free(reader);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a reader");
    }
    reader->config = config;
    reader->cancel = cancel;
    reader->wait_ms = wait_ms;
    reader->heard_ms = uex_monotonic_ms();
    err = uex_kafka_connect(config, UEX_KAFKA_READER, wait_ms, cancel, &reader->consumer, fault);
    if (err == UEX_OK)
        reader->queue = rd_kafka_queue_get_consumer(reader->consumer);
    for (size_t i = 0; i < topic_count && err == UEX_OK; i++)
        err = add_source(reader, &topics[i], fault);
    if (err == UEX_OK)
        err = assign(reader, topics, fault);
    if (err != UEX_OK) {
        uex_topic_reader_close(reader);
        return err;
    }
    *out = reader;
    return UEX_OK;
}

void uex_topic_reader_set_wait(struct uex_topic_reader *reader, int64_t wait_ms)
{
    reader->wait_ms = wait_ms;
}

void uex_topic_reader_close(struct uex_topic_reader *reader)
{
    if (reader == NULL)
        return;
    while (reader->batch_at < reader->batch_count)
        rd_kafka_message_destroy(reader->batch[reader->batch_at++]);
    if (reader->queue != NULL)
        rd_kafka_queue_destroy(reader->queue);
    uex_kafka_destroy(reader->consumer);
    for (size_t i = 0; i < reader->source_count; i++) {
        free(reader->sources[i].is_read);
        free(reader->sources[i].starts);
        free(reader->sources[i].targets);
        free(reader->sources[i].nexts);
    }
    free(reader);
}

static struct source *source_of(struct uex_topic_reader *reader, const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);

    for (size_t i = 0; i < reader->source_count; i++)
        if (message->partition >= 0 && message->partition < reader->sources[i].partition_count &&
            strcmp(topic, reader->sources[i].name) == 0)
            return &reader->sources[i];
    return NULL;
}

static void note_record(struct uex_topic_reader *reader, const rd_kafka_message_t *message)
{
    struct source *source = source_of(reader, message);

    reader->heard_ms = reader->filled_ms;
    reader->is_away = false;
    if (source == NULL)
        return;
    reader->went_back = reader->went_back || message->offset < source->nexts[message->partition];
    source->nexts[message->partition] = message->offset + 1;
}

static void note_end(struct uex_topic_reader *reader, const rd_kafka_message_t *message)
{
    struct source *source = source_of(reader, message);

    if (source == NULL || source->is_read[message->partition])
        return;
    if (source->targets != NULL && message->offset < source->targets[message->partition])
        return; /* an open transaction hides what is there */
    source->is_read[message->partition] = true;
    reader->open_count--;
}

/* Does a partition end before a record that was read? */
static bool is_cut(struct uex_topic_reader *reader, const struct source *source)
{
    for (int32_t number = 0; number < source->partition_count; number++) {
        int64_t low = 0, high = 0;

        if (source->nexts[number] == 0)
            continue;
        if (rd_kafka_query_watermark_offsets(reader->consumer, source->name, number, &low, &high, ALIVE_MS) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return false;
        if (high < source->nexts[number])
            return true;
    }
    return false;
}

enum uex_topic_change uex_topic_reader_change(struct uex_topic_reader *reader)
{
    for (size_t i = 0; i < reader->source_count && !reader->went_back; i++) {
        const struct source *source = &reader->sources[i];
        int32_t partition_count = 0;
        enum uex_error err =
            uex_kafka_partition_count(reader->consumer, source->name, ALIVE_MS, &partition_count, NULL);

        if (err == UEX_NOT_FOUND || (err == UEX_OK && partition_count < source->partition_count))
            return UEX_TOPIC_REMADE;
        if (err == UEX_OK && is_cut(reader, source))
            return UEX_TOPIC_REMADE;
        if (err == UEX_OK && partition_count > source->partition_count)
            return UEX_TOPIC_GROWN;
    }
    return reader->went_back ? UEX_TOPIC_REMADE : UEX_TOPIC_UNCHANGED;
}

/* An event that is not a record. UEX_TIMEOUT: go on. */
static enum uex_error handle_event(struct uex_topic_reader *reader, const rd_kafka_message_t *message,
                                   struct uex_fault *fault)
{
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        note_end(reader, message);
        return UEX_TIMEOUT;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return uex_fail(fault, UEX_KAFKA, "not authorized to read %s; the Kafka user needs READ on it",
                        message->rkt == NULL ? "a topic" : rd_kafka_topic_name(message->rkt));
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return uex_kafka_fail(fault, message->err, "reading");
    default:
        /* librdkafka retries, or the caller's timeout ends it. Not being authorized for the consumer group is nothing
         * either: the reader never joins it and commits nothing. */
        return UEX_TIMEOUT;
    }
}

/* librdkafka before 2.2 looks at a full queue again only when something happens on the connection, or after a second;
 * at a million records that is most of the time. A question to the leaders of all partitions is something that happens.
 * Later ones have fetch.queue.backoff.ms. */
static void nudge(struct uex_topic_reader *reader)
{
    rd_kafka_topic_partition_list_t *ends = NULL;

    if (rd_kafka_assignment(reader->consumer, &ends) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (int i = 0; i < ends->cnt; i++)
        ends->elems[i].offset = RD_KAFKA_OFFSET_END;
    (void)rd_kafka_offsets_for_times(reader->consumer, ends, NUDGE_MS);
    rd_kafka_topic_partition_list_destroy(ends);
}

/* Is the queue half empty after it was long, while there is more to read? */
static void keep_fetching(struct uex_topic_reader *reader)
{
    const size_t length = rd_kafka_queue_length(reader->queue);

    if (length > reader->queue_most)
        reader->queue_most = length;
    if (rd_kafka_version() >= UEX_KAFKA_QUEUE_BACKOFF || reader->open_count == 0 ||
        reader->queue_most < QUEUE_IS_LONG || length > reader->queue_most / 2 ||
        uex_monotonic_ms() - reader->nudged_ms < NUDGE_EVERY_MS)
        return;
    nudge(reader);
    reader->queue_most = length;
    reader->nudged_ms = uex_monotonic_ms();
}

/* The next message or event, NULL: none came. A call of librdkafka for each record would cost as much as the record. */
static rd_kafka_message_t *take_message(struct uex_topic_reader *reader, int64_t left_ms)
{
    const int wait_ms = left_ms < 0 ? 0 : left_ms > POLL_MS ? POLL_MS : (int)left_ms;
    ssize_t count = 0;

    if (reader->batch_at < reader->batch_count)
        return reader->batch[reader->batch_at++];
    reader->batch_at = 0;
    reader->batch_count = 0;
    reader->batch[0] = rd_kafka_consumer_poll(reader->consumer, wait_ms);
    if (reader->batch[0] == NULL)
        return NULL;
    count = rd_kafka_consume_batch_queue(reader->queue, 0, reader->batch + 1, BATCH - 1);
    reader->batch_count = 1 + (count > 0 ? (size_t)count : 0);
    reader->filled_ms = uex_monotonic_ms();
    keep_fetching(reader);
    return reader->batch[reader->batch_at++];
}

bool uex_topic_reader_is_ready(const struct uex_topic_reader *reader)
{
    return reader->batch_at < reader->batch_count && reader->batch[reader->batch_at]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum uex_error uex_topic_reader_next(struct uex_topic_reader *reader, int64_t timeout_ms, rd_kafka_message_t **out,
                                     struct uex_fault *fault)
{
    int64_t until_ms = 0;
    enum uex_error err = UEX_TIMEOUT;

    *out = NULL;
    until_ms = uex_topic_reader_is_ready(reader) ? 0 : uex_monotonic_ms() + timeout_ms;
    while (err == UEX_TIMEOUT) {
        int64_t left_ms = until_ms == 0 ? 0 : until_ms - uex_monotonic_ms();
        rd_kafka_message_t *message = NULL;

        if (uex_cancel_requested(reader->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped while reading");
        if (reader->open_count == 0 && !reader->end_returned) {
            reader->end_returned = true;
            return UEX_END;
        }
        message = take_message(reader, left_ms);
        if (message != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            *out = message;
            note_record(reader, message);
            return UEX_OK;
        }
        if (message != NULL) {
            err = handle_event(reader, message, fault);
            rd_kafka_message_destroy(message);
        } else if (left_ms <= 0) {
            return UEX_TIMEOUT;
        }
    }
    return err;
}

enum uex_error uex_topic_reader_drain(struct uex_topic_reader *reader,
                                      enum uex_error (*take)(void *context, const rd_kafka_message_t *message),
                                      void *context, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    while (err == UEX_OK) {
        rd_kafka_message_t *message = NULL;

        err = uex_topic_reader_next(reader, reader->wait_ms, &message, fault);
        if (err == UEX_OK) {
            err = take(context, message);
            rd_kafka_message_destroy(message);
        }
    }
    if (err == UEX_TIMEOUT)
        return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka returned no record for %lld ms, though there are more",
                        (long long)reader->wait_ms);
    return err == UEX_END ? UEX_OK : err;
}
