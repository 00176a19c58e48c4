/* SPDX-License-Identifier: Apache-2.0 */
/* The state record's JSON, read. A tree of it would take most of the time that showing 10,000 groups takes, so its
 * members are found where they stand. */
#include "export/group_state_view.h"

#include <stdlib.h>

#include "export/text.h"
#include "model/command_fields.h"
#include "model/group_memory.h"
#include "model/json.h"
#include "model/json_scan.h"

/* X(NAME, name) */
#define STATE_MEMBERS(X)                                                                                               \
    X(VERSION, "version")                                                                                              \
    X(GROUP_ID, "groupId")                                                                                             \
    X(OUTCOME, "outcome")                                                                                              \
    X(REASON, "reason")                                                                                                \
    X(COMMAND_ID, "commandId")                                                                                         \
    X(RUN_ID, "runId")                                                                                                 \
    X(AT, "at")                                                                                                        \
    X(ROWS, "rows")                                                                                                    \
    X(BYTES, "bytes")                                                                                                  \
    X(FILE_PATH, "filePath")                                                                                           \
    X(SHA256, "sha256")                                                                                                \
    X(SNAPSHOT_AT, "snapshotAt")                                                                                       \
    X(DURATION_MS, "durationMs")                                                                                       \
    X(ATTEMPTS, "attempts")                                                                                            \
    X(NEXT_ATTEMPT_AT, "nextAttemptAt")                                                                                \
    X(ERROR, "error")                                                                                                  \
    X(RECENT, "recent")                                                                                                \
    X(LAYOUT, "layout")                                                                                                \
    X(LAST_EXPORTED, "lastExported")

enum state_member {
#define STATE_ENUM(name, text) STATE_##name,
    STATE_MEMBERS(STATE_ENUM)
#undef STATE_ENUM
        STATE_COUNT
};

/* Of the record; the objects in it have some of the same. */
static const char *const names[] = {
#define STATE_NAME(name, text) text,
    STATE_MEMBERS(STATE_NAME)
#undef STATE_NAME
};

/* The members of one object, by their places in `names`. */
struct members {
    struct uex_json_value values[STATE_COUNT];
};

static enum uex_error find_members(const struct uex_json_value *object, struct members *out, struct uex_fault *fault)
{
    return uex_json_members(object, names, STATE_COUNT, out->values, fault);
}

static enum uex_error read_string(const struct members *object, enum state_member member, struct uex_bytes *out,
                                  struct uex_fault *fault)
{
    return uex_json_string(&object->values[member], names[member], out, fault);
}

/* Strings of a view point into its text while it lives. */
static enum uex_error read_text(const struct members *object, enum state_member member, size_t max_characters,
                                const char **out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = read_string(object, member, &text, fault);

    *out = text.data == NULL ? "" : (const char *)text.data;
    if (error == UEX_OK && text.size_bytes > max_characters && uex_character_count(text) > max_characters)
        error = uex_fail(fault, UEX_MALFORMED, "%s is longer than %zu characters", names[member], max_characters);
    return error;
}

static enum uex_error read_id(const struct members *object, uint8_t out[16], struct uex_fault *fault)
{
    char canonical[UEX_UUID_TEXT_SIZE];
    struct uex_bytes text = {0};
    enum uex_error error = read_string(object, STATE_COMMAND_ID, &text, fault);

    if (error != UEX_OK)
        return error;
    if (!uex_uuid_parse((const char *)text.data, text.size_bytes, canonical))
        return uex_fail(fault, UEX_MALFORMED, "commandId is not a UUID");
    uex_uuid_to_bytes(canonical, out);
    return UEX_OK;
}

static enum uex_error read_time(const struct members *object, enum state_member member, int64_t *out,
                                struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = read_string(object, member, &text, fault);

    *out = UEX_NO_TIME;
    if (error == UEX_OK && text.data != NULL && !uex_time_parse((const char *)text.data, text.size_bytes, out))
        error = uex_fail(fault, UEX_MALFORMED, "%s is not an RFC 3339 time", names[member]);
    return error;
}

static enum uex_error read_outcome(const struct members *object, enum uex_outcome_kind *out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = read_string(object, STATE_OUTCOME, &text, fault);

    if (error == UEX_OK && !uex_outcome_from_text((const char *)text.data, out))
        error = uex_fail(fault, UEX_MALFORMED, "outcome has an unknown value");
    return error;
}

static enum uex_error read_count(const struct members *object, enum state_member member, uint64_t *out,
                                 struct uex_fault *fault)
{
    return uex_json_count(&object->values[member], names[member], out, fault);
}

static enum uex_error read_path(const struct members *object, const char **out, struct uex_fault *fault)
{
    enum uex_error error = read_text(object, STATE_FILE_PATH, UEX_STATE_PATH_MAX_BYTES, out, fault);

