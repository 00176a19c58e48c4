/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/schedule.h"

#include <stdio.h>

#include "export/postgres.h"
#include "export/program.h"
#include "run/records.h"
#include "scheduler/lag.h"
#include "scheduler/run.h"
#include "scheduler/wait.h"

#define APPLICATION_NAME "export-scheduler"
#define ASK_MS 10000
#define PAUSE_MS 500
#define OTHER_MS 10000 /* so long is looked for the run of a start that took over */
#define SEND_TRIES_MAX 3

/* What is known while it runs. */
struct scheduling {
    const struct uex_schedule *schedule;
    const struct uex_config *config;
    const char *run_id;
    struct uex_group_list list;
    struct uex_run_members members;
    bool is_recorded;             /* the run stands in topics.run, or will */
    bool was_there;               /* it was started before */
    int64_t known_started_ms;     /* with --again: of the start before; UEX_NO_TIME: there is none */
    struct uex_run_record record; /* of the run, once it was started */
};

/* An error is logged here, once. */
static int log_failure(const char *run_id, enum uex_error err, const struct uex_fault *fault)
{
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULE_FAILED,
            err == UEX_CANCELLED ? "stopped; nothing was scheduled" : "not scheduled", UEX_STR("run", run_id),
            UEX_STR("error", uex_error_code(err)),
            UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text));
    return err == UEX_CANCELLED || err == UEX_TIMEOUT ? UEX_EXIT_FAILED : uex_exit_of(err);
}

/* ---- before anything is sent */

static bool waits(const struct uex_config *config)
{
    return config->schedule_wait_ms > 0;
}

static enum uex_error look_for_topic(rd_kafka_t *admin, const char *topic, struct uex_fault *fault)
{
    int32_t partition_count = 0;
    enum uex_error err = uex_kafka_partition_count(admin, topic, ASK_MS, &partition_count, fault);

    if (err != UEX_NOT_FOUND)
        return err;
    return uex_fail(
        fault, UEX_KAFKA_TOPICS,
        "topic %s does not exist or may not be seen by this principal; create it with exportctl topics create", topic);
}

/* Wait until Kafka answers and has the topics: that of the commands, and that of the outcomes that are waited for. */
static enum uex_error await_kafka(const struct uex_config *config, struct uex_fault *fault)
{
    rd_kafka_t *admin = NULL;
    enum uex_error err =
        uex_kafka_connect(config, UEX_KAFKA_ADMIN, config->startup_timeout_ms, &uex_program_cancel, &admin, fault);

    if (err == UEX_OK)
        err = look_for_topic(admin, config->topics_command, fault);
    if (err == UEX_OK && waits(config))
        err = look_for_topic(admin, config->topics_state, fault);
    uex_kafka_destroy(admin);
    return err;
}

/* The run cannot be recorded: without a need for it the commands are sent all the same. */
static enum uex_error go_without_record(struct scheduling *scheduling, struct uex_fault *fault)
{
    const struct uex_fault reason = *fault;

    scheduling->is_recorded = false;
    if (waits(scheduling->config) || scheduling->config->schedule_manifest)
        return uex_fail(fault, UEX_CONFIG, "%s needs topics.run: %s",
                        waits(scheduling->config) ? "schedule.wait" : "schedule.manifest", reason.text);
    uex_log(UEX_LOG_WARN, UEX_EVENT_RUN_NOT_RECORDED,
            "the run is not recorded; its commands are sent, and nobody is told when the run has ended",
            UEX_STR("run", scheduling->run_id), UEX_STR("topic", scheduling->config->topics_run),
            UEX_STR("detail", reason.text));
    return UEX_OK;
}

static enum uex_error look_at_run(struct scheduling *scheduling, struct uex_fault *fault)
{
    bool is_foreign = false;
    enum uex_error err =
        uex_run_record_find(scheduling->config, scheduling->run_id, scheduling->config->startup_timeout_ms,
                            &uex_program_cancel, &scheduling->record, &is_foreign, fault);

    scheduling->is_recorded = true;
    scheduling->was_there = err == UEX_OK && !scheduling->schedule->again;
    scheduling->known_started_ms = err == UEX_OK ? scheduling->record.started_at_ms : UEX_NO_TIME;
    if (err == UEX_KAFKA_TOPICS || (err == UEX_NOT_FOUND && is_foreign))
        return go_without_record(scheduling, fault);
    return err == UEX_NOT_FOUND ? UEX_OK : err;
}

