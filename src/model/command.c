/* SPDX-License-Identifier: Apache-2.0 */
#include "model/command_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "export/command.h"
#include "export/text.h"
#include "model/json.h"

/* 0001-01-01T00:00:00Z and the last millisecond of 9999: what RFC 3339 can write. */
#define TIME_MIN_MS INT64_C(-62135596800000)
#define TIME_MAX_MS INT64_C(253402300799999)

/* What uex_command_parse() hands through the reader. */
struct parse {
    struct uex_bytes key;
    struct uex_command *command;
};

static enum uex_error copy_text(struct uex_bytes text, char **out, struct uex_fault *fault)
{
    *out = uex_text_copy(text.data == NULL ? uex_bytes_of_text("") : text);
    return *out != NULL ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "reading a command");
}

/* JSON text has been checked as a whole; Avro strings come as they are. */
static enum uex_error copy_free_text(const struct uex_command_fields *fields, enum uex_command_text field,
                                     size_t max_characters, char **out, struct uex_fault *fault)
{
    struct uex_bytes text = fields->texts[field];
    const char *name = uex_command_text_names[field];

    if (text.size_bytes > 0) {
        if (!uex_utf8_valid(text))
            return uex_fail(fault, UEX_MALFORMED, "%s is not valid UTF-8", name);
        if (memchr(text.data, '\0', text.size_bytes) != NULL)
            return uex_fail(fault, UEX_MALFORMED, "%s holds U+0000", name);
        if (uex_character_count(text) > max_characters)
            return uex_fail(fault, UEX_MALFORMED, "%s is longer than %zu characters", name, max_characters);
    }
    return copy_text(text, out, fault);
}

static enum uex_error parse_uuid(const struct uex_command_fields *fields, enum uex_command_text field, char *out,
                                 struct uex_fault *fault)
{
    struct uex_bytes text = fields->texts[field];

    if (text.data != NULL && !uex_uuid_parse((const char *)text.data, text.size_bytes, out))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a UUID", uex_command_text_names[field]);
    return UEX_OK;
}

static enum uex_error choose_group_id(struct uex_bytes key, struct uex_bytes value, char **out, struct uex_fault *fault)
{
    if (key.data == NULL && value.data == NULL)
        return uex_fail(fault, UEX_MALFORMED, "groupId is missing in value and key");
    if (key.data != NULL && !uex_group_id_valid(key))
        return uex_fail(fault, UEX_MALFORMED, "the key is not 1 to 255 bytes of UTF-8 without control characters");
    if (value.data != NULL && !uex_group_id_valid(value))
        return uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    if (key.data != NULL && value.data != NULL &&
        (key.size_bytes != value.size_bytes || memcmp(key.data, value.data, key.size_bytes) != 0))
        return uex_fail(fault, UEX_MALFORMED, "the key differs from groupId");
    return copy_text(value.data != NULL ? value : key, out, fault);
}

static enum uex_error fill_command(const struct uex_command_fields *fields, void *context, struct uex_fault *fault)
{
    struct parse *parse = context;
    struct uex_command *command = parse->command;
    enum uex_error error;

    error = choose_group_id(parse->key, fields->texts[UEX_COMMAND_GROUP_ID], &command->group_id, fault);
    if (error == UEX_OK)
        error = parse_uuid(fields, UEX_COMMAND_COMMAND_ID, command->command_id, fault);
    if (error == UEX_OK)
        error = copy_free_text(fields, UEX_COMMAND_RUN_ID, UEX_RUN_ID_MAX_CHARACTERS, &command->run_id, fault);
    if (error == UEX_OK)
        error = parse_uuid(fields, UEX_COMMAND_DOMAIN_ID, command->domain_id, fault);
    if (error == UEX_OK && fields->has_requested_at &&
        (fields->requested_at_ms < TIME_MIN_MS || fields->requested_at_ms > TIME_MAX_MS))
        error = uex_fail(fault, UEX_MALFORMED, UEX_COMMAND_TIME_NAME " is outside the years 1 to 9999");
    if (error == UEX_OK)
        error = copy_free_text(fields, UEX_COMMAND_REQUESTED_BY, UEX_FREE_TEXT_MAX_CHARACTERS, &command->requested_by,
                               fault);
    if (error == UEX_OK)
        error = copy_free_text(fields, UEX_COMMAND_REASON, UEX_FREE_TEXT_MAX_CHARACTERS, &command->reason, fault);
    if (error == UEX_OK)
        command->requested_at_ms = fields->has_requested_at ? fields->requested_at_ms : UEX_NO_TIME;
    return error;
}

enum uex_error uex_command_parse(struct uex_bytes key, struct uex_bytes value, struct uex_command *out,
                                 struct uex_fault *fault)
{
    struct parse parse = {.key = key, .command = out};

    *out = (struct uex_command){.requested_at_ms = UEX_NO_TIME};
    if (value.data == NULL)
        return uex_fail(fault, UEX_MALFORMED, "the value is null");
    if (value.size_bytes == 0)
        return uex_fail(fault, UEX_MALFORMED, "the value is empty");
    if (value.size_bytes > UEX_COMMAND_MAX_BYTES)
        return uex_fail(fault, UEX_MALFORMED, "the value is longer than %zu bytes", UEX_COMMAND_MAX_BYTES);
    if (uex_command_is_avro(value))
        return uex_command_read_avro(value, fill_command, &parse, fault);
    return uex_command_read_json(value, fill_command, &parse, fault);
}

