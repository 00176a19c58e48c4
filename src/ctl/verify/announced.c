/* SPDX-License-Identifier: Apache-2.0 */
/* The announcements in topics.result, compared with the states. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verify/verify.h"
#include "export/command.h"
#include "export/format.h"
#include "export/text.h"
#include "kafka/headers.h"
#include "model/json.h"

#define CLOCKS_DIFFER_MS 600000 /* a worker's clock and the record's timestamp */
#define PARTS_MAX 1000000

/* ---- one record */

/* A header's text; "" where it is missing or too long. */
static const char *text_header(const struct uex_record *record, const char *name, char *out, size_t size)
{
    struct uex_bytes value = {0};

    out[0] = 0;
    if (uex_record_header(record, name, &value) && value.size_bytes < size && value.data != NULL) {
        memcpy(out, value.data, value.size_bytes);
        out[value.size_bytes] = 0;
    }
    return out;
}

static uint64_t number_header(const struct uex_record *record, const char *name)
{
    char text[24], *end = NULL;
    unsigned long long value = 0;

    text_header(record, name, text, sizeof(text));
    if (text[0] < '0' || text[0] > '9')
        return UEX_UNKNOWN;
    value = strtoull(text, &end, 10);
    return *end == 0 ? value : UEX_UNKNOWN;
}

/* The parts of an announcement are written in one transaction, in order, into one partition. A second announcement of a
 * command starts after all parts of the first, or when part 1 comes and the first parts of the earlier one are older
 * than what is read here, or in another partition after the topic has grown. The newest counts, as in the state. */
static bool starts_again(const struct uex_verified *item, const struct uex_record *record, uint64_t part)
{
    const bool is_whole = item->parts_seen_count == item->part_count;

    if (!item->is_announced || record->partition != item->partition)
        return true;
    return part == 1 && (is_whole || item->first_part != 1);
}

static void begin_announcement(struct uex_verified *item, const struct uex_record *record, uint64_t part)
{
    free(item->parts_seen);
    item->parts_seen = NULL;
    item->part_count = 0;
    item->parts_seen_count = 0;
    item->first_part = part > UINT32_MAX ? UINT32_MAX : (uint32_t)part;
    item->name_count = 0;
    free(item->announced.file_path);
    item->announced = (struct uex_verify_facts){.rows = UEX_UNKNOWN, .bytes = UEX_UNKNOWN};
    item->is_announced = false;
    item->partition = record->partition;
    item->announced_at_ms = record->timestamp_ms;
    item->announcement_count++;
}

/* UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error note_part(struct uex_verified *item, const struct uex_record *record)
{
    uint64_t part = number_header(record, UEX_HEADER_PART), count = number_header(record, UEX_HEADER_PART_COUNT);

    if (count == UEX_UNKNOWN || count == 0 || count > PARTS_MAX || part == UEX_UNKNOWN || part == 0 || part > count) {
        uex_verify_fails(item, UEX_VERIFY_PARTS, "a record has impossible values of %s and %s", UEX_HEADER_PART,
                         UEX_HEADER_PART_COUNT);
        return UEX_OK;
    }
    if (item->parts_seen == NULL) {
        item->parts_seen = calloc((size_t)count, 1);
        if (item->parts_seen == NULL)
            return UEX_NO_MEMORY;
        item->part_count = (uint32_t)count;
    }
    if (count != item->part_count)
        uex_verify_fails(item, UEX_VERIFY_PARTS, "records differ in the number of parts");
    else if (item->parts_seen[part - 1]++ > 0)
        uex_verify_fails(item, UEX_VERIFY_PARTS, "part %" PRIu64 " was announced more than once", part);
    else
        item->parts_seen_count++;
    return UEX_OK;
}

/* The headers of the first record; those of the others must be the same. */
static void note_headers(struct uex_verified *item, const struct uex_record *record)
{
    struct uex_verify_facts facts = {.rows = number_header(record, UEX_HEADER_ROW_COUNT),
                                     .bytes = number_header(record, UEX_HEADER_BYTE_COUNT)};
    char version[64];

    text_header(record, UEX_HEADER_SHA256, facts.sha256, sizeof(facts.sha256));
    text_header(record, UEX_HEADER_LAYOUT, facts.layout, sizeof(facts.layout));
    if (text_header(record, UEX_HEADER_VERSION, version, sizeof(version))[0] == 0)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "%s is missing", UEX_HEADER_VERSION);
    if (facts.rows == UEX_UNKNOWN)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "%s is missing", UEX_HEADER_ROW_COUNT);
    text_header(record, UEX_HEADER_RUN_ID, item->announced_run_id, sizeof(item->announced_run_id));
    if (item->is_announced &&
        (facts.rows != item->announced.rows || strcmp(facts.sha256, item->announced.sha256) != 0 ||
         strcmp(facts.layout, item->announced.layout) != 0))
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "its records differ");
    if (item->is_announced)
        return;
    item->announced.rows = facts.rows;
    item->announced.bytes = facts.bytes;
    memcpy(item->announced.sha256, facts.sha256, sizeof(facts.sha256));
    memcpy(item->announced.layout, facts.layout, sizeof(facts.layout));
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(member) ? member->valuestring : NULL;
}

