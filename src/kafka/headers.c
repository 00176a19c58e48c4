/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/headers.h"

#include <inttypes.h>
#include <stdio.h>

/* Headers under construction: a failed step is remembered, so that a run of them is checked once. */
struct builder {
    rd_kafka_headers_t *headers;
    bool failed;
};

static void add_bytes(struct builder *builder, const char *name, struct uex_bytes value)
{
    if (builder->headers == NULL || rd_kafka_header_add(builder->headers, name, -1, value.data,
                                                        (ssize_t)value.size_bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
        builder->failed = true;
}

static void add_text(struct builder *builder, const char *name, const char *text)
{
    if (text != NULL)
        add_bytes(builder, name, uex_bytes_of_text(text));
}

static void add_number_text(struct builder *builder, const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    add_text(builder, name, text);
}

static void add_integer(struct builder *builder, const char *name, int64_t value, size_t size_bytes)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * (size_bytes - 1 - i)));
    add_bytes(builder, name, uex_bytes_of(bytes, size_bytes));
}

static rd_kafka_headers_t *take_headers(struct builder *builder)
{
    if (builder->failed && builder->headers != NULL) {
        rd_kafka_headers_destroy(builder->headers);
        builder->headers = NULL;
    }
    return builder->headers;
}

/* The record's headers without ours, in order. A reroute keeps some of ours where they are, unless the record starts
 * afresh. */
static struct builder begin_from(const struct uex_record *record, bool is_move, const char *command_id)
{
    struct builder builder = {.headers = rd_kafka_headers_new(record->header_count + 12)};
    const bool keeps_ours = is_move && !record->envelope.is_replay;

    for (size_t i = 0; i < record->header_count; i++) {
        const struct uex_record_header *header = &record->headers[i];
        const enum uex_header_kind kind = uex_header_kind(header->name);

        if (kind == UEX_HEADER_FOREIGN || (keeps_ours && kind == UEX_HEADER_OURS_AND_KEPT))
            add_bytes(&builder, header->name, header->value);
    }
    if (command_id != NULL && command_id[0] != 0)
        add_text(&builder, UEX_HEADER_COMMAND_ID, command_id);
    return builder;
}

rd_kafka_headers_t *uex_headers_move(const struct uex_record *record, const char *command_id)
{
    struct builder builder = begin_from(record, true, command_id);

    return take_headers(&builder);
}

static void add_error(struct builder *builder, const char *error_code, const char *error_text, int32_t attempts_made)
{
    add_text(builder, UEX_HEADER_ERROR_CODE, error_code);
    add_text(builder, UEX_HEADER_ERROR, error_text);
    add_number_text(builder, UEX_HEADER_ATTEMPTS_MADE, attempts_made > 0 ? (uint64_t)attempts_made : 0);
}

rd_kafka_headers_t *uex_headers_retry(const struct uex_record *record, const struct uex_origin *origin,
                                      const char *command_id, int32_t next_attempt, int64_t due_ms,
                                      const char *error_code, const char *error_text)
{
    struct builder builder = begin_from(record, false, command_id);
    int64_t first_ms = origin->timestamp_ms;

    /* The first attempt's time stays the same over all attempts. A first attempt with such a header has it from another
     * application. */
    if (next_attempt > 2 && record->envelope.first_attempt_ms != UEX_NO_TIME)
        first_ms = record->envelope.first_attempt_ms;
    add_integer(&builder, UEX_HEADER_RETRY_TIMESTAMP, first_ms, 8);
    add_integer(&builder, UEX_HEADER_RETRY_ATTEMPTS, next_attempt, 4);
    add_integer(&builder, UEX_HEADER_RETRY_DUE, due_ms, 8);
    add_text(&builder, UEX_HEADER_ORIGINAL_TOPIC, origin->topic);
    add_integer(&builder, UEX_HEADER_ORIGINAL_PARTITION, origin->partition, 4);
    add_integer(&builder, UEX_HEADER_ORIGINAL_OFFSET, origin->offset, 8);
    add_integer(&builder, UEX_HEADER_ORIGINAL_TIMESTAMP, origin->timestamp_ms, 8);
    add_error(&builder, error_code, error_text, next_attempt - 1);
    return take_headers(&builder);
}

rd_kafka_headers_t *uex_headers_dead_letter(const struct uex_record *record, const struct uex_origin *origin,
                                            const char *command_id, const char *error_code, const char *error_text,
                                            int32_t attempts_made)
{
    struct builder builder = begin_from(record, false, command_id);

    add_text(&builder, UEX_HEADER_DLT_TOPIC, origin->topic);
    add_integer(&builder, UEX_HEADER_DLT_PARTITION, origin->partition, 4);
    add_integer(&builder, UEX_HEADER_DLT_OFFSET, origin->offset, 8);
    add_integer(&builder, UEX_HEADER_DLT_TIMESTAMP, origin->timestamp_ms, 8);
    add_text(&builder, UEX_HEADER_DLT_MESSAGE, error_text);
    add_error(&builder, error_code, error_text, attempts_made);
    return take_headers(&builder);
}

rd_kafka_headers_t *uex_headers_result(const struct uex_record *record, const struct uex_result_facts *facts)
{
    struct builder builder = {.headers = rd_kafka_headers_new(10)};
    char text[UEX_SHA256_HEX_SIZE];

    add_text(&builder, UEX_HEADER_COMMAND_ID, facts->command_id);
    add_text(&builder, UEX_HEADER_RUN_ID, facts->run_id == NULL ? "" : facts->run_id);
    add_text(&builder, UEX_HEADER_VERSION, facts->version);
    if (facts->layout != NULL && facts->layout[0] != 0)
        add_text(&builder, UEX_HEADER_LAYOUT, facts->layout);
    if (facts->row_count != UEX_UNKNOWN)
        add_number_text(&builder, UEX_HEADER_ROW_COUNT, facts->row_count);
    if (facts->snapshot_at_ms != UEX_NO_TIME) {
        uex_time_format(facts->snapshot_at_ms, text);
        add_text(&builder, UEX_HEADER_SNAPSHOT_AT, text);
    }
    add_number_text(&builder, UEX_HEADER_PART, facts->part);
    add_number_text(&builder, UEX_HEADER_PART_COUNT, facts->part_count);
    if (facts->is_file && facts->format != NULL)
        add_text(&builder, UEX_HEADER_FORMAT, facts->format);
    if (facts->is_file && facts->byte_count != UEX_UNKNOWN)
        add_number_text(&builder, UEX_HEADER_BYTE_COUNT, facts->byte_count);
    if (facts->is_file && facts->sha256 != NULL) {
        uex_hex(facts->sha256, UEX_SHA256_SIZE, text);
        add_text(&builder, UEX_HEADER_SHA256, text);
    }
    add_text(&builder, UEX_HEADER_REASON, facts->reason);
    if (record != NULL && record->envelope.has_traceparent)
        add_bytes(&builder, UEX_HEADER_TRACE, record->envelope.traceparent);
    return take_headers(&builder);
}