/* On the stack: an id must not depend on whether memory was there. The longest names have 255 bytes of group, 256 of
 * run or 249 of topic. */
#define ID_NAME_SIZE 2048

static void name_id(const char *name, int length, char *out)
{
    uex_uuid_named(name, length < ID_NAME_SIZE ? (size_t)length : ID_NAME_SIZE - 1, out);
}

void uex_command_id_of_record(const char *cluster_id, const char *topic, int32_t partition, int64_t offset,
                              int64_t timestamp_ms, char *out)
{
    char name[ID_NAME_SIZE];

    name_id(name,
            snprintf(name, sizeof name, "record/%s/%s/%" PRId32 "/%" PRId64 "/%" PRId64, cluster_id, topic, partition,
                     offset, timestamp_ms),
            out);
}

void uex_command_id_of_schedule(const char *run_id, const char *group_id, char *out)
{
    char name[ID_NAME_SIZE];

    name_id(name, snprintf(name, sizeof name, "schedule/%s/%s", run_id, group_id), out);
}

void uex_command_clear(struct uex_command *command)
{
    if (command == NULL)
        return;
    free(command->group_id);
    free(command->run_id);
    free(command->requested_by);
    free(command->reason);
    *command = (struct uex_command){.requested_at_ms = UEX_NO_TIME};
}

enum uex_error uex_command_read_json(struct uex_bytes value, uex_command_take *take, void *context,
                                     struct uex_fault *fault)
{
    struct uex_command_fields fields = {0};
    struct uex_bytes time = {0};
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    for (size_t i = 0; i < UEX_COMMAND_TEXT_COUNT && error == UEX_OK; i++)
        error = uex_json_text(object, uex_command_text_names[i], &fields.texts[i], fault);
    if (error == UEX_OK)
        error = uex_json_text(object, UEX_COMMAND_TIME_NAME, &time, fault);
    fields.has_requested_at = time.data != NULL;
    if (error == UEX_OK && fields.has_requested_at &&
        !uex_time_parse((const char *)time.data, time.size_bytes, &fields.requested_at_ms))
        error = uex_fail(fault, UEX_MALFORMED, UEX_COMMAND_TIME_NAME " is not an RFC 3339 time");
    if (error == UEX_OK)
        error = take(&fields, context, fault);
    cJSON_Delete(object);
    return error;
}

static void append_field(struct uex_buffer *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    if (out->data[out->size_bytes - 1] != '{')
        uex_buffer_append_text(out, ",");
    uex_buffer_append_json(out, name);
    uex_buffer_append_text(out, ":");
    uex_buffer_append_json(out, text);
}

void uex_command_write_json(const struct uex_command *command, struct uex_buffer *out)
{
    char time[UEX_TIME_TEXT_SIZE];

    uex_time_format(command->requested_at_ms, time);
    uex_buffer_append_text(out, "{");
    if (uex_buffer_failed(out))
        return;
    append_field(out, uex_command_text_names[UEX_COMMAND_GROUP_ID], command->group_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_COMMAND_ID], command->command_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_RUN_ID], command->run_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_DOMAIN_ID], command->domain_id);
    append_field(out, UEX_COMMAND_TIME_NAME, time);
    append_field(out, uex_command_text_names[UEX_COMMAND_REQUESTED_BY], command->requested_by);
    append_field(out, uex_command_text_names[UEX_COMMAND_REASON], command->reason);
    uex_buffer_append_text(out, "}");
}

#define UUID_CHARACTERS (UEX_UUID_TEXT_SIZE - 1)

/* Is `text` a command with this id? UEX_NOT_FOUND: no. UEX_NO_MEMORY. */
static enum uex_error has_id(struct uex_bytes key, const struct uex_buffer *text, const char *command_id,
                             struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(key, uex_buffer_bytes(text), &command, fault);

    if (err != UEX_NO_MEMORY)
        err = err == UEX_OK && strcmp(command.command_id, command_id) == 0 ? UEX_OK : UEX_NOT_FOUND;
    uex_command_clear(&command);
    return err;
}

/* An id has the same length in JSON and Avro wherever it stands. The same id may stand in other fields too, so each
 * place is tried, and the result is parsed again to see whether it was the command's own. */
enum uex_error uex_command_reissue(struct uex_bytes key, struct uex_bytes value, const char *command_id,
                                   struct uex_buffer *out, struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(key, value, &command, fault);
    char old_id[UEX_UUID_TEXT_SIZE], kept[UUID_CHARACTERS];

    memcpy(old_id, command.command_id, sizeof(old_id));
    uex_command_clear(&command);
    if (err != UEX_OK)
        return err;
    if (old_id[0] == 0)
        return uex_fail(fault, UEX_NOT_FOUND, "the command's value has no id");
    uex_buffer_append(out, value.data, value.size_bytes);
    if (uex_buffer_failed(out))
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a command");
    for (size_t at = 0; at + UUID_CHARACTERS <= out->size_bytes; at++) {
        if (strncasecmp((const char *)out->data + at, old_id, UUID_CHARACTERS) != 0)
            continue;
        memcpy(kept, out->data + at, UUID_CHARACTERS);
        memcpy(out->data + at, command_id, UUID_CHARACTERS);
        err = has_id(key, out, command_id, fault);
        if (err != UEX_NOT_FOUND)
            return err;
        memcpy(out->data + at, kept, UUID_CHARACTERS);
    }
    return uex_fail(fault, UEX_MALFORMED, "the command's id is written with escapes and cannot be replaced");
}
