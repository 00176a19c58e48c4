/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "export/text.h"
#include "kafka/client.h"
#include "kafka/group_members.h"
#include "kafka/group_metadata.h"
#include "kafka/partitioner.h"

/* A revoke waits so long for the running transaction; then its end counts as unknown: offsets that the broker has
 * accepted keep the next owner's fetch waiting, others are fenced by the generation. */
#define REVOKE_WAIT_MS 5000
#define CLOSE_WAIT_MS 3000
#define POSITIONS_TIMEOUT_MS 1000
#define ASK_TIMEOUT_MS 5000
#define COMPLAIN_AFTER_MS 10000
#define RESUBSCRIBE_AFTER_MS 3000

static void destroy_metadata(rd_kafka_consumer_group_metadata_t **metadata)
{
    if (*metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(*metadata);
    *metadata = NULL;
}

static void drop_pending(struct uex_engine *engine)
{
    if (engine->pending_assignment != NULL)
        rd_kafka_topic_partition_list_destroy(engine->pending_assignment);
    engine->pending_assignment = NULL;
    destroy_metadata(&engine->pending_metadata);
}

void uex_rebalance_abandon(struct uex_engine *engine)
{
    if (engine->pending_assignment == NULL)
        return;
    drop_pending(engine);
    (void)rd_kafka_assign(engine->consumer, NULL); /* librdkafka does not leave the group before it is answered */
}

/* ---- revoke */

static void forget_held(struct uex_slot *slot)
{
    while (slot->first_held != NULL) {
        struct uex_delivery *next = slot->first_held->next_in_group;

        uex_delivery_free(slot->first_held);
        slot->first_held = next;
    }
    slot->last_held = NULL;
    slot->hold = UEX_HOLD_NONE;
}

/* Wait until the committer is between two transactions. Locked. */
static void wait_between(struct uex_engine *engine, const struct timespec *until)
{
    engine->revoking = true;
    while (engine->transaction_open) {
        if (pthread_cond_timedwait(&engine->between, &engine->lock, until) == ETIMEDOUT) {
            uex_log(UEX_LOG_WARN,
                    "a transaction did not end before the partitions went away: its end will be read from Kafka");
            break;
        }
    }
    engine->revoking = false;
}

static bool any_open_mark(struct uex_engine *engine)
{
    for (size_t source = 0; source < engine->source_count; source++) {
        for (int32_t i = 0; i < engine->partition_count; i++) {
            const struct uex_slot *slot = uex_engine_slot(engine, source, i);

            if (slot->assigned && slot->committed_until != UEX_OFFSET_NONE && !slot->closed)
                return true;
        }
    }
    return false;
}

/* Nothing more is started; the positions say so, and outcomes that are ready go out with them. Locked. */
static void close_marks(struct uex_engine *engine, bool lost)
{
    struct timespec until = {0};

    if (lost || !engine->has_assignment)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLOSE_WAIT_MS / 1000;
    engine->closing = true;
    pthread_cond_broadcast(&engine->outcomes_changed);
    while (any_open_mark(engine) && !engine->fenced) {
        if (pthread_cond_timedwait(&engine->between, &engine->lock, &until) == ETIMEDOUT)
            break;
    }
}

static void revoke(struct uex_engine *engine, bool lost)
{
    struct timespec until = {0};
    rd_kafka_topic_partition_list_t *resume = rd_kafka_topic_partition_list_new(8);

    drop_pending(engine);
    uex_restore_cancel(engine);
    pthread_mutex_lock(&engine->lock);
    if (engine->has_assignment) {
        (void)clock_gettime(CLOCK_MONOTONIC, &until); /* one bound for both */
        until.tv_sec += REVOKE_WAIT_MS / 1000;
        close_marks(engine, lost);
        wait_between(engine, &until);
    }
    engine->closing = false;
    engine->has_assignment = false;
    uex_dispatch_drop_queued(engine);
    for (size_t source = 0; source < engine->source_count; source++) {
        for (int32_t i = 0; i < engine->partition_count; i++) {
            struct uex_slot *slot = uex_engine_slot(engine, source, i);

            if (slot->paused) /* a pause must not outlive the assignment */
                (void)rd_kafka_topic_partition_list_add(resume, engine->sources[source].topic, i);
            slot->paused = false;
            slot->assigned = false;
            forget_held(slot);
        }
    }
    for (int32_t i = 0; i < engine->partition_count; i++)
        engine->partitions[i].assigned = false;
    pthread_mutex_unlock(&engine->lock);
    if (resume->cnt > 0)
        (void)rd_kafka_resume_partitions(engine->consumer, resume);
    rd_kafka_topic_partition_list_destroy(resume);
}

/* ---- assign */

enum uex_error uex_positions_read(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    if (list->cnt == 0)
        return UEX_OK;
    if (rd_kafka_committed(engine->consumer, list, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return UEX_TIMEOUT;
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return UEX_TIMEOUT;
    }
    return UEX_OK;
}

/* Room for `count` partitions; a count only rises. Locked. */
static bool resize(struct uex_engine *engine, int32_t count)
{
    struct uex_partition *partitions = NULL;

    if (count <= engine->partition_count)
        return true;
    partitions = realloc(engine->partitions, (size_t)count * sizeof(*partitions));
    if (partitions == NULL)
        return false;
    engine->partitions = partitions;
    for (int32_t i = engine->partition_count; i < count; i++) {
        memset(&partitions[i], 0, sizeof(partitions[i]));
        partitions[i].slots = calloc(UEX_SOURCES_MAX, sizeof(struct uex_slot));
        if (partitions[i].slots == NULL)
            return false;
        for (size_t source = 0; source < UEX_SOURCES_MAX; source++)
            uex_window_init(&partitions[i].slots[source].window);
        engine->partition_count = i + 1;
    }
    return true;
}

/* A partition number is worked only if it is held in every source: otherwise commands and retries of a group would be
 * at two workers. */
static void mark_whole(struct uex_engine *engine, const rd_kafka_topic_partition_list_t *list)
{
    bool partial = false;

    engine->resubscribe_at_ms = 0;
    for (int32_t i = 0; i < engine->partition_count; i++) {
        size_t held = 0;

        for (size_t source = 0; source < engine->source_count; source++) {
            if (rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)list,
                                                   engine->sources[source].topic, i) != NULL)
                held++;
        }
        engine->partitions[i].assigned = held == engine->source_count;
        partial = partial || (held != 0 && held != engine->source_count);
    }
    if (partial) {
        uex_log(UEX_LOG_WARN,
                "a partition is not held in all command and retry topics: it waits, and the worker joins again",
                UEX_STR("mend", "exportctl topics check"));
        if (engine->partial_count < 5)
            engine->partial_count++;
        engine->resubscribe_at_ms = uex_monotonic_ms() + ((int64_t)RESUBSCRIBE_AFTER_MS << engine->partial_count);
    } else {
        engine->partial_count = 0;
    }
}

