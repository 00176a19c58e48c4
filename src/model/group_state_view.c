/* SPDX-License-Identifier: Apache-2.0 */
/* The state record's JSON, read. */
#include "export/group_state_view.h"

#include <math.h>

#include "export/text.h"
#include "model/command_fields.h"
#include "model/group_memory.h"
#include "model/json.h"

#define COUNT_MAX 9007199254740992.0 /* 2^53: what a JSON number carries exactly */

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

static enum uex_error read_time(const cJSON *object, const char *name, int64_t *out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, name, &text, fault);

    *out = UEX_NO_TIME;
    if (error == UEX_OK && text.data != NULL && !uex_time_parse((const char *)text.data, text.size_bytes, out))
        error = uex_fail(fault, UEX_MALFORMED, "%s is not an RFC 3339 time", name);
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

static enum uex_error read_path(const cJSON *object, const char **out, struct uex_fault *fault)
{
    enum uex_error error = read_text(object, "filePath", UEX_STATE_PATH_MAX_BYTES, out, fault);

    if (error == UEX_OK && strlen(*out) > UEX_STATE_PATH_MAX_BYTES)
        error = uex_fail(fault, UEX_MALFORMED, "filePath is longer than %d bytes", UEX_STATE_PATH_MAX_BYTES);
    return error;
}

/* The digest as text ("" without one) and as bytes. */
static enum uex_error read_digest(const cJSON *object, const char **text, uint8_t bytes[UEX_SHA256_SIZE],
                                  struct uex_fault *fault)
{
    struct uex_bytes hex = {0};
    enum uex_error error = uex_json_text(object, "sha256", &hex, fault);

    *text = error == UEX_OK && hex.data != NULL ? (const char *)hex.data : "";
    if (error == UEX_OK && hex.data != NULL && !uex_hex_parse((const char *)hex.data, bytes, UEX_SHA256_SIZE))
        error = uex_fail(fault, UEX_MALFORMED, "sha256 is not 64 hex digits");
    return error;
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
        error = read_time(object, "at", &out->at_ms, fault);
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
    const char *sha256 = "";
    enum uex_error error;

    if (last == NULL || cJSON_IsNull(last))
        return UEX_OK;
    if (!cJSON_IsObject(last))
        return uex_fail(fault, UEX_MALFORMED, "lastExported is not an object");
    error = read_id(last, view->last.command_id, fault);
    if (error == UEX_OK)
        error = read_text(last, "runId", UEX_RUN_ID_MAX_CHARACTERS, &view->last.run_id, fault);
    if (error == UEX_OK)
        error = read_time(last, "at", &view->last.at_ms, fault);
    if (error == UEX_OK)
        error = read_path(last, &view->last.file_path, fault);
    if (error == UEX_OK)
        error = read_digest(last, &sha256, view->last.sha256, fault);
    view->last.has_sha256 = sha256[0] != '\0';
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

    if (!cJSON_IsNumber(version) || version->valuedouble != (double)UEX_STATE_VERSION)
        return uex_fail(fault, UEX_MALFORMED, "not a state record of version %d", UEX_STATE_VERSION);
    error = uex_json_text(object, "groupId", &group_id, fault);
    if (error == UEX_OK && !uex_group_id_valid(group_id))
        error = uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    return error;
}

enum uex_error uex_group_memory_view_read(const cJSON *object, struct uex_group_memory_view *out,
                                          enum uex_outcome_kind *outcome, struct uex_fault *fault)
{
    enum uex_error error = read_head(object, fault);

    if (error == UEX_OK)
        error = read_outcome(object, outcome, fault);
    if (error == UEX_OK)
        error = read_time(object, "at", &out->at_ms, fault);
    if (error == UEX_OK)
        error = read_recent(object, out, fault);
    if (error == UEX_OK)
        error = read_last(object, out, fault);
    return error;
}

static enum uex_error read_ids(const cJSON *object, struct uex_group_state_view *out, struct uex_fault *fault)
{
    struct uex_state_record *record = &out->record;
    uint8_t command_id[16];
    enum uex_error error = read_text(object, "groupId", UEX_GROUP_ID_MAX_BYTES, &record->group_id, fault);

    if (error == UEX_OK)
        error = read_id(object, command_id, fault);
    if (error != UEX_OK)
        return error;
    uex_uuid_from_bytes(command_id, out->command_id);
    record->command_id = out->command_id;
    error = read_text(object, "reason", UEX_STATE_REASON_MAX_CHARACTERS, &record->reason, fault);
    if (error == UEX_OK)
        error = read_text(object, "runId", UEX_RUN_ID_MAX_CHARACTERS, &record->run_id, fault);
    return error;
}

static enum uex_error read_figures(const cJSON *object, struct uex_state_record *record, struct uex_fault *fault)
{
    uint8_t sha256[UEX_SHA256_SIZE];
    uint64_t duration_ms = UEX_UNKNOWN;
    enum uex_error error = read_count(object, "rows", &record->rows, fault);

    if (error == UEX_OK)
        error = read_count(object, "bytes", &record->bytes, fault);
    if (error == UEX_OK)
        error = read_path(object, &record->file_path, fault);
    if (error == UEX_OK)
        error = read_digest(object, &record->sha256, sha256, fault);
    if (error == UEX_OK)
        error = read_time(object, "snapshotAt", &record->snapshot_at_ms, fault);
    if (error == UEX_OK)
        error = read_count(object, "durationMs", &duration_ms, fault);
    if (error == UEX_OK)
        error = read_count(object, "attempts", &record->attempts, fault);
    if (error == UEX_OK)
        error = read_time(object, "nextAttemptAt", &record->next_attempt_at_ms, fault);
    record->duration_ms = duration_ms == UEX_UNKNOWN ? UEX_NO_TIME : (int64_t)duration_ms;
    return error;
}

enum uex_error uex_group_state_view_read(struct uex_bytes value, struct uex_group_state_view *out,
                                         struct uex_fault *fault)
{
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    *out = (struct uex_group_state_view){.json = object};
    if (error == UEX_OK)
        error = uex_group_memory_view_read(object, &out->memory, &out->record.outcome, fault);
    if (error == UEX_OK)
        error = read_ids(object, out, fault);
    if (error == UEX_OK)
        error = read_figures(object, &out->record, fault);
    out->record.at_ms = out->memory.at_ms;
    return error;
}

void uex_group_state_view_clear(struct uex_group_state_view *view)
{
    cJSON_Delete(view->json);
    *view = (struct uex_group_state_view){0};
}
