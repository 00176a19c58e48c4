/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"

/* Offsets of a partition follow each other, so neighbours land in different buckets. */
static size_t bucket_of(size_t input_topic, int32_t partition, int64_t offset)
{
    const uint64_t place =
        (uint64_t)offset + (uint64_t)(uint32_t)partition * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)input_topic * 1031;

    return (size_t)(place ^ (place >> 32)) & (UEX_PLACE_BUCKETS - 1);
}

static struct uex_inflight **bucket_for(struct uex_engine *engine, const struct uex_inflight *inflight)
{
    return &engine->synced.in_flight.by_place[bucket_of(inflight->input_topic, inflight->partition, inflight->offset)];
}

static void forget_place_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_inflight **place = bucket_for(engine, inflight);

    while (*place != NULL && *place != inflight)
        place = &(*place)->next_at_place;
    if (*place != NULL)
        *place = inflight->next_at_place;
    inflight->next_at_place = NULL;
}

void uex_dispatch_add_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_inflight **place = bucket_for(engine, inflight);

    inflight->next_at_place = *place;
    *place = inflight;
    inflight->epoch = engine->synced.epoch;
    inflight->next = engine->synced.in_flight.first;
    if (engine->synced.in_flight.first != NULL)
        engine->synced.in_flight.first->previous = inflight;
    engine->synced.in_flight.first = inflight;
    engine->synced.in_flight.count++;
    engine->synced.in_flight.bytes += uex_inflight_size_bytes(inflight);
}

struct uex_inflight *uex_dispatch_find_synced(const struct uex_engine *engine, size_t input_topic, int32_t partition,
                                              int64_t offset)
{
    struct uex_inflight *inflight = engine->synced.in_flight.by_place[bucket_of(input_topic, partition, offset)];

    for (; inflight != NULL; inflight = inflight->next_at_place) {
        if (inflight->offset == offset && inflight->partition == partition && inflight->input_topic == input_topic &&
            !uex_cancel_requested(&inflight->cancel) &&
            inflight->verdict != UEX_VERDICT_LOST) /* one that is given up leaves room for its successor */
            return inflight;
    }
    return NULL;
}

static void push_ready_synced(struct uex_engine *engine, struct uex_group_entry *entry)
{
    if (entry->ready || entry->holder != NULL || entry->first_waiting == NULL)
        return;
    entry->ready = true;
    entry->next_ready = NULL;
    if (engine->synced.in_flight.last_ready != NULL)
        engine->synced.in_flight.last_ready->next_ready = entry;
    else
        engine->synced.in_flight.first_ready = entry;
    engine->synced.in_flight.last_ready = entry;
    pthread_cond_signal(&engine->synced.work_changed);
}

static void wait_for_group_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine->synced.in_flight.groups, inflight->command.group_id);

    if (entry == NULL) { /* lost to this process, not to Kafka: its window stays open, and the next owner takes it */
        uex_engine_out_of_memory_synced(engine, "a command's group");
        uex_dispatch_release_synced(engine, inflight);
        return;
    }
    uex_inflight_append(&entry->first_waiting, &entry->last_waiting, inflight);
    push_ready_synced(engine, entry);
}

void uex_dispatch_enqueue_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_partition *partition = &engine->synced.partitions[inflight->partition];

    if (partition->restored) {
        wait_for_group_synced(engine, inflight);
        return;
    }
    uex_inflight_append(&partition->first_waiting, &partition->last_waiting, inflight);
}

void uex_dispatch_restored_synced(struct uex_engine *engine, struct uex_partition *partition)
{
    struct uex_inflight *inflight = partition->first_waiting;

    partition->restored = true;
    partition->first_waiting = NULL;
    partition->last_waiting = NULL;
    while (inflight != NULL) {
        struct uex_inflight *next = inflight->next_in_group;

        wait_for_group_synced(engine, inflight);
        inflight = next;
    }
    pthread_cond_broadcast(&engine->synced.work_changed);
}

