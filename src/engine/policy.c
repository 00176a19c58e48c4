/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

/* A failed command goes one tier further, or to the dead letters when no retry can mend it or no tier is left. Outages
 * and transient errors that outlast their step retries are charged like any other failure here. */
static void decide_failure(const struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_outcome *outcome = &delivery->outcome;
    const size_t tier = delivery->attempt - 1;

    if (uex_error_disposition(outcome->fault.error) == UEX_DISPOSITION_REJECT || tier >= engine->tier_count) {
        outcome->kind = UEX_OUTCOME_DEAD_LETTERED;
        return;
    }
    outcome->kind = UEX_OUTCOME_RETRIED;
    outcome->tier = tier;
    outcome->due_at_ms = outcome->at_ms + engine->config->retry_delays_ms[tier];
}

void uex_policy_decide(const struct uex_engine *engine, struct uex_delivery *delivery, struct uex_job_outcome *job)
{
    struct uex_outcome *outcome = &delivery->outcome;

    outcome->at_ms = uex_wall_ms();
    outcome->job = *job;
    memset(job, 0, sizeof(*job));
    if (outcome->job.error != UEX_OK) {
        outcome->fault = outcome->job.fault;
        outcome->fault.error = outcome->job.error;
        decide_failure(engine, delivery);
    } else if (outcome->job.skip != UEX_SKIP_NONE) {
        outcome->kind = UEX_OUTCOME_SKIPPED;
        outcome->skip = outcome->job.skip;
    } else {
        outcome->kind = UEX_OUTCOME_EXPORTED;
    }
}

void uex_policy_dead_letter(struct uex_delivery *delivery, const struct uex_fault *fault)
{
    delivery->outcome.kind = UEX_OUTCOME_DEAD_LETTERED;
    delivery->outcome.fault = *fault;
    delivery->outcome.keeps_no_state = fault->error == UEX_MALFORMED;
    delivery->outcome.at_ms = uex_wall_ms();
}

void uex_policy_spool_failed(const struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_fault fault = {0};

    delivery->spool_failed = false;
    uex_outcome_clear(&delivery->outcome);
    delivery->outcome.at_ms = uex_wall_ms();
    (void)uex_fail(&fault, UEX_SPOOL, "the list of usernames could not be read back from export.work_dir");
    delivery->outcome.fault = fault;
    decide_failure(engine, delivery);
}

void uex_policy_state_record(const struct uex_delivery *delivery, char *sha256_hex, struct uex_state_record *out)
{
    const struct uex_outcome *outcome = &delivery->outcome;
    const struct uex_job_outcome *job = &outcome->job;
    const bool exported = outcome->kind == UEX_OUTCOME_EXPORTED;
    const bool failed = outcome->kind == UEX_OUTCOME_RETRIED || outcome->kind == UEX_OUTCOME_DEAD_LETTERED;

    *out = (struct uex_state_record){
        .group_id = delivery->command.group_id,
        .outcome = outcome->kind,
        .reason = failed ? uex_error_code(outcome->fault.error) : uex_skip_text(outcome->skip),
        .command_id = delivery->command.command_id,
        .run_id = delivery->command.run_id,
        .at_ms = outcome->at_ms,
        .rows = exported ? job->row_count : UEX_UNKNOWN,
        .bytes = exported && job->object.url != NULL ? job->object.size_bytes : UEX_UNKNOWN,
        .file_path = exported ? job->object.url : NULL,
        .snapshot_at_ms = exported && job->snapshot_at_ms != 0 ? job->snapshot_at_ms : UEX_NO_TIME,
        .duration_ms = job->started_at_ms != 0 ? job->duration_ms : UEX_NO_TIME,
        .attempts = delivery->attempt,
        .next_attempt_at_ms = outcome->kind == UEX_OUTCOME_RETRIED ? outcome->due_at_ms : UEX_NO_TIME,
    };
    if (exported && job->object.url != NULL && job->object.has_sha256) {
        uex_hex(job->object.sha256, UEX_SHA256_SIZE, sha256_hex);
        out->sha256 = sha256_hex;
    }
}
