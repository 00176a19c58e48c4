/* SPDX-License-Identifier: Apache-2.0 */
#include "store/object_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/text.h"
#include "store/storage_url.h"

#define META_VERSION "export-version"
#define META_FORMAT "export-format"
#define META_LAYOUT "export-layout"
#define META_COMMAND_ID "export-command-id"
#define META_SNAPSHOT_AT "export-snapshot-at"
#define META_ROW_COUNT "export-row-count"
#define META_SHA256 "export-sha256"

void uex_object_key(const char *domain_id, const char *group_id, const char *command_id, const char *ending,
                    struct uex_buffer *out)
{
    uex_buffer_append_text(out, domain_id);
    uex_buffer_append_text(out, "/");
    uex_percent_encode(out, uex_bytes_of_text(group_id));
    uex_buffer_append_format(out, "/%s%s", command_id, ending);
}

bool uex_object_key_valid(const char *key)
{
    if (key == NULL || key[0] == '\0' || strlen(key) > UEX_OBJECT_KEY_MAX_BYTES)
        return false;
    for (const char *segment = key;;) {
        size_t size = strcspn(segment, "/");
        if (size == 0 || (size == 1 && segment[0] == '.') || (size == 2 && memcmp(segment, "..", 2) == 0))
            return false;
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f)
                return false;
        if (segment[size] == '\0')
            return true;
        segment += size + 1;
    }
}

void uex_object_meta_each(const struct uex_object_meta *meta,
                          void (*emit)(void *context, const char *name, const char *value), void *context)
{
    char text[UEX_SHA256_HEX_SIZE];

    emit(context, META_VERSION, meta->version == NULL ? UEX_DEFAULT_VERSION : meta->version);
    if (meta->has_tags) {
        if (meta->tags.format != NULL)
            emit(context, META_FORMAT, meta->tags.format);
        if (meta->tags.layout_id[0] != '\0')
            emit(context, META_LAYOUT, meta->tags.layout_id);
        emit(context, META_COMMAND_ID, meta->tags.command_id);
        if (meta->tags.snapshot_at_ms != UEX_NO_TIME) {
            uex_time_format(meta->tags.snapshot_at_ms, text);
            emit(context, META_SNAPSHOT_AT, text);
        }
    }
    if (meta->row_count != UEX_UNKNOWN) {
        snprintf(text, sizeof(text), "%" PRIu64, meta->row_count);
        emit(context, META_ROW_COUNT, text);
    }
    if (meta->has_sha256) {
        uex_hex(meta->sha256, sizeof(meta->sha256), text);
        emit(context, META_SHA256, text);
    }
}

void uex_object_facts_init(struct uex_object_facts *facts)
{
    *facts =
        (struct uex_object_facts){.size_bytes = UEX_UNKNOWN, .row_count = UEX_UNKNOWN, .snapshot_at_ms = UEX_NO_TIME};
}

void uex_object_facts_clear(struct uex_object_facts *facts)
{
    if (facts == NULL)
        return;
    free(facts->url);
    uex_object_facts_init(facts);
}

static bool name_is(struct uex_bytes name, const char *text)
{
    return name.size_bytes == strlen(text) && memcmp(name.data, text, name.size_bytes) == 0;
}

static bool parse_layout(struct uex_bytes text, char out[UEX_OBJECT_LAYOUT_SIZE])
{
    if (text.size_bytes != UEX_OBJECT_LAYOUT_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (strchr("0123456789abcdef", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    }
    memcpy(out, text.data, text.size_bytes);
    out[text.size_bytes] = '\0';
    return true;
}

static bool parse_count(struct uex_bytes text, uint64_t *out)
{
    uint64_t count = 0;

    if (text.size_bytes == 0 || text.size_bytes > 19) /* 19 digits fit without overflow */
        return false;
    for (size_t i = 0; i < text.size_bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        count = count * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (count > UEX_COUNT_MAX)
        return false;
    *out = count;
    return true;
}

void uex_object_facts_take(struct uex_object_facts *facts, struct uex_bytes name, struct uex_bytes value)
{
    const char *text = (const char *)value.data;
    int64_t at_ms;

    if (name_is(name, META_COMMAND_ID)) {
        if (!uex_uuid_parse(text, value.size_bytes, facts->command_id))
            facts->command_id[0] = '\0';
    } else if (name_is(name, META_SNAPSHOT_AT)) {
        if (uex_time_parse(text, value.size_bytes, &at_ms))
            facts->snapshot_at_ms = at_ms;
    } else if (name_is(name, META_LAYOUT)) {
        (void)parse_layout(value, facts->layout_id);
    } else if (name_is(name, META_ROW_COUNT)) {
        (void)parse_count(value, &facts->row_count);
    } else if (name_is(name, META_SHA256) && value.size_bytes == UEX_SHA256_HEX_SIZE - 1) {
        char hex[UEX_SHA256_HEX_SIZE];
        memcpy(hex, text, sizeof(hex) - 1);
        hex[sizeof(hex) - 1] = '\0';
        facts->has_sha256 = uex_hex_parse(hex, facts->sha256, sizeof(facts->sha256));
    }
}

bool uex_object_facts_match(const struct uex_object_facts *facts, const struct uex_object_meta *meta,
                            uint64_t size_bytes)
{
    if (facts->size_bytes != size_bytes || strcmp(facts->command_id, meta->has_tags ? meta->tags.command_id : "") != 0)
        return false;
    if (facts->has_sha256)
        return meta->has_sha256 && memcmp(facts->sha256, meta->sha256, sizeof(meta->sha256)) == 0;
    return meta->has_tags && meta->tags.snapshot_at_ms != UEX_NO_TIME &&
           facts->snapshot_at_ms == meta->tags.snapshot_at_ms;
}

void uex_object_facts_written(struct uex_object_facts *facts, char *url, const struct uex_object_meta *meta,
                              uint64_t size_bytes)
{
    uex_object_facts_init(facts);
    facts->url = url;
    facts->size_bytes = size_bytes;
    facts->row_count = meta->row_count;
    facts->has_sha256 = meta->has_sha256;
    memcpy(facts->sha256, meta->sha256, sizeof(meta->sha256));
    if (meta->has_tags) {
        memcpy(facts->command_id, meta->tags.command_id, sizeof(facts->command_id));
        memcpy(facts->layout_id, meta->tags.layout_id, sizeof(facts->layout_id));
        facts->snapshot_at_ms = meta->tags.snapshot_at_ms;
    }
}
