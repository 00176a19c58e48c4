/* SPDX-License-Identifier: Apache-2.0 */
/* The state record's JSON. */
#include "export/group_state.h"

#include <inttypes.h>
#include <math.h>

#include "export/text.h"
#include "model/command_fields.h"
#include "model/group_memory.h"
#include "model/json.h"

#define STATE_VERSION 1
#define COUNT_MAX 9007199254740992.0 /* 2^53: what a JSON number carries exactly */

static void append_name(struct uex_buffer *out, const char *name)
{
    uex_buffer_append_text(out, ",\"");
    uex_buffer_append_text(out, name);
    uex_buffer_append_text(out, "\":");
}

static void append_text(struct uex_buffer *out, const char *name, const char *text)
{
    append_name(out, name);
    uex_buffer_append_json(out, text == NULL || text[0] == '\0' ? NULL : text);
}

static void append_count(struct uex_buffer *out, const char *name, uint64_t count)
{
    append_name(out, name);
    if (count == UEX_UNKNOWN)
        uex_buffer_append_text(out, "null");
    else
        uex_buffer_append_format(out, "%" PRIu64, count);
}

static void append_time(struct uex_buffer *out, const char *name, int64_t wall_ms)
{
    char text[UEX_TIME_TEXT_SIZE];

    uex_time_format(wall_ms, text);
    append_text(out, name, text);
}

/* The first member of an inner object. */
static void append_id(struct uex_buffer *out, const uint8_t id[16])
{
    char text[UEX_UUID_TEXT_SIZE];

    uex_uuid_from_bytes(id, text);
    uex_buffer_append_text(out, "{\"commandId\":");
    uex_buffer_append_json(out, text);
}

static void append_recent(struct uex_buffer *out, const struct uex_group_memory_view *view)
{
    append_name(out, "recent");
    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < view->recent_count; i++) {
        const struct uex_recent_view *entry = &view->recent[i];
        if (i > 0)
            uex_buffer_append_text(out, ",");
        append_id(out, entry->command_id);
        append_text(out, "runId", entry->run_id);
        append_text(out, "outcome", uex_outcome_text(entry->outcome));
        append_text(out, "reason", entry->reason);
        append_time(out, "at", entry->at_ms);
        uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_text(out, "]");
}

static void append_last(struct uex_buffer *out, const struct uex_group_memory_view *view)
{
    char hex[UEX_SHA256_HEX_SIZE] = "";

    append_name(out, "lastExported");
    if (!view->has_last) {
        uex_buffer_append_text(out, "null");
        return;
    }
    if (view->last.has_sha256)
        uex_hex(view->last.sha256, sizeof view->last.sha256, hex);
    append_id(out, view->last.command_id);
    append_text(out, "runId", view->last.run_id);
    append_time(out, "at", view->last.at_ms);
    append_text(out, "filePath", view->last.file_path);
    append_text(out, "sha256", hex);
    append_count(out, "rows", view->last.rows);
    uex_buffer_append_text(out, "}");
}

void uex_group_state_write(const struct uex_state_record *record, const struct uex_group_memory *memory,
                           struct uex_buffer *out)
{
    struct uex_group_memory_view view;

    uex_group_memory_unpack(memory, &view);
    uex_buffer_append_format(out, "{\"version\":%d", STATE_VERSION);
    append_text(out, "groupId", record->group_id);
    append_text(out, "outcome", uex_outcome_text(record->outcome));
    append_text(out, "reason", record->reason);
    append_text(out, "commandId", record->command_id);
    append_text(out, "runId", record->run_id);
    append_time(out, "at", record->at_ms);
    append_count(out, "rows", record->rows);
    append_count(out, "bytes", record->bytes);
    append_text(out, "filePath", record->file_path);
    append_text(out, "sha256", record->sha256);
    append_time(out, "snapshotAt", record->snapshot_at_ms);
    append_count(out, "durationMs", record->duration_ms < 0 ? UEX_UNKNOWN : (uint64_t)record->duration_ms);
    append_count(out, "attempts", record->attempts);
    append_time(out, "nextAttemptAt", record->next_attempt_at_ms);
    append_recent(out, &view);
    append_last(out, &view);
    uex_buffer_append_text(out, "}");
}

/* Strings of a view point into the JSON object while it lives. */
static enum uex_error read_text(const cJSON *object, const char *name, size_t max_characters, const char **out,
                                struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, name, &text, fault);

    *out = text.data == NULL ? "" : (const char *)text.data;
    if (error == UEX_OK && uex_character_count(text) > max_characters)
        error = uex_fail(fault, UEX_MALFORMED, "%s is longer than %zu characters", name, max_characters);
    return error;
}

static enum uex_error read_id(const cJSON *object, uint8_t out[16], struct uex_fault *fault)
{
    char canonical[UEX_UUID_TEXT_SIZE];
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, "commandId", &text, fault);

    if (error != UEX_OK)
        return error;
    if (!uex_uuid_parse((const char *)text.data, text.size_bytes, canonical))
        return uex_fail(fault, UEX_MALFORMED, "commandId is not a UUID");
    uex_uuid_to_bytes(canonical, out);
    return UEX_OK;
}

static enum uex_error read_time(const cJSON *object, int64_t *out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, "at", &text, fault);

    *out = UEX_NO_TIME;
    if (error == UEX_OK && text.data != NULL && !uex_time_parse((const char *)text.data, text.size_bytes, out))
        error = uex_fail(fault, UEX_MALFORMED, "at is not an RFC 3339 time");
    return error;
}

