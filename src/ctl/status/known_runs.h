/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/known_runs.h — the runs that somebody knows of, for `--run last` and for the error about a run that
 * nobody knows. One thread. */
#ifndef EXPORT_CTL_KNOWN_RUNS_H
#define EXPORT_CTL_KNOWN_RUNS_H

#include "export/buffer.h"
#include "export/command.h"
#include "export/config.h"

#define UEX_KNOWN_RUNS_MAX 256 /* the newest stay */

struct uex_known_run {
    char run_id[UEX_RUN_ID_MAX_BYTES + 1];
    int64_t at_ms; /* wall: of its start, or of the last outcome that is known */
    /* Of the run topic; UEX_UNKNOWN: the run has not ended, or has no record. */
    uint64_t ended_group_count;
};

/* A zeroed struct is empty. */
struct uex_known_runs {
    struct uex_known_run items[UEX_KNOWN_RUNS_MAX];
    size_t count;
    size_t last; /* the place that was found last: mostly it is the next one too */
};

/* A run was seen at this time. NULL for `runs`, and commands without a run, are passed over. */
void uex_known_runs_add(struct uex_known_runs *runs, const char *run_id, int64_t at_ms);
/* How many groups had the run when it ended? UEX_UNKNOWN: it has not, or it is not known. */
uint64_t uex_known_runs_ended_groups(const struct uex_known_runs *runs, const char *run_id);
bool uex_known_runs_have(const struct uex_known_runs *runs, const char *run_id);
/* Newest first. */
void uex_known_runs_sort(struct uex_known_runs *runs);
/* Of sorted runs: "2026-11-22, 2026-11-21, … and 3 more" with at most `most` names; "none" if there is none. */
void uex_known_runs_write(const struct uex_known_runs *runs, size_t most, struct uex_buffer *out);

/* Read the runs from the run topic; with `or_states`, where there are none, those of the groups' last outcomes. A
 * topic that is not there has none. Errors as of the topic reader. */
UEX_MUST_CHECK enum uex_error uex_known_runs_read(const struct uex_config *config, bool or_states,
                                                  struct uex_known_runs *runs, struct uex_fault *fault);
#endif
