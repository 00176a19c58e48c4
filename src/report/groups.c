/* SPDX-License-Identifier: Apache-2.0 */
#include "report/groups.h"

#include <stdlib.h>

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

int uex_report_by_id(const struct uex_report_group *left, const struct uex_report_group *right)
{
    return strcmp(text_of(left->group_id), text_of(right->group_id));
}

int uex_report_by_error(const struct uex_report_group *left, const struct uex_report_group *right)
{
    int by_code = strcmp(text_of(left->reason), text_of(right->reason));

    return by_code != 0 ? by_code : uex_report_by_id(left, right);
}

int uex_report_by_duration(const struct uex_report_group *left, const struct uex_report_group *right)
{
    if (left->duration_ms != right->duration_ms)
        return left->duration_ms > right->duration_ms ? -1 : 1;
    return uex_report_by_id(left, right);
}

static void clear_group(struct uex_report_group *group)
{
    free((void *)(uintptr_t)group->group_id);
    free((void *)(uintptr_t)group->reason);
    free((void *)(uintptr_t)group->error);
    *group = (struct uex_report_group){0};
}

static bool copy_group(const struct uex_report_group *from, struct uex_report_group *out)
{
    *out = *from;
    out->group_id = strdup(text_of(from->group_id));
    out->reason = strdup(text_of(from->reason));
    out->error = strdup(text_of(from->error));
    if (out->group_id != NULL && out->reason != NULL && out->error != NULL)
        return true;
    clear_group(out);
    return false;
}

static void swap(struct uex_report_group *left, struct uex_report_group *right)
{
    struct uex_report_group kept = *left;

    *left = *right;
    *right = kept;
}

static void sift_up(struct uex_report_groups *groups, size_t at)
{
    for (; at > 0 && groups->order(&groups->items[(at - 1) / 2], &groups->items[at]) < 0; at = (at - 1) / 2)
        swap(&groups->items[(at - 1) / 2], &groups->items[at]);
}

static void sift_down(struct uex_report_groups *groups)
{
    for (size_t at = 0;;) {
        size_t last = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < groups->count; child++)
            if (groups->order(&groups->items[last], &groups->items[child]) < 0)
                last = child;
        if (last == at)
            return;
        swap(&groups->items[at], &groups->items[last]);
        at = last;
    }
}

enum uex_error uex_report_groups_offer(struct uex_report_groups *groups, const struct uex_report_group *group)
{
    bool is_full = groups->count == groups->most;
    struct uex_report_group copy;

    if (groups->items == NULL)
        groups->items = calloc(groups->most, sizeof(*groups->items));
    if (groups->items == NULL)
        return UEX_NO_MEMORY;
    if (is_full && groups->order(group, &groups->items[0]) >= 0) {
        groups->offered++;
        return UEX_OK;
    }
    if (!copy_group(group, &copy))
        return UEX_NO_MEMORY;
    groups->offered++;
    if (is_full) {
        clear_group(&groups->items[0]);
        groups->items[0] = copy;
        sift_down(groups);
    } else {
        groups->items[groups->count++] = copy;
        sift_up(groups, groups->count - 1);
    }
    return UEX_OK;
}

static int compare(const void *left, const void *right, void *order)
{
    return (*(uex_report_order *)order)(left, right);
}

void uex_report_groups_sort(struct uex_report_groups *groups)
{
    if (groups->count > 1)
        qsort_r(groups->items, groups->count, sizeof(*groups->items), compare, &groups->order);
}

void uex_report_groups_clear(struct uex_report_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        clear_group(&groups->items[i]);
    free(groups->items);
    groups->items = NULL;
    groups->count = 0;
    groups->offered = 0;
}