static void drop_ready_synced(struct uex_engine *engine, struct uex_group_entry *entry, struct uex_group_entry *before)
{
    if (before != NULL)
        before->next_ready = entry->next_ready;
    else
        engine->synced.in_flight.first_ready = entry->next_ready;
    if (engine->synced.in_flight.last_ready == entry)
        engine->synced.in_flight.last_ready = before;
    entry->ready = false;
    entry->next_ready = NULL;
}

static struct uex_inflight *pop_waiting_synced(struct uex_group_entry *entry)
{
    struct uex_inflight *inflight = entry->first_waiting;

    entry->first_waiting = inflight->next_in_group;
    if (entry->first_waiting == NULL)
        entry->last_waiting = NULL;
    inflight->next_in_group = NULL;
    inflight->holds_group = true;
    entry->holder = inflight;
    return inflight;
}

static bool is_duplicate(const struct uex_group_entry *entry)
{
    return entry->memory != NULL &&
           uex_group_memory_is_duplicate(entry->memory, entry->first_waiting->command.command_id);
}

static void skip_duplicate_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    uex_policy_duplicate(inflight);
    uex_dispatch_submit_synced(engine, inflight);
}

/* The next command that needs a job; duplicates on the way get their outcome at once, what was cancelled goes, and what
 * may not be started yet stays. */
static struct uex_inflight *next_job_synced(struct uex_engine *engine)
{
    struct uex_group_entry *before = NULL;
    struct uex_group_entry *entry = engine->synced.in_flight.first_ready;

    while (entry != NULL) {
        struct uex_group_entry *next = entry->next_ready;
        struct uex_inflight *head = entry->first_waiting;

        if (uex_cancel_requested(&head->cancel)) { /* its record is no more */
            drop_ready_synced(engine, entry, before);
            uex_dispatch_release_synced(engine, pop_waiting_synced(entry));
            before = NULL; /* the group may be ready again, at the end of the list */
            next = engine->synced.in_flight.first_ready;
        } else if (is_duplicate(entry)) {
            drop_ready_synced(engine, entry, before);
            skip_duplicate_synced(engine, pop_waiting_synced(entry));
        } else if (uex_starts_allowed_synced(engine, uex_engine_input(engine, head->input_topic, head->partition),
                                             head->offset)) {
            drop_ready_synced(engine, entry, before);
            return pop_waiting_synced(entry);
        } else {
            before = entry;
        }
        entry = next;
    }
    return NULL;
}

/* While there are suspects nothing else starts, and each has the process to itself. */
static struct uex_inflight *next_suspect_synced(struct uex_engine *engine)
{
    struct uex_inflight *inflight = engine->synced.poison.first_suspect;

    if (engine->synced.in_flight.running_count > 0 || !engine->synced.partitions[inflight->partition].restored)
        return NULL;
    engine->synced.poison.first_suspect = inflight->next_in_group;
    if (engine->synced.poison.first_suspect == NULL)
        engine->synced.poison.last_suspect = NULL;
    inflight->next_in_group = NULL;
    engine->synced.poison.exclusive = inflight;
    return inflight;
}

struct uex_inflight *uex_dispatch_next_synced(struct uex_engine *engine)
{
    struct uex_inflight *inflight = NULL;

    if (engine->synced.poison.exclusive != NULL || !uex_assignment_may_start(engine->synced.assignment) ||
        engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || engine->synced.outbox.count >= engine->outcomes_max ||
        uex_breaker_any_open_synced(engine))
        return NULL;
    inflight = engine->synced.poison.first_suspect != NULL ? next_suspect_synced(engine) : next_job_synced(engine);
    if (inflight != NULL) {
        inflight->state = UEX_INFLIGHT_RUNNING;
        engine->synced.in_flight.running_count++;
    }
    return inflight;
}

