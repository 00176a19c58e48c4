/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <stdlib.h>

#include "export/thread.h"
#include "kafka/group_metadata.h"

/* Enough that lanes and group commit never wait for the next poll, little enough that a restart repeats little reading.
 */
#define QUEUE_MAX 2000
#define OUTCOMES_MAX 500 /* each may hold a file of the spool open */
#define QUEUE_MAX_BYTES ((size_t)16 << 20)
#define AWAIT_SLICE_MS 50
#define ASK_TIMEOUT_MS 10000

static void init_locks(struct uex_engine *engine)
{
    (void)pthread_mutex_init(&engine->synced.lock, NULL);
    uex_cond_init(&engine->synced.work_changed);
    uex_cond_init(&engine->synced.outcomes_changed);
    uex_cond_init(&engine->synced.between);
}

/* One batch, or what the rate lets out in a second: all of them are suspects if the worker dies now. */
static size_t outcomes_max(const struct uex_config *config)
{
    const int64_t most =
        config->producer_rate > 0 && config->producer_rate < OUTCOMES_MAX ? config->producer_rate : OUTCOMES_MAX;

    return most < config->export_lanes ? (size_t)config->export_lanes : (size_t)most;
}

void uex_engine_init(struct uex_engine *engine, const struct uex_config *config)
{
    memset(engine, 0, sizeof(*engine));
    engine->config = config;
    engine->outcomes_max = outcomes_max(config);
    engine->queue_max = QUEUE_MAX;
    engine->queue_max_bytes = QUEUE_MAX_BYTES;
    engine->tier_count = config->retry_tier_count;
    engine->oldest_backpressured_ms = UEX_NO_TIME;
    engine->membership.coordinator = -1;
    init_locks(engine);
}

enum uex_error uex_engine_open(struct uex_engine *engine, const struct uex_config *config,
                               const struct uex_engine_observer *observer, struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    uex_engine_init(engine, config);
    if (observer != NULL)
        engine->observer = *observer;
    if (!uex_group_metadata_is_readable())
        uex_log(UEX_LOG_WARN, UEX_EVENT_GROUP_METADATA_UNKNOWN,
                "group metadata of this librdkafka version has an unknown layout; one check of an assignment is left "
                "out; use a tested version (tests/compat/README.md)",
                UEX_STR("librdkafka", rd_kafka_version_str()));
    error = uex_transaction_open(config, uex_committer_note_delivery, &engine->transaction, fault);
    return error != UEX_OK
               ? error
               : uex_consumer_open(config, uex_rebalance_callback, engine, &engine->handles, &engine->consumer, fault);
}

enum uex_error uex_engine_new(const struct uex_config *config, const struct uex_engine_observer *observer,
                              struct uex_engine **out, struct uex_fault *fault)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? uex_fail(fault, UEX_NO_MEMORY, "the engine") : uex_engine_open(*out, config, observer, fault);
}

void uex_engine_free(struct uex_engine *engine)
{
    if (engine == NULL)
        return;
    uex_engine_close(engine);
    free(engine);
}

enum uex_error uex_engine_await_kafka(struct uex_engine *engine, int64_t timeout_ms, const struct uex_cancel *cancel,
                                      struct uex_fault *fault)
{
    return uex_consumer_wait(engine->handles, timeout_ms, cancel, fault);
}

enum uex_error uex_engine_join(struct uex_engine *engine, struct uex_fault *fault)
{
    char cluster_id[UEX_KAFKA_CLUSTER_ID_SIZE] = {0};
    const enum uex_error error = uex_consumer_cluster_id(engine->handles, ASK_TIMEOUT_MS, cluster_id, fault);

    if (error != UEX_OK)
        return error;
    free(engine->cluster_id);
    engine->cluster_id = strdup(cluster_id);
    if (engine->cluster_id == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "cluster id");
    return uex_engine_subscribe(engine, fault);
}

/* ---- the way to the end */

