/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/dead_letter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/text.h"

static const char *const action_texts[] = {[UEX_DLQ_REPLAYED] = "replayed", [UEX_DLQ_DISCARDED] = "discarded"};

const char *uex_dlq_action_text(enum uex_dlq_action action)
{
    return action_texts[action];
}

/* A header's value as text; "" if it is absent, or holds a zero byte or something else than UTF-8. */
static const char *as_text(struct uex_bytes value)
{
    if (value.data == NULL || memchr(value.data, 0, value.size_bytes) != NULL || !uex_utf8_valid(value))
        return "";
    return (const char *)value.data;
}

static const char *text_of(const struct uex_record *record, const char *name)
{
    struct uex_bytes value = {0};

    return uex_record_header(record, name, &value) ? as_text(value) : "";
}

static bool read_number(const char *text, char end, int64_t most, int64_t *out, const char **after)
{
    char *stop = NULL;

    errno = 0;
    *out = strtoll(text, &stop, 10);
    if (after != NULL)
        *after = stop;
    return text[0] >= '0' && text[0] <= '9' && errno == 0 && *stop == end && *out <= most;
}

bool uex_dlq_mark_read(const struct uex_record *record, struct uex_dlq_mark *out)
{
    const char *of = text_of(record, UEX_HEADER_MARK_OF), *action = text_of(record, UEX_HEADER_MARK_ACTION);
    const char *at = text_of(record, UEX_HEADER_MARK_AT), *second = NULL;
    int64_t partition = 0;

    *out = (struct uex_dlq_mark){.at_ms = UEX_NO_TIME, .action = UEX_DLQ_ACTION_COUNT};
    /* A mark that was copied as a command and dead-lettered is a dead letter. */
    if (record->value.data != NULL || record->envelope.is_replay ||
        !read_number(of, ':', INT32_MAX, &partition, &second) ||
        !read_number(second + 1, 0, INT64_MAX, &out->offset, NULL) || partition != record->partition ||
        out->offset >= record->offset)
        return false;
    for (int i = 0; i < UEX_DLQ_ACTION_COUNT; i++)
        if (strcmp(action, action_texts[i]) == 0)
            out->action = (enum uex_dlq_action)i;
    out->partition = (int32_t)partition;
    out->by = text_of(record, UEX_HEADER_MARK_BY);
    out->reason = text_of(record, UEX_HEADER_MARK_REASON);
    if (!uex_time_parse(at, strlen(at), &out->at_ms))
        out->at_ms = UEX_NO_TIME;
    memcpy(out->command_id, record->envelope.command_id, sizeof(out->command_id));
    return out->action != UEX_DLQ_ACTION_COUNT;
}

static void add_header(rd_kafka_headers_t **headers, const char *name, struct uex_bytes value)
{
    if (*headers == NULL ||
        rd_kafka_header_add(*headers, name, -1, value.data, (ssize_t)value.size_bytes) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    rd_kafka_headers_destroy(*headers);
    *headers = NULL;
}

static void add_text(rd_kafka_headers_t **headers, const char *name, const char *text)
{
    if (text != NULL && text[0] != 0)
        add_header(headers, name, uex_bytes_of_text(text));
}

rd_kafka_headers_t *uex_dlq_mark_headers(const struct uex_dlq_mark *mark)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
    char of[40], at[UEX_TIME_TEXT_SIZE];

    snprintf(of, sizeof(of), "%" PRId32 ":%" PRId64, mark->partition, mark->offset);
    uex_time_format(mark->at_ms, at);
    add_text(&headers, UEX_HEADER_MARK_OF, of);
    add_text(&headers, UEX_HEADER_MARK_ACTION, action_texts[mark->action]);
    add_text(&headers, UEX_HEADER_MARK_BY, mark->by);
    add_text(&headers, UEX_HEADER_MARK_AT, at);
    add_text(&headers, UEX_HEADER_MARK_REASON, mark->reason);
    add_text(&headers, UEX_HEADER_COMMAND_ID, mark->command_id);
    return headers;
}

void uex_dead_letter_read(const struct uex_record *record, struct uex_dead_letter *out)
{
    const struct uex_envelope *envelope = &record->envelope;

    *out = (struct uex_dead_letter){.error_code = as_text(envelope->error_code), .error = as_text(envelope->error)};
    if (!read_number(as_text(envelope->attempts_made), 0, INT32_MAX, &out->attempts, NULL))
        out->attempts = -1;
    memcpy(out->command_id, envelope->command_id, sizeof(out->command_id));
    out->origin = envelope->dead_letter_origin;
    out->has_origin = out->origin.topic != NULL;
}

static bool is_added(const char *name)
{
    static const char *const prefixes[] = {"kafka_dlt-", "kafka_original-", "retry_topic-", "export-dlq-"};
    static const char *const names[] = {UEX_HEADER_COMMAND_ID, UEX_HEADER_ERROR_CODE, UEX_HEADER_ERROR,
                                        UEX_HEADER_ATTEMPTS_MADE};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

rd_kafka_headers_t *uex_headers_replay(const struct uex_record *record, const char *command_id)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count + 1);

    for (size_t i = 0; i < record->header_count; i++)
        if (!is_added(record->headers[i].name))
            add_header(&headers, record->headers[i].name, record->headers[i].value);
    add_text(&headers, UEX_HEADER_COMMAND_ID, command_id);
    return headers;
}