/* The slots of the new epoch start at the committed positions. Takes what is not whole out of `list`. */
static void start_slots(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list)
{
    bool suspects = false;

    for (int i = list->cnt - 1; i >= 0; i--) {
        rd_kafka_topic_partition_t *place = &list->elems[i];
        struct uex_slot *slot = NULL;
        struct uex_marks marks;

        for (size_t source = 0; source < engine->source_count; source++) {
            if (strcmp(engine->sources[source].topic, place->topic) == 0)
                slot = uex_engine_slot(engine, source, place->partition);
        }
        if (slot == NULL || !engine->partitions[place->partition].assigned) {
            (void)rd_kafka_topic_partition_list_del_by_idx(list, i);
            continue;
        }
        slot->assigned = true;
        slot->paused = false;
        slot->end_offset = UEX_OFFSET_NONE;
        slot->committed_base = place->offset >= 0 ? place->offset : UEX_OFFSET_NONE;
        uex_window_restore(&slot->window, slot->committed_base, uex_bytes_of(place->metadata, place->metadata_size),
                           &marks);
        uex_starts_restore(slot, &marks);
        suspects = suspects || marks.open_until != UEX_OFFSET_NONE;
        if (strcmp(place->topic, engine->sources[0].topic) == 0)
            engine->partitions[place->partition].needs_all = marks.partition_count != engine->partition_count;
        slot->fetch_from = slot->committed_base == UEX_OFFSET_NONE ? UEX_OFFSET_NONE : slot->window.base;
        place->offset = slot->committed_base == UEX_OFFSET_NONE ? RD_KAFKA_OFFSET_BEGINNING : slot->window.base;
    }
    if (suspects)
        uex_log(UEX_LOG_WARN, "an owner before did not end cleanly: what it had not finished runs one by one first");
}

