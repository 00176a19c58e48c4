/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status_rows.h"

#include <stdlib.h>

#include "export/text.h"

static const char *const texts[] = {
    [UEX_STATUS_DEAD_LETTERED] = "dead-lettered",
    [UEX_STATUS_UNREADABLE] = "unreadable",
    [UEX_STATUS_RETRIED] = "retried",
    [UEX_STATUS_MISSING] = "missing",
    [UEX_STATUS_UNKNOWN] = "unknown",
    [UEX_STATUS_SKIPPED] = "skipped",
    [UEX_STATUS_EXPORTED] = "exported",
};

const char *uex_status_text(enum uex_status status)
{
    return texts[status];
}

const char *uex_status_colour(const char *text)
{
    if (strcmp(text, texts[UEX_STATUS_DEAD_LETTERED]) == 0 || strcmp(text, texts[UEX_STATUS_UNREADABLE]) == 0)
        return "31";
    if (strcmp(text, texts[UEX_STATUS_EXPORTED]) == 0)
        return "32";
    return strcmp(text, texts[UEX_STATUS_SKIPPED]) == 0 ? NULL : "33";
}

static enum uex_status status_of(enum uex_outcome_kind outcome)
{
    switch (outcome) {
    case UEX_OUTCOME_EXPORTED:
        return UEX_STATUS_EXPORTED;
    case UEX_OUTCOME_SKIPPED:
        return UEX_STATUS_SKIPPED;
    case UEX_OUTCOME_RETRIED:
        return UEX_STATUS_RETRIED;
    default:
        return UEX_STATUS_DEAD_LETTERED;
    }
}

static void clear_row(struct uex_status_row *row)
{
    free(row->group_id);
    free(row->reason);
    free(row->run_id);
    free(row->file_path);
    free(row->sha256);
}

void uex_status_rows_clear(struct uex_status_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        clear_row(&rows->items[i]);
    free(rows->items);
    *rows = (struct uex_status_rows){0};
}

/* What a row takes from a state record; borrowed. */
struct told {
    enum uex_status status;
    const char *reason, *run_id, *file_path, *sha256;
};

static void take_record(const struct uex_state_record *record, struct uex_status_row *row, struct told *told)
{
    *told = (struct told){.status = status_of(record->outcome),
                          .reason = record->reason,
                          .run_id = record->run_id,
                          .file_path = record->file_path,
                          .sha256 = record->sha256};
    memcpy(row->command_id, record->command_id, UEX_UUID_TEXT_SIZE);
    row->at_ms = record->at_ms;
    row->snapshot_at_ms = record->snapshot_at_ms;
    row->duration_ms = record->duration_ms;
    row->next_attempt_at_ms = record->next_attempt_at_ms;
    row->rows = record->rows;
    row->bytes = record->bytes;
    row->attempts = record->attempts;
}

static void take_recent(const struct uex_recent_view *entry, const struct uex_group_memory_view *memory,
                        struct uex_status_row *row, struct told *told, char hex[UEX_SHA256_HEX_SIZE])
{
    const struct uex_last_exported_view *last = &memory->last;

    *told = (struct told){.status = status_of(entry->outcome),
                          .reason = entry->reason,
                          .run_id = entry->run_id,
                          .file_path = "",
                          .sha256 = ""};
    uex_uuid_from_bytes(entry->command_id, row->command_id);
    row->at_ms = entry->at_ms;
    if (!memory->has_last || entry->outcome != UEX_OUTCOME_EXPORTED ||
        memcmp(last->command_id, entry->command_id, sizeof(entry->command_id)) != 0)
        return;
    row->rows = last->rows;
    told->file_path = last->file_path;
    if (last->has_sha256) {
        uex_hex(last->sha256, sizeof(last->sha256), hex);
        told->sha256 = hex;
    }
}

/* The group's outcome in a run: the newest one, or what it remembers of it. */
static void take_run(const struct uex_group_state_view *view, const char *run_id, struct uex_status_row *row,
                     struct told *told, char hex[UEX_SHA256_HEX_SIZE])
{
    const struct uex_group_memory_view *memory = &view->memory;

    if (strcmp(view->record.run_id, run_id) == 0) {
        take_record(&view->record, row, told);
        return;
    }
    for (size_t i = memory->recent_count; i-- > 0;) {
        if (strcmp(memory->recent[i].run_id, run_id) != 0)
            continue;
        take_recent(&memory->recent[i], memory, row, told, hex);
        return;
    }
    /* Whether it could have been forgotten is known once the run's first outcome is: see uex_status_rows_finish(). */
    if (memory->recent_count == UEX_RECENT_MAX) {
        told->status = UEX_STATUS_UNKNOWN;
        row->at_ms = memory->recent[0].at_ms;
    }
}

static char *copy_text(const char *text, bool *failed)
{
    char *copy = strdup(text == NULL ? "" : text);

    *failed = *failed || copy == NULL;
    return copy;
}

static bool make_room(struct uex_status_rows *rows)
{
    size_t capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
    struct uex_status_row *items = NULL;

    if (rows->count < rows->capacity)
        return true;
    items = realloc(rows->items, capacity * sizeof(*items));
    if (items == NULL)
        return false;
    rows->items = items;
    rows->capacity = capacity;
    return true;
}

static enum uex_error add_row(struct uex_status_rows *rows, const char *group_id, struct uex_status_row *row,
                              const struct told *told)
{
    bool failed = false;

    if (!make_room(rows))
        return UEX_NO_MEMORY;
    row->status = told->status;
    row->group_id = copy_text(group_id, &failed);
    row->reason = copy_text(told->reason, &failed);
    row->run_id = copy_text(told->run_id, &failed);
    row->file_path = copy_text(told->file_path, &failed);
    row->sha256 = copy_text(told->sha256, &failed);
    if (failed) {
        clear_row(row);
        return UEX_NO_MEMORY;
    }
    rows->items[rows->count++] = *row;
    rows->counts[row->status]++;
    return UEX_OK;
}

