/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sample.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/redis.h"

static void set(struct uex_meters *meters, enum uex_meter meter, double value)
{
    uex_series_set(uex_metric_plain(meters->families[meter]), value);
}

static void set_with(struct uex_meters *meters, enum uex_meter meter, const char *label, double value)
{
    uex_series_set(uex_metric_with(meters->families[meter], label), value);
}

static void set_lag(struct uex_meters *meters, struct uex_engine *engine)
{
    size_t count = 0;
    struct uex_engine_lag *lags = uex_engine_lags(engine, &count);

    uex_metric_hide(meters->families[UEX_METER_LAG]);
    for (size_t i = 0; i < count; i++) {
        char partition[16];

        (void)snprintf(partition, sizeof(partition), "%" PRId32, lags[i].partition);
        uex_series_set(uex_metric_with2(meters->families[UEX_METER_LAG], lags[i].topic, partition),
                       (double)lags[i].messages);
    }
    free(lags);
}

static void set_engine(struct uex_meters *meters, struct uex_engine *engine)
{
    struct uex_engine_numbers numbers;
    int64_t age_ms = 0;

    uex_engine_numbers(engine, &numbers);
    set(meters, UEX_METER_IN_FLIGHT, (double)numbers.running);
    set(meters, UEX_METER_LANES_WAITING, (double)numbers.waiting_lanes);
    set(meters, UEX_METER_QUEUED, (double)numbers.queued);
    set(meters, UEX_METER_QUEUE_BYTES, (double)numbers.bytes);
    set(meters, UEX_METER_UNCOMMITTED, (double)numbers.uncommitted);
    set(meters, UEX_METER_PARTITIONS, (double)numbers.partitions);
    set(meters, UEX_METER_GROUPS, (double)numbers.groups);
    set(meters, UEX_METER_REBALANCES, (double)numbers.rebalances);
    set(meters, UEX_METER_REBUILDS, (double)numbers.rebuilds);
    if (numbers.oldest_ms != UEX_NO_TIME)
        age_ms = uex_wall_ms() - numbers.oldest_ms;
    set(meters, UEX_METER_OLDEST_UNFINISHED, age_ms > 0 ? (double)age_ms / 1000 : 0);
    for (size_t i = 0; i < UEX_DEPENDENCY_COUNT; i++) {
        const char *name = uex_breaker_text((enum uex_dependency)i);

        set_with(meters, UEX_METER_BREAKER_OPEN, name, numbers.breakers[i].open ? 1 : 0);
        set_with(meters, UEX_METER_BREAKER_OPENINGS, name, (double)numbers.breakers[i].open_count);
    }
    set_lag(meters, engine);
}

static void set_cache(struct uex_meters *meters, const struct uex_lanes *lanes)
{
    struct uex_cache_counts all = {0};

    for (size_t i = 0; i < lanes->count; i++) {
        struct uex_cache_counts one = {0};

        uex_job_runner_cache_counts(lanes->lanes[i].runner, &one);
        all.hits += one.hits;
        all.misses += one.misses;
        all.failures += one.failures;
    }
    set_with(meters, UEX_METER_CACHE, "hit", (double)all.hits);
    set_with(meters, UEX_METER_CACHE, "miss", (double)all.misses);
    set_with(meters, UEX_METER_CACHE, "failure", (double)all.failures);
}

static void set_progress(struct uex_meters *meters, const struct uex_progress *progress)
{
    struct uex_progress_counts counts;

    uex_progress_counts(progress, &counts);
    set_with(meters, UEX_METER_PROGRESS, "sent", (double)counts.sent);
    set_with(meters, UEX_METER_PROGRESS, "failed", (double)counts.failed);
    set_with(meters, UEX_METER_PROGRESS, "dropped", (double)counts.dropped);
}

/* Before the engine is there its families have 0. */
static void set_nothing(struct uex_meters *meters)
{
    for (size_t i = 0; i < UEX_DEPENDENCY_COUNT; i++) {
        set_with(meters, UEX_METER_BREAKER_OPEN, uex_breaker_text((enum uex_dependency)i), 0);
        set_with(meters, UEX_METER_BREAKER_OPENINGS, uex_breaker_text((enum uex_dependency)i), 0);
    }
}

void uex_sample(void *context)
{
    struct uex_sample_source *source = context;
    struct uex_buffer nothing = {0};

    if (source->health->phase == UEX_PHASE_STARTING) {
        set_nothing(source->meters);
    } else {
        set_engine(source->meters, source->engine);
        set_cache(source->meters, source->lanes);
    }
    set_progress(source->meters, source->progress);
    set(source->meters, UEX_METER_READY, uex_health_ready(source->health, false, &nothing) ? 1 : 0);
    uex_buffer_clear(&nothing);
    set(source->meters, UEX_METER_LAST_SCHEDULED, (double)atomic_load(&source->meters->last_scheduled_ms) / 1000);
    uex_process_metrics_sample(&source->meters->process);
}
