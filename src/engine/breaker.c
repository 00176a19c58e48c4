/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

enum uex_dependency uex_breaker_dependency(enum uex_error error)
{
    switch (error) {
    case UEX_DB_UNAVAILABLE:
    case UEX_DB_CONNECTIONS:
    case UEX_DB_TRANSIENT:
    case UEX_DB_STALLED:
    case UEX_DB_LAGGING:
    case UEX_DB_SILENT:
    case UEX_DB_QUERY:
    case UEX_DB_DENIED:
    case UEX_DB_AUTH:
    case UEX_DB_SCHEMA:
        return UEX_DEPENDENCY_DATABASE;
    case UEX_STORE_UNAVAILABLE:
    case UEX_STORE_RACE: /* a store can answer 409 or 412 to everybody */
    case UEX_STORE_FAILED:
    case UEX_STORE_AUTH:
    case UEX_STORE_BUCKET:
    case UEX_STORE_FULL:
    case UEX_STORE_DENIED:
    case UEX_STORE_REFUSED:
        return UEX_DEPENDENCY_STORE;
    default:
        return UEX_DEPENDENCY_NONE;
    }
}

const char *uex_breaker_text(enum uex_dependency dependency)
{
    return dependency == UEX_DEPENDENCY_DATABASE ? "postgres" : "store";
}

bool uex_breaker_any_open_synced(const struct uex_engine *engine)
{
    for (size_t i = 0; i < UEX_DEPENDENCY_COUNT; i++) {
        if (engine->synced.breakers[i].open)
            return true;
    }
    return false;
}

bool uex_breaker_is_open(struct uex_engine *engine, enum uex_dependency dependency)
{
    bool open = false;

    uex_engine_lock(engine);
    open = engine->synced.breakers[dependency].open;
    uex_engine_unlock(engine);
    return open;
}

bool uex_breaker_open(struct uex_engine *engine, enum uex_dependency dependency, const struct uex_fault *fault)
{
    struct uex_breaker *breaker = &engine->synced.breakers[dependency];
    bool opened = false;

    uex_engine_lock(engine);
    if (!breaker->open) {
        breaker->open = true;
        breaker->error = fault->error;
        breaker->opened_ms = uex_monotonic_ms();
        breaker->opened_at_ms = uex_wall_ms();
        breaker->open_count++;
        opened = true;
    }
    uex_engine_unlock(engine);
    if (opened)
        uex_log(
            UEX_LOG_ERROR, UEX_EVENT_BREAKER_OPEN,
            "circuit breaker open: dependency unavailable; no command starts or is charged a retry until it recovers",
            UEX_STR("dependency", uex_breaker_text(dependency)), UEX_STR("code", uex_error_code(fault->error)),
            UEX_STR("error", fault->text));
    return opened;
}

void uex_breaker_close(struct uex_engine *engine, enum uex_dependency dependency)
{
    struct uex_breaker *breaker = &engine->synced.breakers[dependency];
    int64_t opened_ms = 0;

    uex_engine_lock(engine);
    breaker->open = false;
    opened_ms = breaker->opened_ms; /* another lane may open it again at once */
    pthread_cond_broadcast(&engine->synced.work_changed);
    uex_engine_unlock(engine);
    uex_log(UEX_LOG_INFO, UEX_EVENT_BREAKER_CLOSED,
            "circuit breaker closed: the dependency works again; commands start",
            UEX_STR("dependency", uex_breaker_text(dependency)), UEX_INT("open_ms", uex_monotonic_ms() - opened_ms));
}
