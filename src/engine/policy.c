/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

/* Clocks of workers and brokers differ by so much at most. */
#define CLOCK_SKEW_MAX_MS 5000

/* A tier beyond retry.delays has no delay of its own any more: the longest holds. */
static int64_t delay_of(const struct uex_engine *engine, size_t input_topic)
{
    int64_t longest_ms = 0;

    if (input_topic <= engine->tier_count)
        return engine->config->retry_delays_ms[input_topic - 1];
    for (size_t i = 0; i < engine->tier_count; i++) {
        if (engine->config->retry_delays_ms[i] > longest_ms)
            longest_ms = engine->config->retry_delays_ms[i];
    }
    return longest_ms;
}

int64_t uex_policy_due_ms(const struct uex_engine *engine, const struct uex_inflight *inflight)
{
    const struct uex_record *record = inflight->record;
    const int64_t due_ms = record->envelope.due_ms;
    int64_t latest_ms = inflight->taken_at_ms + CLOCK_SKEW_MAX_MS;

    if (due_ms == UEX_NO_TIME)
        return UEX_NO_TIME;
    /* In the command topic stand a tier's records that were moved there when they were due: all that can be left of the
     * time is the difference of two clocks, and nothing with more than that may hold up the commands behind it. */
    if (inflight->input_topic == 0)
        return record->envelope.attempt <= 1 || due_ms > latest_ms ? UEX_NO_TIME : due_ms;
    if (record->timestamp_ms > 0 && record->timestamp_ms < inflight->taken_at_ms)
        latest_ms = record->timestamp_ms + CLOCK_SKEW_MAX_MS;
    latest_ms += delay_of(engine, inflight->input_topic);
    return due_ms < latest_ms ? due_ms : latest_ms;
}

/* A failed command goes one tier further, or to the dead letters when no retry can fix it or no tier is left. Outages
 * and transient errors that outlast their step retries are charged like any other failure here. */
static void decide_failure(const struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_outcome *outcome = &inflight->outcome;
    const size_t tier = inflight->attempt - 1;

    if (uex_error_disposition(outcome->fault.error) == UEX_DISPOSITION_REJECT || tier >= engine->tier_count) {
        outcome->kind = UEX_OUTCOME_DEAD_LETTERED;
        return;
    }
    outcome->kind = UEX_OUTCOME_RETRIED;
    outcome->tier = tier;
    outcome->due_at_ms = outcome->at_ms + engine->config->retry_delays_ms[tier];
}

void uex_policy_decide(const struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    struct uex_outcome *outcome = &inflight->outcome;

    outcome->at_ms = uex_wall_ms();
    outcome->job = *job;
    memset(job, 0, sizeof(*job));
    if (outcome->job.error != UEX_OK) {
        outcome->fault = outcome->job.fault;
        outcome->fault.error = outcome->job.error;
        decide_failure(engine, inflight);
    } else if (outcome->job.skip != UEX_SKIP_NONE) {
        outcome->kind = UEX_OUTCOME_SKIPPED;
        outcome->skip = outcome->job.skip;
    } else {
        outcome->kind = UEX_OUTCOME_EXPORTED;
    }
}

void uex_policy_duplicate(struct uex_inflight *inflight)
{
    uex_outcome_clear(&inflight->outcome);
    inflight->outcome.kind = UEX_OUTCOME_SKIPPED;
    inflight->outcome.skip = UEX_SKIP_DUPLICATE;
    inflight->outcome.keeps_no_state = true;
    inflight->outcome.at_ms = uex_wall_ms();
}

void uex_policy_reroute(struct uex_inflight *inflight, int32_t to_partition)
{
    inflight->outcome.kind = UEX_OUTCOME_REROUTED;
    inflight->outcome.keeps_no_state = true;
    inflight->outcome.to_partition = to_partition;
    inflight->outcome.at_ms = uex_wall_ms();
}

void uex_policy_dead_letter(struct uex_inflight *inflight, const struct uex_fault *fault)
{
    inflight->outcome.kind = UEX_OUTCOME_DEAD_LETTERED;
    inflight->outcome.fault = *fault;
    inflight->outcome.keeps_no_state =
        fault->error == UEX_MALFORMED || (fault->error == UEX_WORKER_CRASHED && !inflight->holds_group);
    inflight->outcome.at_ms = uex_wall_ms();
}

