/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/headers.h"

#include <inttypes.h>
#include <stdio.h>

#include "export/columns.h"

#define TOPIC_NAME_MAX_BYTES 249

/* Ours among a command's headers, and what becomes of each when the record is moved within the command topic. */
static const struct {
    const char *name;
    bool is_dlt;          /* its presence says that the record was replayed */
    bool survives_a_move; /* of a record that does not start afresh */
} our_headers[] = {
    {UEX_HEADER_COMMAND_ID, false, false}, /* written anew by every builder */
    {UEX_HEADER_ERROR_CODE, false, true},       {UEX_HEADER_ERROR, false, true},
    {UEX_HEADER_ATTEMPTS_MADE, false, true},    {UEX_HEADER_RETRY_ATTEMPTS, false, true},
    {UEX_HEADER_RETRY_TIMESTAMP, false, true},  {UEX_HEADER_RETRY_DUE, false, true},
    {UEX_HEADER_ORIGINAL_TOPIC, false, false},  {UEX_HEADER_ORIGINAL_PARTITION, false, false},
    {UEX_HEADER_ORIGINAL_OFFSET, false, false}, {UEX_HEADER_ORIGINAL_TIMESTAMP, false, false},
    {UEX_HEADER_DLT_TOPIC, true, false},        {UEX_HEADER_DLT_PARTITION, true, false},
    {UEX_HEADER_DLT_OFFSET, true, false},       {UEX_HEADER_DLT_TIMESTAMP, true, false},
    {UEX_HEADER_DLT_MESSAGE, true, false},
};

#define OUR_HEADER_COUNT (sizeof(our_headers) / sizeof(our_headers[0]))

static size_t our_header(const char *name)
{
    size_t i = 0;

    while (i < OUR_HEADER_COUNT && strcmp(our_headers[i].name, name) != 0)
        i++;
    return i;
}

