/* SPDX-License-Identifier: Apache-2.0 */
/* dlq show. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/dlq/dlq.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "export/command.h"
#include "export/text.h"

#define HEX_BYTES_MAX 64
#define COLUMN 17

static bool is_text(struct uex_bytes bytes)
{
    return uex_utf8_valid(bytes) && (bytes.size_bytes == 0 || memchr(bytes.data, 0, bytes.size_bytes) == NULL);
}

static void append_hex(struct uex_buffer *out, struct uex_bytes bytes, size_t most)
{
    for (size_t i = 0; i < bytes.size_bytes && i < most; i++)
        uex_buffer_append_format(out, "%02x", bytes.data[i]);
    if (bytes.size_bytes > most)
        uex_buffer_append_text(out, "…");
}

/* Big-endian integers, as Spring's tools and this service write them; other bytes are not a number. */
static bool integer_of(const char *name, struct uex_bytes value, int64_t *out)
{
    uint64_t number = 0;

    if ((strncmp(name, "kafka_", 6) != 0 && strncmp(name, "retry_topic-", 12) != 0) ||
        (value.size_bytes != 4 && value.size_bytes != 8) ||
        (strstr(name, "-partition") == NULL && strstr(name, "-offset") == NULL && strstr(name, "timestamp") == NULL &&
         strstr(name, "-attempts") == NULL))
        return false;
    for (size_t i = 0; i < value.size_bytes; i++)
        number = number << 8 | value.data[i];
    *out = value.size_bytes == 4 ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number;
    return true;
}

/* ---- for people */

static void append_name(struct uex_buffer *out, const char *name)
{
    uex_buffer_append_text(out, "  ");
    uex_output_append_clean(out, name);
    for (size_t i = strlen(name); i < COLUMN; i++)
        uex_buffer_append_text(out, " ");
    uex_buffer_append_text(out, " ");
}

static void append_line(struct uex_buffer *out, const char *name, const char *text)
{
    append_name(out, name);
    uex_output_append_clean(out, text);
    uex_buffer_append_text(out, "\n");
}

static void append_bytes(struct uex_buffer *out, const char *name, struct uex_bytes bytes)
{
    int64_t number = 0;

    append_name(out, name);
    if (bytes.data == NULL) {
        uex_buffer_append_text(out, "null");
    } else if (integer_of(name, bytes, &number)) {
        uex_buffer_append_format(out, "%" PRId64, number);
    } else if (is_text(bytes)) {
        uex_output_append_clean(out, (const char *)bytes.data);
    } else {
        uex_buffer_append_format(out, "%zu bytes: ", bytes.size_bytes);
        append_hex(out, bytes, HEX_BYTES_MAX);
    }
    uex_buffer_append_text(out, "\n");
}

/* An Avro command is shown as JSON. */
static bool append_avro(struct uex_buffer *out, const struct uex_record *record, bool *is_avro)
{
    struct uex_command command = {0};
    enum uex_error err = UEX_OK;

    *is_avro = record->value.size_bytes > 2 && record->value.data[0] == 0xc3 && record->value.data[1] == 0x01;
    err = *is_avro ? uex_command_parse((struct uex_bytes){0}, record->value, &command, NULL) : UEX_NOT_FOUND;
    if (err == UEX_OK)
        uex_command_write_json(&command, out);
    else if (err == UEX_NO_MEMORY)
        out->failed = true;
    uex_command_clear(&command);
    return err == UEX_OK;
}

static void append_value(struct uex_buffer *out, const struct uex_record *record)
{
    struct uex_buffer json = {0};
    bool is_avro = false;

    if (append_avro(&json, record, &is_avro) && !uex_buffer_failed(&json))
        append_line(out, "value (Avro)", uex_buffer_text(&json));
    else
        append_bytes(out, "value", record->value);
    if (uex_buffer_failed(&json))
        out->failed = true;
    uex_buffer_clear(&json);
}

static void append_done(struct uex_buffer *out, const struct uex_dlq_done *done)
{
    char at[UEX_OUTPUT_TIME_SIZE];

    uex_output_time(done->at_ms, at);
    append_name(out, uex_dlq_action_text(done->action));
    uex_buffer_append_text(out, at);
    if (done->by[0] != 0) {
        uex_buffer_append_text(out, " by ");
        uex_output_append_clean(out, done->by);
    }
    if (done->action == UEX_DLQ_REPLAYED && done->command_id[0] != 0)
        uex_buffer_append_format(out, " as command %s", done->command_id);
    if (done->reason[0] != 0) {
        uex_buffer_append_text(out, ": ");
        uex_output_append_clean(out, done->reason);
    }
    uex_buffer_append_text(out, "\n");
}

