/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/lanes.h — the threads that export, one group each at a time. */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include "engine/api.h"
#include "worker/meters.h"

/* What is reported a job to those who watch. */
struct uex_lane_progress {
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1];
    char command_id[UEX_UUID_TEXT_SIZE];
    bool ended;
    uint64_t rows, text_bytes, object_bytes;
    int64_t started_at_ms; /* wall */
};

struct uex_lanes;

struct uex_lane {
    struct uex_lanes *all;
    struct uex_engine *engine;
    const struct uex_cancel *ending;
    struct uex_meters *meters;
    struct uex_job_runner *runner;
    struct uex_store_observer store_observer;
    pthread_t thread;
    bool started;
    uint64_t read_bytes, written_bytes; /* of the job, as counted so far; the lane's thread */
    bool waits;                         /* for a database connection: see shortage.c; the lane's thread */
    bool resting;                       /* it holds no connection: it was idle; the lane's thread */

    _Atomic bool busy; /* has a job */
    /* Its last sign of life: rows, bytes to or from the store, the end of a step. Monotonic; written by the lane, the
     * store's threads and the monitor. */
    _Atomic int64_t moved_ms;

    pthread_mutex_t lock; /* guards what follows */
    struct uex_inflight *inflight;
    int64_t started_at_ms;
    bool is_reported; /* of this job */
    bool has_last;    /* a job that was reported has ended */
    struct uex_lane_progress last;
};

struct uex_lanes {
    struct uex_lane *lanes;
    size_t count;
    struct uex_cancel ending;     /* the program ends: probes are cut short */
    _Atomic bool views_unchecked; /* the program started without a connection: the first one is for the views */
};

/* Make export.lanes runners of `services` (borrowed). Nothing is connected. */
UEX_MUST_CHECK enum uex_error uex_lanes_open(struct uex_lanes *lanes, const struct uex_config *config,
                                             struct uex_engine *engine, struct uex_job_services *services,
                                             struct uex_meters *meters, struct uex_spool_dir *dir,
                                             struct uex_fault *fault);
/* Before the start: the database had no connection for the check of the views. */
void uex_lanes_begin_short(struct uex_lanes *lanes, const struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_lanes_start(struct uex_lanes *lanes, struct uex_fault *fault);
/* Wait for the threads; the engine drains, so each ends after its job, and one that probes a dependency at once. */
void uex_lanes_join(struct uex_lanes *lanes);
void uex_lanes_close(struct uex_lanes *lanes);

/* The monitor asks, from time to time: the end of a job that it was reported before, and the job under way.
 * Returns how many of `progress` were filled. Any thread. */
#define UEX_LANE_PROGRESS_MAX 2
size_t uex_lane_progress(struct uex_lane *lane, struct uex_lane_progress *progress);
#endif
