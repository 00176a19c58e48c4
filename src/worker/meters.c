/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/meters.h"

#include <stdatomic.h>
#include <stdio.h>

/* Group types that are none come from the database: a handful is shown as they are. */
#define STRANGE_TYPES_MAX 20

static const char *const transaction_results[] = {"committed", "aborted", "unknown"};
static const char *const directions[] = {"read", "written"};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct uex_series *with(struct uex_meters *meters, enum uex_meter meter, const char *label)
{
    return uex_metric_with(meters->families[meter], label);
}

static struct uex_series *with2(struct uex_meters *meters, enum uex_meter meter, const char *first, const char *second)
{
    return uex_metric_with2(meters->families[meter], first, second);
}

static struct uex_series *plain(struct uex_meters *meters, enum uex_meter meter)
{
    return uex_metric_plain(meters->families[meter]);
}

static void each(struct uex_meters *meters, enum uex_meter meter, const char *const *labels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)with(meters, meter, labels[i]);
}

/* What has a fixed set of label values is there with 0 from the start. */
static void make_fixed_series(struct uex_meters *meters, const struct uex_config *config)
{
    for (int kind = 0; kind < UEX_OUTCOME_COUNT; kind++)
        (void)with(meters, UEX_METER_COMMANDS, uex_outcome_text((enum uex_outcome_kind)kind));
    for (int skip = UEX_SKIP_NONE + 1; skip < UEX_SKIP_COUNT; skip++)
        (void)with(meters, UEX_METER_SKIPPED, uex_skip_text((enum uex_skip_reason)skip));
    for (int error = 0; error < UEX_ERROR_COUNT; error++) {
        const enum uex_disposition disposition = uex_error_disposition((enum uex_error)error);

        if (disposition != UEX_DISPOSITION_NONE && disposition != UEX_DISPOSITION_FATAL)
            (void)with(meters, UEX_METER_FAILED_ATTEMPTS, uex_error_code((enum uex_error)error));
    }
    for (size_t tier = 0; tier < config->retry_tier_count; tier++) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%zu", tier);
        (void)with(meters, UEX_METER_RETRIES, text);
    }
    each(meters, UEX_METER_TRANSACTIONS, transaction_results, COUNT_OF(transaction_results));
    each(meters, UEX_METER_BYTES, directions, COUNT_OF(directions));
    uex_series_set(with(meters, UEX_METER_BUILD_INFO, UEX_VERSION), 1);
    uex_series_set(plain(meters, UEX_METER_LANES), (double)config->export_lanes);
}

enum uex_error uex_meters_init(struct uex_meters *meters, const struct uex_config *config, struct uex_fault *fault)
{
    const struct uex_bytes file_type = uex_group_file_type(config);