static bool has_the_six_fields(const cJSON *object)
{
    static const char *const names[] = {"groupId", "filePath", "fileName", "contentType", "domainId", "usernames"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (cJSON_GetObjectItemCaseSensitive(object, names[i]) == NULL)
            return false;
    return cJSON_GetArraySize(object) == (int)(sizeof(names) / sizeof(names[0]));
}

static enum uex_error note_file(struct uex_verified *item, const cJSON *object, const char *file_path)
{
    const char *file_name = text_of(object, "fileName"), *content_type = text_of(object, "contentType");
    const char *slash = strrchr(file_path, '/');
    enum uex_format format = UEX_FORMAT_CSV;

    if (!cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, "usernames")))
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "both a file and usernames were announced");
    if (file_name == NULL || slash == NULL || strcmp(file_name, slash + 1) != 0)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "fileName is not the end of filePath");
    if (content_type == NULL || !uex_format_of_name(file_path, &format) ||
        strcmp(content_type, uex_format_content_type(format)) != 0)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "contentType is not that of the file's name");
    if (item->announced.file_path == NULL)
        item->announced.file_path = strdup(file_path);
    return item->announced.file_path == NULL ? UEX_NO_MEMORY : UEX_OK;
}

static enum uex_error note_value(struct uex_verified *item, const struct uex_record *record)
{
    cJSON *object = record->value.data == NULL || !uex_utf8_valid(record->value)
                        ? NULL
                        : cJSON_ParseWithLength((const char *)record->value.data, record->value.size_bytes);
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(object, "usernames");
    const char *group_id = text_of(object, "groupId"), *domain_id = text_of(object, "domainId");
    const char *file_path = text_of(object, "filePath");
    enum uex_error err = UEX_OK;
    size_t offset_bytes = 0;

    /* Valid JSON that was not parsed: no memory. */
    if (object == NULL && record->value.data != NULL && uex_json_check(record->value, &offset_bytes) == NULL)
        return UEX_NO_MEMORY;
    if (!cJSON_IsObject(object) || !has_the_six_fields(object)) {
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "the value is not an object of the six fields");
        goto done;
    }
    if (group_id == NULL || strcmp(group_id, item->group_id) != 0)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "groupId is another group");
    if (domain_id == NULL || !uex_uuid_parse(domain_id, strlen(domain_id), item->domain_id))
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "domainId is not a UUID");
    item->is_list = file_path == NULL;
    if (file_path != NULL)
        err = note_file(item, object, file_path);
    else if (cJSON_IsArray(names))
        item->name_count += (uint64_t)cJSON_GetArraySize(names);
    else
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "neither a file nor usernames were announced");
done:
    cJSON_Delete(object);
    return err;
}

enum uex_error uex_verify_add_record(struct uex_verified *item, const struct uex_record *record)
{
    const uint64_t part = number_header(record, UEX_HEADER_PART);
    enum uex_error err = UEX_OK;

    if (item->is_announced && record->partition != item->partition && record->timestamp_ms < item->announced_at_ms)
        return UEX_OK; /* of an older announcement, from before the topic grew */
    if (starts_again(item, record, part))
        begin_announcement(item, record, part);
    note_headers(item, record);
    err = note_part(item, record);
    if (err == UEX_OK)
        err = note_value(item, record);
    item->is_announced = true;
    return err;
}

static int compare_id(const void *id, const void *item)
{
    return strcmp(id, (*(struct uex_verified *const *)item)->command_id);
}

static enum uex_error take_message(void *context, const rd_kafka_message_t *message)
{
    struct uex_verification *verification = context;
    struct uex_record *record = uex_record_copy(message, NULL);
    struct uex_verified **found = NULL;
    enum uex_error err = UEX_OK;

    if (record == NULL)
        return UEX_NO_MEMORY;
    if (record->envelope.command_id[0] != 0 && verification->command_count > 0)
        found = bsearch(record->envelope.command_id, verification->by_command, verification->command_count,
                        sizeof(*verification->by_command), compare_id);
    if (found != NULL)
        err = uex_verify_add_record(*found, record);
    uex_record_free(record);
    return err;
}

/* ---- all of them */