static bool belongs_here(const struct uex_engine *engine, const struct uex_delivery *delivery)
{
    const struct uex_partition *partition = &engine->partitions[delivery->partition];

    if (!partition->assigned || uex_cancel_requested(&delivery->cancel))
        return false;
    if (uex_window_finished(&partition->slots[delivery->source].window, delivery->offset))
        return false;
    return !delivery->holds_group || uex_partition_of(uex_bytes_of_text(delivery->command.group_id),
                                                      engine->partition_count) == delivery->partition;
}

/* An outcome whose transaction is still under way: the position that was just read knows how it ended. */
static void judge_committing(const struct uex_engine *engine, struct uex_delivery *delivery)
{
    const struct uex_partition *partition = &engine->partitions[delivery->partition];

    if (!partition->assigned)
        delivery->verdict = UEX_VERDICT_LOST;
    else if (uex_window_finished(&partition->slots[delivery->source].window, delivery->offset))
        delivery->verdict = UEX_VERDICT_DONE;
    else
        delivery->verdict = belongs_here(engine, delivery) ? UEX_VERDICT_REDO : UEX_VERDICT_LOST;
    delivery->epoch = engine->epoch;
}

/* What is under way goes on where its partition came back with the command unfinished; the rest is given up. */
static void adopt(struct uex_engine *engine, size_t *adopted, size_t *cancelled)
{
    struct uex_delivery *delivery = engine->deliveries;

    while (delivery != NULL) {
        struct uex_delivery *next = delivery->next;

        if (delivery->state == UEX_DELIVERY_COMMITTING) {
            judge_committing(engine, delivery);
        } else if (belongs_here(engine, delivery)) {
            delivery->epoch = engine->epoch;
            (*adopted)++;
            uex_log(delivery->state == UEX_DELIVERY_RUNNING ? UEX_LOG_INFO : UEX_LOG_DEBUG,
                    "a job is adopted: its partition came back",
                    UEX_STR("command", delivery->holds_group ? delivery->command.command_id : NULL),
                    UEX_STR("group", delivery->holds_group ? delivery->command.group_id : NULL),
                    UEX_INT("partition", delivery->partition), UEX_INT("offset", delivery->offset));
        } else if (delivery->state == UEX_DELIVERY_RUNNING) {
            if (!uex_cancel_requested(&delivery->cancel))
                (*cancelled)++;
            uex_cancel_request(&delivery->cancel);
        } else {
            uex_dispatch_withdraw(engine, delivery);
            uex_dispatch_release(engine, delivery);
            (*cancelled)++;
        }
        delivery = next;
    }
}

/* The memory of a group stays while its partition does. */
static bool keep_group(void *context, struct uex_group_entry *entry)
{
    const struct uex_engine *engine = context;
    const int32_t partition = uex_partition_of(uex_bytes_of_text(entry->group_id), engine->partition_count);

    if (!engine->partitions[partition].assigned) {
        uex_group_memory_free(entry->memory);
        entry->memory = NULL;
        entry->memory_partition = -1;
    }
    return entry->memory != NULL || entry->holder != NULL || entry->first_waiting != NULL;
}

