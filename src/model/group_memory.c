/* SPDX-License-Identifier: Apache-2.0 */
/* A worker holds one memory for each group of its partitions, so it is packed: one block with the entries, lastExported
 * if there is one, and the strings, each of them once. A change lays it open, changes, and packs a new block. */
#include "model/group_memory.h"

#include <stdlib.h>

struct uex_packed_recent {
    uint8_t command_id[16];
    int64_t at_ms;
    uint16_t run_id, reason; /* places in the strings */
    uint8_t outcome;
};

struct packed_last {
    uint8_t command_id[16];
    uint8_t sha256[UEX_SHA256_SIZE];
    int64_t at_ms;
    uint64_t rows;
    uint16_t run_id, file_path, layout;
    bool has_sha256;
};

/* The strings of a block that is being packed. */
struct strings {
    char *text;
    size_t size_bytes;
};

static const struct packed_last *last_of(const struct uex_group_memory *memory)
{
    return (const struct packed_last *)(const void *)(memory->recent + memory->recent_count);
}

static const char *strings_of(const struct uex_group_memory *memory)
{
    return (const char *)(last_of(memory) + (memory->has_last ? 1 : 0));
}

static uint16_t intern(struct strings *strings, const char *text)
{
    size_t place = 0;

    while (place < strings->size_bytes) {
        if (strcmp(strings->text + place, text) == 0)
            return (uint16_t)place;
        place += strlen(strings->text + place) + 1;
    }
    memcpy(strings->text + place, text, strlen(text) + 1);
    strings->size_bytes = place + strlen(text) + 1;
    return (uint16_t)place;
}

struct uex_group_memory *uex_group_memory_new(void)
{
    struct uex_group_memory *memory = calloc(1, sizeof *memory);

    if (memory != NULL)
        memory->at_ms = UEX_NO_TIME;
    return memory;
}

void uex_group_memory_free(struct uex_group_memory *memory)
{
    if (memory == NULL)
        return;
    free(memory->recent);
    free(memory);
}

struct uex_group_memory *uex_group_memory_copy(const struct uex_group_memory *memory)
{
    struct uex_group_memory *copy = uex_group_memory_new();
    struct uex_group_memory_view view;

    if (copy == NULL)
        return NULL;
    uex_group_memory_unpack(memory, &view);
    if (uex_group_memory_pack(&view, copy) != UEX_OK) {
        uex_group_memory_free(copy);
        return NULL;
    }
    return copy;
}

int64_t uex_group_memory_at_ms(const struct uex_group_memory *memory)
{
    return memory->at_ms;
}

bool uex_group_memory_is_duplicate(const struct uex_group_memory *memory, const char *command_id)
{
    char canonical[UEX_UUID_TEXT_SIZE];
    uint8_t bytes[16];

    if (command_id == NULL || !uex_uuid_parse(command_id, strlen(command_id), canonical))
        return false;
    uex_uuid_to_bytes(canonical, bytes);
    for (size_t i = 0; i < memory->recent_count; i++) {
        const struct uex_packed_recent *entry = &memory->recent[i];
        if ((entry->outcome == UEX_OUTCOME_EXPORTED || entry->outcome == UEX_OUTCOME_SKIPPED) &&
            memcmp(entry->command_id, bytes, sizeof bytes) == 0)
            return true;
    }
    return false;
}

bool uex_group_memory_follows(const struct uex_group_memory *memory, const struct uex_group_memory *other)
{
    const struct uex_packed_recent *newest = other->recent_count == 0 ? NULL : &other->recent[other->recent_count - 1];

    for (size_t i = 0; newest != NULL && i < memory->recent_count; i++) {
        if (memcmp(memory->recent[i].command_id, newest->command_id, sizeof(newest->command_id)) == 0)
            return true;
    }
    return false;
}

void uex_group_memory_unpack(const struct uex_group_memory *memory, struct uex_group_memory_view *out)
{
    const char *strings = memory->recent == NULL ? NULL : strings_of(memory);

    *out = (struct uex_group_memory_view){
        .at_ms = memory->at_ms, .recent_count = memory->recent_count, .has_last = memory->has_last};
    for (size_t i = 0; i < memory->recent_count; i++) {
        const struct uex_packed_recent *entry = &memory->recent[i];
        out->recent[i] = (struct uex_recent_view){.run_id = strings + entry->run_id,
                                                  .reason = strings + entry->reason,
                                                  .at_ms = entry->at_ms,
                                                  .outcome = (enum uex_outcome_kind)entry->outcome};
        memcpy(out->recent[i].command_id, entry->command_id, sizeof entry->command_id);
    }
    if (!memory->has_last)
        return;
    const struct packed_last *last = last_of(memory);
    out->last = (struct uex_last_exported_view){.run_id = strings + last->run_id,
                                                .file_path = strings + last->file_path,
                                                .layout = strings + last->layout,
                                                .at_ms = last->at_ms,
                                                .rows = last->rows,
                                                .has_sha256 = last->has_sha256};
    memcpy(out->last.command_id, last->command_id, sizeof last->command_id);
    memcpy(out->last.sha256, last->sha256, sizeof last->sha256);
}