bool uex_policy_refused(struct uex_inflight *inflight, const char *topic, const char *error_text)
{
    struct uex_outcome *outcome = &inflight->outcome;

    if (outcome->kind == UEX_OUTCOME_REROUTED && inflight->has_own_id && !outcome->headers_refused) {
        outcome->headers_refused = true; /* the value says its id: it moves as it came */
    } else if (outcome->kind != UEX_OUTCOME_DEAD_LETTERED) {
        outcome->headers_refused = false;
        (void)uex_fail(&outcome->fault, UEX_RESULT_REFUSED, "Kafka refuses a record of the outcome for topic %s: %s",
                       topic == NULL ? "?" : topic, error_text);
        outcome->kind = UEX_OUTCOME_DEAD_LETTERED;
        outcome->keeps_no_state = !inflight->holds_group;
    } else if (!outcome->value_refused) {
        outcome->value_refused = true;
    } else if (!outcome->headers_refused) {
        outcome->headers_refused = true;
        outcome->keeps_no_state = true;
    } else {
        return false;
    }
    return true;
}

/* A dead letter needs no list. */
void uex_policy_list_too_slow(struct uex_inflight *inflight)
{
    struct uex_outcome *outcome = &inflight->outcome;

    inflight->given_up = false;
    (void)uex_fail(&outcome->fault, UEX_RESULT_REFUSED,
                   "the list of %llu bytes could not be sent within kafka.transaction.timeout.ms, in %u "
                   "transactions: " UEX_POLICY_SLOW_LIST_FIX,
                   (unsigned long long)uex_spool_size_bytes(outcome->job.lists), inflight->timed_out);
    outcome->kind = UEX_OUTCOME_DEAD_LETTERED;
    outcome->keeps_no_state = !inflight->holds_group;
}

void uex_policy_spool_failed(const struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_fault fault = {0};

    inflight->spool_failed = false;
    uex_outcome_clear(&inflight->outcome);
    inflight->outcome.at_ms = uex_wall_ms();
    (void)uex_fail(&fault, UEX_SPOOL, "the list of usernames could not be read back from export.work_dir");
    inflight->outcome.fault = fault;
    decide_failure(engine, inflight);
}

void uex_policy_state_record(const struct uex_inflight *inflight, char *sha256_hex, struct uex_state_record *out)
{
    const struct uex_outcome *outcome = &inflight->outcome;
    const struct uex_job_outcome *job = &outcome->job;
    const bool exported = outcome->kind == UEX_OUTCOME_EXPORTED;
    const bool failed = outcome->kind == UEX_OUTCOME_RETRIED || outcome->kind == UEX_OUTCOME_DEAD_LETTERED;

    *out = (struct uex_state_record){
        .group_id = inflight->command.group_id,
        .outcome = outcome->kind,
        .reason = failed ? uex_error_code(outcome->fault.error) : uex_skip_text(outcome->skip),
        .command_id = inflight->command.command_id,
        .run_id = inflight->command.run_id,
        .at_ms = outcome->at_ms,
        .rows = exported ? job->row_count : UEX_UNKNOWN,
        .bytes = exported && job->object.url != NULL ? job->object.size_bytes : UEX_UNKNOWN,
        .file_path = exported ? job->object.url : NULL,
        .layout = exported ? job->layout_id : NULL,
        .snapshot_at_ms = exported && job->snapshot_at_ms != 0 ? job->snapshot_at_ms : UEX_NO_TIME,
        .duration_ms = job->started_at_ms != 0 ? job->duration_ms : UEX_NO_TIME,
        .attempts = inflight->attempt,
        .next_attempt_at_ms = outcome->kind == UEX_OUTCOME_RETRIED ? outcome->due_at_ms : UEX_NO_TIME,
        .error = failed ? uex_outcome_error_text(outcome) : NULL,
    };
    if (exported && job->object.url != NULL && job->object.has_sha256) {
        uex_hex(job->object.sha256, UEX_SHA256_SIZE, sha256_hex);
        out->sha256 = sha256_hex;
    }
}