static void retire_metadata(struct uex_engine *engine)
{
    const size_t places = sizeof(engine->retired_metadata) / sizeof(engine->retired_metadata[0]);

    for (size_t i = 0; engine->group_metadata != NULL && i < places; i++) {
        if (!engine->transaction_open)
            destroy_metadata(&engine->group_metadata);
        else if (engine->retired_metadata[i] == NULL) {
            engine->retired_metadata[i] = engine->group_metadata; /* the committer destroys it after its transaction */
            engine->group_metadata = NULL;
        }
    }
    engine->group_metadata = NULL; /* more rebalances than places during one transaction: a few hundred bytes stay */
}

static void begin_epoch(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list, size_t *adopted,
                        size_t *cancelled)
{
    engine->epoch++;
    engine->rebalance_count++;
    mark_whole(engine, list);
    start_slots(engine, list);
    for (int32_t i = 0; i < engine->partition_count; i++) {
        struct uex_partition *partition = &engine->partitions[i];

        if (!partition->assigned || partition->needs_all)
            partition->state_next = 0;
        partition->restored = false;
    }
    adopt(engine, adopted, cancelled);
    uex_group_table_filter(&engine->groups, keep_group, engine);
    retire_metadata(engine);
    engine->group_metadata = engine->pending_metadata;
    engine->pending_metadata = NULL;
    engine->fenced = !uex_group_metadata_is_member(engine->group_metadata);
    if (engine->fenced)
        uex_log(UEX_LOG_WARN,
                "the membership ended while its partitions were assigned: nothing is committed before the "
                "next assignment");
    engine->has_assignment = true;
    for (struct uex_delivery *delivery = engine->deliveries; delivery != NULL; delivery = delivery->next) {
        if (delivery->state == UEX_DELIVERY_RUNNING && delivery->epoch == engine->epoch &&
            !uex_cancel_requested(&delivery->cancel))
            uex_starts_adopt(engine, delivery);
    }
    pthread_cond_broadcast(&engine->outcomes_changed);
}

/* librdkafka joins again on new metadata of the topics without waiting for the answer to an assignment (rdkafka_cgrp.c,
 * rd_kafka_cgrp_revoke_all_rejoin). An assignment that is looked at later was captured with a later generation, in
 * which its partitions may be another's; the broker would believe it. The coordinator knows: if it names the same
 * partitions for this member now, they belong to the captured generation, or to a later one, and then it refuses the
 * captured. */
static enum uex_error confirm(struct uex_engine *engine, bool *stands, struct uex_fault *fault)
{
    char *member_id = NULL;
    enum uex_error error = UEX_OK;

    *stands = engine->pending_assignment->cnt == 0;
    if (*stands || !uex_group_metadata_is_member(engine->pending_metadata))
        return UEX_OK;
    member_id = rd_kafka_memberid(engine->consumer);
    if (member_id == NULL)
        return UEX_OK;
    error = uex_group_members_owns(engine->probe, engine->config->kafka_group_id, member_id, engine->pending_assignment,
                                   POSITIONS_TIMEOUT_MS, stands, fault);
    rd_kafka_mem_free(engine->consumer, member_id);
    return error;
}

/* The group has moved on, another assignment follows. The client wants an answer to this one first. */
static void pass_over(struct uex_engine *engine)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);

    uex_log(UEX_LOG_INFO, "an assignment is out of date: the group has moved on, and assigns anew",
            UEX_INT("partitions", engine->pending_assignment->cnt),
            UEX_INT("generation", uex_group_metadata_generation(engine->pending_metadata)));
    drop_pending(engine);
    (void)rd_kafka_assign(engine->consumer, none);
    rd_kafka_topic_partition_list_destroy(none);
}

