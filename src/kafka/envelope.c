/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/envelope.h"

#include <inttypes.h>
#include <stdio.h>

#include "kafka/record.h"

#define TOPIC_NAME_MAX_BYTES 249

/* The headers that are read, or that are ours. Their kinds: uex_header_kind(). */
enum known {
    COMMAND_ID,
    ERROR_CODE,
    ERROR_TEXT,
    ATTEMPTS_MADE,
    RETRY_ATTEMPTS,
    RETRY_TIMESTAMP,
    RETRY_DUE,
    ORIGINAL_TOPIC,
    ORIGINAL_PARTITION,
    ORIGINAL_OFFSET,
    ORIGINAL_TIMESTAMP,
    DLT_TOPIC,
    DLT_PARTITION,
    DLT_OFFSET,
    DLT_TIMESTAMP,
    DLT_MESSAGE,
    TRACE,
    KNOWN_COUNT
};

static const struct {
    const char *name;
    enum uex_header_kind kind;
} known_headers[KNOWN_COUNT] = {
    [COMMAND_ID] = {UEX_HEADER_COMMAND_ID, UEX_HEADER_OURS}, /* every builder writes it */
    [ERROR_CODE] = {UEX_HEADER_ERROR_CODE, UEX_HEADER_OURS_AND_KEPT},
    [ERROR_TEXT] = {UEX_HEADER_ERROR, UEX_HEADER_OURS_AND_KEPT},
    [ATTEMPTS_MADE] = {UEX_HEADER_ATTEMPTS_MADE, UEX_HEADER_OURS_AND_KEPT},
    [RETRY_ATTEMPTS] = {UEX_HEADER_RETRY_ATTEMPTS, UEX_HEADER_OURS_AND_KEPT},
    [RETRY_TIMESTAMP] = {UEX_HEADER_RETRY_TIMESTAMP, UEX_HEADER_OURS_AND_KEPT},
    [RETRY_DUE] = {UEX_HEADER_RETRY_DUE, UEX_HEADER_OURS_AND_KEPT},
    [ORIGINAL_TOPIC] = {UEX_HEADER_ORIGINAL_TOPIC, UEX_HEADER_OURS},
    [ORIGINAL_PARTITION] = {UEX_HEADER_ORIGINAL_PARTITION, UEX_HEADER_OURS},
    [ORIGINAL_OFFSET] = {UEX_HEADER_ORIGINAL_OFFSET, UEX_HEADER_OURS},
    [ORIGINAL_TIMESTAMP] = {UEX_HEADER_ORIGINAL_TIMESTAMP, UEX_HEADER_OURS},
    [DLT_TOPIC] = {UEX_HEADER_DLT_TOPIC, UEX_HEADER_OURS},
    [DLT_PARTITION] = {UEX_HEADER_DLT_PARTITION, UEX_HEADER_OURS},
    [DLT_OFFSET] = {UEX_HEADER_DLT_OFFSET, UEX_HEADER_OURS},
    [DLT_TIMESTAMP] = {UEX_HEADER_DLT_TIMESTAMP, UEX_HEADER_OURS},
    [DLT_MESSAGE] = {UEX_HEADER_DLT_MESSAGE, UEX_HEADER_OURS},
    [TRACE] = {UEX_HEADER_TRACE, UEX_HEADER_FOREIGN},
};

/* The values of the known headers; data is NULL where there is none. */
struct values {
    struct uex_bytes of[KNOWN_COUNT];
    bool is_there[KNOWN_COUNT];
};

static size_t find_known(const char *name)
{
    size_t i = 0;

    while (i < KNOWN_COUNT && strcmp(known_headers[i].name, name) != 0)
        i++;
    return i;
}

enum uex_header_kind uex_header_kind(const char *name)
{
    const size_t known = find_known(name);

    return known == KNOWN_COUNT ? UEX_HEADER_FOREIGN : known_headers[known].kind;
}

