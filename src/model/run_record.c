/* SPDX-License-Identifier: Apache-2.0 */
/* The run record's JSON, written and read. */
#include "export/run_record.h"

#include <math.h>
#include <stdlib.h>

#include "export/command.h"
#include "export/text.h"
#include "model/json.h"

#define PATH_MAX_BYTES 16384

static const char *const status_texts[] = {
    [UEX_RUN_STARTED] = "started", [UEX_RUN_COMPLETED] = "completed", [UEX_RUN_INCOMPLETE] = "incomplete"};
#define STATUS_COUNT (sizeof(status_texts) / sizeof(status_texts[0]))

const char *uex_run_status_text(enum uex_run_status status)
{
    return (size_t)status < STATUS_COUNT ? status_texts[status] : "";
}

/* ---- written */

void uex_run_record_write_json(const struct uex_run_record *record, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "{\"version\":%d", UEX_RUN_VERSION);
    uex_json_append_text(out, "runId", record->run_id);
    uex_json_append_text(out, "status", uex_run_status_text(record->status));
    uex_json_append_count(out, "groups", record->groups);
    uex_json_append_count(out, "exported", record->exported);
    uex_json_append_count(out, "skipped", record->skipped);
    uex_json_append_count(out, "deadLettered", record->dead_lettered);
    uex_json_append_count(out, "unfinished", record->unfinished);
    uex_json_append_count(out, "rows", record->rows);
    uex_json_append_count(out, "bytes", record->bytes);
    uex_json_append_time(out, "startedAt", record->started_at_ms);
    uex_json_append_time(out, "endedAt", record->ended_at_ms);
    uex_json_append_text(out, "requestedBy", record->requested_by);
    uex_json_append_text(out, "manifestPath", record->manifest_path);
    uex_json_append_text(out, "manifestSha256", record->manifest_sha256);
    uex_buffer_append_text(out, "}");
}

/* ---- read */

static enum uex_error read_text(const cJSON *object, const char *name, size_t max_bytes, char **out,
                                struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, name, &text, fault);

    if (error != UEX_OK || text.size_bytes == 0)
        return error;
    if (text.size_bytes > max_bytes)
        return uex_fail(fault, UEX_MALFORMED, "%s is longer than %zu bytes", name, max_bytes);
    *out = uex_text_copy(text);
    return *out == NULL ? uex_fail(fault, UEX_NO_MEMORY, "reading a run record") : UEX_OK;
}

static enum uex_error read_count(const cJSON *object, const char *name, uint64_t *out, struct uex_fault *fault)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);

    *out = UEX_UNKNOWN;
    if (number == NULL || cJSON_IsNull(number))
        return UEX_OK;
    if (!cJSON_IsNumber(number) || number->valuedouble < 0 || number->valuedouble > (double)UEX_COUNT_MAX ||
        number->valuedouble != floor(number->valuedouble))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a count", name);
    *out = (uint64_t)number->valuedouble;
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

static enum uex_error read_head(const cJSON *object, struct uex_run_record *out, struct uex_fault *fault)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(object, "version");
    struct uex_bytes status = {0};
    size_t at = 0;
    enum uex_error error;

    if (!cJSON_IsNumber(version) || version->valuedouble != UEX_RUN_VERSION)
        return uex_fail(fault, UEX_MALFORMED, "not a run record of version %d", UEX_RUN_VERSION);
    error = read_text(object, "runId", UEX_RUN_ID_MAX_BYTES, &out->run_id, fault);
    if (error == UEX_OK && out->run_id == NULL)
        error = uex_fail(fault, UEX_MALFORMED, "runId is missing");
    if (error == UEX_OK)
        error = uex_json_text(object, "status", &status, fault);
    if (error != UEX_OK)
        return error;
    while (at < STATUS_COUNT && (status.data == NULL || strcmp((const char *)status.data, status_texts[at]) != 0))
        at++;
    if (at == STATUS_COUNT)
        return uex_fail(fault, UEX_MALFORMED, "status is not started, completed or incomplete");
    out->status = (enum uex_run_status)at;
    return UEX_OK;
}

static enum uex_error read_counts(const cJSON *object, struct uex_run_record *out, struct uex_fault *fault)
{
    const struct {
        const char *name;
        uint64_t *out;
    } counts[] = {{"groups", &out->groups},   {"exported", &out->exported},
                  {"skipped", &out->skipped}, {"deadLettered", &out->dead_lettered},
                  {"rows", &out->rows},       {"unfinished", &out->unfinished},
                  {"bytes", &out->bytes}};
    enum uex_error error = UEX_OK;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]) && error == UEX_OK; i++)
        error = read_count(object, counts[i].name, counts[i].out, fault);
    return error;
}

static enum uex_error read_manifest(const cJSON *object, struct uex_run_record *out, struct uex_fault *fault)
{
    uint8_t digest[UEX_SHA256_SIZE];
    struct uex_bytes hex = {0};
    enum uex_error error = read_text(object, "manifestPath", PATH_MAX_BYTES, &out->manifest_path, fault);

    if (error == UEX_OK)
        error = uex_json_text(object, "manifestSha256", &hex, fault);
    if (error != UEX_OK || hex.data == NULL)
        return error;
    if (!uex_hex_parse((const char *)hex.data, digest, sizeof(digest)))
        return uex_fail(fault, UEX_MALFORMED, "manifestSha256 is not 64 hex digits");
    uex_hex(digest, sizeof(digest), out->manifest_sha256);
    return UEX_OK;
}

enum uex_error uex_run_record_parse(struct uex_bytes value, struct uex_run_record *out, struct uex_fault *fault)
{
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    *out = (struct uex_run_record){0};
    if (error == UEX_OK)
        error = read_head(object, out, fault);
    if (error == UEX_OK)
        error = read_counts(object, out, fault);
    if (error == UEX_OK)
        error = read_time(object, "startedAt", &out->started_at_ms, fault);
    if (error == UEX_OK)
        error = read_time(object, "endedAt", &out->ended_at_ms, fault);
    if (error == UEX_OK)
        error = read_text(object, "requestedBy", 4 * UEX_FREE_TEXT_MAX_CHARACTERS, &out->requested_by, fault);
    if (error == UEX_OK)
        error = read_manifest(object, out, fault);
    cJSON_Delete(object);
    return error;
}

enum uex_error uex_run_record_copy(const struct uex_run_record *record, struct uex_run_record *out)
{
    *out = *record;
    out->run_id = record->run_id == NULL ? NULL : strdup(record->run_id);
    out->requested_by = record->requested_by == NULL ? NULL : strdup(record->requested_by);
    out->manifest_path = record->manifest_path == NULL ? NULL : strdup(record->manifest_path);
    return (record->run_id == NULL) == (out->run_id == NULL) &&
                   (record->requested_by == NULL) == (out->requested_by == NULL) &&
                   (record->manifest_path == NULL) == (out->manifest_path == NULL)
               ? UEX_OK
               : UEX_NO_MEMORY;
}

void uex_run_record_clear(struct uex_run_record *record)
{
    free(record->run_id);
    free(record->requested_by);
    free(record->manifest_path);
    *record = (struct uex_run_record){0};
}
