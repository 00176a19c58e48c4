/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/handover.c — commands go to lanes and come back. */
#include "engine/engine.h"

/* False: what an idle lane holds is to be given away now. */
static bool wait_for_work_synced(struct uex_engine *engine, int64_t idle_since_ms)
{
    const int64_t most_ms = engine->synced.shortage.lane_count > 0 ? UEX_LANE_IDLE_SHORT_MS : UEX_LANE_IDLE_MS;
    const int64_t until_ms = idle_since_ms + most_ms;

    if (uex_monotonic_ms() >= until_ms)
        return false;
    (void)uex_engine_wait_synced(engine, &engine->synced.work_changed, until_ms);
    return true;
}

static struct uex_inflight *wait_for_command(struct uex_engine *engine, bool *idle)
{
    const int64_t idle_since_ms = uex_monotonic_ms();
    struct uex_inflight *inflight = NULL;
    bool waits = true;

    uex_engine_lock(engine);
    while (waits && engine->synced.lifecycle == UEX_LIFECYCLE_WORKING &&
           (inflight = uex_dispatch_next_synced(engine)) == NULL) {
        if (idle != NULL)
            waits = wait_for_work_synced(engine, idle_since_ms);
        else
            (void)uex_engine_wait_synced(engine, &engine->synced.work_changed, UEX_NO_TIME);
    }
    if (idle != NULL)
        *idle = !waits;
    uex_engine_unlock(engine);
    return inflight;
}

struct uex_inflight *uex_engine_take(struct uex_engine *engine, bool *idle)
{
    struct uex_inflight *inflight = wait_for_command(engine, idle);

    while (inflight != NULL && inflight->suspect && !uex_exclusive_begin(engine, inflight))
        inflight = wait_for_command(engine, idle);
    if (inflight != NULL && engine->observer.taken != NULL)
        engine->observer.taken(engine->observer.context, inflight);
    return inflight;
}

static void go_back(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    bool adoptable = false;

    uex_job_outcome_clear(job);
    uex_engine_lock(engine);
    engine->synced.in_flight.running_count--;
    adoptable = engine->synced.assignment != UEX_ASSIGNMENT_NONE && inflight->epoch == engine->synced.epoch &&
                !uex_cancel_requested(&inflight->cancel);
    if (adoptable)
        uex_dispatch_put_back_synced(engine, inflight);
    else { /* the next owner of the partition reads it again */
        uex_starts_return_synced(engine, inflight);
        uex_dispatch_release_synced(engine, inflight);
    }
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.between);
    uex_engine_unlock(engine);
}

void uex_engine_return(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    if (++inflight->openings >= (unsigned)engine->config->retry_crashes) {
        uex_engine_finish(engine, inflight, job); /* it was there each time: perhaps it is the cause */
        return;
    }
    go_back(engine, inflight, job);
}

void uex_engine_give_back(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job,
                          bool is_break)
{
    if (is_break && ++inflight->breaks >= (unsigned)engine->config->retry_crashes) {
        uex_engine_finish(engine, inflight, job);
        return;
    }
    go_back(engine, inflight, job);
}

void uex_engine_finish(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job)
{
    const bool given_up = job->error == UEX_CANCELLED;

    if (!given_up)
        uex_policy_decide(engine, inflight, job);
    uex_engine_lock(engine);
    engine->synced.in_flight.running_count--;
    if (given_up ||
        uex_cancel_requested(&inflight->cancel)) { /* the partition went to somebody else, or the program ends */
        uex_starts_return_synced(engine, inflight);
        uex_dispatch_release_synced(engine, inflight);
    } else {
        uex_dispatch_submit_synced(engine, inflight);
    }
    pthread_cond_broadcast(&engine->synced.between);
    uex_engine_unlock(engine);
    uex_job_outcome_clear(job);
}
