/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/work.h — the overview, read on a thread of its own while the states are read, and with it which groups
 * wait or run. Main thread, but for the reading. */
#ifndef EXPORT_CTL_STATUS_WORK_H
#define EXPORT_CTL_STATUS_WORK_H

#include "ctl/status/overview.h"

/* What to look for: nothing, or commands of a run, of some groups, or of both. */
struct uex_status_wanted {
    const char *run_id; /* NULL: of any run */
    char **group_ids;   /* none: of any group */
    int group_count;
};

struct uex_status_work;
/* Start to read. All borrowed until it is freed. NULL: no memory, or no thread. */
struct uex_status_work *uex_status_work_start(const struct uex_config *config, const struct uex_status_wanted *wanted);
/* Accepts NULL. */
void uex_status_work_free(struct uex_status_work *work);

/* Wait until it is read, `wait_ms` at most or until uex_program_cancel. Accepts NULL: then all is unknown. */
void uex_status_work_finish(struct uex_status_work *work, int64_t wait_ms);

/* The functions below: after uex_status_work_finish(). */
const struct uex_overview *uex_status_work_overview(const struct uex_status_work *work);
/* Running exports of all groups, by their groups' ids. */
struct uex_running *uex_status_work_running(struct uex_status_work *work);
/* Is it known of every wanted command whether it waits? */
bool uex_status_work_knows_all(const struct uex_status_work *work);
/* The group behind `previous` (NULL: the first) that has a wanted command without an outcome; NULL at the end. A group
 * may come several times. */
const char *uex_status_work_next(const struct uex_status_work *work, const char *previous, bool *is_running);
#endif
