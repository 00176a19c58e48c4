/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"

static void count_partitions_synced(const struct uex_engine *engine, struct uex_engine_numbers *out)
{
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        const struct uex_partition *partition = &engine->synced.partitions[i];

        out->partitions += partition->assigned ? 1 : 0;
        out->restored += partition->assigned && partition->restored ? 1 : 0;
    }
}

static void count_in_flight_synced(const struct uex_engine *engine, struct uex_engine_numbers *out)
{
    const struct uex_in_flight *in_flight = &engine->synced.in_flight;

    for (const struct uex_inflight *inflight = in_flight->first; inflight != NULL; inflight = inflight->next) {
        if (out->oldest_ms == UEX_NO_TIME || inflight->since_ms < out->oldest_ms)
            out->oldest_ms = inflight->since_ms;
        out->queued += inflight->state == UEX_INFLIGHT_QUEUED ? 1 : 0;
        out->uncommitted += inflight->state == UEX_INFLIGHT_ENDED || inflight->state == UEX_INFLIGHT_COMMITTING ? 1 : 0;
    }
    out->running = in_flight->running_count;
    out->bytes = in_flight->bytes;
    out->groups = in_flight->groups.entry_count;
}

void uex_engine_numbers(struct uex_engine *engine, struct uex_engine_numbers *out)
{
    *out = (struct uex_engine_numbers){.oldest_ms = engine->oldest_backpressured_ms};
    uex_engine_lock(engine);
    out->is_joined = engine->synced.assignment != UEX_ASSIGNMENT_NONE;
    out->can_commit = engine->synced.outbox.can_commit;
    out->is_partial = engine->synced.partial_count > 0;
    count_partitions_synced(engine, out);
    count_in_flight_synced(engine, out);
    out->waiting_lanes = engine->synced.shortage.lane_count;
    out->rebalances = engine->synced.rebalance_count;
    out->rebuilds = engine->synced.rebuild_count;
    memcpy(out->breakers, engine->synced.breakers, sizeof(out->breakers));
    uex_engine_unlock(engine);
}

int64_t uex_engine_intake_heartbeat_ms(const struct uex_engine *engine)
{
    return engine->intake_heartbeat_ms;
}

int64_t uex_engine_committer_heartbeat_ms(const struct uex_engine *engine)
{
    return engine->committer_heartbeat_ms;
}

bool uex_engine_kafka_answers(struct uex_engine *engine, int timeout_ms)
{
    return uex_consumer_is_answered(engine->handles, timeout_ms);
}

/* ---- lag */

/* How far one input partition is. */
struct place {
    const char *topic;
    int32_t partition;
    int64_t committed, end; /* UEX_OFFSET_NONE: not known */
};

/* `capacity` at most. */
static size_t copy_places_synced(struct uex_engine *engine, struct place *places, size_t capacity)
{
    size_t count = 0;

    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        for (size_t input_topic = 0; input_topic < engine->input_topic_count && count < capacity; input_topic++) {
            const struct uex_input *input = uex_engine_input(engine, input_topic, i);
            const int64_t seen = input->window.next > input->end_offset ? input->window.next : input->end_offset;

            if (input->assigned)
                places[count++] = (struct place){.topic = engine->input_topics[input_topic].topic,
                                                 .partition = i,
                                                 .committed = input->committed_base,
                                                 .end = seen};
        }
    }
    return count;
}

/* The consumer knows the ends of what it fetches; for a paused partition, and before the first fetch, the engine's own
 * last number is newer. */
static int64_t lag_of(struct uex_engine *engine, const struct place *place)
{
    int64_t low = 0, high = 0, end = place->end, committed = place->committed;

    if (uex_consumer_known_range(engine->handles, place->topic, place->partition, &low, &high) && high > end)
        end = high;
    if (committed == UEX_OFFSET_NONE)
        committed = low > 0 ? low : 0;
    return end > committed ? end - committed : 0;
}

struct uex_engine_lag *uex_engine_lags(struct uex_engine *engine, size_t *count)
{
    struct uex_engine_lag *lags = NULL;
    struct place *places = NULL;
    size_t capacity = 0;

    *count = 0;
    uex_engine_lock(engine);
    capacity = (size_t)engine->synced.partition_count * engine->input_topic_count;
    uex_engine_unlock(engine);
    places = calloc(capacity + 1, sizeof(*places));
    lags = calloc(capacity + 1, sizeof(*lags));
    if (places != NULL && lags != NULL) {
        uex_engine_lock(engine);
        *count = copy_places_synced(engine, places, capacity); /* what comes meanwhile waits for the next time */
        uex_engine_unlock(engine);
    }
    for (size_t i = 0; i < *count; i++)
        lags[i] = (struct uex_engine_lag){
            .topic = places[i].topic, .partition = places[i].partition, .messages = lag_of(engine, &places[i])};
    free(places);
    return lags;
}
