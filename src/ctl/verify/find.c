/* SPDX-License-Identifier: Apache-2.0 */
/* The exports to verify, from the states. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verify/verify.h"

static void clear_item(struct uex_verified *item)
{
    free(item->group_id);
    free(item->run_id);
    free(item->state.file_path);
    free(item->announced.file_path);
    free(item->object.file_path);
    free(item->parts_seen);
    uex_buffer_clear(&item->problems);
    uex_buffer_clear(&item->notes);
}

void uex_verification_clear(struct uex_verification *verification)
{
    for (size_t i = 0; i < verification->count; i++)
        clear_item(&verification->items[i]);
    free(verification->items);
    free(verification->by_command);
    *verification = (struct uex_verification){0};
}

void uex_verify_fails(struct uex_verified *item, enum uex_verify_check check, const char *format, ...)
{
    va_list arguments;
    char text[512];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    item->verdicts[check] = UEX_VERDICT_FAILS;
    uex_buffer_append_format(&item->problems, "%s\n", text);
}

void uex_verify_note(struct uex_verified *item, const char *format, ...)
{
    va_list arguments;
    char text[512];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    uex_buffer_append_format(&item->notes, "%s\n", text);
}

void uex_verify_holds(struct uex_verified *item, enum uex_verify_check check)
{
    if (item->verdicts[check] == UEX_VERDICT_OPEN)
        item->verdicts[check] = UEX_VERDICT_HOLDS;
}

bool uex_verified_is_good(const struct uex_verified *item)
{
    for (int i = 0; i < UEX_VERIFY_COUNT; i++)
        if (item->verdicts[i] == UEX_VERDICT_FAILS)
            return false;
    return true;
}

static const struct uex_verify_facts nothing_known = {.rows = UEX_UNKNOWN, .bytes = UEX_UNKNOWN};

static struct uex_verified *new_item(struct uex_verification *verification, const char *group_id)
{
    struct uex_verified *item = NULL;

    if (verification->count == verification->capacity) {
        size_t capacity = verification->capacity == 0 ? 64 : verification->capacity * 2;
        struct uex_verified *items = realloc(verification->items, capacity * sizeof(*items));

        if (items == NULL)
            return NULL;
        verification->items = items;
        verification->capacity = capacity;
    }
    item = &verification->items[verification->count];
    *item = (struct uex_verified){.group_id = strdup(group_id),
                                  .at_ms = UEX_NO_TIME,
                                  .state = nothing_known,
                                  .announced = nothing_known,
                                  .object = nothing_known};
    if (item->group_id == NULL)
        return NULL;
    verification->count++;
    return item;
}

static bool set_ids(struct uex_verified *item, const uint8_t command_id[16], const char *run_id, int64_t at_ms)
{
    uex_uuid_from_bytes(command_id, item->command_id);
    item->run_id = strdup(run_id);
    item->at_ms = at_ms;
    return item->run_id != NULL;
}

/* What the state has about this command's export: everything if it is the newest outcome, less if it is the last
 * export. */
static bool take_facts(struct uex_verified *item, const struct uex_group_state_view *view)
{
    const struct uex_state_record *record = &view->record;
    const struct uex_last_exported_view *last = &view->memory.last;
    char last_id[UEX_UUID_TEXT_SIZE];
    const char *file_path = NULL;
    bool is_last = false;

    if (view->memory.has_last) {
        uex_uuid_from_bytes(last->command_id, last_id);
        is_last = strcmp(last_id, item->command_id) == 0;
    }
    if (is_last)
        snprintf(item->state.layout, sizeof(item->state.layout), "%s", last->layout);
    if (record->outcome == UEX_OUTCOME_EXPORTED && strcmp(record->command_id, item->command_id) == 0) {
        item->state.rows = record->rows;
        item->state.bytes = record->bytes;
        snprintf(item->state.sha256, sizeof(item->state.sha256), "%s", record->sha256);
        file_path = record->file_path;
    } else if (is_last) {
        item->state.rows = last->rows;
        if (last->has_sha256)
            uex_hex(last->sha256, sizeof(last->sha256), item->state.sha256);
        file_path = last->file_path;
    }
    item->state.file_path = file_path == NULL ? NULL : strdup(file_path);
    return file_path == NULL || item->state.file_path != NULL;
}

static enum uex_error add_last(struct uex_verification *verification, const char *group_id,
                               const struct uex_group_state_view *view)
{
    const struct uex_last_exported_view *last = &view->memory.last;
    struct uex_verified *item = new_item(verification, group_id);

    if (item == NULL)
        return UEX_NO_MEMORY;
    if (!view->memory.has_last) {
        uex_verify_fails(item, UEX_VERIFY_STATE, "the group was never exported; see exportctl status %s", group_id);
        return UEX_OK;
    }
    return set_ids(item, last->command_id, last->run_id, last->at_ms) && take_facts(item, view) ? UEX_OK
                                                                                                : UEX_NO_MEMORY;
}