/* What the database refuses, it refuses to exportctl export as well: that needs neither Kafka nor the store. A key with
 * characters that a shell knows is left to the reader. */
static void append_again(struct uex_buffer *out, const char *error_code, struct uex_bytes key)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *group_id = key.data != NULL && is_text(key) ? (const char *)key.data : "";

    if (strncmp(error_code, "database-", 9) != 0 && strcmp(error_code, uex_error_code(UEX_FORMULA_REJECTED)) != 0)
        return;
    if (group_id[0] == 0 || group_id[0] == '-' || group_id[strspn(group_id, plain)] != 0)
        group_id = "GROUP";
    append_name(out, "to see it again");
    uex_buffer_append_format(out, "exportctl export %s --output -\n", group_id);
}

static void show_text(const struct uex_record *record, const struct uex_dlq_done *done, size_t done_count,
                      struct uex_buffer *out)
{
    struct uex_dead_letter letter;
    char at[UEX_OUTPUT_TIME_SIZE];

    uex_dead_letter_read(record, &letter);
    uex_buffer_append_format(out, "%" PRId32 ":%" PRId64 "  %s\n", record->partition, record->offset,
                             done_count == 0 ? "open" : uex_dlq_action_text(done[done_count - 1].action));
    uex_output_time(record->timestamp_ms, at);
    append_line(out, "when", at);
    append_bytes(out, "group (key)", record->key);
    if (letter.command_id[0] != 0)
        append_line(out, "command", letter.command_id);
    if (letter.error_code[0] != 0)
        append_line(out, "error", letter.error_code);
    if (letter.error[0] != 0)
        append_line(out, "text", letter.error);
    append_again(out, letter.error_code, record->key);
    if (letter.attempts >= 0) {
        append_name(out, "attempts");
        uex_buffer_append_format(out, "%" PRId64 "\n", letter.attempts);
    }
    if (letter.has_origin) {
        uex_output_time(letter.origin.timestamp_ms, at);
        append_name(out, "command was at");
        uex_buffer_append_format(out, "%s %" PRId32 ":%" PRId64 ", %s\n", letter.origin.topic, letter.origin.partition,
                                 letter.origin.offset, at);
    }
    append_value(out, record);
    for (size_t i = 0; i < done_count; i++)
        append_done(out, &done[i]);
    uex_buffer_append_text(out, "  headers\n");
    for (size_t i = 0; i < record->header_count; i++) {
        uex_buffer_append_text(out, "  ");
        append_bytes(out, record->headers[i].name, record->headers[i].value);
    }
}

/* ---- for scripts */

/* Text; or null, and the bytes in hex under another name. */
static void json_bytes(struct uex_buffer *out, const char *name, struct uex_bytes bytes)
{
    bool text = bytes.data != NULL && is_text(bytes);

    uex_buffer_append_format(out, "\"%s\": ", name);
    if (text)
        uex_buffer_append_json_bytes(out, bytes);
    else
        uex_buffer_append_text(out, "null");
    if (bytes.data == NULL || text)
        return;
    uex_buffer_append_format(out, ", \"%sHex\": \"", name);
    append_hex(out, bytes, SIZE_MAX);
    uex_buffer_append_text(out, "\"");
}

static void json_text(struct uex_buffer *out, const char *name, const char *text)
{
    uex_buffer_append_format(out, "\"%s\": ", name);
    uex_buffer_append_json(out, text == NULL || text[0] == 0 ? NULL : text);
}