/* Committed positions of what was assigned, stable ones. UEX_TIMEOUT: not yet. */
static enum uex_error ask_positions(struct uex_engine *engine, rd_kafka_topic_partition_list_t **out, int32_t *count,
                                    struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    *out = rd_kafka_topic_partition_list_copy(engine->pending_assignment);
    error = uex_positions_read(engine, *out, POSITIONS_TIMEOUT_MS);
    if (error == UEX_OK && (*out)->cnt > 0)
        error = uex_kafka_partition_count(engine->probe, engine->sources[0].topic, ASK_TIMEOUT_MS, count, fault);
    /* A broker that has not heard of a growth yet must not decide which partitions there are. */
    for (int i = 0; error == UEX_OK && i < (*out)->cnt; i++) {
        if ((*out)->elems[i].partition >= *count && strcmp((*out)->elems[i].topic, engine->sources[0].topic) == 0)
            error = UEX_TIMEOUT;
    }
    if (error == UEX_OK)
        return UEX_OK;
    rd_kafka_topic_partition_list_destroy(*out);
    *out = NULL;
    return error;
}

static void complain(struct uex_engine *engine, const struct uex_fault *fault)
{
    if (uex_monotonic_ms() - engine->pending_since_ms <= COMPLAIN_AFTER_MS)
        return;
    uex_log(UEX_LOG_WARN,
            "the committed positions are not known yet (an earlier owner's transaction is open, or Kafka does not "
            "answer); asking again",
            UEX_STR("error", fault->text[0] == '\0' ? NULL : fault->text));
    engine->pending_since_ms = uex_monotonic_ms();
}

void uex_rebalance_continue(struct uex_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    struct uex_fault fault = {0};
    size_t adopted = 0;
    size_t cancelled = 0;
    int32_t count = 0;
    bool stands = false;
    bool memory = false;

    if (engine->pending_assignment == NULL)
        return;
    if (confirm(engine, &stands, &fault) != UEX_OK) {
        complain(engine, &fault);
        return;
    }
    if (!stands) {
        pass_over(engine);
        return;
    }
    if (ask_positions(engine, &list, &count, &fault) != UEX_OK) {
        complain(engine, &fault);
        return;
    }
    pthread_mutex_lock(&engine->lock);
    memory = resize(engine, count);
    if (memory)
        begin_epoch(engine, list, &adopted, &cancelled);
    pthread_mutex_unlock(&engine->lock);
    if (!memory) {
        uex_engine_break(engine);
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    drop_pending(engine);
    (void)rd_kafka_assign(engine->consumer, list);
    uex_log(UEX_LOG_INFO, "partitions assigned", UEX_INT("partitions", list->cnt), UEX_NUM("adopted", adopted),
            UEX_NUM("cancelled", cancelled),
            UEX_INT("generation", uex_group_metadata_generation(engine->group_metadata)));
    rd_kafka_topic_partition_list_destroy(list);
    if (engine->observer.rebalanced != NULL)
        engine->observer.rebalanced(engine->observer.context, (size_t)engine->partition_count, adopted, cancelled);
    uex_restore_begin(engine);
}

void uex_rebalance_callback(rd_kafka_t *consumer, rd_kafka_resp_err_t error,
                            rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct uex_engine *engine = opaque;
    /* Captured before anything waits: a heartbeat that fails meanwhile would make it nobody's. */
    rd_kafka_consumer_group_metadata_t *metadata =
        error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? rd_kafka_consumer_group_metadata(consumer) : NULL;

    revoke(engine, rd_kafka_assignment_lost(consumer) != 0);
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        /* The metadata of this generation, used for this epoch only: a live one could speak for a generation that does
         * not own the work any more, and the broker would believe it. */
        engine->pending_metadata = metadata;
        engine->pending_assignment = rd_kafka_topic_partition_list_copy(partitions);
        engine->pending_since_ms = uex_monotonic_ms();
        uex_rebalance_continue(engine);
        return;
    }
    if (error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
        uex_log(UEX_LOG_WARN, "the rebalance failed", UEX_STR("error", rd_kafka_err2str(error)));
    else
        uex_log(UEX_LOG_INFO, "partitions revoked", UEX_INT("partitions", partitions->cnt));
    (void)rd_kafka_assign(consumer, NULL);
}
