/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/record.h"

#include <stdlib.h>

/* The copy is one block: the public struct first, its headers' array behind it, then all bytes. */
struct record_block {
    struct uex_record record;
    size_t size_bytes;
    struct uex_record_header headers[];
};

static size_t header_bytes(const rd_kafka_headers_t *headers, size_t *count)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size_bytes = 0, total_bytes = 0;

    for (*count = 0; rd_kafka_header_get_all(headers, *count, &name, &value, &size_bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++*count)
        total_bytes += strlen(name) + 1 + size_bytes + 1;
    return total_bytes;
}

/* Append bytes and one zero byte at `*at`; absent bytes stay absent. */
static struct uex_bytes keep_bytes(uint8_t **at, const void *data, size_t size_bytes)
{
    uint8_t *start = *at;

    if (data == NULL)
        return (struct uex_bytes){0};
    if (size_bytes > 0)
        memcpy(start, data, size_bytes);
    start[size_bytes] = 0;
    *at += size_bytes + 1;
    return uex_bytes_of(start, size_bytes);
}

static void keep_headers(struct record_block *block, const rd_kafka_headers_t *headers, size_t count, uint8_t **at)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size_bytes = 0;

        if (rd_kafka_header_get_all(headers, i, &name, &value, &size_bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        block->headers[i].name = (const char *)keep_bytes(at, name, strlen(name)).data;
        block->headers[i].value = keep_bytes(at, value, size_bytes);
        block->record.header_count = i + 1;
    }
    block->record.headers = block->headers;
}

struct uex_record *uex_record_copy(const rd_kafka_message_t *message, const char *command_topic)
{
    const char *topic = message->rkt == NULL ? "" : rd_kafka_topic_name(message->rkt);
    rd_kafka_headers_t *headers = NULL;
    size_t count = 0;
    size_t bytes = strlen(topic) + 1 + message->key_len + 1 + message->len + 1;
    struct record_block *block = NULL;
    uint8_t *at = NULL;

    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        bytes += header_bytes(headers, &count);
    bytes += sizeof(*block) + count * sizeof(block->headers[0]);
    block = calloc(1, bytes);
    if (block == NULL)
        return NULL;
    block->size_bytes = bytes;
    at = (uint8_t *)&block->headers[count];
    block->record.topic = (const char *)keep_bytes(&at, topic, strlen(topic)).data;
    block->record.partition = message->partition;
    block->record.offset = message->offset;
    block->record.timestamp_ms = rd_kafka_message_timestamp(message, NULL);
    block->record.key = keep_bytes(&at, message->key, message->key_len);
    block->record.value = keep_bytes(&at, message->payload, message->len);
    keep_headers(block, headers, count, &at);
    uex_envelope_read(&block->record, command_topic);
    return &block->record;
}

void uex_record_free(struct uex_record *record)
{
    free(record); /* the first member of its block */
}

size_t uex_record_size_bytes(const struct uex_record *record)
{
    return record == NULL ? 0 : ((const struct record_block *)record)->size_bytes;
}

bool uex_record_header(const struct uex_record *record, const char *name, struct uex_bytes *out)
{
    *out = (struct uex_bytes){0};
    for (size_t i = record->header_count; i > 0; i--) {
        if (strcmp(record->headers[i - 1].name, name) == 0) {
            *out = record->headers[i - 1].value;
            return true;
        }
    }
    return false;
}