/* Kafka first: for a run that was started before, neither the groups nor the lag are looked at. */
static enum uex_error prepare(struct scheduling *scheduling, struct uex_fault *fault)
{
    const struct uex_config *config = scheduling->config;
    const bool dry_run = scheduling->schedule->dry_run;
    enum uex_error err = dry_run ? UEX_OK : await_kafka(config, fault);

    if (err == UEX_OK && !dry_run)
        err = look_at_run(scheduling, fault);
    if (err != UEX_OK || scheduling->was_there)
        return err;
    err = uex_groups_await(config, APPLICATION_NAME, config->startup_timeout_ms, &uex_program_cancel, fault);
    if (err == UEX_OK && !dry_run)
        err = uex_lag_wait(config, &uex_program_cancel, fault);
    if (err == UEX_OK)
        err = uex_groups_read(config, APPLICATION_NAME, config->startup_timeout_ms, &uex_program_cancel,
                              &scheduling->list, fault);
    if (err != UEX_OK)
        return err;
    if (scheduling->list.count == 0)
        uex_log(UEX_LOG_INFO, UEX_EVENT_NO_GROUPS, "no active group; nothing to schedule",
                UEX_STR("run", scheduling->run_id), UEX_NUM("left_out", scheduling->list.left_out));
    else
        uex_log(UEX_LOG_INFO, UEX_EVENT_GROUPS_READ, "active groups read", UEX_STR("run", scheduling->run_id),
                UEX_NUM("groups", scheduling->list.count), UEX_NUM("left_out", scheduling->list.left_out));
    return UEX_OK;
}

/* ---- the commands */

static struct uex_run run_of(const struct scheduling *scheduling, int64_t at_ms)
{
    return (struct uex_run){
        .run_id = scheduling->run_id, .domain_id = scheduling->config->export_domain_id, .requested_at_ms = at_ms};
}

/* Ids that no command may carry were left out; somebody has to correct them. */
static int code_of_list(const struct scheduling *scheduling)
{
    return scheduling->list.left_out > 0 ? UEX_EXIT_FAILED : UEX_EXIT_DONE;
}

/* What would be sent: the value of each command, one on each line. */
static int print_commands(const struct scheduling *scheduling)
{
    const struct uex_group_list *list = &scheduling->list;
    const struct uex_run run = run_of(scheduling, uex_wall_ms());
    struct uex_buffer line = {0};
    bool written = true;

    for (const char *id = uex_group_list_next(list, NULL); id != NULL && written; id = uex_group_list_next(list, id)) {
        uex_buffer_reset(&line);
        uex_run_command(&run, id, &line);
        uex_buffer_append_text(&line, "\n");
        written = !uex_buffer_failed(&line) && fwrite(line.data, 1, line.size_bytes, stdout) == line.size_bytes;
    }
    uex_buffer_clear(&line);
    if (!written || fflush(stdout) != 0) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULE_FAILED, "writing the commands to stdout failed",
                UEX_STR("run", scheduling->run_id));
        return UEX_EXIT_FAILED;
    }
    if (list->count > 0)
        uex_log(UEX_LOG_INFO, UEX_EVENT_DRY_RUN, "--dry-run: nothing was sent", UEX_STR("run", scheduling->run_id),
                UEX_NUM("groups", list->count), UEX_NUM("left_out", list->left_out));
    return code_of_list(scheduling);
}

/* The record of the start. Its strings are not the record's own. */
static struct uex_run_record started_now(const struct scheduling *scheduling)
{
    return (struct uex_run_record){.run_id = (char *)(uintptr_t)scheduling->run_id,
                                   .status = UEX_RUN_STARTED,
                                   .groups = scheduling->list.count,
                                   .exported = UEX_UNKNOWN,
                                   .skipped = UEX_UNKNOWN,
                                   .dead_lettered = UEX_UNKNOWN,
                                   .unfinished = UEX_UNKNOWN,
                                   .rows = UEX_UNKNOWN,
                                   .bytes = UEX_UNKNOWN,
                                   .started_at_ms = uex_wall_ms(),
                                   .ended_at_ms = UEX_NO_TIME,
                                   .requested_by = (char *)(uintptr_t)UEX_REQUESTED_BY};
}

