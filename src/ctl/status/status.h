/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/status.h — what the files of exportctl status share. */
#ifndef EXPORT_CTL_STATUS_H
#define EXPORT_CTL_STATUS_H

#include "ctl/status/rows.h"

struct uex_active_groups;

/* The request, and the result so far. */
struct uex_status_report {
    const struct uex_config *config;
    enum uex_output format;
    const char *run_id; /* NULL: the newest outcome of each group, of whatever run */
    char **group_ids;   /* only these; none: all */
    int group_count;
    size_t shown_max;                 /* rows of the text table; 0: all */
    struct uex_active_groups *active; /* being read; NULL: not, or no more */
    struct uex_status_rows rows;
    bool missing_known;       /* of a run: the active groups are known */
    struct uex_fault why_not; /* else */
};

/* After the options are set: for a run, start to read the active groups on another thread. They stay unknown if the
 * database takes 5 s longer than the states. */
void uex_status_begin(struct uex_status_report *report);
void uex_status_clear(struct uex_status_report *report);
/* Was this group asked for? */
bool uex_status_is_asked(const struct uex_status_report *report, const char *group_id);
/* After the state topic was read into the rows: keep the groups that were asked for, and add the missing ones of a run.
 */
UEX_MUST_CHECK enum uex_error uex_status_build(struct uex_status_report *report);
/* The whole document, or counts and table. */
void uex_status_print(const struct uex_status_report *report, struct uex_buffer *out);
/* Only its head: "run 2026-11-22: 3 groups: …", or a JSON object with "event": "counts". */
void uex_status_print_counts(const struct uex_status_report *report, struct uex_buffer *out);
#endif
