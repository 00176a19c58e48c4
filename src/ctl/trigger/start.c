/* SPDX-License-Identifier: Apache-2.0 */
/* trigger --all --run ID: starts a run as the scheduler does. */
#include "run/start.h"

#include "ctl/connect.h"
#include "ctl/output.h"
#include "ctl/trigger/trigger.h"
#include "export/program.h"
#include "run/records.h"

/* UEX_END: the run cannot be recorded; that was said, and the commands are to be sent without a record. */
static enum uex_error look_for_topic(const struct uex_trigger *trigger, struct uex_fault *fault)
{
    struct uex_run_record found = {0};
    bool is_foreign = false;
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_ctl_begin_waiting_for_kafka(&waiting, trigger->config);
    err = uex_run_record_find(trigger->config, trigger->run_id, uex_wait_for_ms(trigger->config), &uex_program_cancel,
                              &found, &is_foreign, fault);
    uex_waiting_end(&waiting);
    uex_run_record_clear(&found);
    if (err == UEX_KAFKA_TOPICS)
        uex_output_error("the run is not recorded: %s", fault->text);
    else if (err == UEX_NOT_FOUND && is_foreign)
        uex_output_error("the run is not recorded: %s has a run of this name of another deployment",
                         trigger->config->topics_run);
    else
        return err == UEX_NOT_FOUND ? UEX_OK : err;
    return UEX_END;
}

static void report_known(const struct uex_trigger *trigger, const struct uex_run_record *record)
{
    char at[UEX_OUTPUT_TIME_SIZE];

    uex_output_time(record->started_at_ms, at);
    uex_output_error("run %s was started at %s and is %s; nothing was sent (--again sends commands for all its groups)",
                     trigger->run_id, at, uex_run_status_text(record->status));
}

bool uex_trigger_starts_run(const struct uex_trigger *trigger)
{
    return trigger->all && trigger->run_id != NULL;
}

enum uex_error uex_trigger_start_run(const struct uex_trigger *trigger, struct uex_bulk *bulk, bool *is_recorded,
                                     struct uex_fault *fault)
{
    const struct uex_run_record started = {.run_id = (char *)(uintptr_t)trigger->run_id,
                                           .status = UEX_RUN_STARTED,
                                           .groups = bulk->count,
                                           .exported = UEX_UNKNOWN,
                                           .skipped = UEX_UNKNOWN,
                                           .dead_lettered = UEX_UNKNOWN,
                                           .unfinished = UEX_UNKNOWN,
                                           .rows = UEX_UNKNOWN,
                                           .bytes = UEX_UNKNOWN,
                                           .started_at_ms = trigger->requested_at_ms,
                                           .ended_at_ms = UEX_NO_TIME,
                                           .requested_by = (char *)(uintptr_t)trigger->requested_by};
    struct uex_run_start_result result = {0};
    enum uex_error err = look_for_topic(trigger, fault);

    *is_recorded = err != UEX_END;
    if (err != UEX_OK)
        return err == UEX_END ? UEX_OK : err;
    err = uex_run_start(bulk, &started, uex_ctl_options.again, &result, fault);
    if (err == UEX_OK && result.was_there)
        report_known(trigger, &result.found);
    if (err == UEX_OK && result.fenced)
        err = uex_fail(fault, UEX_KAFKA, "a scheduler, or another start of a run, took over; nothing was sent");
    else if (err == UEX_OK && result.was_there)
        err = UEX_END;
    uex_run_record_clear(&result.found);
    return err;
}
