/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/thread.h"
#include "kafka/client.h"
#include "worker/trace.h"

/* Room in a message for the key, the headers and Kafka's own framing. */
#define MESSAGE_ROOM_BYTES 4096
#define PART_MIN_BYTES 1024

/* Probes of an open breaker. */
#define PROBE_FIRST_MS 1000
#define PROBE_LAST_MS 15000
#define PROBE_SLICE_MS 100
#define LOG_EVERY_MS 60000

static struct uex_job_limits limits_of(const struct uex_config *config)
{
    const size_t message_bytes = uex_kafka_message_max_bytes(config);

    return (struct uex_job_limits){
        .part_bytes =
            message_bytes > MESSAGE_ROOM_BYTES + PART_MIN_BYTES ? message_bytes - MESSAGE_ROOM_BYTES : PART_MIN_BYTES,
        .list_bytes = (uint64_t)config->commit_max_list_bytes,
    };
}

/* ---- what others see of a job */

static void sign_of_life(struct uex_lane *lane)
{
    lane->moved_ms = uex_monotonic_ms();
}

static void on_request(void *context, const char *method, long status, int64_t duration_ms)
{
    struct uex_lane *lane = context;

    sign_of_life(lane);
    uex_meters_request(lane->meters, method, status, duration_ms);
}

static void on_moved(void *context)
{
    sign_of_life(context);
}

