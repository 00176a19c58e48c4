/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/settle.h"

/* An outcome that is refused in every form waits so long, and lets all others go first. */
#define REFUSED_AGAIN_MS 30000
/* A shorter list is not why a transaction takes long. */
#define LIST_BYTES ((uint64_t)64 << 10)
#define OUTAGE_FIX                                                                                                     \
    "see whether the partitions of the result topic have a leader and enough replicas, and the coordinators; if they " \
    "have, raise kafka.transaction.timeout.ms or lower kafka.message.max.bytes"
#define WARN_EVERY_MS 60000

void uex_settle_announce(struct uex_engine *engine, struct uex_batch *batch, bool committed)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct uex_inflight *inflight = batch->commands[i];
        bool done = committed;

        if (!done) {
            uex_engine_lock(engine);
            done = inflight->verdict == UEX_VERDICT_DONE;
            uex_engine_unlock(engine);
        }
        if (done && engine->observer.committed != NULL)
            engine->observer.committed(engine->observer.context, inflight);
        inflight->announced = done;
    }
}

static void take_memory_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_group_entry *entry = NULL;

    if (inflight->outcome.memory == NULL || !engine->synced.partitions[inflight->partition].assigned)
        return;
    entry = uex_group_table_get(&engine->synced.in_flight.groups, inflight->command.group_id);
    if (entry == NULL) { /* the group's next state would be written without this outcome */
        uex_engine_out_of_memory_synced(engine, "a group's history");
        return;
    }
    uex_group_memory_free(entry->memory);
    entry->memory = inflight->outcome.memory;
    entry->memory_partition = inflight->partition;
    inflight->outcome.memory = NULL;
}

/* In a later epoch the group's memory was read again, and knows of it, and perhaps of more. The window may not: a
 * member that joins again can be given the same generation, and then the broker takes committed offsets that are sent
 * after those of the new epoch were read. */
static void done_synced(struct uex_engine *engine, const struct uex_batch *batch, struct uex_inflight *inflight)
{
    struct uex_input *input = uex_engine_input(engine, inflight->input_topic, inflight->partition);

    if (!inflight->announced && engine->observer.committed != NULL)
        engine->observer.committed(engine->observer.context, inflight);
    if (!uex_cancel_requested(&inflight->cancel)) {
        if (input->assigned)
            uex_window_complete(&input->window, inflight->offset);
        if (batch->epoch == engine->synced.epoch)
            take_memory_synced(engine, inflight);
    }
    uex_dispatch_release_synced(engine, inflight);
}

/* A record of the outcome was refused, and it went by itself. */
static void refuse(struct uex_inflight *inflight)
{
    const rd_kafka_resp_err_t code = (rd_kafka_resp_err_t)inflight->refused_code;

    if (uex_policy_refused(inflight, inflight->refused_topic, rd_kafka_err2str(code)))
        return;
    inflight->not_before_ms = uex_monotonic_ms() + REFUSED_AGAIN_MS;
    uex_log(UEX_LOG_ERROR, UEX_EVENT_DEAD_LETTER_REFUSED,
            "Kafka refuses even the bare dead letter of a command; its offset stays open and it is tried again",
            UEX_STR("topic", inflight->refused_topic), UEX_STR("command", inflight->command.command_id),
            UEX_STR("from_topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
            UEX_INT("offset", inflight->offset), UEX_STR("error", rd_kafka_err2str(code)));
}

/* At the pace at which its parts were acknowledged, does the list take longer than the timeout? Where all of them were,
 * it was not the list that took so long. */
static bool is_too_slow(const struct uex_txn_age *age, uint64_t list_bytes)
{
    return age->was_sending && age->acked_bytes < list_bytes && age->moved_bytes > 0 &&
           (uint64_t)age->moving_ms * list_bytes > (uint64_t)age->timeout_ms * age->moved_bytes;
}

/* What counts is said each time, what does not once a minute. */
static void log_timed_out(struct uex_inflight *inflight, const struct uex_txn_age *age, bool counts)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (!counts && inflight->warned_ms != 0 && now_ms - inflight->warned_ms < WARN_EVERY_MS)
        return;
    inflight->warned_ms = now_ms;
    uex_log(UEX_LOG_WARN, UEX_EVENT_LIST_TIMED_OUT,
            counts ? "a list of usernames could not be sent within a transaction's timeout"
                   : "a transaction with a list of usernames timed out as in an outage of Kafka: it is tried again "
                     "until it goes through",
            UEX_STR("group", inflight->command.group_id), UEX_STR("command", inflight->command.command_id),
            UEX_NUM("bytes", uex_spool_size_bytes(inflight->outcome.job.lists)),
            UEX_NUM("acknowledged_bytes", age->acked_bytes), UEX_INT("timeout_ms", age->timeout_ms),
            UEX_NUM("times", inflight->timed_out), UEX_STR("mend", counts ? UEX_POLICY_SLOW_LIST_FIX : OUTAGE_FIX));
}

