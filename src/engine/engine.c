/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "export/thread.h"
#include "kafka/client.h"
#include "kafka/group_metadata.h"
#include "kafka/topics.h"

#define ASK_TIMEOUT_MS 10000
/* Enough that lanes and group commit never wait for the next poll, little enough that a restart repeats little reading.
 */
#define QUEUE_MAX 2000
#define OUTCOMES_MAX 500 /* each may hold a file of the spool open */
#define QUEUE_MAX_BYTES ((size_t)16 << 20)
#define AWAIT_SLICE_MS 50

static void init_locks(struct uex_engine *engine)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&engine->synced.lock, NULL);
    (void)pthread_cond_init(&engine->synced.work_changed, &attributes);
    (void)pthread_cond_init(&engine->synced.outcomes_changed, &attributes);
    (void)pthread_cond_init(&engine->synced.between, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

/* One batch, or what the rate lets out in a second: all of them are suspects if the worker dies now. */
static size_t outcomes_max(const struct uex_config *config)
{
    const int64_t most =
        config->producer_rate > 0 && config->producer_rate < OUTCOMES_MAX ? config->producer_rate : OUTCOMES_MAX;

    return most < config->export_lanes ? (size_t)config->export_lanes : (size_t)most;
}

static bool knows_input_topic(const struct uex_engine *engine, const char *topic)
{
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        if (strcmp(engine->input_topics[input_topic].topic, topic) == 0)
            return true;
    }
    return false;
}

static enum uex_error add_input_topic(struct uex_engine *engine, const char *topic, struct uex_fault *fault)
{
    char *copy = strdup(topic);
    bool has_room = false;

    if (copy == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "topics");
    uex_engine_lock(engine); /* for those who count the input topics from outside */
    has_room = uex_epoch_reserve_input_topics_synced(engine, engine->input_topic_count + 1);
    if (has_room)
        engine->input_topics[engine->input_topic_count++].topic = copy;
    uex_engine_unlock(engine);
    if (has_room)
        return UEX_OK;
    free(copy);
    return uex_fail(fault, UEX_NO_MEMORY, "topics");
}

/* The command topic, then the configured tiers in their order (a retry goes to input_topics[1 + tier]), then tiers that
 * are no longer configured but still there. */
static enum uex_error find_input_topics(struct uex_engine *engine, struct uex_fault *fault)
{
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t count = 0;
    enum uex_error error = uex_consumer_tiers(engine->handles, ASK_TIMEOUT_MS, tiers, &count, fault);

    for (size_t i = 0; i < count && error == UEX_OK; i++) {
        if (tiers[i].configured && tiers[i].partition_count == 0)
            error = uex_fail(fault, UEX_KAFKA_TOPICS,
                             "there is no topic %s, or it may not be seen; this makes it: exportctl topics create",
                             tiers[i].topic);
    }
    if (error == UEX_OK && engine->input_topic_count == 0)
        error = add_input_topic(engine, engine->config->topics_command, fault);
    for (int configured = 1; configured >= 0; configured--) {
        for (size_t i = 0; i < count && error == UEX_OK; i++) {
            if (tiers[i].configured == (configured == 1) && tiers[i].partition_count > 0 &&
                !knows_input_topic(engine, tiers[i].topic) && engine->input_topic_count < UEX_INPUT_TOPICS_MAX)
                error = add_input_topic(engine, tiers[i].topic, fault);
        }
    }
    return error;
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

enum uex_error uex_engine_subscribe(struct uex_engine *engine, struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    const enum uex_error error = find_input_topics(engine, fault);

    if (error != UEX_OK)
        return error;
    list = rd_kafka_topic_partition_list_new((int)engine->input_topic_count);
    for (size_t i = 0; i < engine->input_topic_count; i++)
        (void)rd_kafka_topic_partition_list_add(list, engine->input_topics[i].topic, RD_KAFKA_PARTITION_UA);
    /* Who leaves and comes makes the group assign the partitions that there are now. Who was given an assignment that
     * it did not take asks for its own again, and keeps its member id. */
    code = engine->consumer.subscribe(engine->consumer.context, list, engine->membership.passed_over_count == 0);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? UEX_OK : uex_kafka_fail(fault, code, "the topics cannot be subscribed");
}

static void free_all(struct uex_inflight *inflight)
{
    while (inflight != NULL) {
        struct uex_inflight *next = inflight->next;

        uex_inflight_free(inflight);
        inflight = next;
    }
}

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
    free_all(gone);
}

bool uex_engine_wait_synced(struct uex_engine *engine, pthread_cond_t *condition, const struct timespec *until)
{
    if (uex_log_is_waiting()) {
        uex_engine_unlock(engine);
        uex_engine_lock(engine);
        return true;
    }
    if (until == NULL)
        return pthread_cond_wait(condition, &engine->synced.lock) == 0;
    return pthread_cond_timedwait(condition, &engine->synced.lock, until) != ETIMEDOUT;
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

void uex_engine_refuse(struct uex_engine *engine, const char *error_text, const char *mend)
{
    bool known = false;

    uex_engine_lock(engine);
    known = engine->synced.failure == UEX_FAILURE_REFUSED;
    fail_synced(engine, UEX_FAILURE_REFUSED);
    uex_engine_unlock(engine);
    if (!known)
        uex_log(UEX_LOG_ERROR, UEX_EVENT_CONFIG_REFUSED,
                "a setting is refused or does not fit what was found; the program ends", UEX_STR("error", error_text),
                UEX_STR("mend", mend));
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

void uex_engine_close(struct uex_engine *engine)
{
    if (engine->handles != NULL)
        uex_restore_cancel(engine);
    free_all(engine->synced.in_flight.first);
    free_all(engine->synced.gone);
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
