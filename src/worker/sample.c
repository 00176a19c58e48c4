/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sample.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/redis.h"

/* How far one partition of one source is. */
struct place {
    size_t source;
    int32_t partition;
    int64_t committed, end;
};

/* The engine's numbers, copied under its lock. */
struct numbers {
    size_t waiting_lanes;
    size_t running, queued, uncommitted, bytes, groups, partitions;
    uint64_t rebalances, rebuilds;
    int64_t oldest_ms; /* wall; UEX_NO_TIME: nothing is unfinished */
    struct uex_breaker breakers[UEX_DEPENDENCY_COUNT];
    struct place *places;
    size_t place_count, place_capacity;
};

static void set(struct uex_meters *meters, enum uex_meter meter, double value)
{
    uex_series_set(uex_metric_plain(meters->families[meter]), value);
}

static void set_with(struct uex_meters *meters, enum uex_meter meter, const char *label, double value)
{
    uex_series_set(uex_metric_with(meters->families[meter], label), value);
}

/* ---- copying (locked) */

static void copy_places(struct uex_engine *engine, struct numbers *out)
{
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        out->partitions += engine->synced.partitions[i].assigned ? 1 : 0;
        for (size_t source = 0; source < engine->source_count && out->place_count < out->place_capacity; source++) {
            const struct uex_slot *slot = &engine->synced.partitions[i].slots[source];
            const int64_t seen = slot->window.next > slot->end_offset ? slot->window.next : slot->end_offset;

            if (!slot->assigned)
                continue;
            out->places[out->place_count++] = (struct place){
                .source = source,
                .partition = i,
                .committed = slot->committed_base,
                .end = seen,
            };
        }
    }
}

static void copy_deliveries(struct uex_engine *engine, struct numbers *out)
{
    const int64_t held_ms = engine->oldest_held_ms;

    out->oldest_ms = held_ms;
    out->running = engine->synced.in_flight.running_count;
    for (const struct uex_delivery *delivery = engine->synced.in_flight.first; delivery != NULL;
         delivery = delivery->next) {
        if (out->oldest_ms == UEX_NO_TIME || delivery->since_ms < out->oldest_ms)
            out->oldest_ms = delivery->since_ms;
        out->queued += delivery->state == UEX_DELIVERY_QUEUED ? 1 : 0;
        out->uncommitted += delivery->state == UEX_DELIVERY_ENDED || delivery->state == UEX_DELIVERY_COMMITTING ? 1 : 0;
    }
    out->bytes = engine->synced.in_flight.bytes;
}

static void copy_numbers(struct uex_engine *engine, struct numbers *out)
{
    size_t capacity = 0;

    memset(out, 0, sizeof(*out));
    uex_engine_lock(engine);
    capacity = (size_t)engine->synced.partition_count * engine->source_count;
    uex_engine_unlock(engine);
    out->places = calloc(capacity + 1, sizeof(*out->places));
    out->place_capacity =
        out->places == NULL ? 0 : capacity; /* partitions that come meanwhile wait for the next scrape */
    uex_engine_lock(engine);
    copy_places(engine, out);
    copy_deliveries(engine, out);
    out->groups = engine->synced.in_flight.groups.entry_count;
    out->rebalances = engine->synced.rebalance_count;
    out->rebuilds = engine->synced.rebuild_count;
    out->waiting_lanes = engine->synced.shortage.lane_count;
    memcpy(out->breakers, engine->synced.breakers, sizeof(out->breakers));
    uex_engine_unlock(engine);
}

/* ---- setting */

/* The consumer knows the ends of what it fetches; for a paused partition, and before the first fetch, the engine's own
 * last number is newer. */
static void set_lag(struct uex_meters *meters, const struct uex_engine *engine, const struct numbers *numbers)
{
    uex_metric_hide(meters->families[UEX_METER_LAG]);
    for (size_t i = 0; i < numbers->place_count; i++) {
        const struct place *place = &numbers->places[i];
        const char *topic = engine->sources[place->source].topic;
        int64_t low = 0, high = 0, end = place->end, committed = place->committed;
        char partition[16];

        if (uex_consumer_known_range(engine->handles, topic, place->partition, &low, &high) && high > end)
            end = high;
        if (committed == UEX_OFFSET_NONE)
            committed = low > 0 ? low : 0;
        (void)snprintf(partition, sizeof(partition), "%" PRId32, place->partition);
        uex_series_set(uex_metric_with2(meters->families[UEX_METER_LAG], topic, partition),
                       end > committed ? (double)(end - committed) : 0);
    }
}

static void set_engine(struct uex_meters *meters, struct uex_engine *engine)
{
    struct numbers numbers;
    int64_t age_ms = 0;

    copy_numbers(engine, &numbers);
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
    set_lag(meters, engine, &numbers);
    free(numbers.places);
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