void uex_settle_age(const struct uex_batch *batch, const struct uex_txn_age *age)
{
    for (size_t i = 0; i < batch->count && age->timed_out; i++) {
        struct uex_inflight *inflight = batch->commands[i];
        const struct uex_spool *lists = inflight->outcome.job.lists;

        if (inflight->outcome.kind != UEX_OUTCOME_EXPORTED || lists == NULL || uex_spool_size_bytes(lists) < LIST_BYTES)
            continue;
        if (batch->count > 1) {
            inflight->commit_by_itself = true;
            continue;
        }
        inflight->timed_out++;
        inflight->too_slow = is_too_slow(age, uex_spool_size_bytes(lists)) ? inflight->too_slow + 1 : 0;
        inflight->given_up = inflight->too_slow >= UEX_SLOW_ENDS_MAX;
        log_timed_out(inflight, age, inflight->too_slow > 0);
    }
}

/* Back to the front of the queue, in order. */
static void put_back_synced(struct uex_engine *engine, struct uex_batch *batch)
{
    for (size_t i = batch->count; i-- > 0;) {
        struct uex_inflight *inflight = batch->commands[i];

        if (inflight == NULL)
            continue;
        if (inflight->refused_code != 0 && batch->count == 1)
            refuse(inflight);
        if (inflight->given_up)
            uex_policy_list_too_slow(inflight);
        if (inflight->spool_failed)
            uex_policy_spool_failed(engine, inflight);
        inflight->commit_by_itself = inflight->commit_by_itself || inflight->refused_code != 0;
        inflight->state = UEX_INFLIGHT_ENDED;
        inflight->next_outcome = engine->synced.outbox.first;
        engine->synced.outbox.first = inflight;
        if (engine->synced.outbox.last == NULL)
            engine->synced.outbox.last = inflight;
        engine->synced.outbox.count++;
    }
}

static void note_offsets_synced(struct uex_engine *engine, const struct uex_batch *batch)
{
    for (size_t i = 0; i < batch->offset_count; i++) {
        const struct uex_batch_offset *committed = &batch->offsets[i];
        struct uex_input *input = uex_engine_input(engine, committed->input_topic, committed->partition);

        if (input->log_number !=
            committed->log_number) /* its crash markers allow nothing, and it has to be committed again */
            continue;
        if (input->assigned)
            input->committed_base = committed->window.base;
        uex_starts_committed_synced(engine, committed->input_topic, committed->partition, &committed->markers);
    }
}

/* The first transaction of all was accepted after an assignment had found no committed offset: here it is. Else its
 * commands, which are read again, would be taken again. */
static void note_first_offsets_synced(struct uex_engine *engine, const struct uex_batch *batch)
{
    for (size_t i = 0; i < batch->offset_count; i++) {
        const struct uex_batch_offset *committed = &batch->offsets[i];
        struct uex_input *input = uex_engine_input(engine, committed->input_topic, committed->partition);

        if (!input->assigned || input->window.base != UEX_OFFSET_NONE || input->log_number != committed->log_number)
            continue;
        input->window = committed->window;
        input->window.next = input->window.base;
        input->starts_dirty = true; /* its crash markers are of the epoch before */
    }
}

void uex_settle_synced(struct uex_engine *engine, struct uex_batch *batch, bool committed)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct uex_inflight *inflight = batch->commands[i];

        if (committed || inflight->verdict == UEX_VERDICT_DONE) {
            done_synced(engine, batch, inflight);
            batch->commands[i] = NULL;
        } else if (inflight->verdict == UEX_VERDICT_LOST) {
            uex_dispatch_release_synced(engine, inflight);
            batch->commands[i] = NULL;
        }
    }
    if (committed && batch->epoch == engine->synced.epoch)
        note_offsets_synced(engine, batch);
    else if (committed)
        note_first_offsets_synced(engine, batch);
    put_back_synced(engine, batch);
    batch->metadata = NULL;
    engine->synced.outbox.transaction_open = false;
    for (size_t i = 0; i < sizeof(engine->synced.retired_metadata) / sizeof(engine->synced.retired_metadata[0]); i++) {
        if (engine->synced.retired_metadata[i] != NULL)
            rd_kafka_consumer_group_metadata_destroy(engine->synced.retired_metadata[i]);
        engine->synced.retired_metadata[i] = NULL;
    }
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.between);
}
