/* SPDX-License-Identifier: Apache-2.0 */
/* The state record's JSON, written, and read into the memory of its group. */
#include "export/group_state.h"

#include <stdlib.h>

#include "model/group_memory.h"
#include "model/json.h"

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
    uex_json_append_name(out, "recent");
    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < view->recent_count; i++) {
        const struct uex_recent_view *entry = &view->recent[i];
        if (i > 0)
            uex_buffer_append_text(out, ",");
        append_id(out, entry->command_id);
        uex_json_append_text(out, "runId", entry->run_id);
        uex_json_append_text(out, "outcome", uex_outcome_text(entry->outcome));
        uex_json_append_text(out, "reason", entry->reason);
        uex_json_append_time(out, "at", entry->at_ms);
        uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_text(out, "]");
}

static void append_last(struct uex_buffer *out, const struct uex_group_memory_view *view)
{
    char hex[UEX_SHA256_HEX_SIZE] = "";

    uex_json_append_name(out, "lastExported");
    if (!view->has_last) {
        uex_buffer_append_text(out, "null");
        return;
    }
    if (view->last.has_sha256)
        uex_hex(view->last.sha256, sizeof view->last.sha256, hex);
    append_id(out, view->last.command_id);
    uex_json_append_text(out, "runId", view->last.run_id);
    uex_json_append_time(out, "at", view->last.at_ms);
    uex_json_append_text(out, "filePath", view->last.file_path);
    uex_json_append_text(out, "sha256", hex);
    uex_json_append_count(out, "rows", view->last.rows);
    uex_json_append_text(out, "layout", view->last.layout);
    uex_buffer_append_text(out, "}");
}

void uex_group_state_write(const struct uex_state_record *record, const struct uex_group_memory *memory,
                           struct uex_buffer *out)
{
    struct uex_group_memory_view view;

    uex_group_memory_unpack(memory, &view);
    uex_buffer_append_format(out, "{\"version\":%d", UEX_STATE_VERSION);
    uex_json_append_text(out, "groupId", record->group_id);
    uex_json_append_text(out, "outcome", uex_outcome_text(record->outcome));
    uex_json_append_text(out, "reason", record->reason);
    uex_json_append_text(out, "commandId", record->command_id);
    uex_json_append_text(out, "runId", record->run_id);
    uex_json_append_time(out, "at", record->at_ms);
    uex_json_append_count(out, "rows", record->rows);
    uex_json_append_count(out, "bytes", record->bytes);
    uex_json_append_text(out, "filePath", record->file_path);
    uex_json_append_text(out, "sha256", record->sha256);
    uex_json_append_time(out, "snapshotAt", record->snapshot_at_ms);
    uex_json_append_count(out, "durationMs", record->duration_ms < 0 ? UEX_UNKNOWN : (uint64_t)record->duration_ms);
    uex_json_append_count(out, "attempts", record->attempts);
    uex_json_append_time(out, "nextAttemptAt", record->next_attempt_at_ms);
    uex_json_append_text(out, "error", record->error);
    append_recent(out, &view);
    append_last(out, &view);
    uex_buffer_append_text(out, "}");
}

enum uex_error uex_group_state_read(struct uex_bytes value, struct uex_group_memory **out, struct uex_fault *fault)
{
    struct uex_group_memory_view view = {0};
    struct uex_group_memory *memory = NULL;
    char *text = NULL;
    enum uex_error error = uex_group_memory_view_read(value, &view, &text, fault);

    *out = NULL;
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
    free(text);
    return error;
}