    if (error == UEX_OK && strlen(*out) > UEX_STATE_PATH_MAX_BYTES)
        error = uex_fail(fault, UEX_MALFORMED, "filePath is longer than %d bytes", UEX_STATE_PATH_MAX_BYTES);
    return error;
}

/* The digest as text ("" without one) and as bytes. */
static enum uex_error read_digest(const struct members *object, const char **text, uint8_t bytes[UEX_SHA256_SIZE],
                                  struct uex_fault *fault)
{
    struct uex_bytes hex = {0};
    enum uex_error error = read_string(object, STATE_SHA256, &hex, fault);

    *text = error == UEX_OK && hex.data != NULL ? (const char *)hex.data : "";
    if (error == UEX_OK && hex.data != NULL && !uex_hex_parse((const char *)hex.data, bytes, UEX_SHA256_SIZE))
        error = uex_fail(fault, UEX_MALFORMED, "sha256 is not 64 hex digits");
    return error;
}

static enum uex_error read_entry(const struct uex_json_value *value, struct uex_recent_view *out,
                                 struct uex_fault *fault)
{
    struct members object;
    enum uex_error error;

    if (value->kind != UEX_JSON_OBJECT)
        return uex_fail(fault, UEX_MALFORMED, "an entry of recent is not an object");
    error = find_members(value, &object, fault);
    if (error == UEX_OK)
        error = read_id(&object, out->command_id, fault);
    if (error == UEX_OK)
        error = read_text(&object, STATE_RUN_ID, UEX_RUN_ID_MAX_CHARACTERS, &out->run_id, fault);
    if (error == UEX_OK)
        error = read_outcome(&object, &out->outcome, fault);
    if (error == UEX_OK)
        error = read_text(&object, STATE_REASON, UEX_STATE_REASON_MAX_CHARACTERS, &out->reason, fault);
    if (error == UEX_OK)
        error = read_time(&object, STATE_AT, &out->at_ms, fault);
    return error;
}

static enum uex_error read_recent(const struct members *record, struct uex_group_memory_view *view,
                                  struct uex_fault *fault)
{
    struct uex_json_value rest = record->values[STATE_RECENT], element;

    if (rest.kind == UEX_JSON_ABSENT)
        return UEX_OK;
    if (rest.kind != UEX_JSON_ARRAY)
        return uex_fail(fault, UEX_MALFORMED, "recent is not an array");
    while (uex_json_next(&rest, &element)) {
        struct uex_recent_view entry = {0};
        enum uex_error error = read_entry(&element, &entry, fault);

        if (error != UEX_OK)
            return error;
        uex_group_memory_view_push(view, &entry);
    }
    return UEX_OK;
}

static enum uex_error read_last(const struct members *record, struct uex_group_memory_view *view,
                                struct uex_fault *fault)
{
    const struct uex_json_value *value = &record->values[STATE_LAST_EXPORTED];
    struct members last;
    const char *sha256 = "";
    enum uex_error error;

    if (value->kind == UEX_JSON_ABSENT)
        return UEX_OK;
    if (value->kind != UEX_JSON_OBJECT)
        return uex_fail(fault, UEX_MALFORMED, "lastExported is not an object");
    error = find_members(value, &last, fault);
    if (error == UEX_OK)
        error = read_id(&last, view->last.command_id, fault);
    if (error == UEX_OK)
        error = read_text(&last, STATE_RUN_ID, UEX_RUN_ID_MAX_CHARACTERS, &view->last.run_id, fault);
    if (error == UEX_OK)
        error = read_time(&last, STATE_AT, &view->last.at_ms, fault);
    if (error == UEX_OK)
        error = read_path(&last, &view->last.file_path, fault);
    if (error == UEX_OK)
        error = read_digest(&last, &sha256, view->last.sha256, fault);
    view->last.has_sha256 = sha256[0] != '\0';
    if (error == UEX_OK)
        error = read_count(&last, STATE_ROWS, &view->last.rows, fault);
    if (error == UEX_OK)
        error = read_text(&last, STATE_LAYOUT, UEX_STATE_LAYOUT_MAX_CHARACTERS, &view->last.layout, fault);
    view->has_last = error == UEX_OK;
    return error;
}

/* What makes it a state record: version and group. */
static enum uex_error read_head(const struct members *record, const char **group_id, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    uint64_t version = UEX_UNKNOWN;
    enum uex_error error = read_count(record, STATE_VERSION, &version, NULL);

    if (error != UEX_OK || version != UEX_STATE_VERSION)
        return uex_fail(fault, UEX_MALFORMED, "not a state record of version %d", UEX_STATE_VERSION);
    error = read_string(record, STATE_GROUP_ID, &text, fault);
    *group_id = (const char *)text.data;
    if (error == UEX_OK && !uex_group_id_valid(text))
        error = uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    return error;
}