    memset(meters, 0, sizeof(*meters));
    (void)snprintf(meters->file_type, sizeof(meters->file_type), "%.*s", (int)file_type.size_bytes,
                   (const char *)file_type.data);
    meters->command_topic = config->topics_command;
    meters->registry = uex_metrics_new();
    meters->groups = uex_label_cap_new((size_t)config->metrics_max_groups);
    meters->types = uex_label_cap_new(STRANGE_TYPES_MAX);
    if (meters->registry == NULL || meters->groups == NULL || meters->types == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the metrics");
    for (size_t i = 0; i < UEX_METER_COUNT; i++) {
        meters->families[i] = uex_metrics_add(meters->registry, &uex_meter_table[i]);
        if (meters->families[i] == NULL)
            return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the metrics");
    }
    if (uex_process_metrics_add(meters->registry, &meters->process) != UEX_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the metrics");
    make_fixed_series(meters, config);
    return UEX_OK;
}

void uex_meters_clear(struct uex_meters *meters)
{
    uex_metrics_free(meters->registry);
    uex_label_cap_free(meters->groups);
    uex_label_cap_free(meters->types);
    memset(meters, 0, sizeof(*meters));
}

/* ---- labels */

static const char *group_label(struct uex_meters *meters, const char *group_id)
{
    return uex_label_cap_admit(meters->groups, group_id);
}

static const char *type_label(struct uex_meters *meters, const struct uex_group *group)
{
    if (group->type_text[0] == '\0')
        return UEX_GROUP_TYPE_UNKNOWN;
    return group->type == UEX_GROUP_INVALID ? uex_label_cap_admit(meters->types, group->type_text) : group->type_text;
}

/* An object that was there is announced without looking at the group; only groups of export.file_types have objects. */
static const char *type_of_job(struct uex_meters *meters, const struct uex_job_outcome *job)
{
    return job->object_was_there ? meters->file_type : type_label(meters, &job->group);
}

/* A command that could not be read may still have its group's name as key. */
static const char *group_of(struct uex_meters *meters, const struct uex_inflight *inflight, char *room, size_t size)
{
    const struct uex_bytes key = inflight->record->key;

    if (inflight->command.group_id != NULL && inflight->command.group_id[0] != '\0')
        return group_label(meters, inflight->command.group_id);
    if (key.data == NULL || key.size_bytes == 0 || key.size_bytes >= size ||
        memchr(key.data, 0, key.size_bytes) != NULL)
        return UEX_LABEL_OTHER;
    memcpy(room, key.data, key.size_bytes);
    room[key.size_bytes] = '\0';
    return group_label(meters, room);
}

/* ---- a command comes */

static bool is_scheduled(const struct uex_command *command)
{
    char id[UEX_UUID_TEXT_SIZE];

    if (command->run_id == NULL || command->run_id[0] == '\0' || command->group_id == NULL)
        return false;
    uex_command_id_of_schedule(command->run_id, command->group_id, id);
    return strcmp(id, command->command_id) == 0;
}

/* Only the scheduler's own ids count: what an operator repeats by hand does not show that the scheduler lives. */
static void note_scheduled(struct uex_meters *meters, const struct uex_command *command)
{
    int64_t newest_ms = atomic_load(&meters->last_scheduled_ms);

    if (command->requested_at_ms == UEX_NO_TIME || command->requested_at_ms <= newest_ms || !is_scheduled(command))
        return;
    while (command->requested_at_ms > newest_ms &&
           !atomic_compare_exchange_weak(&meters->last_scheduled_ms, &newest_ms, command->requested_at_ms))
        ;
}

static void make_series(struct uex_meters *meters, const char *group)
{
    (void)with(meters, UEX_METER_BATCH_DURATION, group);
    (void)with(meters, UEX_METER_BATCH_FAILURES, group);
    (void)with(meters, UEX_METER_BATCH_PROCESSED, group);
    (void)with(meters, UEX_METER_CSV_PROCESSED, group);
    (void)with(meters, UEX_METER_CSV_FAILURES, group);
    (void)with2(meters, UEX_METER_FAILURES, group, UEX_GROUP_TYPE_UNKNOWN);
    (void)with2(meters, UEX_METER_TO_DLQ, group, meters->command_topic);
}

void uex_meters_seen(struct uex_meters *meters, const struct uex_command *command)
{
    if (command->group_id == NULL || command->group_id[0] == '\0')
        return;
    note_scheduled(meters, command);
    make_series(meters, group_label(meters, command->group_id));
}

void uex_meters_unreadable(struct uex_meters *meters, const struct uex_inflight *inflight)
{
    char room[UEX_GROUP_ID_MAX_BYTES + 1];

    make_series(meters, group_of(meters, inflight, room, sizeof(room)));
}

void uex_meters_group_known(struct uex_meters *meters, const struct uex_group *group)
{
    const char *group_id = group_label(meters, group->group_id);
    const char *type = type_label(meters, group);

    (void)with2(meters, UEX_METER_DURATION, group_id, type);
    (void)with2(meters, UEX_METER_GROUP_DURATION, group_id, type);
    (void)with2(meters, UEX_METER_FAILURES, group_id, type);
    (void)with2(meters, UEX_METER_INVALID_GROUP_TYPE, group_id, type);
}

/* ---- a job runs */

void uex_meters_batch(struct uex_meters *meters, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    const char *group_id = group_label(meters, group->group_id);

    uex_series_observe(with(meters, UEX_METER_BATCH_DURATION, group_id), (double)duration_ms / 1000);
    uex_series_add(with(meters, UEX_METER_BATCH_PROCESSED, group_id), row_count);
    uex_series_add(plain(meters, UEX_METER_ROWS), row_count);
}

void uex_meters_bytes(struct uex_meters *meters, uint64_t read_bytes, uint64_t written_bytes)
{
    uex_series_add(with(meters, UEX_METER_BYTES, directions[0]), read_bytes);
    uex_series_add(with(meters, UEX_METER_BYTES, directions[1]), written_bytes);
}

void uex_meters_attempt(struct uex_meters *meters, const struct uex_job_outcome *job)
{
    const char *group_id = NULL;

    /* A command that waits for a connection has not failed. */
    if (job->error == UEX_OK || job->error == UEX_CANCELLED || job->error == UEX_DB_CONNECTIONS ||
        job->error == UEX_DB_SILENT || job->group.type_text[0] == '\0')
        return;
    group_id = group_label(meters, job->group.group_id);
    uex_series_add(with(meters, UEX_METER_BATCH_FAILURES, group_id), 1);
    if (job->group.type == UEX_GROUP_FILE)
        uex_series_add(with(meters, UEX_METER_CSV_FAILURES, group_id), 1);
}

/* ---- an outcome is committed */

static void note_failure(struct uex_meters *meters, const struct uex_inflight *inflight, const char *group_id)
{
    const struct uex_outcome *outcome = &inflight->outcome;
    char tier[24];

    uex_series_add(with(meters, UEX_METER_FAILED_ATTEMPTS, uex_error_code(outcome->fault.error)), 1);
    if (outcome->fault.error == UEX_RESULT_REFUSED && outcome->job.error == UEX_OK && outcome->job.started_at_ms != 0)
        uex_series_add(with(meters, UEX_METER_BATCH_FAILURES, group_id), 1); /* the job went well, Kafka refused */
    if (outcome->kind == UEX_OUTCOME_RETRIED) {
        (void)snprintf(tier, sizeof(tier), "%zu", outcome->tier);
        uex_series_add(with(meters, UEX_METER_RETRIES, tier), 1);
        return;
    }
    uex_series_add(with2(meters, UEX_METER_FAILURES, group_id, type_of_job(meters, &outcome->job)), 1);
    uex_series_add(with2(meters, UEX_METER_TO_DLQ, group_id, meters->command_topic), 1);
}

static void note_durations(struct uex_meters *meters, const struct uex_outcome *outcome, const char *group_id)
{
    const struct uex_job_outcome *job = &outcome->job;
    const char *type = type_of_job(meters, job);

    if (job->started_at_ms == 0)
        return; /* it ended without a job */
    uex_series_observe(with2(meters, UEX_METER_DURATION, group_id, type),
                       (double)(job->duration_ms + uex_wall_ms() - outcome->at_ms) / 1000);
    if (outcome->kind == UEX_OUTCOME_EXPORTED && !job->object_was_there)
        uex_series_observe(with2(meters, UEX_METER_GROUP_DURATION, group_id, type),
                           (double)job->csv_duration_ms / 1000);
}

void uex_meters_committed(struct uex_meters *meters, const struct uex_inflight *inflight)
{
    const struct uex_outcome *outcome = &inflight->outcome;
    const struct uex_job_outcome *job = &outcome->job;
    char room[UEX_GROUP_ID_MAX_BYTES + 1];
    const char *group_id = NULL;

    uex_series_add(with(meters, UEX_METER_COMMANDS, uex_outcome_text(outcome->kind)), 1);
    if (outcome->kind == UEX_OUTCOME_REROUTED)
        return; /* it is another worker's, or comes back here as a command */
    note_scheduled(meters, &inflight->command);
    group_id = group_of(meters, inflight, room, sizeof(room));
    note_durations(meters, outcome, group_id);
    if (outcome->kind == UEX_OUTCOME_SKIPPED)
        uex_series_add(with(meters, UEX_METER_SKIPPED, uex_skip_text(outcome->skip)), 1);
    if (outcome->kind == UEX_OUTCOME_SKIPPED && outcome->skip == UEX_SKIP_INVALID_GROUP_TYPE)
        uex_series_add(with2(meters, UEX_METER_INVALID_GROUP_TYPE, group_id, type_of_job(meters, job)), 1);
    if (outcome->kind == UEX_OUTCOME_EXPORTED && job->object.url != NULL && !job->object_was_there)
        uex_series_add(with(meters, UEX_METER_CSV_PROCESSED, group_id), job->row_count);
    if (outcome->kind == UEX_OUTCOME_RETRIED || outcome->kind == UEX_OUTCOME_DEAD_LETTERED)
        note_failure(meters, inflight, group_id);
}

/* ---- the engine and the store */

void uex_meters_transaction(struct uex_meters *meters, const char *result, int64_t duration_us)
{
    uex_series_add(with(meters, UEX_METER_TRANSACTIONS, result), 1);
    uex_series_observe(plain(meters, UEX_METER_TRANSACTION_SECONDS), (double)duration_us / 1e6);
}

void uex_meters_rebalanced(struct uex_meters *meters, size_t adopted, size_t cancelled)
{
    uex_series_add(plain(meters, UEX_METER_ADOPTED), adopted);
    uex_series_add(plain(meters, UEX_METER_CANCELLED), cancelled);
}

void uex_meters_request(struct uex_meters *meters, const char *method, long status, int64_t duration_ms)
{
    char code[8] = "none";

    if (status >= 100 && status <= 599)
        (void)snprintf(code, sizeof(code), "%ld", status);
    else if (status != 0)
        (void)snprintf(code, sizeof(code), "strange");
    uex_series_add(with2(meters, UEX_METER_S3_REQUESTS, method, code), 1);
    uex_series_observe(with(meters, UEX_METER_S3_SECONDS, method), (double)duration_ms / 1000);
}
