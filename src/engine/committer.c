/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/batch.h"
#include "engine/settle.h"
#include "kafka/client.h"

#define IDLE_WAIT_MS 200
#define PREPARE_TIMEOUT_MS 10000
#define OFFSETS_TIMEOUT_MS 2000
#define JUDGE_PAUSE_MS 200
#define WARN_EVERY_MS 60000
#define PAUSE_AFTER_ABORT_MAX_MS 5000
#define START_WAIT_MS 100
/* An outcome that went alone and was given up so often lets those that wait go first. */
#define LONE_ABORTS_MAX 3
#define LONE_AGAIN_MS 10000

/* How a transaction ended. */
enum end { END_COMMITTED, END_ABORTED, END_UNKNOWN };

struct uex_committer {
    struct uex_engine *engine;
    const struct uex_transaction *transaction; /* the engine's */
    struct uex_batch batch;
    double tokens; /* of producer.rate */
    int64_t tokens_at_ms;
    int64_t collecting_since_ms; /* 0: nothing waits */
    struct uex_txn_age age;      /* of the last transaction, where it failed */
    unsigned aborts_in_a_row;
    int64_t not_before_ms; /* the pause after an abort */
    int64_t warned_ms;
};

void uex_committer_note_delivery(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    struct uex_inflight *inflight = opaque;

    (void)offset;
    if (inflight == NULL || !uex_kafka_refuses_record(code) || inflight->refused_code != 0)
        return;
    inflight->refused_code = code;
    free(inflight->refused_topic);
    inflight->refused_topic = strdup(topic);
}

static struct uex_transaction_facts facts_of(const struct uex_committer *committer)
{
    return committer->transaction->facts(committer->transaction->context);
}

/* ---- waiting for work */

static void wait_ms_synced(struct uex_engine *engine, int64_t delay_ms)
{
    (void)uex_engine_wait_synced(engine, &engine->synced.outcomes_changed, uex_monotonic_ms() + delay_ms);
}

/* Tokens are taken before a transaction begins and limit its size. Half a second's worth at most is saved up: what is
 * under way when a reader begins to count, and what is saved then, are together one second's worth beyond the rate. */
static size_t allowance(struct uex_committer *committer)
{
    const int64_t rate = committer->engine->config->producer_rate;
    const double most = rate > 2 ? (double)rate / 2.0 : 1.0;
    const int64_t now_ms = uex_monotonic_ms();

    if (rate <= 0)
        return UEX_BATCH_MAX;
    committer->tokens += (double)rate * (double)(now_ms - committer->tokens_at_ms) / 1000.0;
    committer->tokens_at_ms = now_ms;
    if (committer->tokens > most)
        committer->tokens = most;
    return committer->tokens < 1.0 ? 0 : (size_t)committer->tokens;
}

/* Some command waits for its open crash marker, which rides in the next commit. */
static bool start_waits_synced(const struct uex_engine *engine)
{
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        for (int32_t i = 0; i < engine->synced.partition_count; i++) {
            const struct uex_input *input = uex_engine_input((struct uex_engine *)(uintptr_t)engine, input_topic, i);

            if (input != NULL && input->assigned && input->refused_from != UEX_OFFSET_NONE)
                return true;
        }
    }
    return false;
}

/* How long an outcome waits for others: not at all at the end, and not for long while somebody waits for a commit. */
static int64_t interval_ms_synced(const struct uex_engine *engine)
{
    const int64_t most_ms = engine->config->commit_interval_ms;

    if (engine->synced.assignment == UEX_ASSIGNMENT_CLOSING || engine->synced.lifecycle != UEX_LIFECYCLE_WORKING ||
        engine->synced.poison.exclusive != NULL || engine->synced.outbox.count >= UEX_BATCH_MAX)
        return 0;
    return most_ms > START_WAIT_MS && start_waits_synced(engine) ? START_WAIT_MS : most_ms;
}

/* Group commit: wait until commit.interval after the first outcome, or until a batch is full. True: the batch is
 * collected. */