/* Another start took over while this one was sending. Was it of this run? Then its record is there as soon as it has
 * sent. UEX_END: it was of another run, or it failed. */
static enum uex_error await_other(struct scheduling *scheduling, struct uex_fault *fault)
{
    const struct uex_config *config = scheduling->config;
    const int64_t look_ms = config->startup_timeout_ms < OTHER_MS ? config->startup_timeout_ms : OTHER_MS;
    const int64_t until_ms = uex_monotonic_ms() + look_ms;

    for (;;) {
        enum uex_error err = UEX_OK;

        uex_run_record_clear(&scheduling->record);
        err = uex_run_record_find_settled(config, scheduling->run_id, config->startup_timeout_ms, &uex_program_cancel,
                                          &scheduling->record, NULL, fault);
        if (err == UEX_OK && scheduling->record.started_at_ms != scheduling->known_started_ms)
            return UEX_OK;
        /* Kafka away, or a transaction that stays open: the next try ends that one, or says why it cannot. */
        if (err != UEX_OK && err != UEX_NOT_FOUND && err != UEX_KAFKA_UNAVAILABLE)
            return err;
        if (uex_monotonic_ms() >= until_ms)
            return UEX_END;
        if (!uex_sleep_ms(PAUSE_MS, &uex_program_cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped");
    }
}

/* The record that counts from now on: the one that was sent, or another's. */
static enum uex_error take_result(struct scheduling *scheduling, const struct uex_run_record *started,
                                  struct uex_send_result *result, struct uex_fault *fault)
{
    uex_run_record_clear(&scheduling->record);
    if (result->was_there) {
        scheduling->was_there = true;
        scheduling->record = result->found;
        result->found = (struct uex_run_record){0};
        return UEX_OK;
    }
    if (scheduling->list.count > 0)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "scheduled", UEX_STR("run", scheduling->run_id),
                UEX_NUM("groups", result->sent), UEX_NUM("left_out", scheduling->list.left_out),
                UEX_STR("topic", scheduling->config->topics_command), UEX_INT("duration_ms", result->duration_ms));
    if (!scheduling->is_recorded)
        return UEX_OK;
    if (uex_run_record_copy(started, &scheduling->record) != UEX_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the record of the run");
    scheduling->record.started_again = result->started_again;
    return UEX_OK;
}

/* Of a run that is not recorded, nobody can know whether the other start has sent it. UEX_END: it has not. */
static enum uex_error give_way(struct scheduling *scheduling, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULER_FENCED, "another start of a run took over; this one sent nothing",
            UEX_STR("run", scheduling->run_id));
    if (scheduling->is_recorded)
        err = await_other(scheduling, fault);
    scheduling->was_there = err == UEX_OK;
    return err;
}

static enum uex_error send_once(struct scheduling *scheduling, struct uex_fault *fault)
{
    const struct uex_run_record started = started_now(scheduling);
    const struct uex_run run = run_of(scheduling, started.started_at_ms);
    struct uex_send_result result = {0};
    enum uex_error err =
        uex_send_commands(scheduling->config, &run, &scheduling->list, scheduling->is_recorded ? &started : NULL,
                          scheduling->schedule->again, &uex_program_cancel, &result, fault);

    if (err == UEX_OK)
        err = result.fenced ? give_way(scheduling, fault) : take_result(scheduling, &started, &result, fault);
    uex_run_record_clear(&result.found);
    return err;
}

/* Starts of all runs share one transactional id, so one of another run may take over. */
static enum uex_error send_commands(struct scheduling *scheduling, struct uex_fault *fault)
{
    enum uex_error err = UEX_END;