static void compare_count(struct uex_verified *item, const char *what, uint64_t state, uint64_t announced)
{
    if (state != UEX_UNKNOWN && announced != UEX_UNKNOWN && state != announced)
        uex_verify_fails(item, UEX_VERIFY_STATE, "the state has %" PRIu64 " %s, the announcement %" PRIu64, state, what,
                         announced);
}

static void compare_with_state(struct uex_verified *item)
{
    const struct uex_verify_facts *state = &item->state, *announced = &item->announced;

    compare_count(item, "rows", state->rows, announced->rows);
    compare_count(item, "bytes", state->bytes, announced->bytes);
    if (state->sha256[0] != 0 && strcmp(state->sha256, announced->sha256) != 0)
        uex_verify_fails(item, UEX_VERIFY_STATE, "the state has sha256 %s, the announcement %s", state->sha256,
                         announced->sha256[0] == 0 ? "none" : announced->sha256);
    if (state->file_path != NULL && announced->file_path != NULL && strcmp(state->file_path, announced->file_path) != 0)
        uex_verify_fails(item, UEX_VERIFY_STATE, "the state and the announcement name different files");
    if (state->layout[0] != 0 && announced->layout[0] != 0 && strcmp(state->layout, announced->layout) != 0)
        uex_verify_fails(item, UEX_VERIFY_STATE, "the state has layout %s, the announcement %s", state->layout,
                         announced->layout);
    uex_verify_holds(item, UEX_VERIFY_STATE);
}

void uex_verify_check_announcement(struct uex_verified *item)
{
    if (!item->is_announced) {
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED,
                         "command %s is not among the results (it may be older than the topic's retention)",
                         item->command_id);
        return;
    }
    if (strcmp(item->announced_run_id, item->run_id) != 0)
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "it was announced for run '%s', the state has '%s'",
                         item->announced_run_id, item->run_id);
    if (item->parts_seen_count != item->part_count)
        uex_verify_fails(item, UEX_VERIFY_PARTS, "%" PRIu32 " of %" PRIu32 " parts were announced",
                         item->parts_seen_count, item->part_count);
    if (item->is_list && item->name_count != item->announced.rows)
        uex_verify_fails(item, UEX_VERIFY_ROWS, "%" PRIu64 " usernames were announced, %" PRIu64 " in the headers",
                         item->name_count, item->announced.rows);
    if (!item->is_list && item->part_count > 1)
        uex_verify_fails(item, UEX_VERIFY_PARTS, "a file was announced in %" PRIu32 " parts", item->part_count);
    if (!item->is_list && (item->announced.bytes == UEX_UNKNOWN || item->announced.sha256[0] == 0))
        uex_verify_fails(item, UEX_VERIFY_ANNOUNCED, "%s or %s is missing", UEX_HEADER_BYTE_COUNT, UEX_HEADER_SHA256);
    uex_verify_holds(item, UEX_VERIFY_ANNOUNCED);
    uex_verify_holds(item, UEX_VERIFY_PARTS);
    if (item->is_list)
        uex_verify_holds(item, UEX_VERIFY_ROWS);
    compare_with_state(item);
}

static enum uex_error read_since(struct uex_verification *verification, int64_t since_ms, struct uex_fault *fault)
{
    /* To the high watermark: the end of the transaction can be visible in the state topic before the result topic. */
    const struct uex_read_topic topic = {.name = verification->config->topics_result,
                                         .from = since_ms == UEX_NO_TIME ? UEX_READ_ALL : UEX_READ_SINCE,
                                         .since_ms = since_ms,
                                         .whole = true};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(verification->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_message, verification, fault);
    uex_topic_reader_close(reader);
    return err;
}

/* Drop those that were found. */
static void forget_found(struct uex_verification *verification)
{
    size_t kept = 0;

    for (size_t i = 0; i < verification->command_count; i++)
        if (!verification->by_command[i]->is_announced)
            verification->by_command[kept++] = verification->by_command[i];
    verification->command_count = kept;
}

enum uex_error uex_verify_announcements(struct uex_verification *verification, struct uex_fault *fault)
{
    int64_t since_ms = INT64_MAX;
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < verification->command_count; i++)
        if (verification->by_command[i]->at_ms < since_ms)
            since_ms = verification->by_command[i]->at_ms;
    if (verification->command_count > 0 && since_ms > CLOCKS_DIFFER_MS)
        err = read_since(verification, since_ms - CLOCKS_DIFFER_MS, fault);
    forget_found(verification);
    /* The clocks differ by more: read the whole topic. */
    if (err == UEX_OK && verification->command_count > 0)
        err = read_since(verification, UEX_NO_TIME, fault);
    for (size_t i = 0; err == UEX_OK && i < verification->count; i++)
        if (verification->items[i].command_id[0] != 0)
            uex_verify_check_announcement(&verification->items[i]);
    return err;
}
