/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/health.h — is the worker alive, and is it ready?
 *
 * Not alive means that a restart would help: a thread has not come round within its bound, although every wait of it is
 * shorter. An outage of Kafka, the database or the store is none of that. Each thread's bound is the sum of the longest
 * waits that it may rightly make, see uex_health_init(). Not ready means that a rollout should wait: the worker has not
 * joined its consumer group, reads the groups' states, or shuts down; an open breaker changes nothing.
 */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include "worker/lanes.h"

enum uex_phase {
    UEX_PHASE_STARTING, /* engine and lanes are not there yet */
    UEX_PHASE_WAITING,  /* for brokers, database, store */
    UEX_PHASE_RUNNING,
    UEX_PHASE_STOPPING
};

struct uex_health {
    _Atomic int phase;         /* enum uex_phase */
    struct uex_engine *engine; /* set once it is there, before the phase WAITING */
    const struct uex_lanes *lanes;
    int64_t intake_bound_ms, committer_bound_ms, lane_bound_ms, monitor_bound_ms;
    _Atomic int64_t monitor_heartbeat_ms;
    /* Monotonic; since when Kafka has been answering while the committer is overdue; 0: it is not overdue, or Kafka
     * does not answer, and then a new process could not commit either. */
    _Atomic int64_t kafka_answers_since_ms;
};

void uex_health_init(struct uex_health *health, const struct uex_config *config, const struct uex_lanes *lanes);

/* Asks Kafka when the committer is overdue (1 s at most). The monitor's thread, once a second, while the phase is
 * RUNNING. */
void uex_health_tick(struct uex_health *health);

/* As uex_http_health (export/http.h). Any thread. */
bool uex_health_live(const struct uex_health *health, bool verbose, struct uex_buffer *body);
bool uex_health_ready(const struct uex_health *health, bool verbose, struct uex_buffer *body);
#endif