    if (scheduling->list.count == 0 && !scheduling->is_recorded)
        return UEX_OK;
    for (unsigned tries = 0; err == UEX_END && tries < SEND_TRIES_MAX; tries++)
        err = send_once(scheduling, fault);
    return err != UEX_END ? err
                          : uex_fail(fault, UEX_KAFKA, "other starts of runs took over %d times; nothing was sent",
                                     SEND_TRIES_MAX);
}

/* ---- the end */

/* Nothing is sent. How the run has ended stands in its record; the process that saw it end has logged its completion,
 * and that is not logged at each start. */
static void say_known(const struct scheduling *scheduling)
{
    const struct uex_run_record *record = &scheduling->record;

    if (record->status != UEX_RUN_STARTED) {
        uex_log(UEX_LOG_INFO, UEX_EVENT_RUN_KNOWN,
                "the run was started before, and has ended; nothing is sent (--again sends its commands once more)",
                UEX_STR("run", scheduling->run_id), UEX_STR("status", uex_run_status_text(record->status)),
                UEX_NUM("groups", record->groups), UEX_NUM("exported", record->exported),
                UEX_NUM("skipped", record->skipped), UEX_NUM("dead_lettered", record->dead_lettered),
                UEX_NUM("unfinished", record->unfinished), UEX_NUM("rows", record->rows),
                UEX_NUM("bytes", record->bytes), UEX_TIME("started_at", record->started_at_ms),
                UEX_TIME("ended_at", record->ended_at_ms), UEX_STR("manifest", record->manifest_path));
        return;
    }
    uex_log(UEX_LOG_INFO, UEX_EVENT_RUN_KNOWN,
            "the run was started before; nothing is sent (--again sends its commands once more)",
            UEX_STR("run", scheduling->run_id), UEX_STR("status", uex_run_status_text(record->status)),
            UEX_NUM("groups", record->groups), UEX_TIME("started_at", record->started_at_ms));
}

/* The groups of the list, which is cleared. Without them, as for another scheduler's start, they are read from the
 * command topic. */
static void take_members(struct scheduling *scheduling)
{
    const struct uex_group_list *list = &scheduling->list;
    enum uex_error err = uex_run_members_reserve(&scheduling->members, list->count, list->ids.size_bytes);

    for (const char *id = uex_group_list_next(list, NULL); id != NULL && err == UEX_OK;
         id = uex_group_list_next(list, id))
        err = uex_run_members_add(&scheduling->members, uex_bytes_of_text(id));
    uex_group_list_clear(&scheduling->list);
    if (err != UEX_OK)
        uex_run_members_clear(&scheduling->members);
}

static int end_run(struct scheduling *scheduling)
{
    const struct uex_run_record *record = &scheduling->record;
    const bool is_known = record->run_id != NULL;
    int code = code_of_list(scheduling), ended = UEX_EXIT_DONE;

    if (scheduling->was_there && is_known)
        say_known(scheduling);
    if (!is_known || (!waits(scheduling->config) && (scheduling->was_there || scheduling->list.count > 0)))
        return code;
    if (!scheduling->was_there)
        take_members(scheduling);
    if (record->status == UEX_RUN_COMPLETED) {
        uex_publish_page(scheduling->config, scheduling->schedule->service, record, &uex_program_cancel);
        ended = uex_exit_of_end(record);
    } else if (record->groups == 0 && !scheduling->was_there) {
        ended = uex_end_empty_run(scheduling->config, scheduling->schedule->service, record, &uex_program_cancel);
    } else {
        ended = uex_wait_for_run(scheduling->config, scheduling->schedule->service, record, scheduling->was_there,
                                 &scheduling->members, &uex_program_cancel);
    }
    return ended != UEX_EXIT_DONE ? ended : code;
}

int uex_schedule(const struct uex_schedule *schedule)
{
    struct scheduling scheduling = {
        .schedule = schedule, .config = schedule->config, .run_id = schedule->run_id, .known_started_ms = UEX_NO_TIME};
    struct uex_fault fault = {0};
    enum uex_error err = prepare(&scheduling, &fault);
    int code = UEX_EXIT_DONE;

    if (err == UEX_OK && !schedule->dry_run && !scheduling.was_there)
        err = send_commands(&scheduling, &fault);
    if (err != UEX_OK)
        code = log_failure(schedule->run_id, err, &fault);
    else
        code = schedule->dry_run ? print_commands(&scheduling) : end_run(&scheduling);
    uex_run_record_clear(&scheduling.record);
    uex_run_members_clear(&scheduling.members);
    uex_group_list_clear(&scheduling.list);
    return code;
}