static enum uex_error read_memory(const struct members *record, bool with_recent, struct uex_group_memory_view *out,
                                  struct uex_state_record *newest, struct uex_fault *fault)
{
    enum uex_error error = read_head(record, &newest->group_id, fault);

    if (error == UEX_OK)
        error = read_outcome(record, &newest->outcome, fault);
    if (error == UEX_OK)
        error = read_time(record, STATE_AT, &out->at_ms, fault);
    if (error == UEX_OK && with_recent)
        error = read_recent(record, out, fault);
    if (error == UEX_OK)
        error = read_last(record, out, fault);
    return error;
}

/* A copy of the text, and its members. */
static enum uex_error open_record(struct uex_bytes value, char **text, struct members *out, struct uex_fault *fault)
{
    *text = malloc(value.size_bytes + 1);
    if (*text == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "reading JSON of %zu bytes", value.size_bytes);
    if (value.size_bytes > 0)
        memcpy(*text, value.data, value.size_bytes);
    (*text)[value.size_bytes] = 0;
    return uex_json_open(*text, value.size_bytes, names, STATE_COUNT, out->values, fault);
}

enum uex_error uex_group_memory_view_read(struct uex_bytes value, struct uex_group_memory_view *out, char **text,
                                          struct uex_fault *fault)
{
    struct uex_state_record newest = {0};
    struct members record;
    enum uex_error error = open_record(value, text, &record, fault);

    *out = (struct uex_group_memory_view){0};
    return error == UEX_OK ? read_memory(&record, true, out, &newest, fault) : error;
}

static enum uex_error read_ids(const struct members *record, struct uex_group_state_view *out, struct uex_fault *fault)
{
    uint8_t command_id[16];
    enum uex_error error = read_id(record, command_id, fault);

    if (error != UEX_OK)
        return error;
    uex_uuid_from_bytes(command_id, out->command_id);
    out->record.command_id = out->command_id;
    error = read_text(record, STATE_REASON, UEX_STATE_REASON_MAX_CHARACTERS, &out->record.reason, fault);
    if (error == UEX_OK)
        error = read_text(record, STATE_RUN_ID, UEX_RUN_ID_MAX_CHARACTERS, &out->record.run_id, fault);
    return error;
}

static enum uex_error read_figures(const struct members *record, struct uex_state_record *out, struct uex_fault *fault)
{
    uint8_t sha256[UEX_SHA256_SIZE];
    uint64_t duration_ms = UEX_UNKNOWN;
    enum uex_error error = read_count(record, STATE_ROWS, &out->rows, fault);

    if (error == UEX_OK)
        error = read_count(record, STATE_BYTES, &out->bytes, fault);
    if (error == UEX_OK)
        error = read_path(record, &out->file_path, fault);
    if (error == UEX_OK)
        error = read_digest(record, &out->sha256, sha256, fault);
    if (error == UEX_OK)
        error = read_time(record, STATE_SNAPSHOT_AT, &out->snapshot_at_ms, fault);
    if (error == UEX_OK)
        error = read_count(record, STATE_DURATION_MS, &duration_ms, fault);
    if (error == UEX_OK)
        error = read_count(record, STATE_ATTEMPTS, &out->attempts, fault);
    if (error == UEX_OK)
        error = read_time(record, STATE_NEXT_ATTEMPT_AT, &out->next_attempt_at_ms, fault);
    if (error == UEX_OK)
        error = read_text(record, STATE_ERROR, UEX_STATE_ERROR_MAX_CHARACTERS, &out->error, fault);
    out->duration_ms = duration_ms == UEX_UNKNOWN ? UEX_NO_TIME : (int64_t)duration_ms;
    return error;
}

static enum uex_error read_view(struct uex_bytes value, bool with_recent, struct uex_group_state_view *out,
                                struct uex_fault *fault)
{
    struct members record;
    enum uex_error error;

    *out = (struct uex_group_state_view){0};
    error = open_record(value, &out->text, &record, fault);
    if (error == UEX_OK)
        error = read_memory(&record, with_recent, &out->memory, &out->record, fault);
    if (error == UEX_OK)
        error = read_ids(&record, out, fault);
    if (error == UEX_OK)
        error = read_figures(&record, &out->record, fault);
    out->record.at_ms = out->memory.at_ms;
    return error;
}

enum uex_error uex_group_state_view_read(struct uex_bytes value, struct uex_group_state_view *out,
                                         struct uex_fault *fault)
{
    return read_view(value, true, out, fault);
}

enum uex_error uex_group_state_newest_read(struct uex_bytes value, struct uex_group_state_view *out,
                                           struct uex_fault *fault)
{
    return read_view(value, false, out, fault);
}

void uex_group_state_view_clear(struct uex_group_state_view *view)
{
    free(view->text);
    *view = (struct uex_group_state_view){0};
}
