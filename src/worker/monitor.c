/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/monitor.h"

#include <stdlib.h>

#include "export/thread.h"

/* Between two looks, so that no export is reported more often than once a second. */
#define ROUND_MS 1005

static void look_at(struct uex_monitor *monitor, size_t index)
{
    struct uex_lane *lane = &monitor->lanes->lanes[index];
    struct uex_lane_progress progress[UEX_LANE_PROGRESS_MAX];
    const size_t count = uex_lane_progress(lane, progress);

    for (size_t i = 0; i < count; i++) {
        const uint64_t moved = progress[i].rows + progress[i].text_bytes + progress[i].object_bytes;
        const struct uex_progress_record record = {
            .group_id = progress[i].group_id,
            .command_id = progress[i].command_id,
            .ended = progress[i].ended,
            .rows = progress[i].rows,
            .bytes = progress[i].object_bytes,
            .started_at_ms = progress[i].started_at_ms,
            .at_ms = uex_wall_ms(),
        };

        if (moved != monitor->last_moved[index])
            lane->moved_ms = uex_monotonic_ms();
        monitor->last_moved[index] = moved;
        if (progress[i].ended && count > 1 && strcmp(progress[1].command_id, progress[0].command_id) == 0)
            continue; /* it was put back and goes on */
        uex_progress_send(monitor->progress, &record);
    }
}

static void *run(void *context)
{
    struct uex_monitor *monitor = context;

    (void)pthread_setname_np(pthread_self(), "uex-monitor");
    do {
        uex_health_tick(monitor->health);
        for (size_t i = 0; i < monitor->lanes->count; i++)
            look_at(monitor, i);
        uex_presence_tell(&monitor->presence, monitor->health->engine, monitor->health->phase == UEX_PHASE_STOPPING,
                          monitor->progress);
        uex_progress_poll(monitor->progress);
        uex_kafka_watch_look(&monitor->kafka, monitor->health->engine);
    } while (uex_sleep_ms(ROUND_MS, &monitor->stop));
    return NULL;
}

enum uex_error uex_monitor_start(struct uex_monitor *monitor, struct uex_health *health, struct uex_lanes *lanes,
                                 struct uex_progress *progress, struct uex_fault *fault)
{
    *monitor = (struct uex_monitor){.health = health, .lanes = lanes, .progress = progress};
    monitor->last_moved = calloc(lanes->count, sizeof(*monitor->last_moved));
    if (monitor->last_moved == NULL || !uex_thread_start(&monitor->thread, run, monitor))
        return uex_fail(fault, UEX_NO_MEMORY, "the monitor cannot start");
    monitor->started = true;
    return UEX_OK;
}

void uex_monitor_stop(struct uex_monitor *monitor)
{
    uex_cancel_request(&monitor->stop);
    if (monitor->started) {
        (void)pthread_join(monitor->thread, NULL);
        uex_presence_end(monitor->health->engine, monitor->progress);
    }
    monitor->started = false;
    free(monitor->last_moved);
    monitor->last_moved = NULL;
}