/* A step that begins again counts from 0 again. */
static uint64_t more_than(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static void count_bytes(struct uex_lane *lane)
{
    const uint64_t read_bytes = lane->inflight->progress.text_bytes;
    const uint64_t written_bytes = lane->inflight->progress.object_bytes;

    uex_meters_bytes(lane->meters, more_than(lane->read_bytes, read_bytes),
                     more_than(lane->written_bytes, written_bytes));
    lane->read_bytes = read_bytes;
    lane->written_bytes = written_bytes;
}

static void on_batch(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    struct uex_lane *lane = context;

    sign_of_life(lane);
    uex_meters_batch(lane->meters, group, row_count, duration_ms);
    count_bytes(lane);
}

static void on_group_known(void *context, const struct uex_group *group)
{
    struct uex_lane *lane = context;

    uex_meters_group_known(lane->meters, group);
    if (group->type == UEX_GROUP_INVALID)
        uex_log(UEX_LOG_WARN, UEX_EVENT_GROUP_TYPE_INVALID, "unknown group type; the group is skipped",
                UEX_STR("group", group->group_id), UEX_STR("type", group->type_text),
                UEX_STR("command", lane->inflight->command.command_id));
}

static void begin_job(struct uex_lane *lane, struct uex_inflight *inflight)
{
    lane->read_bytes = 0;
    lane->written_bytes = 0;
    pthread_mutex_lock(&lane->lock);
    lane->inflight = inflight;
    lane->started_at_ms = uex_wall_ms();
    lane->is_reported = false;
    pthread_mutex_unlock(&lane->lock);
    sign_of_life(lane);
    lane->busy = true;
    uex_trace_export_begins(inflight, lane->started_at_ms);
}

static void fill_progress(const struct uex_lane *lane, struct uex_lane_progress *progress)
{
    const struct uex_inflight *inflight = lane->inflight;

    (void)snprintf(progress->group_id, sizeof(progress->group_id), "%s", inflight->command.group_id);
    memcpy(progress->command_id, inflight->command.command_id, sizeof(progress->command_id));
    progress->ended = false;
    progress->rows = inflight->progress.row_count;
    progress->text_bytes = inflight->progress.text_bytes;
    progress->object_bytes = inflight->progress.object_bytes;
    progress->started_at_ms = lane->started_at_ms;
}

/* Whoever gets the command next may free it. */
static void end_job(struct uex_lane *lane, const struct uex_job_outcome *job)
{
    count_bytes(lane);
    uex_trace_export_ends(lane->inflight, lane->started_at_ms, job);
    uex_meters_attempt(lane->meters, job);
    pthread_mutex_lock(&lane->lock);
    if (lane->is_reported) {
        fill_progress(lane, &lane->last);
        lane->last.ended = true;
        lane->has_last = true;
    }
    lane->inflight = NULL;
    pthread_mutex_unlock(&lane->lock);
    lane->busy = false;
}

size_t uex_lane_progress(struct uex_lane *lane, struct uex_lane_progress *progress)
{
    size_t count = 0;

    pthread_mutex_lock(&lane->lock);
    if (lane->has_last)
        progress[count++] = lane->last;
    lane->has_last = false;
    if (lane->inflight != NULL) {
        lane->is_reported = true;
        fill_progress(lane, &progress[count++]);
    }
    pthread_mutex_unlock(&lane->lock);
    return count;
}

/* ---- life */

enum uex_error uex_lanes_open(struct uex_lanes *lanes, const struct uex_config *config, struct uex_engine *engine,
                              struct uex_job_services *services, struct uex_meters *meters, struct uex_spool_dir *dir,
                              struct uex_fault *fault)
{
    const size_t count = (size_t)config->export_lanes;

    lanes->lanes = calloc(count, sizeof(*lanes->lanes));
    if (lanes->lanes == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "lanes");
    for (size_t i = 0; i < count; i++) {
        struct uex_lane *lane = &lanes->lanes[i];
        const enum uex_error error = uex_job_runner_new(services, dir, limits_of(config), &lane->runner, fault);

        if (error != UEX_OK)
            return error;
        (void)pthread_mutex_init(&lane->lock, NULL);
        lane->all = lanes;
        lane->engine = engine;
        lane->ending = &lanes->ending;
        lane->meters = meters;
        lane->store_observer = (struct uex_store_observer){.context = lane, .request = on_request, .moved = on_moved};
        uex_job_runner_observe_store(lane->runner, &lane->store_observer);
        uex_job_runner_observe_shortage(lane->runner, uex_shortage_lane_count(engine));
        lanes->count++;
    }
    return UEX_OK;
}

/* ---- outages */

static enum uex_error probe(struct uex_lane *lane, enum uex_dependency dependency, const struct uex_cancel *cancel,
                            struct uex_fault *fault)
{
    return dependency == UEX_DEPENDENCY_DATABASE ? uex_job_runner_probe_database(lane->runner, cancel, fault)
                                                 : uex_job_runner_probe_store(lane->runner, cancel, fault);
}

static bool is_draining(struct uex_engine *engine)
{
    return uex_engine_lifecycle(engine) != UEX_LIFECYCLE_WORKING;
}

/* A server that refuses a connection for its limits is there again; but what was wrong with views or credentials is
 * known only with a connection. */
static bool is_over(enum uex_error error, enum uex_error cause)
{
    return error == UEX_OK ||
           (error == UEX_DB_CONNECTIONS && uex_error_disposition(cause) == UEX_DISPOSITION_RETRY_STEP);
}

/* The lane that opened a breaker asks again, alone, until the dependency answers; once a minute it says that it still
 * waits. Between its questions it holds no connection. */
static void watch(struct uex_lane *lane, enum uex_dependency dependency, enum uex_error cause)
{
    struct uex_fault fault = {0};
    int64_t logged_ms = uex_monotonic_ms();
    int64_t pause_ms = PROBE_FIRST_MS;

    while (!is_draining(lane->engine)) {
        enum uex_error error = UEX_OK;

        uex_job_runner_rest(lane->runner);
        for (int64_t slept_ms = 0; slept_ms < pause_ms && !is_draining(lane->engine); slept_ms += PROBE_SLICE_MS)
            (void)uex_sleep_ms(PROBE_SLICE_MS, NULL);
        error = probe(lane, dependency, lane->ending, &fault);
        if (is_over(error, cause)) {
            uex_breaker_close(lane->engine, dependency);
            return;
        }
        if (error != UEX_DB_CONNECTIONS && uex_breaker_dependency(error) == dependency)
            cause = error;
        if (uex_monotonic_ms() - logged_ms >= LOG_EVERY_MS) {
            logged_ms = uex_monotonic_ms();
            uex_log(UEX_LOG_WARN, UEX_EVENT_BREAKER_WAIT, "circuit breaker still open: dependency unavailable",
                    UEX_STR("dependency", uex_breaker_text(dependency)), UEX_STR("code", uex_error_code(fault.error)),
                    UEX_STR("error", fault.text));
        }
        pause_ms = pause_ms * 2 > PROBE_LAST_MS ? PROBE_LAST_MS : pause_ms * 2;
    }
}

/* No lane asks again for itself after these: it would compete for what it asks for. */
static bool is_refusal(enum uex_error error)
{
    return error == UEX_DB_CONNECTIONS || error == UEX_DB_SILENT;
}

static bool is_any_connected(const struct uex_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (uex_job_runner_is_connected(lanes->lanes[i].runner))
            return true;
    }
    return false;
}