static bool collect_synced(struct uex_committer *committer)
{
    struct uex_engine *engine = committer->engine;
    size_t most = 0;

    if (engine->synced.outbox.count > 0 && committer->collecting_since_ms == 0)
        committer->collecting_since_ms = uex_monotonic_ms();
    if (engine->synced.outbox.count > 0) {
        const int64_t left_ms = committer->collecting_since_ms + interval_ms_synced(engine) - uex_monotonic_ms();

        if (left_ms > 0) {
            wait_ms_synced(engine, left_ms);
            return false;
        }
    }
    most = allowance(committer);
    if (uex_monotonic_ms() < committer->not_before_ms && engine->synced.assignment != UEX_ASSIGNMENT_CLOSING &&
        engine->synced.lifecycle != UEX_LIFECYCLE_STOPPING) {
        wait_ms_synced(engine, committer->not_before_ms - uex_monotonic_ms() + 1);
        return false;
    }
    if (!uex_assignment_may_commit(engine->synced.assignment) || (most == 0 && engine->synced.outbox.count > 0) ||
        !uex_batch_collect_synced(engine, most, &committer->batch)) {
        wait_ms_synced(engine, engine->synced.outbox.count > 0 ? 20 : IDLE_WAIT_MS);
        return false;
    }
    committer->collecting_since_ms = 0;
    if (engine->config->producer_rate > 0)
        committer->tokens -= (double)committer->batch.count;
    engine->synced.outbox.transaction_open = true;
    return true;
}

/* ---- one transaction */

static void warn_rarely(struct uex_committer *committer, enum uex_event event, const char *message,
                        const struct uex_fault *fault)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (committer->warned_ms != 0 && now_ms - committer->warned_ms < WARN_EVERY_MS)
        return;
    committer->warned_ms = now_ms;
    uex_log(UEX_LOG_WARN, event, message, UEX_STR("error", fault->text), UEX_NUM("outcomes", committer->batch.count),
            UEX_STR("transactional_id", facts_of(committer).transactional_id));
}

static enum uex_error produce_all(struct uex_committer *committer, struct uex_fault *fault)
{
    for (size_t i = 0; i < committer->batch.count; i++) {
        struct uex_inflight *inflight = committer->batch.commands[i];
        const enum uex_error error = uex_batch_produce(committer->engine, committer->transaction, inflight, fault);

        if (error == UEX_SPOOL) /* no repetition of the transaction helps */
            inflight->spool_failed = true;
        if (error != UEX_OK)
            return error;
    }
    return committer->transaction->flush(committer->transaction->context, fault);
}

static bool any_refused(const struct uex_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->commands[i]->refused_code != 0)
            return true;
    }
    return false;
}

/* An assignment that came while this transaction was under way has made its committed offsets somebody else's. */
static bool is_stale(struct uex_committer *committer, struct uex_fault *fault)
{
    struct uex_engine *engine = committer->engine;
    bool stale = false;

    uex_engine_lock(engine);
    stale = committer->batch.epoch != engine->synced.epoch;
    uex_engine_unlock(engine);
    if (stale)
        (void)uex_fail(fault, UEX_KAFKA, "a new assignment came before its offsets were sent");
    return stale;
}

