/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/trigger/trigger.h — what the files of exportctl trigger share. */
#ifndef EXPORT_CTL_TRIGGER_H
#define EXPORT_CTL_TRIGGER_H

#include "ctl/options.h"
#include "ctl/status/rows.h"
#include "kafka/bulk.h"

/* One command. */
struct uex_triggered {
    const char *group_id; /* borrowed */
    char command_id[UEX_UUID_TEXT_SIZE];
    bool has_ended;
    struct uex_status_row *outcome; /* the newest; NULL: none yet */
};

struct uex_trigger {
    const struct uex_config *config;
    enum uex_output format;
    const char *run_id, *reason; /* NULL: none */
    char requested_by[UEX_WHO_SIZE];
    int64_t requested_at_ms;
    int64_t timeout_ms;          /* of waiting; UEX_NO_TIME: none */
    bool all;                    /* all active groups, not named ones */
    struct uex_triggered *items; /* in the order of their groups' ids, each group once */
    size_t count, ended_count;
};

/* ---- commands.c */

/* Send the commands, all of them or none. UEX_END: they are those of a run that was started before, which was reported;
 * nothing was sent. */
UEX_MUST_CHECK enum uex_error uex_trigger_send(const struct uex_trigger *trigger, struct uex_fault *fault);
/* Print the commands: a table, or a JSON document with their outcomes. False: stdout cannot be written. */
UEX_MUST_CHECK bool uex_trigger_print(const struct uex_trigger *trigger);

/* ---- trigger.c */

/* Report that uex_trigger_send() failed; returns the exit code. */
int uex_trigger_fail(enum uex_error err, const struct uex_fault *fault);

/* ---- start.c */

/* --all --run ID. */
bool uex_trigger_starts_run(const struct uex_trigger *trigger);
/* Send the commands of `bulk` with the record `started`. Where the run cannot be recorded, that is reported, and
 * `*is_recorded` is false: nothing was sent yet. UEX_END as above. */
UEX_MUST_CHECK enum uex_error uex_trigger_start_run(const struct uex_trigger *trigger, struct uex_bulk *bulk,
                                                    bool *is_recorded, struct uex_fault *fault);

/* ---- wait.c */

/* Send, and wait for the outcome of each command. Returns the exit code. */
int uex_trigger_and_wait(struct uex_trigger *trigger);
#endif
