/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/status.h — what the files of exportctl status share. */
#ifndef EXPORT_CTL_STATUS_H
#define EXPORT_CTL_STATUS_H

#include "ctl/status/rows.h"
#include "ctl/status/work.h"

struct uex_active_groups;

/* The request, and the result so far. */
struct uex_status_report {
    const struct uex_config *config;
    enum uex_output format;
    const char *run_id; /* NULL: the newest outcome of each group, of whatever run */
    char **group_ids;   /* only these; none: all */
    int group_count;
    size_t shown_max;                 /* rows of the text table; 0: all */
    bool check;                       /* --check */
    struct uex_active_groups *active; /* being read; NULL: not, or no more */
    struct uex_status_work *work;     /* the overview, and who waits; NULL: not begun */
    struct uex_status_rows rows;
    bool missing_known;       /* of a run: the active groups are known */
    struct uex_fault why_not; /* else */
};

/* After the options are set: start to read the overview on another thread, and for a run the active groups on one more.
 * Each stays unknown if it takes too long: the database 5 s longer than the states, the overview 10 s (where commands
 * are looked for, 30 s). */
void uex_status_begin(struct uex_status_report *report);
void uex_status_clear(struct uex_status_report *report);
/* Was this group asked for? */
bool uex_status_is_asked(const struct uex_status_report *report, const char *group_id);
/* After the state topic was read into the rows: keep the groups that were asked for, and add those of a run that have
 * no outcome yet. */
UEX_MUST_CHECK enum uex_error uex_status_build(struct uex_status_report *report);

/* The functions below: after uex_status_build(). */

/* Does anybody know of the run that was asked for? True without one. */
bool uex_status_run_is_known(const struct uex_status_report *report);
/* Is everything exported or empty, and nothing open? If not, append what is not: "2 dead-lettered, 1 open breaker". */
bool uex_status_is_all_right(const struct uex_status_report *report, struct uex_buffer *why);
/* The whole document, or overview, running exports, counts and table. */
void uex_status_print(const struct uex_status_report *report, struct uex_buffer *out);
/* Only the overview: a line, or a JSON object with "event": "overview". */
void uex_status_print_overview(const struct uex_status_report *report, struct uex_buffer *out);
/* Only the counts: "run 2026-11-22: 3 groups: …", or a JSON object with "event": "counts". */
void uex_status_print_counts(const struct uex_status_report *report, struct uex_buffer *out);
#endif