static enum uex_error send_offsets(struct uex_committer *committer, struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *offsets = uex_batch_offsets(committer->engine, &committer->batch);
    enum uex_error error = UEX_NO_MEMORY;

    if (offsets == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "positions");
    error = committer->transaction->send_offsets(committer->transaction->context, offsets, committer->batch.metadata,
                                                 fault);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* The producer, ready for a transaction. A timeout that the brokers refuse stays refused, and so do properties that
 * librdkafka never took. Once it has taken them, what keeps a producer from being built again can pass. */
static enum uex_error prepare(struct uex_committer *committer, struct uex_fault *fault)
{
    const struct uex_transaction *transaction = committer->transaction;
    const enum uex_error error = transaction->prepare(transaction->context, PREPARE_TIMEOUT_MS, fault);
    const struct uex_transaction_facts facts = facts_of(committer);

    if (error == UEX_CONFIG && facts.has_producer && facts.last_code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        uex_engine_refuse(committer->engine, fault->text,
                          "kafka.transaction.timeout.ms has to be within transaction.max.timeout.ms of the brokers");
    else if (error == UEX_CONFIG && !facts.has_producer && facts.rebuild_count == 0)
        uex_engine_refuse(committer->engine, fault->text, "correct the kafka.* settings that the error names");
    else if (error != UEX_OK && !facts.has_producer)
        warn_rarely(committer, UEX_EVENT_PRODUCER_REBUILD, "transactional producer cannot be built; trying again",
                    fault);
    return error;
}

static enum end transact(struct uex_committer *committer, struct uex_fault *fault)
{
    const struct uex_transaction *transaction = committer->transaction;

    transaction->forget_error(transaction->context);
    committer->age = (struct uex_txn_age){0};
    if (prepare(committer, fault) != UEX_OK || transaction->begin(transaction->context, fault) != UEX_OK)
        return END_ABORTED; /* nothing was said yet */
    if (produce_all(committer, fault) == UEX_OK && !any_refused(&committer->batch) && !is_stale(committer, fault) &&
        send_offsets(committer, fault) == UEX_OK && transaction->commit(transaction->context, fault) == UEX_OK)
        return END_COMMITTED;
    committer->age = transaction->age(transaction->context, uex_monotonic_ms());
    transaction->abort(transaction->context);
    return facts_of(committer).is_lost ? END_UNKNOWN : END_ABORTED;
}

/* The end is unknown: a producer rebuilt under the same id ends the old transaction, then the committed offsets
 * say what happened. Each outcome is judged by its own bit. */
static void judge(struct uex_committer *committer)
{
    struct uex_engine *engine = committer->engine;
    struct uex_batch *batch = &committer->batch;
    struct uex_fault fault = {0};
    rd_kafka_topic_partition_list_t *list = NULL;
    bool known = false;

    while (!known && uex_engine_lifecycle(engine) != UEX_LIFECYCLE_STOPPING) {
        engine->committer_heartbeat_ms = uex_monotonic_ms(); /* Kafka does not say: a new process would not help */
        if (list != NULL)
            rd_kafka_topic_partition_list_destroy(list);
        list = rd_kafka_topic_partition_list_new((int)batch->offset_count + 1);
        for (size_t i = 0; i < batch->offset_count; i++)
            (void)rd_kafka_topic_partition_list_add(list, engine->input_topics[batch->offsets[i].input_topic].topic,
                                                    batch->offsets[i].partition);
        known = prepare(committer, &fault) == UEX_OK &&
                uex_committed_offsets_read(engine, list, OFFSETS_TIMEOUT_MS) == UEX_OK;
        if (!known) {
            warn_rarely(committer, UEX_EVENT_TXN_ABORTED, "transaction outcome unknown; reading committed offsets",
                        &fault);
            (void)uex_sleep_ms(JUDGE_PAUSE_MS, NULL);
        }
    }
    uex_engine_lock(engine);
    for (size_t i = 0; known && i < batch->count; i++) {
        struct uex_inflight *inflight = batch->commands[i];
        const rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_find(
            list, engine->input_topics[inflight->input_topic].topic, inflight->partition);
        struct uex_window window;

        if (inflight->verdict != UEX_VERDICT_NONE || place == NULL)
            continue; /* an assignment knew it before */
        uex_window_restore(&window, place->offset >= 0 ? place->offset : UEX_OFFSET_NONE,
                           uex_bytes_of(place->metadata, place->metadata_size), NULL);
        inflight->verdict = uex_window_finished(&window, inflight->offset) ? UEX_VERDICT_DONE : UEX_VERDICT_REDO;
    }
    uex_engine_unlock(engine);
    if (list != NULL)
        rd_kafka_topic_partition_list_destroy(list);
}

/* ---- afterwards */

/* A revoke that takes back the crash markers cannot do so any more. */
static void fence_synced(struct uex_engine *engine)
{
    if (engine->synced.assignment == UEX_ASSIGNMENT_HELD)
        (void)uex_assignment_advance(&engine->synced.assignment, UEX_ASSIGNMENT_FENCED);
    else if (engine->synced.assignment == UEX_ASSIGNMENT_CLOSING)
        (void)uex_assignment_advance(&engine->synced.assignment, UEX_ASSIGNMENT_ENDING);
}

/* A generation that is over commits nothing more: wait for the next assignment. Any other abort: a pause that grows,
 * then again. */
static void after_abort_synced(struct uex_committer *committer, const struct uex_fault *fault)
{
    struct uex_engine *engine = committer->engine;

    if (facts_of(committer).was_fenced) {
        if (committer->batch.epoch == engine->synced.epoch)
            fence_synced(engine);
        uex_log(UEX_LOG_INFO, UEX_EVENT_TXN_FENCED,
                "the broker refused offsets of an older generation; outcomes wait for the next assignment");
        return;
    }
    warn_rarely(committer, UEX_EVENT_TXN_ABORTED, "transaction aborted; its outcomes stay queued", fault);
    committer->aborts_in_a_row++;
    if (committer->batch.count == 1 && committer->aborts_in_a_row >= LONE_ABORTS_MAX &&
        engine->synced.outbox.count > 1 && committer->batch.commands[0] != NULL)
        committer->batch.commands[0]->not_before_ms = uex_monotonic_ms() + LONE_AGAIN_MS;
    committer->not_before_ms =
        uex_monotonic_ms() +
        (committer->aborts_in_a_row > 10 ? PAUSE_AFTER_ABORT_MAX_MS : 50 * (int64_t)committer->aborts_in_a_row);
}

static void run_transaction_synced(struct uex_committer *committer)
{
    struct uex_engine *engine = committer->engine;
    struct uex_fault fault = {0};
    const int64_t started_us = uex_monotonic_us();
    enum end end = END_ABORTED;
    bool refused = false;

    uex_engine_unlock(engine);
    end = transact(committer, &fault);
    if (end == END_UNKNOWN)
        judge(committer);
    if (engine->observer.transaction != NULL)
        engine->observer.transaction(engine->observer.context,
                                     end == END_COMMITTED ? "committed" : (end == END_ABORTED ? "aborted" : "unknown"),
                                     uex_monotonic_us() - started_us, committer->batch.count);
    refused = any_refused(&committer->batch);
    if (end != END_COMMITTED && !refused && !facts_of(committer).was_fenced)
        uex_settle_age(&committer->batch, &committer->age);
    uex_settle_announce(engine, &committer->batch, end == END_COMMITTED);
    uex_engine_lock(engine);
    engine->synced.rebuild_count = facts_of(committer).rebuild_count;
    uex_settle_synced(engine, &committer->batch, end == END_COMMITTED);
    if (end == END_COMMITTED) {
        committer->aborts_in_a_row = 0;
        committer->warned_ms = 0;
    } else if (!refused) {
        after_abort_synced(committer, &fault);
    }
}

/* Before anything is to be committed: so that the first outcome need not wait, and the worker is not ready before Kafka
 * takes its transactions. */
static void prepare_first_synced(struct uex_committer *committer)
{
    struct uex_engine *engine = committer->engine;
    struct uex_fault fault = {0};
    enum uex_error error = UEX_OK;

    uex_engine_unlock(engine);
    error = prepare(committer, &fault);
    uex_engine_lock(engine);
    if (error != UEX_OK && engine->synced.failure != UEX_FAILURE_REFUSED)
        warn_rarely(committer, UEX_EVENT_TXN_ABORTED, "transactional producer not ready; trying again", &fault);
    engine->synced.outbox.can_commit = error == UEX_OK;
    if (error != UEX_OK && engine->synced.lifecycle != UEX_LIFECYCLE_STOPPING)
        wait_ms_synced(engine, IDLE_WAIT_MS);
}

struct uex_committer *uex_committer_new(struct uex_engine *engine)
{
    struct uex_committer *committer = calloc(1, sizeof(*committer));

    if (committer == NULL)
        return NULL;
    committer->engine = engine;
    committer->transaction = &engine->transaction;
    committer->tokens_at_ms = uex_monotonic_ms();
    return committer;
}

void uex_committer_free(struct uex_committer *committer)
{
    if (committer == NULL)
        return;
    uex_batch_clear(&committer->batch);
    free(committer);
}

void uex_committer_step_synced(struct uex_committer *committer)
{
    struct uex_engine *engine = committer->engine;

    engine->committer_heartbeat_ms = uex_monotonic_ms();
    if (engine->synced.failure == UEX_FAILURE_REFUSED)
        wait_ms_synced(engine, IDLE_WAIT_MS);
    else if (!engine->synced.outbox.can_commit)
        prepare_first_synced(committer);
    else if (collect_synced(committer))
        run_transaction_synced(committer);
}

void *uex_committer_run(void *argument)
{
    struct uex_engine *engine = argument;
    struct uex_committer *committer = uex_committer_new(engine);

    uex_engine_lock(engine);
    if (committer == NULL)
        uex_engine_out_of_memory_synced(engine, "the committer");
    while (committer != NULL && engine->synced.lifecycle != UEX_LIFECYCLE_STOPPING)
        uex_committer_step_synced(committer);
    uex_engine_unlock(engine);
    engine->transaction.close(engine->transaction.context);
    uex_committer_free(committer);
    return NULL;
}