/* Enough for all strings if no two are the same. */
static size_t strings_bound(const struct uex_group_memory_view *view)
{
    size_t size_bytes = 0;

    for (size_t i = 0; i < view->recent_count; i++)
        size_bytes += strlen(view->recent[i].run_id) + strlen(view->recent[i].reason) + 2;
    if (view->has_last)
        size_bytes += strlen(view->last.run_id) + strlen(view->last.file_path) + strlen(view->last.layout) + 3;
    return size_bytes;
}

static void pack_last(const struct uex_last_exported_view *view, struct packed_last *out, struct strings *strings)
{
    *out = (struct packed_last){.at_ms = view->at_ms,
                                .rows = view->rows,
                                .run_id = intern(strings, view->run_id),
                                .file_path = intern(strings, view->file_path),
                                .layout = intern(strings, view->layout),
                                .has_sha256 = view->has_sha256};
    memcpy(out->command_id, view->command_id, sizeof out->command_id);
    memcpy(out->sha256, view->sha256, sizeof out->sha256);
}

enum uex_error uex_group_memory_pack(const struct uex_group_memory_view *view, struct uex_group_memory *memory)
{
    size_t fixed_bytes =
        view->recent_count * sizeof(struct uex_packed_recent) + (view->has_last ? sizeof(struct packed_last) : 0);
    size_t bound_bytes = strings_bound(view);
    struct uex_group_memory packed = {
        .at_ms = view->at_ms, .recent_count = (uint8_t)view->recent_count, .has_last = view->has_last};
    struct strings strings = {0};
    void *block = NULL;

    if (bound_bytes > UINT16_MAX)
        return UEX_LIMIT;
    if (fixed_bytes > 0) {
        block = malloc(fixed_bytes + bound_bytes);
        if (block == NULL)
            return UEX_NO_MEMORY;
        packed.recent = block;
        strings.text = (char *)block + fixed_bytes;
        for (size_t i = 0; i < view->recent_count; i++) {
            const struct uex_recent_view *entry = &view->recent[i];
            packed.recent[i] = (struct uex_packed_recent){.at_ms = entry->at_ms,
                                                          .run_id = intern(&strings, entry->run_id),
                                                          .reason = intern(&strings, entry->reason),
                                                          .outcome = (uint8_t)entry->outcome};
            memcpy(packed.recent[i].command_id, entry->command_id, sizeof entry->command_id);
        }
        if (view->has_last)
            pack_last(&view->last,
                      (struct packed_last *)((uint8_t *)block + view->recent_count * sizeof(struct uex_packed_recent)),
                      &strings);
        void *smaller = realloc(block, fixed_bytes + strings.size_bytes);
        packed.recent = smaller != NULL ? smaller : block;
    }
    free(memory->recent);
    *memory = packed;
    return UEX_OK;
}

void uex_group_memory_view_push(struct uex_group_memory_view *view, const struct uex_recent_view *entry)
{
    size_t kept = 0;

    for (size_t i = 0; i < view->recent_count; i++)
        if (memcmp(view->recent[i].command_id, entry->command_id, sizeof entry->command_id) != 0)
            view->recent[kept++] = view->recent[i];
    if (kept == UEX_RECENT_MAX) {
        memmove(view->recent, view->recent + 1, (UEX_RECENT_MAX - 1) * sizeof view->recent[0]);
        kept--;
    }
    view->recent[kept] = *entry;
    view->recent_count = kept + 1;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

enum uex_error uex_group_memory_add(struct uex_group_memory *memory, const struct uex_state_record *record)
{
    struct uex_group_memory_view view;
    struct uex_recent_view entry = {.run_id = or_empty(record->run_id),
                                    .reason = or_empty(record->reason),
                                    .at_ms = record->at_ms,
                                    .outcome = record->outcome};
    char command_id[UEX_UUID_TEXT_SIZE];

    if (record->outcome == UEX_OUTCOME_REROUTED ||
        (record->outcome == UEX_OUTCOME_SKIPPED && strcmp(entry.reason, uex_skip_text(UEX_SKIP_DUPLICATE)) == 0))
        return UEX_OK;
    if (record->outcome == UEX_OUTCOME_RETRIED) {
        memory->at_ms = record->at_ms;
        return UEX_OK;
    }
    if (record->command_id == NULL || !uex_uuid_parse(record->command_id, strlen(record->command_id), command_id))
        return UEX_INTERNAL;
    uex_uuid_to_bytes(command_id, entry.command_id);
    uex_group_memory_unpack(memory, &view);
    view.at_ms = record->at_ms;
    uex_group_memory_view_push(&view, &entry);
    if (record->outcome == UEX_OUTCOME_EXPORTED) {
        view.has_last = true;
        view.last = (struct uex_last_exported_view){.run_id = entry.run_id,
                                                    .file_path = or_empty(record->file_path),
                                                    .layout = or_empty(record->layout),
                                                    .at_ms = record->at_ms,
                                                    .rows = record->rows};
        memcpy(view.last.command_id, entry.command_id, sizeof entry.command_id);
        view.last.has_sha256 =
            record->sha256 != NULL && uex_hex_parse(record->sha256, view.last.sha256, sizeof view.last.sha256);
    }
    return uex_group_memory_pack(&view, memory);
}
