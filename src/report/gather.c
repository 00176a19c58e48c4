/* SPDX-License-Identifier: Apache-2.0 */
#include "report/gather.h"

#include "run/outcomes.h"

size_t uex_report_runs(const struct uex_run_records *records, const struct uex_run_record *run,
                       struct uex_run_record out[UEX_REPORT_RUNS_MAX])
{
    size_t count = 1;

    out[0] = *run;
    for (size_t i = records->count; i-- > 0 && count < UEX_REPORT_RUNS_MAX;) {
        const struct uex_run_entry *entry = &records->items[i];

        if (!entry->is_foreign && entry->record.started_at_ms < run->started_at_ms &&
            strcmp(entry->record.run_id, run->run_id) != 0)
            out[count++] = entry->record;
    }
    return count;
}

static bool has_state(const struct uex_run_member *member)
{
    return member->offset >= 0;
}

static enum uex_error take_outcome(void *report, const struct uex_state_record *outcome)
{
    const struct uex_report_group group = {.group_id = outcome->group_id,
                                           .reason = outcome->reason,
                                           .error = outcome->error,
                                           .outcome = outcome->outcome,
                                           .has_outcome = outcome->outcome < UEX_OUTCOME_COUNT,
                                           .rows = outcome->rows,
                                           .bytes = outcome->bytes,
                                           .attempts = outcome->attempts,
                                           .duration_ms = outcome->duration_ms,
                                           .at_ms = outcome->at_ms,
                                           .next_attempt_at_ms = outcome->next_attempt_at_ms};

    return uex_report_add(report, &group);
}

/* Members of which no state record says anything. */
static enum uex_error add_others(const struct uex_run_members *members, struct uex_report *report)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < members->count && err == UEX_OK; i++) {
        const struct uex_run_member *member = &members->items[i];
        const struct uex_state_record outcome = {.group_id = uex_run_member_id(members, member),
                                                 .outcome = member->outcome,
                                                 .at_ms = member->at_ms,
                                                 .rows = member->rows,
                                                 .bytes = member->bytes,
                                                 .attempts = UEX_UNKNOWN,
                                                 .duration_ms = UEX_NO_TIME,
                                                 .next_attempt_at_ms = UEX_NO_TIME};

        if (!has_state(member))
            err = take_outcome(report, &outcome);
    }
    return err;
}

enum uex_error uex_report_gather(const struct uex_report_question *question, struct uex_report *report,
                                 struct uex_fault *fault)
{
    const struct uex_run_pass pass = {.config = question->config,
                                      .run = question->run,
                                      .members = question->members,
                                      .wanted = has_state,
                                      .take = take_outcome,
                                      .context = report,
                                      .wait_ms = question->wait_ms,
                                      .cancel = question->cancel};
    enum uex_error err = uex_run_pass_read(&pass, fault);

    return err == UEX_OK ? add_others(question->members, report) : err;
}
