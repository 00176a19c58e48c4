/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes.h"

#include <signal.h>
#include <stdlib.h>

#include "kafka/client.h"

/* Room in a message for the key, the headers and Kafka's own framing. */
#define MESSAGE_ROOM_BYTES 4096
#define PART_MIN_BYTES 1024

/* Probes of an open breaker. */
#define PROBE_FIRST_MS 1000
#define PROBE_LAST_MS 15000
#define PROBE_SLICE_MS 100
#define SAY_EVERY_MS 60000

static struct uex_job_limits limits_of(const struct uex_config *config)
{
    const size_t message_bytes = uex_kafka_message_max_bytes(config);

    return (struct uex_job_limits){
        .part_bytes =
            message_bytes > MESSAGE_ROOM_BYTES + PART_MIN_BYTES ? message_bytes - MESSAGE_ROOM_BYTES : PART_MIN_BYTES,
        .list_bytes = (uint64_t)config->commit_max_list_bytes,
    };
}

enum uex_error uex_lanes_open(struct uex_lanes *lanes, struct uex_engine *engine, struct uex_spool_dir *dir,
                              struct uex_fault *fault)
{
    const size_t count = (size_t)engine->config->export_lanes;

    lanes->lanes = calloc(count, sizeof(*lanes->lanes));
    if (lanes->lanes == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "lanes");
    lanes->count = count;
    for (size_t i = 0; i < count; i++) {
        const enum uex_error error =
            uex_job_runner_new(engine->config, dir, limits_of(engine->config), &lanes->lanes[i].runner, fault);

        if (error != UEX_OK)
            return error;
        lanes->lanes[i].engine = engine;
    }
    return UEX_OK;
}

static void group_known(void *context, const struct uex_group *group)
{
    const struct uex_delivery *delivery = context;

    if (group->type == UEX_GROUP_INVALID)
        uex_log(UEX_LOG_WARN, "the group has a type that is not known: it is skipped",
                UEX_STR("group", group->group_id), UEX_STR("type", group->type_text),
                UEX_STR("command", delivery->command.command_id));
}

static enum uex_error probe(struct uex_lane *lane, enum uex_dependency dependency, struct uex_fault *fault)
{
    return dependency == UEX_DEPENDENCY_DATABASE ? uex_job_runner_probe_database(lane->runner, fault)
                                                 : uex_job_runner_probe_store(lane->runner, fault);
}

static bool is_draining(struct uex_engine *engine)
{
    bool draining = false;

    pthread_mutex_lock(&engine->lock);
    draining = engine->draining;
    pthread_mutex_unlock(&engine->lock);
    return draining;
}

/* The lane that opened a breaker asks again, alone, until the dependency answers; once a minute it says that it still
 * waits. */
static void watch(struct uex_lane *lane, enum uex_dependency dependency)
{
    struct uex_fault fault = {0};
    int64_t said_ms = uex_monotonic_ms();
    int64_t pause_ms = PROBE_FIRST_MS;

    while (!is_draining(lane->engine)) {
        for (int64_t slept_ms = 0; slept_ms < pause_ms && !is_draining(lane->engine); slept_ms += PROBE_SLICE_MS)
            (void)uex_sleep_ms(PROBE_SLICE_MS, NULL);
        if (probe(lane, dependency, &fault) == UEX_OK) {
            uex_breaker_close(lane->engine, dependency);
            return;
        }
        if (uex_monotonic_ms() - said_ms >= SAY_EVERY_MS) {
            said_ms = uex_monotonic_ms();
            uex_log(UEX_LOG_WARN, "the dependency still fails for everybody: waiting",
                    UEX_STR("dependency", uex_breaker_text(dependency)), UEX_STR("code", uex_error_code(fault.error)),
                    UEX_STR("error", fault.text));
        }
        pause_ms = pause_ms * 2 > PROBE_LAST_MS ? PROBE_LAST_MS : pause_ms * 2;
    }
}

/* A failure is the command's own unless a neutral probe fails as well. True: the delivery is settled, and the breaker
 * watched. */
static bool settle_outage(struct uex_lane *lane, struct uex_delivery *delivery, struct uex_job_outcome *job)
{
    const enum uex_dependency dependency = uex_breaker_dependency(job->error);
    struct uex_fault fault = {0};
    bool opened = false;

    if (dependency == UEX_DEPENDENCY_NONE || probe(lane, dependency, &fault) == UEX_OK)
        return false;
    opened = uex_breaker_open(lane->engine, dependency, &fault);
    uex_dispatch_return(lane->engine, delivery, job);
    if (opened)
        watch(lane, dependency);
    return true;
}

static void *lane_run(void *argument)
{
    struct uex_lane *lane = argument;
    struct uex_delivery *delivery = NULL;

    while ((delivery = uex_dispatch_take(lane->engine)) != NULL) {
        const struct uex_job_observer observer = {.context = delivery, .group_known = group_known};
        struct uex_job_outcome job = {0};

        uex_log(UEX_LOG_DEBUG, "taken", UEX_STR("command", delivery->command.command_id),
                UEX_STR("group", delivery->command.group_id), UEX_STR("topic", delivery->record->topic),
                UEX_INT("partition", delivery->partition), UEX_INT("offset", delivery->offset));
        uex_job_run(lane->runner, &delivery->command, &delivery->cancel, &delivery->progress, &observer, &job);
        if (!settle_outage(lane, delivery, &job))
            uex_dispatch_finish(lane->engine, delivery, &job);
    }
    return NULL;
}

enum uex_error uex_lanes_start(struct uex_lanes *lanes, struct uex_fault *fault)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (pthread_create(&lanes->lanes[i].thread, NULL, lane_run, &lanes->lanes[i]) != 0)
            return uex_fail(fault, UEX_NO_MEMORY, "a lane's thread cannot start");
        lanes->lanes[i].started = true;
    }
    return UEX_OK;
}

void uex_lanes_join(struct uex_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lanes->lanes[i].started)
            (void)pthread_join(lanes->lanes[i].thread, NULL);
        lanes->lanes[i].started = false;
    }
}

void uex_lanes_close(struct uex_lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        uex_job_runner_free(lanes->lanes[i].runner);
    free(lanes->lanes);
    memset(lanes, 0, sizeof(*lanes));
}