/* No connection to be had is nothing that the command did: it goes back, and the lane waits; but one that fails on its
 * way each time is not asked for ever. A database that answers nobody is an outage; while a lane has a connection that
 * works, a pooler lets the others wait. */
static void give_back(struct uex_lane *lane, struct uex_inflight *inflight, struct uex_job_outcome *job,
                      const struct uex_fault *fault)
{
    const bool is_outage = fault->error == UEX_DB_SILENT && !is_any_connected(lane->all);
    const bool opened = is_outage && uex_breaker_open(lane->engine, UEX_DEPENDENCY_DATABASE, fault);

    uex_engine_give_back(lane->engine, inflight, job, job->had_connection);
    if (!is_outage) {
        uex_shortage_wait(lane->engine, &lane->waits, fault);
        return;
    }
    uex_shortage_end(lane->engine, &lane->waits);
    if (opened)
        watch(lane, UEX_DEPENDENCY_DATABASE, fault->error);
}

/* The dependency was not even asked. */
static void give_back_starved(struct uex_lane *lane, struct uex_inflight *inflight, struct uex_job_outcome *job,
                              const struct uex_fault *fault)
{
    uex_log(UEX_LOG_WARN, UEX_EVENT_PROBE_STARVED,
            "not enough memory to ask whether a dependency is well: the command is run again",
            UEX_STR("command", inflight->command.command_id), UEX_STR("code", uex_error_code(job->error)),
            UEX_STR("error", fault->text));
    uex_engine_give_back(lane->engine, inflight, job, true);
    for (int64_t slept_ms = 0; slept_ms < PROBE_FIRST_MS && !is_draining(lane->engine); slept_ms += PROBE_SLICE_MS)
        (void)uex_sleep_ms(PROBE_SLICE_MS, NULL);
}

/* A failure is the command's own unless a neutral probe fails as well. True: the command is settled, and the breaker
 * watched, or a connection waited for. */
static bool settle_outage(struct uex_lane *lane, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    const enum uex_dependency dependency = uex_breaker_dependency(job->error);
    struct uex_fault fault = job->fault;
    enum uex_error error = job->error;
    bool opened = false;

    if (dependency == UEX_DEPENDENCY_NONE)
        return false;
    if (!is_refusal(error))
        error = probe(lane, dependency, &inflight->cancel, &fault);
    /* Nobody is charged while a breaker is open, also when the dependency answers a moment before it closes. */
    if (error == UEX_OK && uex_breaker_is_open(lane->engine, dependency)) {
        end_job(lane, job);
        uex_engine_return(lane->engine, inflight, job);
        return true;
    }
    if (error == UEX_OK || error == UEX_CANCELLED) /* given up meanwhile: that says nothing about the dependency */
        return false;
    if (is_refusal(error)) {
        end_job(lane, job);
        give_back(lane, inflight, job, &fault);
        return true;
    }
    if (error == UEX_NO_MEMORY) {
        end_job(lane, job);
        give_back_starved(lane, inflight, job, &fault);
        return true;
    }
    opened = uex_breaker_open(lane->engine, dependency, &fault);
    end_job(lane, job);
    uex_engine_return(lane->engine, inflight, job);
    if (opened)
        watch(lane, dependency, error);
    return true;
}

