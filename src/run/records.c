/* SPDX-License-Identifier: Apache-2.0 */
#include "run/records.h"

#include <stdlib.h>

#include "kafka/topic_reader.h"

#define FIRST_CAPACITY 64

struct reading {
    const struct uex_config *config;
    struct uex_run_records *out;
};

void uex_run_records_clear(struct uex_run_records *records)
{
    for (size_t i = 0; i < records->count; i++)
        uex_run_record_clear(&records->items[i].record);
    free(records->items);
    *records = (struct uex_run_records){0};
}

static struct uex_run_entry *find(const struct uex_run_records *records, const char *run_id)
{
    for (size_t i = records->count; i-- > 0;)
        if (strcmp(records->items[i].record.run_id, run_id) == 0)
            return &records->items[i];
    return NULL;
}

const struct uex_run_entry *uex_run_records_find(const struct uex_run_records *records, const char *run_id)
{
    return find(records, run_id);
}

const struct uex_run_entry *uex_run_records_last(const struct uex_run_records *records)
{
    for (size_t i = records->count; i-- > 0;)
        if (!records->items[i].is_foreign)
            return &records->items[i];
    return NULL;
}

bool uex_run_record_is(const struct uex_run_record *left, const struct uex_run_record *right)
{
    return left->status == right->status && left->started_at_ms == right->started_at_ms &&
           left->ended_at_ms == right->ended_at_ms;
}

/* Without the header it was written by hand, or by another tool: ours. */
static bool is_foreign(const struct uex_config *config, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size_bytes = 0;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, UEX_RUN_HEADER_COMMAND_TOPIC, &value, &size_bytes) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        value == NULL)
        return false;
    return size_bytes != strlen(config->topics_command) || memcmp(value, config->topics_command, size_bytes) != 0;
}

static enum uex_error make_room(struct uex_run_records *records)
{
    const size_t capacity = records->capacity == 0 ? FIRST_CAPACITY : 2 * records->capacity;
    struct uex_run_entry *items = NULL;

    if (records->count < records->capacity)
        return UEX_OK;
    items = realloc(records->items, capacity * sizeof(*items));
    if (items == NULL)
        return UEX_NO_MEMORY;
    records->items = items;
    records->capacity = capacity;
    return UEX_OK;
}

static bool was_started_again(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size_bytes = 0;

    return rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
           rd_kafka_header_get_last(headers, UEX_RUN_HEADER_AGAIN, &value, &size_bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Does the key name the run that the value names? */
static bool key_fits(const rd_kafka_message_t *message, const struct uex_run_record *record)
{
    return message->key != NULL && message->key_len == strlen(record->run_id) &&
           memcmp(message->key, record->run_id, message->key_len) == 0;
}

/* A record without a value removes its run. */
static void forget(struct uex_run_records *records, const rd_kafka_message_t *message)
{
    for (size_t i = 0; i < records->count; i++) {
        if (!key_fits(message, &records->items[i].record))
            continue;
        uex_run_record_clear(&records->items[i].record);
        records->items[i] = records->items[--records->count];
        return;
    }
}

static enum uex_error take(void *context, const rd_kafka_message_t *message)
{
    const struct reading *reading = context;
    struct uex_run_record record = {0};
    struct uex_run_entry *entry = NULL;
    enum uex_error err = UEX_OK;

    if (message->payload == NULL) {
        forget(reading->out, message);
        return UEX_OK;
    }
    err = uex_run_record_parse(uex_bytes_of(message->payload, message->len), &record, NULL);
    if (err == UEX_OK && !key_fits(message, &record))
        err = UEX_MALFORMED;
    if (err == UEX_OK)
        err = make_room(reading->out);
    if (err != UEX_OK) {
        reading->out->unreadable_count += err == UEX_MALFORMED;
        uex_run_record_clear(&record);
        return err == UEX_MALFORMED ? UEX_OK : err;
    }
    record.started_again = was_started_again(message);
    entry = find(reading->out, record.run_id);
    if (entry == NULL)
        entry = &reading->out->items[reading->out->count++];
    else
        uex_run_record_clear(&entry->record);
    *entry = (struct uex_run_entry){.record = record, .is_foreign = is_foreign(reading->config, message)};
    return UEX_OK;
}

static int by_start(const void *left, const void *right)
{
    const struct uex_run_entry *a = left, *b = right;

    if (a->record.started_at_ms != b->record.started_at_ms)
        return a->record.started_at_ms < b->record.started_at_ms ? -1 : 1;
    return strcmp(a->record.run_id, b->record.run_id);
}

static enum uex_error read_records(const struct uex_config *config, bool settled, int64_t wait_ms,
                                   const struct uex_cancel *cancel, struct uex_run_records *out,
                                   struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_run, .from = UEX_READ_ALL, .whole = settled};
    struct reading reading = {.config = config, .out = out};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_topic_reader_open(config, &topic, 1, wait_ms, cancel, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take, &reading, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the runs of %s", config->topics_run);
    uex_topic_reader_close(reader);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), by_start);
    return err;
}

enum uex_error uex_run_records_read(const struct uex_config *config, int64_t wait_ms, const struct uex_cancel *cancel,
                                    struct uex_run_records *out, struct uex_fault *fault)
{
    return read_records(config, false, wait_ms, cancel, out, fault);
}

static enum uex_error find_record(const struct uex_config *config, const char *run_id, bool settled, int64_t wait_ms,
                                  const struct uex_cancel *cancel, struct uex_run_record *out, bool *foreign,
                                  struct uex_fault *fault)
{
    struct uex_run_records records = {0};
    const struct uex_run_entry *entry = NULL;
    enum uex_error err = read_records(config, settled, wait_ms, cancel, &records, fault);

    *out = (struct uex_run_record){0};
    if (foreign != NULL)
        *foreign = false;
    if (err != UEX_OK)
        goto done;
    entry = uex_run_records_find(&records, run_id);
    if (foreign != NULL)
        *foreign = entry != NULL && entry->is_foreign;
    if (entry == NULL)
        err = uex_fail(fault, UEX_NOT_FOUND, "topic %s has no run %s", config->topics_run, run_id);
    else if (entry->is_foreign)
        err = uex_fail(fault, UEX_NOT_FOUND, "run %s of topic %s is of another command topic than %s", run_id,
                       config->topics_run, config->topics_command);
    else if (uex_run_record_copy(&entry->record, out) != UEX_OK)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for run %s", run_id);
done:
    uex_run_records_clear(&records);
    return err;
}

enum uex_error uex_run_record_find(const struct uex_config *config, const char *run_id, int64_t wait_ms,
                                   const struct uex_cancel *cancel, struct uex_run_record *out, bool *foreign,
                                   struct uex_fault *fault)
{
    return find_record(config, run_id, false, wait_ms, cancel, out, foreign, fault);
}

enum uex_error uex_run_record_find_settled(const struct uex_config *config, const char *run_id, int64_t wait_ms,
                                           const struct uex_cancel *cancel, struct uex_run_record *out, bool *foreign,
                                           struct uex_fault *fault)
{
    return find_record(config, run_id, true, wait_ms, cancel, out, foreign, fault);
}
