/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/lanes.h"

#include <signal.h>
#include <stdlib.h>

#include "kafka/client.h"

/* Room in a message for the key, the headers and Kafka's own framing. */
#define MESSAGE_ROOM_BYTES 4096
#define PART_MIN_BYTES 1024

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
