/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/lanes.h — the threads that export, one group each at a time. */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include "engine/engine.h"

struct uex_lane {
    struct uex_engine *engine;
    struct uex_job_runner *runner;
    pthread_t thread;
    bool started;
};

struct uex_lanes {
    struct uex_lane *lanes;
    size_t count;
};

/* Make export.lanes runners. Nothing is connected. */
UEX_MUST_CHECK enum uex_error uex_lanes_open(struct uex_lanes *lanes, struct uex_engine *engine,
                                             struct uex_spool_dir *dir, struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_lanes_start(struct uex_lanes *lanes, struct uex_fault *fault);
/* Wait for the threads; the engine drains, so each ends after its job. */
void uex_lanes_join(struct uex_lanes *lanes);
void uex_lanes_close(struct uex_lanes *lanes);
#endif
