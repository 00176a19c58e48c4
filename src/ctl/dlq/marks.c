/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ctl/dlq/dlq.h"

#define MARKS_MAX ((size_t)2 << 20)

/* Most marks in a row are of one person with one reason, so a text is kept once for a run of them. */
struct uex_dlq_text {
    struct uex_dlq_text *next;
    char text[];
};

static const char *keep_text(struct uex_dlq_marks *marks, const char *text, const char **last)
{
    struct uex_dlq_text *kept = NULL;

    if (*last != NULL && strcmp(*last, text) == 0)
        return *last;
    kept = malloc(sizeof(*kept) + strlen(text) + 1);
    if (kept == NULL)
        return NULL;
    memcpy(kept->text, text, strlen(text) + 1);
    kept->next = marks->texts;
    marks->texts = kept;
    *last = kept->text;
    return kept->text;
}

static bool grow(struct uex_dlq_marks *marks)
{
    size_t capacity = marks->capacity == 0 ? 256 : marks->capacity * 2;
    void *items = NULL;

    if (marks->count < marks->capacity)
        return true;
    items = marks->count >= MARKS_MAX ? NULL : realloc(marks->items, capacity * sizeof(marks->items[0]));
    if (items == NULL)
        return false;
    marks->items = items;
    marks->capacity = capacity;
    return true;
}

enum uex_error uex_dlq_marks_add(struct uex_dlq_marks *marks, const struct uex_record *record,
                                 const struct uex_dlq_mark *mark, struct uex_fault *fault)
{
    const char *by = keep_text(marks, mark->by, &marks->last_by);
    const char *reason = keep_text(marks, mark->reason, &marks->last_reason);
    struct uex_dlq_done *done = NULL;

    if (by == NULL || reason == NULL || !grow(marks))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for what became of %zu letters", marks->count);
    done = &marks->items[marks->count++];
    *done = (struct uex_dlq_done){.partition = mark->partition,
                                  .offset = mark->offset,
                                  .mark_offset = record->offset,
                                  .at_ms = mark->at_ms,
                                  .action = mark->action,
                                  .by = by,
                                  .reason = reason};
    memcpy(done->command_id, mark->command_id, sizeof(done->command_id));
    marks->is_sorted = false;
    return UEX_OK;
}

static int compare(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_letter(const void *left, const void *right)
{
    const struct uex_dlq_done *a = left, *b = right;
    int order = compare(a->partition, b->partition);

    if (order == 0)
        order = compare(a->offset, b->offset);
    return order != 0 ? order : compare(a->mark_offset, b->mark_offset);
}

const struct uex_dlq_done *uex_dlq_marks_find(struct uex_dlq_marks *marks, int32_t partition, int64_t offset,
                                              size_t *count)
{
    struct uex_dlq_done key = {.partition = partition, .offset = offset, .mark_offset = -1};
    size_t low = 0, high = marks->count;

    if (!marks->is_sorted && marks->count > 0)
        qsort(marks->items, marks->count, sizeof(marks->items[0]), by_letter);
    marks->is_sorted = true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_letter(&marks->items[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low;
         high < marks->count && marks->items[high].partition == partition && marks->items[high].offset == offset;)
        high++;
    *count = high - low;
    return *count == 0 ? NULL : &marks->items[low];
}

void uex_dlq_marks_clear(struct uex_dlq_marks *marks)
{
    while (marks->texts != NULL) {
        struct uex_dlq_text *next = marks->texts->next;

        free(marks->texts);
        marks->texts = next;
    }
    free(marks->items);
    *marks = (struct uex_dlq_marks){0};
}
