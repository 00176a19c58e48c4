/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/presence.h — tells topics.progress that this worker is there and what it has to do: at a change, and every
 * UEX_WORKER_RECORD_EVERY_MS without one. Records may be lost, as all progress. One thread. */
#ifndef WORKER_PRESENCE_H
#define WORKER_PRESENCE_H

#include "engine/api.h"
#include "kafka/progress.h"

/* A zeroed struct has told nothing yet. */
struct uex_presence {
    struct uex_worker_record last; /* what was told */
    int64_t told_ms;               /* monotonic; 0: nothing */
};

/* What these numbers say of a worker, at `at_ms` (wall). */
void uex_presence_describe(const struct uex_engine_numbers *numbers, bool stopping, int64_t at_ms,
                           struct uex_worker_record *out);
/* Is this to be told at `now_ms` (monotonic)? If so, it counts as told. */
bool uex_presence_is_due(struct uex_presence *presence, const struct uex_worker_record *record, int64_t now_ms);

/* Look at the engine, and tell what is to be told. */
void uex_presence_tell(struct uex_presence *presence, struct uex_engine *engine, bool stopping,
                       struct uex_progress *progress);
/* The last word of a worker that ends: it is stopping. */
void uex_presence_end(struct uex_engine *engine, struct uex_progress *progress);
#endif
