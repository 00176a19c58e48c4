/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/trigger/trigger.h — what the files of exportctl trigger share. */
#ifndef EXPORT_CTL_TRIGGER_H
#define EXPORT_CTL_TRIGGER_H

#include "ctl/await.h"
#include "ctl/options.h"
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
/* Send the commands of `bulk` with the record `started`. Where the run cannot be recorded, that is reported, and
 * `*is_recorded` is false: nothing was sent yet. UEX_END as above. */
UEX_MUST_CHECK enum uex_error uex_trigger_start_run(const struct uex_trigger *trigger, struct uex_bulk *bulk,
                                                    bool *is_recorded, struct uex_fault *fault);
#endif
