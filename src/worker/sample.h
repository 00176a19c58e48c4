/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/sample.h — what is read from elsewhere when Prometheus asks. */
#ifndef WORKER_SAMPLE_H
#define WORKER_SAMPLE_H

#include "kafka/progress.h"
#include "worker/health.h"

/* Everything borrowed; `progress` may be NULL. */
struct uex_sample_source {
    struct uex_meters *meters;
    const struct uex_health *health;
    struct uex_engine *engine;
    const struct uex_lanes *lanes;
    struct uex_progress *_Atomic progress;
};

/* Set the sampled families. Takes the engine's lock for as long as its numbers are copied, and asks nothing of the
 * network. For uex_metrics_on_scrape(); `source` is a struct uex_sample_source. */
void uex_sample(void *source);
#endif
