/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/page.h — a run as one HTML page: no script, no server, nothing fetched; for a screen of any width, light
 * or dark, and for paper.
 *
 * All groups of the run are added, in any order. What is kept of them has a cap, so memory does not grow with the run.
 * The page holds no personal data: group ids, counts, times and error texts, and not who asked for the run. One thread.
 */
#ifndef EXPORT_REPORT_PAGE_H
#define EXPORT_REPORT_PAGE_H

#include "export/run_record.h"
#include "report/groups.h"

#define UEX_REPORT_FAILED_MAX 1000
#define UEX_REPORT_UNFINISHED_MAX 1000
#define UEX_REPORT_SLOWEST_MAX 20
#define UEX_REPORT_RUNS_MAX 30

struct uex_report {
    /* The runs of the trend, newest first; the first is the run of the page. Borrowed; `run_count` >= 1, of which
     * UEX_REPORT_RUNS_MAX are shown. */
    const struct uex_run_record *runs;
    size_t run_count;
    const char *timezone; /* the zone that TZ names, "Asia/Kolkata"; borrowed */
    int64_t made_at_ms;   /* when the groups were read */

    /* The rest is filled by uex_report_add(). */
    uint64_t groups, exported, skipped, dead_lettered, unfinished;
    uint64_t rows, bytes;             /* of the exported groups whose rows are known */
    uint64_t unknown_rows;            /* exported groups of which a later run has overwritten rows and duration */
    uint64_t errors[UEX_ERROR_COUNT]; /* dead letters, by their error */
    uint64_t skips[UEX_SKIP_COUNT];   /* skipped groups, by their reason; UEX_SKIP_NONE: another one */
    struct uex_report_groups failed, late, slowest;
};

/* Empty it: to be called first. */
void uex_report_init(struct uex_report *report);
/* A group of the run, as it stands now. Its strings are borrowed for the call. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_report_add(struct uex_report *report, const struct uex_report_group *group);
/* After the last group: the page, appended to `out`. Sorts the lists. Times are in the process's zone (TZ). */
void uex_report_write(struct uex_report *report, struct uex_buffer *out);
void uex_report_clear(struct uex_report *report);
#endif
