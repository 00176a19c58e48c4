/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/running.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/output.h"

static bool has_ended(const struct uex_running *running, const char *command_id)
{
    for (size_t i = 0; i < UEX_RUNNING_ENDED_MAX; i++)
        if (strcmp(running->ended[i], command_id) == 0)
            return true;
    return false;
}

static uint64_t rate_between(uint64_t from_rows, int64_t from_ms, uint64_t to_rows, int64_t to_ms)
{
    if (to_ms <= from_ms || to_rows < from_rows)
        return 0;
    return (to_rows - from_rows) * 1000 / (uint64_t)(to_ms - from_ms);
}

static struct uex_running_export *place_for(struct uex_running *running, const struct uex_group_progress *progress,
                                            bool *is_new)
{
    size_t capacity = running->capacity == 0 ? 16 : running->capacity * 2;
    struct uex_running_export *items = NULL;

    *is_new = false;
    for (size_t i = 0; i < running->count; i++)
        if (strcmp(running->items[i].progress.command_id, progress->command_id) == 0 &&
            strcmp(running->items[i].progress.worker, progress->worker) == 0)
            return &running->items[i];
    *is_new = true;
    if (running->count == UEX_RUNNING_MAX)
        return NULL;
    if (running->count == running->capacity) {
        items = realloc(running->items, capacity * sizeof(*items));
        if (items == NULL)
            return NULL;
        running->items = items;
        running->capacity = capacity;
    }
    return &running->items[running->count++];
}

static void drop(struct uex_running *running, size_t index)
{
    memmove(&running->items[index], &running->items[index + 1],
            (running->count - index - 1) * sizeof(running->items[0]));
    running->count--;
}

/* `worker` NULL: whichever. */
static void forget(struct uex_running *running, const char *command_id, const char *worker)
{
    for (size_t i = running->count; i-- > 0;) {
        const struct uex_group_progress *progress = &running->items[i].progress;

        if (strcmp(progress->command_id, command_id) == 0 && (worker == NULL || strcmp(progress->worker, worker) == 0))
            drop(running, i);
    }
}

struct uex_running_export *uex_running_take(struct uex_running *running, struct uex_bytes value, int64_t now_ms)
{
    struct uex_group_progress progress = {0};
    struct uex_running_export *item = NULL;
    bool is_new = false;

    if (value.data == NULL || uex_group_progress_read(value, &progress, NULL) != UEX_OK ||
        has_ended(running, progress.command_id))
        return NULL;
    if (progress.ended) { /* this attempt; another may come */
        forget(running, progress.command_id, progress.worker);
        return NULL;
    }
    item = place_for(running, &progress, &is_new);
    if (item == NULL)
        return NULL;
    /* A second attempt begins at 0 again, at another time. */
    if (is_new)
        item->last_rows = UEX_UNKNOWN;
    if (is_new || item->progress.started_at_ms != progress.started_at_ms)
        item->rows_per_s = rate_between(0, progress.started_at_ms, progress.row_count, progress.at_ms);
    else if (progress.at_ms > item->progress.at_ms)
        item->rows_per_s =
            rate_between(item->progress.row_count, item->progress.at_ms, progress.row_count, progress.at_ms);
    item->progress = progress;
    item->heard_ms = now_ms;
    return item;
}

void uex_running_add(struct uex_running *running, const struct uex_running_export *item)
{
    bool is_new = false;
    struct uex_running_export *place =
        has_ended(running, item->progress.command_id) ? NULL : place_for(running, &item->progress, &is_new);

    if (place != NULL && is_new)
        *place = *item;
}

void uex_running_end(struct uex_running *running, const char *command_id)
{
    if (strlen(command_id) != UEX_UUID_TEXT_SIZE - 1)
        return;
    memcpy(running->ended[running->ended_next++ % UEX_RUNNING_ENDED_MAX], command_id, UEX_UUID_TEXT_SIZE);
    forget(running, command_id, NULL);
}

void uex_running_expire(struct uex_running *running, int64_t now_ms)
{
    for (size_t i = running->count; i-- > 0;)
        if (now_ms - running->items[i].heard_ms > UEX_RUNNING_SILENT_MS)
            drop(running, i);
}

void uex_running_clear(struct uex_running *running)
{
    free(running->items);
    *running = (struct uex_running){0};
}

static int by_group(const void *left, const void *right)
{
    return strcmp(((const struct uex_running_export *)left)->progress.group_id,
                  ((const struct uex_running_export *)right)->progress.group_id);
}

void uex_running_sort(struct uex_running *running)
{
    if (running->count > 1)
        qsort(running->items, running->count, sizeof(running->items[0]), by_group);
}

/* "48 %, 3.2 s left  "; more rows than in the last export have no end in sight. */
static void append_share(const struct uex_running_export *item, struct uex_buffer *out)
{
    const uint64_t rows = item->progress.row_count, last_rows = item->last_rows;
    char left[32];

    if (last_rows == UEX_UNKNOWN || last_rows == 0)
        return;
    if (rows > last_rows) {
        uex_buffer_append_text(out, "over 100 %  ");
        return;
    }
    uex_buffer_append_format(out, "%.0f %%", (double)rows / (double)last_rows * 100);
    if (item->rows_per_s > 0) {
        uex_output_duration((int64_t)((double)(last_rows - rows) / (double)item->rows_per_s * 1000), left);
        uex_buffer_append_format(out, ", %s left", left);
    }
    uex_buffer_append_text(out, "  ");
}

void uex_running_write(const struct uex_running_export *item, int64_t now_ms, struct uex_buffer *out)
{
    char rows[32], rate[32], age[32], size[32];

    uex_output_count(item->progress.row_count, rows);
    uex_output_count(item->rows_per_s, rate);
    uex_output_duration(now_ms - item->progress.started_at_ms, age);
    uex_output_size(item->progress.object_bytes, size);
    uex_output_append_name(out, item->progress.group_id);
    uex_buffer_append_format(out, "  running  %s rows  ", rows);
    append_share(item, out);
    uex_buffer_append_format(out, "%s rows/s  %s  ", rate, age);
    if (item->progress.object_bytes > 0)
        uex_buffer_append_format(out, "%s  ", size);
    uex_buffer_append_text(out, "on ");
    uex_output_append_clean(out, item->progress.worker);
}

void uex_running_write_json(const struct uex_running_export *item, struct uex_buffer *out)
{
    const struct uex_group_progress *progress = &item->progress;
    char started_at[UEX_TIME_TEXT_SIZE], at[UEX_TIME_TEXT_SIZE];

    uex_time_format(progress->started_at_ms, started_at);
    uex_time_format(progress->at_ms, at);
    uex_buffer_append_text(out, "{\"event\": \"progress\", \"groupId\": ");
    uex_buffer_append_json(out, progress->group_id);
    uex_buffer_append_format(out, ", \"commandId\": \"%s\", \"worker\": ", progress->command_id);
    uex_buffer_append_json(out, progress->worker);
    uex_buffer_append_format(out,
                             ", \"rows\": %" PRIu64 ", \"rowsPerSecond\": %" PRIu64 ", \"bytes\": %" PRIu64
                             ", \"startedAt\": \"%s\", \"at\": \"%s\", \"lastRows\": ",
                             progress->row_count, item->rows_per_s, progress->object_bytes, started_at, at);
    if (item->last_rows == UEX_UNKNOWN)
        uex_buffer_append_text(out, "null}");
    else
        uex_buffer_append_format(out, "%" PRIu64 "}", item->last_rows);
}
