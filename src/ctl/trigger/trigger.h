/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/trigger/trigger.h — what the files of exportctl trigger share. */
#ifndef EXPORT_CTL_TRIGGER_H
#define EXPORT_CTL_TRIGGER_H

#include "ctl/await.h"
#include "ctl/options.h"
#include "export/run_record.h"
#include "kafka/bulk.h"

struct uex_trigger {
    const struct uex_config *config;
    enum uex_output format;
    const char *run_id, *reason; /* NULL: none */
    char requested_by[UEX_WHO_SIZE];
    int64_t requested_at_ms;
    bool all;                        /* all active groups, not named ones */
    struct uex_awaited_set commands; /* each group once */
};

/* ---- commands.c */

/* The commands of this trigger, to be sent. Borrows it. */
struct uex_bulk uex_trigger_bulk(const struct uex_trigger *trigger);
/* The exit code for commands that were not sent, or perhaps were. UEX_END was reported already. */
int uex_trigger_fail(enum uex_error err, const struct uex_fault *fault);
/* Send the commands, all of them or none. UEX_END: they are those of a run that was started before, which was reported;
 * nothing was sent. */
UEX_MUST_CHECK enum uex_error uex_trigger_send(const struct uex_trigger *trigger, struct uex_fault *fault);
/* Print the commands: a table, or a JSON document with their outcomes. False: stdout cannot be written. */
UEX_MUST_CHECK bool uex_trigger_print(const struct uex_trigger *trigger);
/* Print the values of the commands, as the command topic would hold them: one a line, or a JSON array. False: stdout
 * cannot be written. */
UEX_MUST_CHECK bool uex_trigger_print_values(const struct uex_trigger *trigger);

/* ---- start.c */

/* --all --run ID. */
bool uex_trigger_starts_run(const struct uex_trigger *trigger);
/* Send the commands of `bulk` with the record of the start, which goes to `started`; its strings are the trigger's.
 * Where the run cannot be recorded, that is reported, and `started` has no run_id: nothing was sent yet. UEX_END as
 * above. */
UEX_MUST_CHECK enum uex_error uex_trigger_start_run(const struct uex_trigger *trigger, struct uex_bulk *bulk,
                                                    struct uex_run_record *started, struct uex_fault *fault);
/* Start the run without groups, and write its end, with an empty manifest where schedule.manifest says so. Reports what
 * was done; returns the exit code. */
int uex_trigger_start_empty_run(const struct uex_trigger *trigger);
#endif
