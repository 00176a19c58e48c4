/* SPDX-License-Identifier: Apache-2.0 */
#include "export/worker_record.h"

#include <inttypes.h>
#include <stdlib.h>

#include "export/group_progress.h"
#include "model/json.h"

#define WORKER_RECORD_VERSION 1

/* ---- writing */

static void append_time(struct uex_buffer *out, const char *name, int64_t wall_ms)
{
    char text[UEX_TIME_TEXT_SIZE];

    uex_time_format(wall_ms, text);
    uex_buffer_append_format(out, ",\"%s\":\"%s\"", name, text);
}

void uex_worker_record_write_json(const struct uex_worker_record *record, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "{\"version\":%d,\"worker\":", WORKER_RECORD_VERSION);
    uex_buffer_append_json(out, record->worker);
    append_time(out, "at", record->at_ms);
    uex_buffer_append_format(out, ",\"running\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"breakers\":[", record->running,
                             record->queued);
    for (size_t i = 0; i < record->breaker_count; i++) {
        const struct uex_worker_breaker *breaker = &record->breakers[i];

        uex_buffer_append_text(out, i == 0 ? "{\"dependency\":" : ",{\"dependency\":");
        uex_buffer_append_json(out, breaker->dependency);
        append_time(out, "since", breaker->since_ms);
        uex_buffer_append_text(out, ",\"code\":");
        uex_buffer_append_json(out, breaker->code);
        uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_format(out, "],\"stopping\":%s}", record->stopping ? "true" : "false");
}

/* ---- reading */

/* A text of 1 to `size` - 1 bytes. */
static enum uex_error read_short(const cJSON *object, const char *name, char *out, size_t size, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, name, &text, fault);

    if (error == UEX_OK && (text.size_bytes == 0 || text.size_bytes >= size))
        error = uex_fail(fault, UEX_MALFORMED, "%s is not 1 to %zu bytes", name, size - 1);
    if (error == UEX_OK)
        memcpy(out, text.data, text.size_bytes + 1);
    return error;
}

static enum uex_error read_breaker(const cJSON *object, struct uex_worker_breaker *out, struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    if (!cJSON_IsObject(object))
        return uex_fail(fault, UEX_MALFORMED, "an entry of breakers is not an object");
    error = read_short(object, "dependency", out->dependency, sizeof(out->dependency), fault);
    if (error == UEX_OK)
        error = uex_json_get_time(object, "since", &out->since_ms, fault);
    if (error == UEX_OK)
        error = read_short(object, "code", out->code, sizeof(out->code), fault);
    return error;
}

static enum uex_error read_breakers(const cJSON *object, struct uex_worker_record *out, struct uex_fault *fault)
{
    const cJSON *breakers = cJSON_GetObjectItemCaseSensitive(object, "breakers"), *entry = NULL;
    enum uex_error error = UEX_OK;

    if (!cJSON_IsArray(breakers))
        return uex_fail(fault, UEX_MALFORMED, "breakers is not an array");
    cJSON_ArrayForEach(entry, breakers)
    {
        if (error != UEX_OK || out->breaker_count == UEX_WORKER_BREAKERS_MAX)
            break;
        error = read_breaker(entry, &out->breakers[out->breaker_count++], fault);
    }
    return error;
}

static enum uex_error read_head(const cJSON *object, struct uex_worker_record *out, struct uex_fault *fault)
{
    struct uex_bytes worker = {0};
    uint64_t version = 0;
    enum uex_error error = uex_json_get_count(object, "version", &version, NULL);

    if (cJSON_GetObjectItemCaseSensitive(object, "groupId") != NULL)
        return uex_fail(fault, UEX_MALFORMED, "a group's record");
    if (error != UEX_OK || version != WORKER_RECORD_VERSION)
        return uex_fail(fault, UEX_MALFORMED, "not a worker's record of version %d", WORKER_RECORD_VERSION);
    error = uex_json_text(object, "worker", &worker, fault);
    if (error != UEX_OK)
        return error;
    if (worker.size_bytes == 0 || uex_character_count(worker) > UEX_WORKER_NAME_MAX_CHARACTERS)
        return uex_fail(fault, UEX_MALFORMED, "worker is not 1 to %d characters", UEX_WORKER_NAME_MAX_CHARACTERS);
    out->worker = uex_text_copy(worker);
    return out->worker == NULL ? uex_fail(fault, UEX_NO_MEMORY, "reading a worker's record") : UEX_OK;
}

enum uex_error uex_worker_record_parse(struct uex_bytes value, struct uex_worker_record *out, struct uex_fault *fault)
{
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    *out = (struct uex_worker_record){0};
    if (error == UEX_OK)
        error = read_head(object, out, fault);
    if (error == UEX_OK)
        error = uex_json_get_time(object, "at", &out->at_ms, fault);
    if (error == UEX_OK)
        error = uex_json_get_count(object, "running", &out->running, fault);
    if (error == UEX_OK)
        error = uex_json_get_count(object, "queued", &out->queued, fault);
    if (error == UEX_OK)
        error = read_breakers(object, out, fault);
    if (error == UEX_OK) {
        const cJSON *stopping = cJSON_GetObjectItemCaseSensitive(object, "stopping");

        out->stopping = cJSON_IsTrue(stopping);
        if (!cJSON_IsBool(stopping))
            error = uex_fail(fault, UEX_MALFORMED, "stopping is neither true nor false");
    }
    cJSON_Delete(object);
    return error;
}

void uex_worker_record_clear(struct uex_worker_record *record)
{
    free(record->worker);
    *record = (struct uex_worker_record){0};
}

bool uex_worker_record_same(const struct uex_worker_record *left, const struct uex_worker_record *right)
{
    if (left->running != right->running || left->queued != right->queued || left->stopping != right->stopping ||
        left->breaker_count != right->breaker_count)
        return false;
    for (size_t i = 0; i < left->breaker_count; i++) {
        const struct uex_worker_breaker *one = &left->breakers[i], *other = &right->breakers[i];

        if (strcmp(one->dependency, other->dependency) != 0 || strcmp(one->code, other->code) != 0 ||
            one->since_ms != other->since_ms)
            return false;
    }
    return true;
}