/* Any failure but these is for the job to meet, and for the probe that follows. */
static enum uex_error connect_first(struct uex_lane *lane, const struct uex_cancel *cancel, struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    if (!lane->all->views_unchecked)
        return uex_job_runner_connect(lane->runner, cancel, fault);
    error = uex_job_runner_check_database(lane->runner, cancel, fault);
    if (error == UEX_OK)
        lane->all->views_unchecked = false;
    return error;
}

/* A lane that was refused a connection, or starts before the views could be looked at, takes a command's time only once
 * it has one. */
static bool is_connected(struct uex_lane *lane, struct uex_inflight *inflight)
{
    struct uex_job_outcome none = {0};
    struct uex_fault fault = {0};
    enum uex_error error = UEX_OK;

    if (!lane->waits && !lane->all->views_unchecked)
        return true;
    error = connect_first(lane, &inflight->cancel, &fault);
    if (is_refusal(error)) {
        give_back(lane, inflight, &none, &fault);
        return false;
    }
    uex_shortage_end(lane->engine, &lane->waits);
    if (error != UEX_CONFIG)
        return true;
    uex_engine_refuse(lane->engine, fault.text, "make export.mask and the views of the database fit each other");
    uex_engine_give_back(lane->engine, inflight, &none, false);
    return false;
}

static void finish(struct uex_lane *lane, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    end_job(lane, job);
    uex_engine_finish(lane->engine, inflight, job);
}

static void run(struct uex_lane *lane, struct uex_inflight *inflight)
{
    const struct uex_job_observer observer = {.context = lane, .group_known = on_group_known, .batch = on_batch};
    struct uex_job_outcome job = {0};

    uex_log(UEX_LOG_DEBUG, UEX_EVENT_COMMAND_TAKEN, "command taken", UEX_STR("command", inflight->command.command_id),
            UEX_STR("group", inflight->command.group_id), UEX_STR("topic", inflight->record->topic),
            UEX_INT("partition", inflight->partition), UEX_INT("offset", inflight->offset));
    begin_job(lane, inflight);
    uex_job_run(lane->runner, &inflight->command, &inflight->cancel, &inflight->progress, &observer, &job);
    sign_of_life(lane);
    if (!settle_outage(lane, inflight, &job))
        finish(lane, inflight, &job);
}

/* A lane without work holds nothing that others may need. */
static void rest(struct uex_lane *lane)
{
    uex_job_runner_rest(lane->runner);
    uex_shortage_end(lane->engine, &lane->waits);
    lane->resting = true;
}

static void *lane_run(void *argument)
{
    struct uex_lane *lane = argument;

    for (;;) {
        bool idle = false;
        struct uex_inflight *inflight = uex_engine_take(lane->engine, lane->resting ? NULL : &idle);

        if (inflight != NULL) {
            lane->resting = false;
            if (is_connected(lane, inflight))
                run(lane, inflight);
        } else if (idle) {
            rest(lane);
        } else {
            break; /* the engine drains */
        }
    }
    uex_job_runner_rest(lane->runner);
    uex_shortage_end(lane->engine, &lane->waits);
    return NULL;
}

void uex_lanes_begin_short(struct uex_lanes *lanes, const struct uex_fault *fault)
{
    lanes->views_unchecked = true;
    uex_shortage_wait(lanes->lanes[0].engine, &lanes->lanes[0].waits, fault);
}

enum uex_error uex_lanes_start(struct uex_lanes *lanes, struct uex_fault *fault)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (!uex_thread_start(&lanes->lanes[i].thread, lane_run, &lanes->lanes[i]))
            return uex_fail(fault, UEX_NO_MEMORY, "a lane's thread cannot start");
        lanes->lanes[i].started = true;
    }
    return UEX_OK;
}

void uex_lanes_join(struct uex_lanes *lanes)
{
    uex_cancel_request(&lanes->ending);
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->lanes[i].started)
            (void)pthread_join(lanes->lanes[i].thread, NULL);
        lanes->lanes[i].started = false;
    }
}

void uex_lanes_close(struct uex_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        uex_job_runner_free(lanes->lanes[i].runner);
        (void)pthread_mutex_destroy(&lanes->lanes[i].lock);
    }
    free(lanes->lanes);
    memset(lanes, 0, sizeof(*lanes));
}