static enum uex_error read_outcome(const cJSON *object, enum uex_outcome_kind *out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, "outcome", &text, fault);

    if (error == UEX_OK && !uex_outcome_from_text((const char *)text.data, out))
        error = uex_fail(fault, UEX_MALFORMED, "outcome is none of the known ones");
    return error;
}

static enum uex_error read_count(const cJSON *object, const char *name, uint64_t *out, struct uex_fault *fault)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);

    *out = UEX_UNKNOWN;
    if (number == NULL || cJSON_IsNull(number))
        return UEX_OK;
    if (!cJSON_IsNumber(number) || number->valuedouble < 0 || number->valuedouble > COUNT_MAX ||
        number->valuedouble != floor(number->valuedouble))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a count", name);
    *out = (uint64_t)number->valuedouble;
    return UEX_OK;
}

static enum uex_error read_entry(const cJSON *object, struct uex_recent_view *out, struct uex_fault *fault)
{
    enum uex_error error;

    if (!cJSON_IsObject(object))
        return uex_fail(fault, UEX_MALFORMED, "an entry of recent is not an object");
    error = read_id(object, out->command_id, fault);
    if (error == UEX_OK)
        error = read_text(object, "runId", UEX_RUN_ID_MAX_CHARACTERS, &out->run_id, fault);
    if (error == UEX_OK)
        error = read_outcome(object, &out->outcome, fault);
    if (error == UEX_OK)
        error = read_text(object, "reason", UEX_STATE_REASON_MAX_CHARACTERS, &out->reason, fault);
    if (error == UEX_OK)
        error = read_time(object, &out->at_ms, fault);
    return error;
}

static enum uex_error read_recent(const cJSON *object, struct uex_group_memory_view *view, struct uex_fault *fault)
{
    const cJSON *recent = cJSON_GetObjectItemCaseSensitive(object, "recent");
    const cJSON *element;

    if (recent == NULL || cJSON_IsNull(recent))
        return UEX_OK;
    if (!cJSON_IsArray(recent))
        return uex_fail(fault, UEX_MALFORMED, "recent is not an array");
    cJSON_ArrayForEach(element, recent)
    {
        struct uex_recent_view entry = {0};
        enum uex_error error = read_entry(element, &entry, fault);
        if (error != UEX_OK)
            return error;
        uex_group_memory_view_push(view, &entry);
    }
    return UEX_OK;
}

static enum uex_error read_last(const cJSON *object, struct uex_group_memory_view *view, struct uex_fault *fault)
{
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(object, "lastExported");
    struct uex_bytes sha256 = {0};
    enum uex_error error;

    if (last == NULL || cJSON_IsNull(last))
        return UEX_OK;
    if (!cJSON_IsObject(last))
        return uex_fail(fault, UEX_MALFORMED, "lastExported is not an object");
    error = read_id(last, view->last.command_id, fault);
    if (error == UEX_OK)
        error = read_text(last, "runId", UEX_RUN_ID_MAX_CHARACTERS, &view->last.run_id, fault);
    if (error == UEX_OK)
        error = read_time(last, &view->last.at_ms, fault);
    if (error == UEX_OK)
        error = read_text(last, "filePath", UEX_STATE_PATH_MAX_BYTES, &view->last.file_path, fault);
    if (error == UEX_OK && strlen(view->last.file_path) > UEX_STATE_PATH_MAX_BYTES)
        error = uex_fail(fault, UEX_MALFORMED, "filePath is longer than %d bytes", UEX_STATE_PATH_MAX_BYTES);
    if (error == UEX_OK)
        error = uex_json_text(last, "sha256", &sha256, fault);
    if (error == UEX_OK && sha256.data != NULL) {
        view->last.has_sha256 = true;
        if (!uex_hex_parse((const char *)sha256.data, view->last.sha256, sizeof view->last.sha256))
            error = uex_fail(fault, UEX_MALFORMED, "sha256 is not 64 hex digits");
    }
    if (error == UEX_OK)
        error = read_count(last, "rows", &view->last.rows, fault);
    view->has_last = error == UEX_OK;
    return error;
}

/* What makes it a state record: version and group. */
static enum uex_error read_head(const cJSON *object, struct uex_fault *fault)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(object, "version");
    struct uex_bytes group_id = {0};
    enum uex_error error;

    if (!cJSON_IsNumber(version) || version->valuedouble != (double)STATE_VERSION)
        return uex_fail(fault, UEX_MALFORMED, "not a state record of version %d", STATE_VERSION);
    error = uex_json_text(object, "groupId", &group_id, fault);
    if (error == UEX_OK && !uex_group_id_valid(group_id))
        error = uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    return error;
}

enum uex_error uex_group_state_read(struct uex_bytes value, struct uex_group_memory **out, struct uex_fault *fault)
{
    struct uex_group_memory_view view = {0};
    enum uex_outcome_kind outcome;
    struct uex_group_memory *memory = NULL;
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    *out = NULL;
    if (error == UEX_OK)
        error = read_head(object, fault);
    if (error == UEX_OK)
        error = read_outcome(object, &outcome, fault);
    if (error == UEX_OK)
        error = read_time(object, &view.at_ms, fault);
    if (error == UEX_OK)
        error = read_recent(object, &view, fault);
    if (error == UEX_OK)
        error = read_last(object, &view, fault);
    if (error != UEX_OK)
        goto done;
    memory = uex_group_memory_new();
    error = memory == NULL ? UEX_NO_MEMORY : uex_group_memory_pack(&view, memory);
    if (error != UEX_OK) {
        error = uex_fail(fault, error, "keeping the memory of a group");
        goto done;
    }
    *out = memory;
    memory = NULL;
done:
    uex_group_memory_free(memory);
    cJSON_Delete(object);
    return error;
}