/* The group's outcome in the run: its newest export, because that was announced; else the newest outcome. */
static bool find_in_run(const struct uex_group_state_view *view, const char *run_id, struct uex_recent_view *out)
{
    bool is_there = strcmp(view->record.run_id, run_id) == 0;

    if (is_there) {
        *out = (struct uex_recent_view){
            .run_id = view->record.run_id, .at_ms = view->record.at_ms, .outcome = view->record.outcome};
        uex_uuid_to_bytes(view->record.command_id, out->command_id);
    }
    for (size_t i = view->memory.recent_count; i-- > 0 && !(is_there && out->outcome == UEX_OUTCOME_EXPORTED);) {
        const struct uex_recent_view *recent = &view->memory.recent[i];

        if (strcmp(recent->run_id, run_id) != 0 || (is_there && recent->outcome != UEX_OUTCOME_EXPORTED))
            continue;
        *out = *recent;
        is_there = true;
    }
    return is_there;
}

static enum uex_error add_of_run(struct uex_verification *verification, const char *group_id, bool is_named,
                                 const struct uex_group_state_view *view)
{
    struct uex_recent_view outcome = {0};
    struct uex_verified *item = NULL;
    bool is_there = find_in_run(view, verification->run_id, &outcome);

    if (!is_named && (!is_there || outcome.outcome != UEX_OUTCOME_EXPORTED)) {
        if (is_there)
            verification->other_counts[outcome.outcome]++;
        return UEX_OK;
    }
    item = new_item(verification, group_id);
    if (item == NULL)
        return UEX_NO_MEMORY;
    if (!is_there || outcome.outcome != UEX_OUTCOME_EXPORTED) {
        uex_verify_fails(item, UEX_VERIFY_STATE, "%s in run %s",
                         is_there ? uex_outcome_text(outcome.outcome) : "no outcome", verification->run_id);
        return UEX_OK;
    }
    return set_ids(item, outcome.command_id, outcome.run_id, outcome.at_ms) && take_facts(item, view) ? UEX_OK
                                                                                                      : UEX_NO_MEMORY;
}

static enum uex_error add_group(struct uex_verification *verification, const char *group_id, bool is_named,
                                struct uex_bytes value)
{
    struct uex_group_state_view view = {0};
    struct uex_fault fault = {0};
    struct uex_verified *item = NULL;
    enum uex_error err = value.data == NULL ? UEX_NOT_FOUND : uex_group_state_view_read(value, &view, &fault);

    if (err == UEX_OK)
        err = verification->run_id == NULL ? add_last(verification, group_id, &view)
                                           : add_of_run(verification, group_id, is_named, &view);
    if (err == UEX_NOT_FOUND || err == UEX_MALFORMED) {
        item = new_item(verification, group_id);
        if (item != NULL && err == UEX_NOT_FOUND)
            uex_verify_fails(item, UEX_VERIFY_STATE, "the group has no outcome; exportctl trigger exports it");
        else if (item != NULL)
            uex_verify_fails(item, UEX_VERIFY_STATE, "its state record cannot be read: %s", fault.text);
        err = item == NULL ? UEX_NO_MEMORY : UEX_OK;
    }
    uex_group_state_view_clear(&view);
    return err;
}

struct adding {
    struct uex_verification *verification;
    enum uex_error error;
};

static void add_state(void *context, const char *group_id, struct uex_bytes value)
{
    struct adding *adding = context;

    if (adding->error == UEX_OK)
        adding->error = add_group(adding->verification, group_id, false, value);
}

static bool is_there_already(const struct uex_verification *verification, const char *group_id)
{
    for (size_t i = 0; i < verification->count; i++)
        if (strcmp(verification->items[i].group_id, group_id) == 0)
            return true;
    return false;
}

static int compare_commands(const void *left, const void *right)
{
    const struct uex_verified *const *left_item = left, *const *right_item = right;

    return strcmp((*left_item)->command_id, (*right_item)->command_id);
}

enum uex_error uex_verify_find(struct uex_verification *verification, const struct uex_state_set *states,
                               int group_count, char **group_ids)
{
    struct adding adding = {.verification = verification};

    for (int i = 0; i < group_count && adding.error == UEX_OK; i++)
        if (!is_there_already(verification, group_ids[i]))
            adding.error = add_group(verification, group_ids[i], true, uex_state_set_find(states, group_ids[i]));
    if (group_count == 0)
        uex_state_set_each(states, add_state, &adding);
    if (adding.error != UEX_OK)
        return adding.error;
    verification->by_command = calloc(verification->count + 1, sizeof(*verification->by_command));
    if (verification->by_command == NULL)
        return UEX_NO_MEMORY;
    for (size_t i = 0; i < verification->count; i++)
        if (verification->items[i].command_id[0] != 0)
            verification->by_command[verification->command_count++] = &verification->items[i];
    if (verification->command_count > 1)
        qsort(verification->by_command, verification->command_count, sizeof(*verification->by_command),
              compare_commands);
    return UEX_OK;
}
