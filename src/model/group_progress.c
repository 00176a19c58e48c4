/* SPDX-License-Identifier: Apache-2.0 */
/* The progress record's JSON, read. */
#include "export/group_progress.h"

#include "export/text.h"
#include "model/json.h"

static enum uex_error read_names(const cJSON *object, struct uex_group_progress *out, struct uex_fault *fault)
{
    struct uex_bytes group_id = {0}, command_id = {0}, worker = {0};
    enum uex_error error = uex_json_text(object, "groupId", &group_id, fault);

    if (error == UEX_OK)
        error = uex_json_text(object, "commandId", &command_id, fault);
    if (error == UEX_OK)
        error = uex_json_text(object, "worker", &worker, fault);
    if (error != UEX_OK)
        return error;
    if (!uex_group_id_valid(group_id))
        return uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    if (!uex_uuid_parse((const char *)command_id.data, command_id.size_bytes, out->command_id))
        return uex_fail(fault, UEX_MALFORMED, "commandId is not a UUID");
    if (worker.size_bytes == 0 || uex_character_count(worker) > UEX_WORKER_NAME_MAX_CHARACTERS)
        return uex_fail(fault, UEX_MALFORMED, "worker is not 1 to %d characters", UEX_WORKER_NAME_MAX_CHARACTERS);
    memcpy(out->group_id, group_id.data, group_id.size_bytes + 1);
    memcpy(out->worker, worker.data, worker.size_bytes + 1);
    return UEX_OK;
}

/* Missing: running. */
static enum uex_error read_state(const cJSON *object, bool *ended, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, "state", &text, fault);

    *ended = error == UEX_OK && text.data != NULL && strcmp((const char *)text.data, "ended") == 0;
    if (error == UEX_OK && text.data != NULL && !*ended && strcmp((const char *)text.data, "running") != 0)
        error = uex_fail(fault, UEX_MALFORMED, "state is neither running nor ended");
    return error;
}

enum uex_error uex_group_progress_read(struct uex_bytes value, struct uex_group_progress *out, struct uex_fault *fault)
{
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    if (error == UEX_OK)
        error = read_names(object, out, fault);
    if (error == UEX_OK)
        error = read_state(object, &out->ended, fault);
    if (error == UEX_OK)
        error = uex_json_get_count(object, "rows", &out->row_count, fault);
    if (error == UEX_OK)
        error = uex_json_get_count(object, "bytes", &out->object_bytes, fault);
    if (error == UEX_OK)
        error = uex_json_get_time(object, "startedAt", &out->started_at_ms, fault);
    if (error == UEX_OK)
        error = uex_json_get_time(object, "at", &out->at_ms, fault);
    cJSON_Delete(object);
    return error;
}
