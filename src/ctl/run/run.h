/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/run/run.h — what the files of exportctl run share. Main thread. */
#ifndef EXPORT_CTL_RUN_H
#define EXPORT_CTL_RUN_H

#include "ctl/output.h"
#include "export/run_record.h"
#include "run/follow.h"

/* ---- find.c */

/* The run that an operand or --run names: its runId, or "last" for the one that was started last. UEX_EXIT_DONE, else
 * the exit code of what was reported on stderr; an unknown name is reported with those that there are. The caller
 * clears `out` in any case. */
UEX_MUST_CHECK int uex_ctl_run_find(const struct uex_config *config, const char *name, struct uex_run_record *out);
/* The same for the one operand of a subcommand. */
UEX_MUST_CHECK int uex_ctl_run_operand(const struct uex_config *config, int operand_count, char **operands,
                                       struct uex_run_record *out);

/* ---- watch.c */

/* The groups of a run, followed. A zeroed struct but for config and record is closed. */
struct uex_run_watch {
    const struct uex_config *config;
    struct uex_run_record record; /* owned */
    struct uex_run_members members;
    struct uex_run_follow *follow; /* NULL: not open */
};
/* Read the run's commands; the states of their groups can be followed then. Errors as of uex_run_members_read(). The
 * caller closes it in any case. */
UEX_MUST_CHECK enum uex_error uex_run_watch_open(struct uex_run_watch *watch, struct uex_fault *fault);
/* Read until the counts say what the topic says now. Errors as of uex_run_follow_read(); UEX_KAFKA_UNAVAILABLE also
 * where Kafka does not answer any more. */
UEX_MUST_CHECK enum uex_error uex_run_watch_catch_up(struct uex_run_watch *watch, struct uex_fault *fault);
void uex_run_watch_close(struct uex_run_watch *watch);

/* ---- text.c */

/* The counts of a record as far as it has them. */
struct uex_run_counts uex_run_counts_of(const struct uex_run_record *record);
/* "5,000 groups: 4,997 exported, 2 skipped, 1 dead-lettered; 12,345 rows, 1.2 GiB", without a line end. */
void uex_run_counts_write(const struct uex_run_counts *counts, struct uex_buffer *out);
/* The same as a JSON object. */
void uex_run_counts_write_json(const struct uex_run_counts *counts, struct uex_buffer *out);
/* Times, who asked, and the manifest of a record, one line each. */
void uex_run_record_write_lines(const struct uex_run_record *record, struct uex_buffer *out);
/* The exit code for counts that are final: 1 where a group was dead-lettered or has not ended. */
int uex_run_exit_of(const struct uex_run_counts *counts);
#endif
