/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/shortage.c — lanes that get no database connection.
 *
 * A server or pooler that refuses a connection for its limits is up, and others have its connections: other lanes,
 * other workers, other applications. That is no outage, so no breaker opens. The lane gives its command back and waits;
 * one waiting lane of the process at a time tries again. Lanes that have a connection go on, and may take the command.
 */
#include "engine/engine.h"
#include "export/backoff.h"

/* Pauses as uex_backoff_ms() has them: 300 ms, 900 ms, and then 2.7 s. */
#define FIRST_STEP 2
#define LAST_STEP 4
#define SLICE_MS 100
#define LOG_EVERY_MS 60000

static int64_t pause_ms(const struct uex_shortage *shortage)
{
    return uex_backoff_ms(shortage->step);
}

/* One more refusal. */
static void count_synced(struct uex_shortage *shortage, bool *waiting)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (*waiting) {
        shortage->step += shortage->step < LAST_STEP ? 1 : 0;
    } else if (shortage->lane_count++ == 0) {
        shortage->since_ms = shortage->logged_ms = now_ms;
        shortage->step = FIRST_STEP;
    }
    *waiting = true;
    shortage->try_at_ms = now_ms + pause_ms(shortage);
}

static void log_shortage(const struct uex_fault *fault, enum uex_event event, const char *message, size_t lane_count,
                         size_t lanes, int64_t since_ms)
{
    uex_log(UEX_LOG_WARN, event, message, UEX_NUM("waiting_lanes", lane_count), UEX_NUM("lanes", lanes),
            UEX_INT("waiting_ms", uex_monotonic_ms() - since_ms), UEX_STR("code", uex_error_code(fault->error)),
            UEX_STR("error", fault->text));
}

/* One look whether the wait is over. `remind`: every lane waits, and nobody has said so for a minute. */
static bool may_try(struct uex_engine *engine, bool *remind, size_t *lane_count, int64_t *since_ms)
{
    struct uex_shortage *shortage = &engine->synced.shortage;
    const int64_t now_ms = uex_monotonic_ms();
    bool over = false;

    uex_engine_lock(engine);
    *lane_count = shortage->lane_count;
    *since_ms = shortage->since_ms;
    *remind = *lane_count >= (size_t)engine->config->export_lanes && now_ms - shortage->logged_ms >= LOG_EVERY_MS;
    if (*remind)
        shortage->logged_ms = now_ms;
    over = engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || now_ms >= shortage->try_at_ms;
    if (over)
        shortage->try_at_ms = now_ms + pause_ms(shortage); /* the next one's turn */
    uex_engine_unlock(engine);
    return over;
}

void uex_shortage_wait(struct uex_engine *engine, bool *waiting, const struct uex_fault *fault)
{
    const size_t lanes = (size_t)engine->config->export_lanes;
    size_t lane_count = 0;
    int64_t since_ms = 0;
    bool is_first = false, remind = false, over = false;

    uex_engine_lock(engine);
    is_first = engine->synced.shortage.lane_count == 0;
    count_synced(&engine->synced.shortage, waiting);
    lane_count = engine->synced.shortage.lane_count;
    since_ms = engine->synced.shortage.since_ms;
    pthread_cond_broadcast(&engine->synced.work_changed); /* who is idle gives its connection away */
    uex_engine_unlock(engine);
    if (is_first)
        log_shortage(
            fault, UEX_EVENT_CONNECTIONS_SHORT,
            "no free database connection: the command waits for one and is not charged; threads that have one go on; "
            "if this lasts, raise the limit of the role, the server or the pooler, or lower export.lanes",
            lane_count, lanes, since_ms);
    while (!over) {
        (void)uex_sleep_ms(SLICE_MS, NULL);
        over = may_try(engine, &remind, &lane_count, &since_ms);
        if (remind)
            log_shortage(fault, UEX_EVENT_CONNECTIONS_NONE,
                         "no thread of this worker gets a database connection; commands wait and are not charged; "
                         "pg_stat_activity shows who holds the connections",
                         lane_count, lanes, since_ms);
    }
}

void uex_shortage_end(struct uex_engine *engine, bool *waiting)
{
    struct uex_shortage *shortage = &engine->synced.shortage;
    int64_t since_ms = 0;
    bool is_last = false;

    if (!*waiting)
        return;
    *waiting = false;
    uex_engine_lock(engine);
    shortage->step = FIRST_STEP;
    shortage->try_at_ms = 0; /* perhaps there is one more */
    is_last = --shortage->lane_count == 0;
    since_ms = shortage->since_ms;
    uex_engine_unlock(engine);
    if (is_last)
        uex_log(UEX_LOG_INFO, UEX_EVENT_CONNECTIONS_ENOUGH, "no thread waits for a database connection any more",
                UEX_INT("waiting_ms", uex_monotonic_ms() - since_ms));
}

const _Atomic size_t *uex_shortage_lane_count(const struct uex_engine *engine)
{
    return &engine->synced.shortage.lane_count;
}