/* Java's ByteBuffer.putInt/putLong and BigInteger.toByteArray: big-endian, two's complement. */
static int64_t big_endian(struct uex_bytes bytes)
{
    uint64_t value = bytes.size_bytes > 0 && (bytes.data[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < bytes.size_bytes; i++)
        value = value << 8 | bytes.data[i];
    return (int64_t)value;
}

static bool read_integer(struct uex_bytes value, size_t least_bytes, size_t most_bytes, int64_t *out)
{
    if (value.data == NULL || value.size_bytes < least_bytes || value.size_bytes > most_bytes)
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

/* The four headers of a place, from its topic on, of the right form; otherwise `origin` stays as it is. */
static void read_place(const struct uex_bytes place[4], struct uex_origin *origin)
{
    int64_t partition = 0, offset = 0, timestamp_ms = 0;

    if (!topic_name_valid(place[0]) || !read_integer(place[1], 4, 4, &partition) || partition < 0 ||
        !read_integer(place[2], 8, 8, &offset) || offset < 0 || !read_integer(place[3], 8, 8, &timestamp_ms))
        return;
    *origin = (struct uex_origin){.topic = (const char *)place[0].data,
                                  .partition = (int32_t)partition,
                                  .offset = offset,
                                  .timestamp_ms = timestamp_ms};
}

/* Does export-attempts agree? This service always writes it beside retry_topic-attempts. */
static bool is_own_attempt(struct uex_bytes made, int64_t attempt)
{
    char expected[24];

    (void)snprintf(expected, sizeof(expected), "%" PRId64, attempt - 1);
    return made.data != NULL && made.size_bytes == strlen(expected) &&
           memcmp(made.data, expected, made.size_bytes) == 0;
}

static int32_t read_attempt(const struct values *values, bool in_retry_topic)
{
    const struct uex_bytes value = values->of[RETRY_ATTEMPTS];
    int64_t attempt = 1;

    if (value.data == NULL)
        return 1;
    if (value.size_bytes == 1) /* an old Spring wrote one unsigned byte */
        attempt = value.data[0];
    else if (value.size_bytes == 4)
        attempt = big_endian(value);
    if (attempt < 1 || (!in_retry_topic && !is_own_attempt(values->of[ATTEMPTS_MADE], attempt)))
        return 1;
    return attempt > UEX_ATTEMPT_MAX ? UEX_ATTEMPT_MAX : (int32_t)attempt;
}

void uex_envelope_read(struct uex_record *record, const char *command_topic)
{
    const bool in_retry_topic = command_topic != NULL && strcmp(record->topic, command_topic) != 0;
    struct uex_envelope *envelope = &record->envelope;
    struct values values = {0};

    for (size_t i = 0; i < record->header_count; i++) {
        const size_t known = find_known(record->headers[i].name);

        if (known == KNOWN_COUNT)
            continue;
        values.of[known] = record->headers[i].value;
        values.is_there[known] = true;
    }
    *envelope = (struct uex_envelope){.origin = {.topic = record->topic,
                                                 .partition = record->partition,
                                                 .offset = record->offset,
                                                 .timestamp_ms = record->timestamp_ms},
                                      .attempt = 1,
                                      .due_ms = UEX_NO_TIME,
                                      .first_attempt_ms = UEX_NO_TIME,
                                      .error_code = values.of[ERROR_CODE],
                                      .error = values.of[ERROR_TEXT],
                                      .attempts_made = values.of[ATTEMPTS_MADE],
                                      .has_traceparent = values.is_there[TRACE],
                                      .traceparent = values.of[TRACE]};
    for (size_t known = DLT_TOPIC; known <= DLT_MESSAGE; known++)
        envelope->is_replay = envelope->is_replay || values.is_there[known];
    envelope->has_trace = uex_trace_parent_parse(values.of[TRACE], &envelope->trace);
    read_place(&values.of[DLT_TOPIC], &envelope->dead_letter_origin);
    if (values.of[COMMAND_ID].data == NULL || !uex_uuid_parse((const char *)values.of[COMMAND_ID].data,
                                                              values.of[COMMAND_ID].size_bytes, envelope->command_id))
        envelope->command_id[0] = 0;
    if (envelope->is_replay)
        return;
    if (in_retry_topic)
        read_place(&values.of[ORIGINAL_TOPIC], &envelope->origin);
    envelope->attempt = read_attempt(&values, in_retry_topic);
    (void)read_integer(values.of[RETRY_DUE], 1, 8, &envelope->due_ms);
    (void)read_integer(values.of[RETRY_TIMESTAMP], 1, 8, &envelope->first_attempt_ms);
}