/* Java's ByteBuffer.putInt/putLong and BigInteger.toByteArray: big-endian, two's complement. */
static int64_t big_endian(struct uex_bytes bytes)
{
    uint64_t value = bytes.size_bytes > 0 && (bytes.data[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes.size_bytes; i++)
        value = value << 8 | bytes.data[i];
    return (int64_t)value;
}

static bool integer_header(const struct uex_record *record, const char *name, size_t least_bytes, size_t most_bytes,
                           int64_t *out)
{
    struct uex_bytes value = {0};

    if (!uex_record_header(record, name, &value) || value.data == NULL || value.size_bytes < least_bytes ||
        value.size_bytes > most_bytes)
        return false;
    *out = big_endian(value);
    return true;
}

static bool topic_name_valid(struct uex_bytes name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return name.data != NULL && name.size_bytes > 0 && name.size_bytes <= TOPIC_NAME_MAX_BYTES &&
           strspn((const char *)name.data, allowed) == name.size_bytes;
}

bool uex_record_is_replay(const struct uex_record *record)
{
    for (size_t i = 0; i < record->header_count; i++) {
        size_t ours = our_header(record->headers[i].name);

        if (ours < OUR_HEADER_COUNT && our_headers[ours].is_dlt)
            return true;
    }
    return false;
}

/* All four headers of a place, of the right form; otherwise `origin` stays as it is. */
static bool read_place(const struct uex_record *record, const char *const names[4], struct uex_origin *origin)
{
    struct uex_bytes topic = {0};
    int64_t partition = 0, offset = 0, timestamp_ms = 0;

    if (!uex_record_header(record, names[0], &topic) || !topic_name_valid(topic) ||
        !integer_header(record, names[1], 4, 4, &partition) || partition < 0 ||
        !integer_header(record, names[2], 8, 8, &offset) || offset < 0 ||
        !integer_header(record, names[3], 8, 8, &timestamp_ms))
        return false;
    *origin = (struct uex_origin){.topic = (const char *)topic.data,
                                  .partition = (int32_t)partition,
                                  .offset = offset,
                                  .timestamp_ms = timestamp_ms};
    return true;
}

void uex_record_origin(const struct uex_record *record, const char *command_topic, struct uex_origin *origin)
{
    static const char *const names[] = {UEX_HEADER_ORIGINAL_TOPIC, UEX_HEADER_ORIGINAL_PARTITION,
                                        UEX_HEADER_ORIGINAL_OFFSET, UEX_HEADER_ORIGINAL_TIMESTAMP};

    *origin = (struct uex_origin){.topic = record->topic,
                                  .partition = record->partition,
                                  .offset = record->offset,
                                  .timestamp_ms = record->timestamp_ms};
    if (strcmp(record->topic, command_topic) != 0 && !uex_record_is_replay(record))
        (void)read_place(record, names, origin);
}

bool uex_record_dead_letter_origin(const struct uex_record *record, struct uex_origin *origin)
{
    static const char *const names[] = {UEX_HEADER_DLT_TOPIC, UEX_HEADER_DLT_PARTITION, UEX_HEADER_DLT_OFFSET,
                                        UEX_HEADER_DLT_TIMESTAMP};

    return read_place(record, names, origin);
}

/* Does export-attempts, which this service always writes beside retry_topic-attempts, say the same? */
static bool is_own_attempt(const struct uex_record *record, int64_t attempt)
{
    struct uex_bytes made = {0};
    char expected[24];

    (void)snprintf(expected, sizeof(expected), "%" PRId64, attempt - 1);
    return uex_record_header(record, UEX_HEADER_ATTEMPTS_MADE, &made) && made.data != NULL &&
           made.size_bytes == strlen(expected) && memcmp(made.data, expected, made.size_bytes) == 0;
}

int32_t uex_record_attempt(const struct uex_record *record, const char *command_topic)
{
    struct uex_bytes value = {0};
    int64_t attempt = 1;

    if (uex_record_is_replay(record) || !uex_record_header(record, UEX_HEADER_RETRY_ATTEMPTS, &value) ||
        value.data == NULL)
        return 1;
    if (value.size_bytes == 1) /* an old Spring wrote one unsigned byte */
        attempt = value.data[0];
    else if (value.size_bytes == 4)
        attempt = big_endian(value);
    if (attempt < 1 || (strcmp(record->topic, command_topic) == 0 && !is_own_attempt(record, attempt)))
        return 1;
    return attempt > UEX_ATTEMPT_MAX ? UEX_ATTEMPT_MAX : (int32_t)attempt;
}

int64_t uex_record_due_ms(const struct uex_record *record)
{
    int64_t due_ms = 0;

    if (uex_record_is_replay(record) || !integer_header(record, UEX_HEADER_RETRY_DUE, 1, 8, &due_ms))
        return UEX_NO_TIME;
    return due_ms;
}

bool uex_record_command_id(const struct uex_record *record, char *out)
{
    struct uex_bytes value = {0};

    out[0] = 0;
    return uex_record_header(record, UEX_HEADER_COMMAND_ID, &value) && value.data != NULL &&
           uex_uuid_parse((const char *)value.data, value.size_bytes, out);
}

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

static rd_kafka_headers_t *finish(struct builder *builder)
{
    if (builder->failed && builder->headers != NULL) {
        rd_kafka_headers_destroy(builder->headers);
        builder->headers = NULL;
    }
    return builder->headers;
}

/* The record's headers without ours, in order; for a move those of ours that survive it stay where they are. */
static struct builder begin_from(const struct uex_record *record, bool is_move, const char *command_id)
{
    struct builder builder = {.headers = rd_kafka_headers_new(record->header_count + 12)};
    bool is_replay = uex_record_is_replay(record);

    for (size_t i = 0; i < record->header_count; i++) {
        const struct uex_record_header *header = &record->headers[i];
        size_t ours = our_header(header->name);

        if (ours == OUR_HEADER_COUNT || (is_move && !is_replay && our_headers[ours].survives_a_move))
            add_bytes(&builder, header->name, header->value);
    }
    if (command_id != NULL && command_id[0] != 0)
        add_text(&builder, UEX_HEADER_COMMAND_ID, command_id);
    return builder;
}

rd_kafka_headers_t *uex_headers_move(const struct uex_record *record, const char *command_id)
{
    struct builder builder = begin_from(record, true, command_id);

    return finish(&builder);
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
    if (next_attempt > 2 && !uex_record_is_replay(record) &&
        !integer_header(record, UEX_HEADER_RETRY_TIMESTAMP, 1, 8, &first_ms))
        first_ms = origin->timestamp_ms;
    add_integer(&builder, UEX_HEADER_RETRY_TIMESTAMP, first_ms, 8);
    add_integer(&builder, UEX_HEADER_RETRY_ATTEMPTS, next_attempt, 4);
    add_integer(&builder, UEX_HEADER_RETRY_DUE, due_ms, 8);
    add_text(&builder, UEX_HEADER_ORIGINAL_TOPIC, origin->topic);
    add_integer(&builder, UEX_HEADER_ORIGINAL_PARTITION, origin->partition, 4);
    add_integer(&builder, UEX_HEADER_ORIGINAL_OFFSET, origin->offset, 8);
    add_integer(&builder, UEX_HEADER_ORIGINAL_TIMESTAMP, origin->timestamp_ms, 8);
    add_error(&builder, error_code, error_text, next_attempt - 1);
    return finish(&builder);
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
    return finish(&builder);
}

rd_kafka_headers_t *uex_headers_result(const struct uex_record *record, const struct uex_result_facts *facts)
{
    struct builder builder = {.headers = rd_kafka_headers_new(10)};
    struct uex_bytes trace = {0};
    char text[UEX_SHA256_HEX_SIZE];

    add_text(&builder, UEX_HEADER_COMMAND_ID, facts->command_id);
    add_text(&builder, UEX_HEADER_RUN_ID, facts->run_id == NULL ? "" : facts->run_id);
    add_text(&builder, UEX_HEADER_VERSION, UEX_EXPORT_VERSION);
    if (facts->row_count != UEX_UNKNOWN)
        add_number_text(&builder, UEX_HEADER_ROW_COUNT, facts->row_count);
    if (facts->snapshot_at_ms != UEX_NO_TIME) {
        uex_time_format(facts->snapshot_at_ms, text);
        add_text(&builder, UEX_HEADER_SNAPSHOT_AT, text);
    }
    add_number_text(&builder, UEX_HEADER_PART, facts->part);
    add_number_text(&builder, UEX_HEADER_PART_COUNT, facts->part_count);
    if (facts->is_file && facts->byte_count != UEX_UNKNOWN)
        add_number_text(&builder, UEX_HEADER_BYTE_COUNT, facts->byte_count);
    if (facts->is_file && facts->sha256 != NULL) {
        uex_hex(facts->sha256, UEX_SHA256_SIZE, text);
        add_text(&builder, UEX_HEADER_SHA256, text);
    }
    if (record != NULL && uex_record_header(record, UEX_HEADER_TRACE, &trace))
        add_bytes(&builder, UEX_HEADER_TRACE, trace);
    return finish(&builder);
}