enum uex_error uex_engine_start(struct uex_engine *engine, struct uex_fault *fault)
{
    engine->committer_started = uex_thread_start(&engine->committer, uex_committer_run, engine);
    engine->intake_started = uex_thread_start(&engine->intake, uex_intake_run, engine);
    return engine->committer_started && engine->intake_started
               ? UEX_OK
               : uex_fail(fault, UEX_NO_MEMORY, "a thread of the engine cannot start");
}

void uex_engine_drain(struct uex_engine *engine)
{
    uex_engine_advance(engine, UEX_LIFECYCLE_DRAINING);
}

static bool await(struct uex_engine *engine, bool (*reached_synced)(const struct uex_engine *engine), int64_t most_ms)
{
    const int64_t until_ms = uex_monotonic_ms() + most_ms;
    bool reached = false;

    for (;;) {
        uex_engine_lock(engine);
        reached = reached_synced(engine);
        uex_engine_unlock(engine);
        if (reached || uex_monotonic_ms() >= until_ms)
            return reached;
        (void)uex_sleep_ms(AWAIT_SLICE_MS, NULL);
    }
}

static bool nothing_runs_synced(const struct uex_engine *engine)
{
    return engine->synced.in_flight.running_count == 0;
}

static bool all_is_committed_synced(const struct uex_engine *engine)
{
    return engine->synced.outbox.count == 0 && !engine->synced.outbox.transaction_open;
}

bool uex_engine_await_jobs(struct uex_engine *engine, int64_t timeout_ms)
{
    return await(engine, nothing_runs_synced, timeout_ms);
}

bool uex_engine_await_commits(struct uex_engine *engine, int64_t timeout_ms)
{
    return await(engine, all_is_committed_synced, timeout_ms);
}

size_t uex_engine_abandon_jobs(struct uex_engine *engine)
{
    size_t count = 0;

    uex_engine_lock(engine);
    for (struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL; inflight = inflight->next) {
        if (inflight->state != UEX_INFLIGHT_RUNNING)
            continue;
        uex_cancel_request(&inflight->cancel);
        count++;
    }
    uex_engine_unlock(engine);
    return count;
}

/* The intake's last revoke still needs the committer. */
void uex_engine_leave(struct uex_engine *engine)
{
    uex_engine_advance(engine, UEX_LIFECYCLE_LEAVING);
    if (engine->intake_started)
        (void)pthread_join(engine->intake, NULL);
    engine->intake_started = false;
}

void uex_engine_stop(struct uex_engine *engine)
{
    uex_engine_advance(engine, UEX_LIFECYCLE_STOPPING);
    if (engine->committer_started)
        (void)pthread_join(engine->committer, NULL);
    engine->committer_started = false;
}

void uex_engine_close(struct uex_engine *engine)
{
    if (engine->handles != NULL)
        uex_restore_cancel(engine);
    uex_inflight_free_all(engine->synced.in_flight.first);
    uex_inflight_free_all(engine->synced.gone);
    uex_transaction_free(&engine->transaction);
    uex_consumer_free(engine->handles);
    if (engine->synced.group_metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(engine->synced.group_metadata);
    for (size_t i = 0; i < sizeof(engine->synced.retired_metadata) / sizeof(engine->synced.retired_metadata[0]); i++) {
        if (engine->synced.retired_metadata[i] != NULL)
            rd_kafka_consumer_group_metadata_destroy(engine->synced.retired_metadata[i]);
    }
    uex_group_table_clear(&engine->synced.in_flight.groups);
    for (int32_t i = 0; i < engine->synced.partition_count; i++)
        free(engine->synced.partitions[i].inputs);
    free(engine->synced.partitions);
    for (size_t i = 0; i < engine->input_topic_count; i++)
        free(engine->input_topics[i].topic);
    free(engine->cluster_id);
    (void)pthread_mutex_destroy(&engine->synced.lock);
    (void)pthread_cond_destroy(&engine->synced.work_changed);
    (void)pthread_cond_destroy(&engine->synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine->synced.between);
    memset(engine, 0, sizeof(*engine));
}
