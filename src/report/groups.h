/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/groups.h — lists of groups with a cap: of all that are offered the first ones of an order stay. One
 * thread.
 */
#ifndef EXPORT_REPORT_GROUPS_H
#define EXPORT_REPORT_GROUPS_H

#include "export/clock.h"
#include "export/error.h"
#include "export/outcome_kind.h"

/* What the page says of a group. Strings are borrowed, in a list its own; they may be NULL or "": not known. */
struct uex_report_group {
    const char *group_id;
    const char *reason; /* error code of a retry or dead letter, skip reason */
    const char *error;  /* its sentence */
    enum uex_outcome_kind outcome;
    bool has_outcome;           /* false: none in this run yet */
    uint64_t rows, bytes;       /* UEX_UNKNOWN */
    uint64_t attempts;          /* UEX_UNKNOWN */
    int64_t duration_ms;        /* of the last attempt; UEX_NO_TIME */
    int64_t at_ms;              /* of the outcome; UEX_NO_TIME */
    int64_t next_attempt_at_ms; /* of a retried command; UEX_NO_TIME */
};

/* Less than 0: `left` comes before `right`. */
typedef int (*uex_report_order)(const struct uex_report_group *left, const struct uex_report_group *right);
int uex_report_by_error(const struct uex_report_group *left, const struct uex_report_group *right); /* code, id */
int uex_report_by_id(const struct uex_report_group *left, const struct uex_report_group *right);
int uex_report_by_duration(const struct uex_report_group *left,
                           const struct uex_report_group *right); /* longest first */

/* Initialise with .most and .order; the rest is zero. A heap whose first item is the last of the order, until it is
 * sorted. */
struct uex_report_groups {
    size_t most;
    uex_report_order order;
    struct uex_report_group *items; /* owned, and their strings */
    size_t count;
    uint64_t offered; /* how many there were in all */
};
/* Offer a group, whose strings are borrowed and copied where it stays. UEX_NO_MEMORY: the list is as before. */
UEX_MUST_CHECK enum uex_error uex_report_groups_offer(struct uex_report_groups *groups,
                                                      const struct uex_report_group *group);
/* After the last one was offered: put them in order. */
void uex_report_groups_sort(struct uex_report_groups *groups);
void uex_report_groups_clear(struct uex_report_groups *groups);
#endif