static const struct uex_status_row nothing_known = {.at_ms = UEX_NO_TIME,
                                                    .snapshot_at_ms = UEX_NO_TIME,
                                                    .duration_ms = UEX_NO_TIME,
                                                    .next_attempt_at_ms = UEX_NO_TIME,
                                                    .last_exported_at_ms = UEX_NO_TIME,
                                                    .rows = UEX_UNKNOWN,
                                                    .bytes = UEX_UNKNOWN,
                                                    .attempts = UEX_UNKNOWN};

enum uex_error uex_status_rows_add_record(struct uex_status_rows *rows, const struct uex_state_record *record)
{
    struct uex_status_row row = nothing_known;
    struct told told = {0};

    take_record(record, &row, &told);
    return add_row(rows, record->group_id, &row, &told);
}

enum uex_error uex_status_rows_add(struct uex_status_rows *rows, const char *group_id, struct uex_bytes value,
                                   const char *run_id)
{
    struct uex_status_row row = nothing_known;
    struct told told = {.status = UEX_STATUS_MISSING, .run_id = run_id};
    struct uex_group_state_view view = {0};
    struct uex_fault fault = {0};
    char hex[UEX_SHA256_HEX_SIZE] = "";
    enum uex_error err = UEX_OK;

    /* What came before it is of no interest where the newest outcome is the one that was asked for. */
    if (value.data != NULL)
        err = uex_group_state_newest_read(value, &view, &fault);
    if (value.data != NULL && err == UEX_OK && run_id != NULL && strcmp(view.record.run_id, run_id) != 0) {
        uex_group_state_view_clear(&view);
        err = uex_group_state_view_read(value, &view, &fault);
    }
    if (err == UEX_MALFORMED) {
        told.status = UEX_STATUS_UNREADABLE;
        told.reason = fault.text;
        err = UEX_OK;
    } else if (err == UEX_OK && value.data != NULL) {
        if (run_id == NULL)
            take_record(&view.record, &row, &told);
        else
            take_run(&view, run_id, &row, &told, hex);
        if (view.memory.has_last)
            row.last_exported_at_ms = view.memory.last.at_ms;
    }
    if (err == UEX_OK)
        err = add_row(rows, group_id, &row, &told);
    uex_group_state_view_clear(&view);
    return err;
}

static int compare_ids(const void *left, const void *right)
{
    return strcmp(((const struct uex_status_row *)left)->group_id, ((const struct uex_status_row *)right)->group_id);
}

void uex_status_rows_sort_by_id(struct uex_status_rows *rows)
{
    if (rows->count > 1)
        qsort(rows->items, rows->count, sizeof(rows->items[0]), compare_ids);
}

struct uex_status_row *uex_status_rows_find(const struct uex_status_rows *rows, size_t count, const char *group_id)
{
    const struct uex_status_row wanted = {.group_id = (char *)(uintptr_t)group_id};

    return count == 0 ? NULL : bsearch(&wanted, rows->items, count, sizeof(rows->items[0]), compare_ids);
}

void uex_status_rows_keep_wanted(struct uex_status_rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].is_wanted) {
            rows->items[kept++] = rows->items[i];
        } else {
            rows->counts[rows->items[i].status]--;
            clear_row(&rows->items[i]);
        }
    }
    rows->count = kept;
}

enum uex_error uex_status_rows_put(struct uex_status_rows *rows, struct uex_status_row *row)
{
    struct uex_status_row *place = uex_status_rows_find(rows, rows->count, row->group_id);
    size_t index = rows->count;

    if (place != NULL) {
        rows->counts[place->status]--;
        clear_row(place);
        *place = *row;
    } else {
        if (!make_room(rows))
            return UEX_NO_MEMORY;
        while (index > 0 && compare_ids(&rows->items[index - 1], row) > 0)
            index--;
        memmove(&rows->items[index + 1], &rows->items[index], (rows->count - index) * sizeof(rows->items[0]));
        rows->items[index] = *row;
        rows->count++;
    }
    rows->counts[row->status]++;
    *row = (struct uex_status_row){0};
    return UEX_OK;
}

static int compare_rows(const void *left, const void *right)
{
    const struct uex_status_row *left_row = left, *right_row = right;

    if (left_row->status != right_row->status)
        return left_row->status < right_row->status ? -1 : 1;
    return strcmp(left_row->group_id, right_row->group_id);
}

bool uex_status_is_outcome(enum uex_status status)
{
    return status == UEX_STATUS_DEAD_LETTERED || status == UEX_STATUS_RETRIED || status == UEX_STATUS_SKIPPED ||
           status == UEX_STATUS_EXPORTED;
}

void uex_status_rows_finish(struct uex_status_rows *rows)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < rows->count; i++)
        if (uex_status_is_outcome(rows->items[i].status) && rows->items[i].at_ms < first_ms)
            first_ms = rows->items[i].at_ms;
    for (size_t i = 0; i < rows->count; i++) {
        struct uex_status_row *row = &rows->items[i];

        if (row->status != UEX_STATUS_UNKNOWN)
            continue;
        /* What it remembers goes back to before the run: an outcome in the run would be among it. */
        if (row->at_ms < first_ms) {
            row->status = UEX_STATUS_MISSING;
            rows->counts[UEX_STATUS_UNKNOWN]--;
            rows->counts[UEX_STATUS_MISSING]++;
        }
        row->at_ms = UEX_NO_TIME;
    }
    if (rows->count > 1)
        qsort(rows->items, rows->count, sizeof(rows->items[0]), compare_rows);
}
