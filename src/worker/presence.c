/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/presence.h"

#include <stdio.h>

_Static_assert((int)UEX_DEPENDENCY_COUNT <= UEX_WORKER_BREAKERS_MAX, "a record has room for all breakers");

void uex_presence_describe(const struct uex_engine_numbers *numbers, bool stopping, int64_t at_ms,
                           struct uex_worker_record *out)
{
    *out = (struct uex_worker_record){
        .at_ms = at_ms, .running = numbers->running, .queued = numbers->queued, .stopping = stopping};
    for (size_t i = 0; i < UEX_DEPENDENCY_COUNT; i++) {
        const struct uex_breaker *breaker = &numbers->breakers[i];
        struct uex_worker_breaker *told = &out->breakers[out->breaker_count];

        if (!breaker->open)
            continue;
        told->since_ms = breaker->opened_at_ms;
        (void)snprintf(told->dependency, sizeof(told->dependency), "%s", uex_breaker_text((enum uex_dependency)i));
        (void)snprintf(told->code, sizeof(told->code), "%s", uex_error_code(breaker->error));
        out->breaker_count++;
    }
}

bool uex_presence_is_due(struct uex_presence *presence, const struct uex_worker_record *record, int64_t now_ms)
{
    if (presence->told_ms != 0 && now_ms - presence->told_ms < UEX_WORKER_RECORD_EVERY_MS &&
        uex_worker_record_same(&presence->last, record))
        return false;
    presence->last = *record;
    presence->told_ms = now_ms;
    return true;
}

static void look(struct uex_engine *engine, bool stopping, struct uex_worker_record *out)
{
    struct uex_engine_numbers numbers;

    uex_engine_numbers(engine, &numbers);
    uex_presence_describe(&numbers, stopping, uex_wall_ms(), out);
}

void uex_presence_tell(struct uex_presence *presence, struct uex_engine *engine, bool stopping,
                       struct uex_progress *progress)
{
    struct uex_worker_record record;

    if (progress == NULL)
        return;
    look(engine, stopping, &record);
    if (uex_presence_is_due(presence, &record, uex_monotonic_ms()))
        uex_progress_send_worker(progress, &record);
}

void uex_presence_end(struct uex_engine *engine, struct uex_progress *progress)
{
    struct uex_worker_record record;

    if (progress == NULL)
        return;
    look(engine, true, &record);
    uex_progress_send_worker(progress, &record);
}