static void json_headers(struct uex_buffer *out, const struct uex_record *record)
{
    int64_t number = 0;

    uex_buffer_append_text(out, "\"headers\": [");
    for (size_t i = 0; i < record->header_count; i++) {
        const struct uex_record_header *header = &record->headers[i];

        uex_buffer_append_text(out, i == 0 ? "{" : ", {");
        json_bytes(out, "name", uex_bytes_of_text(header->name));
        uex_buffer_append_text(out, ", ");
        if (header->value.data != NULL && integer_of(header->name, header->value, &number))
            uex_buffer_append_format(out, "\"value\": %" PRId64, number);
        else
            json_bytes(out, "value", header->value);
        uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_text(out, "]");
}

static void json_history(struct uex_buffer *out, const struct uex_dlq_done *done, size_t done_count)
{
    char at[UEX_TIME_TEXT_SIZE];

    uex_buffer_append_text(out, "\"history\": [");
    for (size_t i = 0; i < done_count; i++) {
        uex_time_format(done[i].at_ms, at);
        uex_buffer_append_text(out, i == 0 ? "{" : ", {");
        json_text(out, "action", uex_dlq_action_text(done[i].action));
        uex_buffer_append_text(out, ", ");
        json_text(out, "at", at);
        uex_buffer_append_text(out, ", ");
        json_text(out, "by", done[i].by);
        uex_buffer_append_text(out, ", ");
        json_text(out, "reason", done[i].reason);
        uex_buffer_append_text(out, ", ");
        json_text(out, "commandId", done[i].command_id);
        uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_text(out, "]");
}

static void json_origin(struct uex_buffer *out, const struct uex_dead_letter *letter)
{
    char at[UEX_TIME_TEXT_SIZE];

    if (!letter->has_origin) {
        uex_buffer_append_text(out, "\"original\": null");
        return;
    }
    uex_time_format(letter->origin.timestamp_ms, at);
    uex_buffer_append_text(out, "\"original\": {");
    json_text(out, "topic", letter->origin.topic);
    uex_buffer_append_format(out, ", \"partition\": %" PRId32 ", \"offset\": %" PRId64 ", ", letter->origin.partition,
                             letter->origin.offset);
    json_text(out, "at", at);
    uex_buffer_append_text(out, "}");
}

static void show_json(const struct uex_record *record, const struct uex_dlq_done *done, size_t done_count,
                      struct uex_buffer *out)
{
    struct uex_dead_letter letter;
    char at[UEX_TIME_TEXT_SIZE], attempts[24] = "null";

    uex_dead_letter_read(record, &letter);
    uex_time_format(record->timestamp_ms, at);
    if (letter.attempts >= 0)
        snprintf(attempts, sizeof(attempts), "%" PRId64, letter.attempts);
    uex_buffer_append_format(
        out, "{\"place\": \"%" PRId32 ":%" PRId64 "\", \"partition\": %" PRId32 ", \"offset\": %" PRId64 ", ",
        record->partition, record->offset, record->partition, record->offset);
    json_text(out, "at", at);
    uex_buffer_append_text(out, ", ");
    json_text(out, "state", done_count == 0 ? "open" : uex_dlq_action_text(done[done_count - 1].action));
    uex_buffer_append_text(out, ", ");
    json_text(out, "groupId", uex_dlq_group(record));
    uex_buffer_append_text(out, ", ");
    json_text(out, "commandId", letter.command_id);
    uex_buffer_append_text(out, ", ");
    json_text(out, "errorCode", letter.error_code);
    uex_buffer_append_text(out, ", ");
    json_text(out, "error", letter.error);
    uex_buffer_append_format(out, ", \"attempts\": %s, ", attempts);
    json_origin(out, &letter);
    uex_buffer_append_text(out, ", ");
    json_bytes(out, "key", record->key);
    uex_buffer_append_text(out, ", ");
    json_bytes(out, "value", record->value);
    uex_buffer_append_text(out, ", ");
    json_history(out, done, done_count);
    uex_buffer_append_text(out, ", ");
    json_headers(out, record);
    uex_buffer_append_text(out, "}");
}

static bool print_letters(struct uex_dlq_letters *letters, enum uex_output format)
{
    struct uex_buffer out = {0};
    bool printed = true;

    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "[");
    for (size_t i = 0; i < letters->count && printed && !uex_output_closed(); i++) {
        const struct uex_record *record = letters->items[i];
        size_t count = 0;
        const struct uex_dlq_done *done =
            uex_dlq_marks_find(&letters->marks, record->partition, record->offset, &count);

        if (format == UEX_OUTPUT_JSON)
            uex_buffer_append_text(&out, i == 0 ? "\n" : ",\n");
        else if (i > 0)
            uex_buffer_append_text(&out, "\n");
        if (format == UEX_OUTPUT_JSON)
            show_json(record, done, count, &out);
        else
            show_text(record, done, count, &out);
        printed = uex_output_print(&out);
        uex_buffer_reset(&out);
    }
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, letters->count == 0 ? "]\n" : "\n]\n");
    printed = printed && uex_output_print(&out);
    uex_buffer_clear(&out);
    return printed;
}

int uex_dlq_show_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_dlq_filter filter = {0};
    struct uex_dlq_letters letters = {.filter = &filter};
    struct uex_fault fault = {0};
    int code = UEX_EXIT_USAGE;
    enum uex_error err = UEX_OK;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_dlq_filter_make(operand_count, operands, true, &filter) != UEX_OK)
        goto done;
    err = uex_dlq_collect(config, &letters, &fault);
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    else
        code = print_letters(&letters, format) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    if (err == UEX_OK && uex_dlq_filter_report_missing(&filter))
        code = UEX_EXIT_FAILED;
    else if (err == UEX_OK && letters.count == 0 && format == UEX_OUTPUT_TABLE)
        uex_output_error("no dead letter matches");
done:
    uex_dlq_letters_clear(&letters);
    uex_dlq_filter_clear(&filter);
    return code;
}