/* Back to the front of where it was taken from. */
void uex_dispatch_put_back_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_group_entry *entry = uex_group_table_find(&engine->synced.in_flight.groups, inflight->command.group_id);

    inflight->state = UEX_INFLIGHT_QUEUED;
    inflight->holds_group = false;
    if (entry != NULL)
        entry->holder = NULL;
    /* It was there at more than one opening: run it alone, so that the others clear themselves. */
    inflight->suspect = inflight->suspect || inflight->openings > 1;
    if (inflight->suspect || entry == NULL) {
        uex_starts_return_synced(engine, inflight);
        if (engine->synced.poison.exclusive == inflight)
            engine->synced.poison.exclusive = NULL;
        inflight->suspect = true;
        uex_inflight_prepend(&engine->synced.poison.first_suspect, &engine->synced.poison.last_suspect, inflight);
        if (entry != NULL) /* those behind it go on after the suspects */
            push_ready_synced(engine, entry);
        return;
    }
    uex_inflight_prepend(&entry->first_waiting, &entry->last_waiting, inflight);
    push_ready_synced(engine, entry);
}

void uex_dispatch_submit_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    if (inflight->outcome.at_ms == 0)
        inflight->outcome.at_ms = uex_wall_ms();
    inflight->state = UEX_INFLIGHT_ENDED;
    inflight->next_outcome = NULL;
    if (engine->synced.outbox.last != NULL)
        engine->synced.outbox.last->next_outcome = inflight;
    else
        engine->synced.outbox.first = inflight;
    engine->synced.outbox.last = inflight;
    engine->synced.outbox.count++;
    if (inflight == engine->synced.poison.exclusive)
        uex_starts_prepare_next_synced(engine);
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

void uex_dispatch_withdraw_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_inflight **place = &engine->synced.outbox.first;
    struct uex_inflight *before = NULL;

    while (*place != NULL && *place != inflight) {
        before = *place;
        place = &(*place)->next_outcome;
    }
    if (*place == NULL)
        return;
    *place = inflight->next_outcome;
    if (engine->synced.outbox.last == inflight)
        engine->synced.outbox.last = before;
    inflight->next_outcome = NULL;
    engine->synced.outbox.count--;
}

void uex_dispatch_release_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    if (inflight->holds_group) {
        struct uex_group_entry *entry =
            uex_group_table_find(&engine->synced.in_flight.groups, inflight->command.group_id);

        if (entry != NULL && entry->holder == inflight) {
            entry->holder = NULL;
            push_ready_synced(engine, entry);
            uex_group_table_release(&engine->synced.in_flight.groups, entry);
        }
    }
    if (engine->synced.poison.exclusive == inflight) {
        engine->synced.poison.exclusive = NULL;
        pthread_cond_broadcast(&engine->synced.work_changed);
    }
    forget_place_synced(engine, inflight);
    if (inflight->previous != NULL)
        inflight->previous->next = inflight->next;
    else
        engine->synced.in_flight.first = inflight->next;
    if (inflight->next != NULL)
        inflight->next->previous = inflight->previous;
    engine->synced.in_flight.count--;
    engine->synced.in_flight.bytes -= uex_inflight_size_bytes(inflight);
    inflight->previous = NULL;
    inflight->next = engine->synced.gone;
    engine->synced.gone = inflight;
}

/* Waiting commands leave their groups' queues; a group that someone holds stays. */
static bool forget_waiting(void *context, struct uex_group_entry *entry)
{
    (void)context;
    entry->first_waiting = NULL;
    entry->last_waiting = NULL;
    entry->ready = false;
    entry->next_ready = NULL;
    return entry->memory != NULL || entry->holder != NULL;
}

void uex_dispatch_drop_queued_synced(struct uex_engine *engine)
{
    struct uex_inflight *inflight = engine->synced.in_flight.first;

    engine->synced.in_flight.first_ready = NULL;
    engine->synced.in_flight.last_ready = NULL;
    engine->synced.poison.first_suspect = NULL;
    engine->synced.poison.last_suspect = NULL;
    uex_group_table_filter(&engine->synced.in_flight.groups, forget_waiting, NULL);
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        engine->synced.partitions[i].first_waiting = NULL;
        engine->synced.partitions[i].last_waiting = NULL;
    }
    while (inflight != NULL) {
        struct uex_inflight *next = inflight->next;

        if (inflight->state == UEX_INFLIGHT_QUEUED)
            uex_dispatch_release_synced(engine, inflight);
        inflight = next;
    }
}
