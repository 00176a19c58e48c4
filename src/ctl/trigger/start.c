/* SPDX-License-Identifier: Apache-2.0 */
/* trigger --all --run ID: starts a run as the scheduler does. */
#include "run/start.h"

#include "ctl/connect.h"
#include "ctl/output.h"
#include "ctl/trigger/trigger.h"
#include "export/object_store.h"
#include "export/program.h"
#include "run/end.h"
#include "run/manifest.h"
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

enum uex_error uex_trigger_start_run(const struct uex_trigger *trigger, struct uex_bulk *bulk,
                                     struct uex_run_record *out, struct uex_fault *fault)
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

    *out = (struct uex_run_record){0};
    if (err != UEX_OK)
        return err == UEX_END ? UEX_OK : err;
    err = uex_run_start(bulk, &started, uex_ctl_options.again, &result, fault);
    if (err == UEX_OK && result.was_there)
        report_known(trigger, &result.found);
    if (err == UEX_OK && result.fenced)
        err = uex_fail(fault, UEX_KAFKA, "a scheduler, or another start of a run, took over; nothing was sent");
    else if (err == UEX_OK && result.was_there)
        err = UEX_END;
    if (err == UEX_OK) {
        *out = started;
        out->started_again = result.started_again;
    }
    uex_run_record_clear(&result.found);
    return err;
}

/* ---- a run without groups */

/* Before the run is started, so that it is known that its end can be written. */
static enum uex_error open_store(const struct uex_config *config, struct uex_store_service **service,
                                 struct uex_fault *fault)
{
    struct uex_buffer problems = {0};
    enum uex_error err = UEX_OK;

    if (!config->schedule_manifest)
        return UEX_OK;
    if (uex_config_require(config, UEX_NEED_STORAGE, &problems) != UEX_OK)
        err = uex_fail(fault, UEX_CONFIG, "schedule.manifest is set, and nothing was started: %s",
                       uex_buffer_text(&problems));
    uex_buffer_clear(&problems);
    return err == UEX_OK ? uex_store_service_new(config, service, fault) : err;
}

static enum uex_error write_end(const struct uex_config *config, struct uex_store_service *service,
                                const struct uex_run_record *started, struct uex_fault *fault)
{
    const struct uex_run_members none = {0};
    const struct uex_run_counts nothing = {0};
    const struct uex_run_manifest_setup setup = {.config = config,
                                                 .service = service,
                                                 .run = started,
                                                 .members = &none,
                                                 .until_ms = uex_monotonic_ms() + config->startup_timeout_ms,
                                                 .cancel = &uex_program_cancel};
    struct uex_run_record end = uex_run_end_of(started, &nothing);
    struct uex_run_manifest manifest = {0};
    bool written = false;
    enum uex_error err = service == NULL ? UEX_OK : uex_run_manifest_create(&setup, &manifest, fault);

    if (err == UEX_OK && service != NULL) {
        end.ended_at_ms = manifest.ended_at_ms;
        end.manifest_path = manifest.path;
        memcpy(end.manifest_sha256, manifest.sha256, sizeof(end.manifest_sha256));
    }
    if (err == UEX_OK) /* where another process has written it, it is written too */
        err =
            uex_run_end(config, started, &end, config->startup_timeout_ms, &uex_program_cancel, &written, NULL, fault);
    uex_run_manifest_clear(&manifest);
    return err;
}

static int start_and_end(const struct uex_trigger *trigger, struct uex_store_service *service)
{
    struct uex_bulk bulk = uex_trigger_bulk(trigger);
    struct uex_run_record started = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_trigger_start_run(trigger, &bulk, &started, &fault);

    if (err != UEX_OK)
        return uex_trigger_fail(err, &fault);
    if (started.run_id == NULL) { /* it cannot be recorded, which was said */
        uex_output_error("no active group; nothing was sent");
        return UEX_EXIT_DONE;
    }
    err = write_end(trigger->config, service, &started, &fault);
    if (err != UEX_OK) {
        uex_output_error("run %s is started, and its end is not written; exportctl run finish writes it",
                         trigger->run_id);
        return uex_output_fail(err, &fault);
    }
    uex_output_error("no active group; run %s is started and completed", trigger->run_id);
    return UEX_EXIT_DONE;
}

int uex_trigger_start_empty_run(const struct uex_trigger *trigger)
{
    struct uex_store_service *service = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = open_store(trigger->config, &service, &fault);
    int code = err == UEX_OK ? start_and_end(trigger, service) : uex_output_fail(err, &fault);

    uex_store_service_free(service);
    return code;
}
