/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/monitor.h — a thread that looks around once a second: tells topics.progress what the lanes and the worker
 * do, sees for /livez whether the lanes still move, and says when Kafka is away. */
#ifndef WORKER_MONITOR_H
#define WORKER_MONITOR_H

#include "kafka/progress.h"
#include "worker/health.h"
#include "worker/kafka_watch.h"
#include "worker/presence.h"

struct uex_monitor {
    struct uex_health *health;
    struct uex_lanes *lanes;
    struct uex_progress *progress; /* NULL: nothing is reported */
    uint64_t *last_moved;          /* of each lane: rows and bytes at the last look */
    struct uex_presence presence;
    struct uex_kafka_watch kafka;
    struct uex_cancel stop;
    pthread_t thread;
    bool started;
};

UEX_MUST_CHECK enum uex_error uex_monitor_start(struct uex_monitor *monitor, struct uex_health *health,
                                                struct uex_lanes *lanes, struct uex_progress *progress,
                                                struct uex_fault *fault);
/* Its last record says that the worker stops. Accepts a zeroed struct. */
void uex_monitor_stop(struct uex_monitor *monitor);
#endif
