/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rule.h"

#include <string.h>

struct uex_run_rule uex_run_rule_of(const struct uex_run_record *run)
{
    return (struct uex_run_rule){
        .run_id = run->run_id, .started_at_ms = run->started_at_ms, .started_again = run->started_again};
}

bool uex_run_rule_fits(const struct uex_run_rule *rule, const char *run_id, enum uex_outcome_kind outcome,
                       int64_t at_ms)
{
    const bool is_of_before =
        rule->started_again && outcome == UEX_OUTCOME_DEAD_LETTERED && at_ms < rule->started_at_ms;

    return !is_of_before && strcmp(run_id, rule->run_id) == 0;
}

bool uex_run_rule_ends(const struct uex_run_rule *rule, const char *run_id, enum uex_outcome_kind outcome,
                       int64_t at_ms)
{
    const bool is_final =
        outcome == UEX_OUTCOME_EXPORTED || outcome == UEX_OUTCOME_SKIPPED || outcome == UEX_OUTCOME_DEAD_LETTERED;

    return is_final && uex_run_rule_fits(rule, run_id, outcome, at_ms);
}
