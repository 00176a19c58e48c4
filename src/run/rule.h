/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/rule.h — which outcomes in the states of groups count for a run: the one rule for those who count them, list
 * them and show them. Any thread. */
#ifndef EXPORT_RUN_RULE_H
#define EXPORT_RUN_RULE_H

#include "export/outcome_kind.h"
#include "export/run_record.h"

struct uex_run_rule {
    const char *run_id; /* borrowed */
    int64_t started_at_ms;
    bool started_again; /* the run was started before that */
};

/* Borrows the run's name. */
struct uex_run_rule uex_run_rule_of(const struct uex_run_record *run);
/* Is an outcome of the run `run_id` one of this start? Where the run was started again, a dead letter from before that
 * is none: its command runs once more. Only there the clocks of the worker and of the starter are compared. */
bool uex_run_rule_fits(const struct uex_run_rule *rule, const char *run_id, enum uex_outcome_kind outcome,
                       int64_t at_ms);
/* The same, and it ends the group: it is exported, skipped or dead-lettered. */
bool uex_run_rule_ends(const struct uex_run_rule *rule, const char *run_id, enum uex_outcome_kind outcome,
                       int64_t at_ms);
#endif
