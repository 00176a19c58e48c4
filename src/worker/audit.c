/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/audit.h"

#include "engine/api.h"
#include "export/log.h"
#include "worker/trace.h"

static enum uex_log_level level_of(const struct uex_outcome *outcome)
{
    if (outcome->kind == UEX_OUTCOME_DEAD_LETTERED)
        return UEX_LOG_ERROR;
    return outcome->kind == UEX_OUTCOME_RETRIED ? UEX_LOG_WARN : UEX_LOG_INFO;
}

/* Does reading the group alone, without Kafka and the store, fail in the same way? */
static bool fails_without_kafka(enum uex_error error)
{
    return error == UEX_DB_DATA || error == UEX_FORMULA_REJECTED ||
           uex_breaker_dependency(error) == UEX_DEPENDENCY_DATABASE;
}

/* What the program does about it, and what a person can do. */
static const char *advice_of(const struct uex_outcome *outcome)
{
    const bool again = fails_without_kafka(outcome->fault.error);

    if (outcome->kind == UEX_OUTCOME_RETRIED)
        return again ? "it is tried again at next_attempt_at; exportctl export GROUP --output - shows it at once"
                     : "it is tried again at next_attempt_at";
    if (outcome->kind == UEX_OUTCOME_DEAD_LETTERED)
        return again ? "it waits in the dead-letter topic: fix the cause (exportctl export GROUP --output - shows "
                       "it again), then replay it"
                     : "it waits in the dead-letter topic: fix the cause, then replay it";
    return NULL;
}

void uex_audit(const struct uex_inflight *inflight)
{
    const struct uex_outcome *outcome = &inflight->outcome;
    const struct uex_job_outcome *job = &outcome->job;
    const struct uex_command *command = &inflight->command;
    const bool exported = outcome->kind == UEX_OUTCOME_EXPORTED;
    const bool failed = outcome->kind == UEX_OUTCOME_RETRIED || outcome->kind == UEX_OUTCOME_DEAD_LETTERED;
    const bool timed = job->started_at_ms != 0;
    char sha256_hex[UEX_SHA256_HEX_SIZE] = "";
    struct uex_span span;

    uex_trace_command(inflight, &span);
    if (exported && job->object.url != NULL && job->object.has_sha256)
        uex_hex(job->object.sha256, UEX_SHA256_SIZE, sha256_hex);
    uex_log_audit(
        level_of(outcome), UEX_EVENT_OUTCOME, uex_outcome_text(outcome->kind),
        UEX_STR("outcome", uex_outcome_text(outcome->kind)),
        UEX_STR("reason", failed ? uex_error_code(outcome->fault.error) : uex_skip_text(outcome->skip)),
        UEX_STR("error", failed ? uex_outcome_error_text(outcome) : NULL), UEX_STR("advice", advice_of(outcome)),
        UEX_STR("group", command->group_id), UEX_STR("type", job->group.type_text),
        UEX_STR("command", command->command_id), UEX_STR("run", command->run_id), UEX_STR("domain", job->domain_id),
        UEX_NUM("rows", exported ? job->row_count : UEX_UNKNOWN),
        UEX_NUM("bytes", exported && job->object.url != NULL ? job->object.size_bytes : UEX_UNKNOWN),
        UEX_NUM("parts", exported && job->object.url == NULL ? job->part_count : UEX_UNKNOWN),
        UEX_STR("object", exported ? job->object.url : NULL), UEX_STR("sha256", sha256_hex),
        UEX_STR("announced_again", job->object_was_there ? "true" : NULL),
        UEX_TIME("snapshot_at", exported && job->snapshot_at_ms != 0 ? job->snapshot_at_ms : UEX_NO_TIME),
        UEX_NUM("duration_ms", timed ? (uint64_t)job->duration_ms : UEX_UNKNOWN), UEX_INT("attempt", inflight->attempt),
        UEX_TIME("next_attempt_at", outcome->kind == UEX_OUTCOME_RETRIED ? outcome->due_at_ms : UEX_NO_TIME),
        UEX_TIME("requested_at", command->requested_at_ms), UEX_STR("requested_by", command->requested_by),
        UEX_STR("requested_reason", command->reason), UEX_STR("topic", inflight->record->topic),
        UEX_INT("partition", inflight->partition), UEX_INT("offset", inflight->offset),
        UEX_STR("trace_id", span.trace_id), UEX_STR("span_id", span.span_id));
}
