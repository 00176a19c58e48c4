/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/synced.c — the engine's lock, and the phases and failures that end it. */
#include "engine/engine.h"
#include "export/thread.h"

void uex_engine_lock(struct uex_engine *engine)
{
    (void)pthread_mutex_lock(&engine->synced.lock);
    uex_log_hold();
}

void uex_engine_unlock(struct uex_engine *engine)
{
    struct uex_inflight *gone = engine->synced.gone;

    engine->synced.gone = NULL;
    (void)pthread_mutex_unlock(&engine->synced.lock);
    uex_log_release();
    uex_inflight_free_all(gone);
}

bool uex_engine_wait_synced(struct uex_engine *engine, pthread_cond_t *condition, int64_t until_ms)
{
    if (uex_log_is_waiting()) {
        uex_engine_unlock(engine);
        uex_engine_lock(engine);
        return true;
    }
    if (until_ms == UEX_NO_TIME)
        return pthread_cond_wait(condition, &engine->synced.lock) == 0;
    return uex_cond_wait_until(condition, &engine->synced.lock, until_ms);
}

static void fail_synced(struct uex_engine *engine, enum uex_failure failure)
{
    if (engine->synced.failure < failure)
        engine->synced.failure = failure;
    (void)uex_lifecycle_advance(&engine->synced.lifecycle, UEX_LIFECYCLE_LEAVING);
}

void uex_engine_break(struct uex_engine *engine)
{
    uex_engine_lock(engine);
    fail_synced(engine, UEX_FAILURE_BROKEN);
    uex_engine_unlock(engine);
}

void uex_engine_refuse(struct uex_engine *engine, const char *error_text, const char *fix)
{
    bool known = false;

    uex_engine_lock(engine);
    known = engine->synced.failure == UEX_FAILURE_REFUSED;
    fail_synced(engine, UEX_FAILURE_REFUSED);
    uex_engine_unlock(engine);
    if (!known)
        uex_log(UEX_LOG_ERROR, UEX_EVENT_CONFIG_REFUSED,
                "a setting is refused or does not fit what was found; the program ends", UEX_STR("error", error_text),
                UEX_STR("mend", fix));
}

void uex_engine_out_of_memory_synced(struct uex_engine *engine, const char *what)
{
    if (engine->synced.starved == NULL)
        engine->synced.starved = what;
    fail_synced(engine, UEX_FAILURE_BROKEN);
}

enum uex_lifecycle uex_engine_lifecycle(struct uex_engine *engine)
{
    enum uex_lifecycle phase = UEX_LIFECYCLE_WORKING;

    uex_engine_lock(engine);
    phase = engine->synced.lifecycle;
    uex_engine_unlock(engine);
    return phase;
}

enum uex_failure uex_engine_failure(struct uex_engine *engine)
{
    enum uex_failure failure = UEX_FAILURE_NONE;

    uex_engine_lock(engine);
    failure = engine->synced.failure;
    uex_engine_unlock(engine);
    return failure;
}

void uex_engine_advance(struct uex_engine *engine, enum uex_lifecycle to)
{
    uex_engine_lock(engine);
    (void)uex_lifecycle_advance(&engine->synced.lifecycle, to);
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.outcomes_changed); /* no outcome waits for others any more */
    uex_engine_unlock(engine);
}

const char *uex_engine_starved(struct uex_engine *engine)
{
    const char *what = NULL;

    uex_engine_lock(engine);
    what = engine->synced.starved;
    uex_engine_unlock(engine);
    return what;
}

struct uex_input *uex_engine_input(struct uex_engine *engine, size_t input_topic, int32_t partition)
{
    if (partition < 0 || partition >= engine->synced.partition_count || input_topic >= engine->input_topic_count)
        return NULL;
    return &engine->synced.partitions[partition].inputs[input_topic];
}
