/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"

/* Offsets of a partition follow each other, so neighbours land in different buckets. */
static size_t bucket_of(size_t source, int32_t partition, int64_t offset)
{
    const uint64_t place =
        (uint64_t)offset + (uint64_t)(uint32_t)partition * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)source * 1031;

    return (size_t)(place ^ (place >> 32)) & (UEX_PLACE_BUCKETS - 1);
}

static struct uex_delivery **bucket_for(struct uex_engine *engine, const struct uex_delivery *delivery)
{
    return &engine->synced.in_flight.by_place[bucket_of(delivery->source, delivery->partition, delivery->offset)];
}

static void forget_place_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_delivery **place = bucket_for(engine, delivery);

    while (*place != NULL && *place != delivery)
        place = &(*place)->next_at_place;
    if (*place != NULL)
        *place = delivery->next_at_place;
    delivery->next_at_place = NULL;
}

void uex_dispatch_add_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_delivery **place = bucket_for(engine, delivery);

    delivery->next_at_place = *place;
    *place = delivery;
    delivery->epoch = engine->synced.epoch;
    delivery->next = engine->synced.in_flight.first;
    if (engine->synced.in_flight.first != NULL)
        engine->synced.in_flight.first->previous = delivery;
    engine->synced.in_flight.first = delivery;
    engine->synced.in_flight.count++;
    engine->synced.in_flight.bytes += uex_delivery_size_bytes(delivery);
}

struct uex_delivery *uex_dispatch_find_synced(const struct uex_engine *engine, size_t source, int32_t partition,
                                              int64_t offset)
{
    struct uex_delivery *delivery = engine->synced.in_flight.by_place[bucket_of(source, partition, offset)];

    for (; delivery != NULL; delivery = delivery->next_at_place) {
        if (delivery->offset == offset && delivery->partition == partition && delivery->source == source &&
            !uex_cancel_requested(&delivery->cancel) &&
            delivery->verdict != UEX_VERDICT_LOST) /* one that is given up leaves room for its successor */
            return delivery;
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

static void wait_for_group_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine->synced.in_flight.groups, delivery->command.group_id);

    delivery->next_in_group = NULL;
    if (entry == NULL) { /* lost to this process, not to Kafka: its window stays open, and the next owner takes it */
        uex_engine_out_of_memory_synced(engine, "a command's group");
        uex_dispatch_release_synced(engine, delivery);
        return;
    }
    if (entry->last_waiting != NULL)
        entry->last_waiting->next_in_group = delivery;
    else
        entry->first_waiting = delivery;
    entry->last_waiting = delivery;
    push_ready_synced(engine, entry);
}

void uex_dispatch_enqueue_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_partition *partition = &engine->synced.partitions[delivery->partition];

    if (partition->restored) {
        wait_for_group_synced(engine, delivery);
        return;
    }
    delivery->next_in_group = NULL;
    if (partition->last_waiting != NULL)
        partition->last_waiting->next_in_group = delivery;
    else
        partition->first_waiting = delivery;
    partition->last_waiting = delivery;
}

void uex_dispatch_restored_synced(struct uex_engine *engine, struct uex_partition *partition)
{
    struct uex_delivery *delivery = partition->first_waiting;

    partition->restored = true;
    partition->first_waiting = NULL;
    partition->last_waiting = NULL;
    while (delivery != NULL) {
        struct uex_delivery *next = delivery->next_in_group;

        wait_for_group_synced(engine, delivery);
        delivery = next;
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

static struct uex_delivery *pop_waiting_synced(struct uex_group_entry *entry)
{
    struct uex_delivery *delivery = entry->first_waiting;

    if (delivery == NULL)
        return NULL;
    entry->first_waiting = delivery->next_in_group;
    if (entry->first_waiting == NULL)
        entry->last_waiting = NULL;
    delivery->next_in_group = NULL;
    delivery->holds_group = true;
    entry->holder = delivery;
    return delivery;
}

static bool is_duplicate(const struct uex_group_entry *entry)
{
    return entry->memory != NULL &&
           uex_group_memory_is_duplicate(entry->memory, entry->first_waiting->command.command_id);
}

static void skip_duplicate_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    delivery->outcome.kind = UEX_OUTCOME_SKIPPED;
    delivery->outcome.skip = UEX_SKIP_DUPLICATE;
    delivery->outcome.keeps_no_state = true;
    uex_dispatch_submit_synced(engine, delivery);
}

/* The next delivery that needs a job; duplicates on the way get their outcome at once, and what may not be started yet
 * stays. */
static struct uex_delivery *next_job_synced(struct uex_engine *engine)
{
    struct uex_group_entry *before = NULL;
    struct uex_group_entry *entry = engine->synced.in_flight.first_ready;

    while (entry != NULL) {
        struct uex_group_entry *next = entry->next_ready;
        struct uex_delivery *head = entry->first_waiting;

        if (head == NULL) {
            drop_ready_synced(engine, entry, before);
            uex_group_table_release(&engine->synced.in_flight.groups, entry);
        } else if (is_duplicate(entry)) {
            drop_ready_synced(engine, entry, before);
            skip_duplicate_synced(engine, pop_waiting_synced(entry));
        } else if (uex_starts_allowed_synced(engine, uex_engine_slot(engine, head->source, head->partition),
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
static struct uex_delivery *next_suspect_synced(struct uex_engine *engine)
{
    struct uex_delivery *delivery = engine->synced.poison.first_suspect;

    if (engine->synced.in_flight.running_count > 0 || !engine->synced.partitions[delivery->partition].restored)
        return NULL;
    engine->synced.poison.first_suspect = delivery->next_in_group;
    if (engine->synced.poison.first_suspect == NULL)
        engine->synced.poison.last_suspect = NULL;
    delivery->next_in_group = NULL;
    engine->synced.poison.exclusive = delivery;
    return delivery;
}

struct uex_delivery *uex_dispatch_next_synced(struct uex_engine *engine)
{
    struct uex_delivery *delivery = NULL;

    if (engine->synced.poison.exclusive != NULL || !uex_assignment_may_start(engine->synced.assignment) ||
        engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || engine->synced.outbox.count >= engine->outcomes_max ||
        uex_breaker_any_open_synced(engine))
        return NULL;
    delivery = engine->synced.poison.first_suspect != NULL ? next_suspect_synced(engine) : next_job_synced(engine);
    if (delivery != NULL) {
        delivery->state = UEX_DELIVERY_RUNNING;
        engine->synced.in_flight.running_count++;
    }
    return delivery;
}

/* False: what an idle lane holds is to be given away now. */
static bool wait_for_work_synced(struct uex_engine *engine, int64_t idle_since_ms)
{
    const int64_t most_ms = engine->synced.shortage.lane_count > 0 ? UEX_LANE_IDLE_SHORT_MS : UEX_LANE_IDLE_MS;
    const int64_t until_ms = idle_since_ms + most_ms;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (uex_monotonic_ms() >= until_ms)
        return false;
    (void)uex_engine_wait_synced(engine, &engine->synced.work_changed, &until);
    return true;
}

static struct uex_delivery *wait_for_delivery(struct uex_engine *engine, bool *idle)
{
    const int64_t idle_since_ms = uex_monotonic_ms();
    struct uex_delivery *delivery = NULL;
    bool waits = true;

    uex_engine_lock(engine);
    while (waits && engine->synced.lifecycle == UEX_LIFECYCLE_WORKING &&
           (delivery = uex_dispatch_next_synced(engine)) == NULL) {
        if (idle != NULL)
            waits = wait_for_work_synced(engine, idle_since_ms);
        else
            (void)uex_engine_wait_synced(engine, &engine->synced.work_changed, NULL);
    }
    if (idle != NULL)
        *idle = !waits;
    uex_engine_unlock(engine);
    return delivery;
}

struct uex_delivery *uex_dispatch_take(struct uex_engine *engine, bool *idle)
{
    struct uex_delivery *delivery = wait_for_delivery(engine, idle);

    while (delivery != NULL && delivery->suspect && !uex_starts_begin_alone(engine, delivery))
        delivery = wait_for_delivery(engine, idle);
    if (delivery != NULL && engine->observer.taken != NULL)
        engine->observer.taken(engine->observer.context, delivery);
    return delivery;
}

/* Back to the front of where it was taken from. */
static void put_back_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_group_entry *entry = uex_group_table_find(&engine->synced.in_flight.groups, delivery->command.group_id);

    delivery->state = UEX_DELIVERY_QUEUED;
    delivery->holds_group = false;
    if (entry != NULL)
        entry->holder = NULL;
    /* It was there at more than one opening: run it alone, so that the others clear themselves. */
    delivery->suspect = delivery->suspect || delivery->openings > 1;
    if (delivery->suspect || entry == NULL) {
        uex_starts_return_synced(engine, delivery);
        if (engine->synced.poison.exclusive == delivery)
            engine->synced.poison.exclusive = NULL;
        delivery->suspect = true;
        delivery->next_in_group = engine->synced.poison.first_suspect;
        engine->synced.poison.first_suspect = delivery;
        if (engine->synced.poison.last_suspect == NULL)
            engine->synced.poison.last_suspect = delivery;
        if (entry != NULL) /* those behind it go on after the suspects */
            push_ready_synced(engine, entry);
        return;
    }
    delivery->next_in_group = entry->first_waiting;
    entry->first_waiting = delivery;
    if (entry->last_waiting == NULL)
        entry->last_waiting = delivery;
    push_ready_synced(engine, entry);
}

static void go_back(struct uex_engine *engine, struct uex_delivery *delivery, struct uex_job_outcome *job)
{
    bool adoptable = false;

    uex_job_outcome_clear(job);
    uex_engine_lock(engine);
    engine->synced.in_flight.running_count--;
    adoptable = engine->synced.assignment != UEX_ASSIGNMENT_NONE && delivery->epoch == engine->synced.epoch &&
                !uex_cancel_requested(&delivery->cancel);
    if (adoptable)
        put_back_synced(engine, delivery);
    else { /* whoever gets the partition reads it again */
        uex_starts_return_synced(engine, delivery);
        uex_dispatch_release_synced(engine, delivery);
    }
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.between);
    uex_engine_unlock(engine);
}

void uex_dispatch_return(struct uex_engine *engine, struct uex_delivery *delivery, struct uex_job_outcome *job)
{
    if (++delivery->openings >= (unsigned)engine->config->retry_crashes) {
        uex_dispatch_finish(engine, delivery, job); /* it was there each time: perhaps it is the cause */
        return;
    }
    go_back(engine, delivery, job);
}

void uex_dispatch_give_back(struct uex_engine *engine, struct uex_delivery *delivery, struct uex_job_outcome *job,
                            bool is_break)
{
    if (is_break && ++delivery->breaks >= (unsigned)engine->config->retry_crashes) {
        uex_dispatch_finish(engine, delivery, job);
        return;
    }
    go_back(engine, delivery, job);
}

void uex_dispatch_submit_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    if (delivery->outcome.at_ms == 0)
        delivery->outcome.at_ms = uex_wall_ms();
    delivery->state = UEX_DELIVERY_ENDED;
    delivery->next_outcome = NULL;
    if (engine->synced.outbox.last != NULL)
        engine->synced.outbox.last->next_outcome = delivery;
    else
        engine->synced.outbox.first = delivery;
    engine->synced.outbox.last = delivery;
    engine->synced.outbox.count++;
    if (delivery == engine->synced.poison.exclusive)
        uex_starts_prepare_next_synced(engine);
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

void uex_dispatch_withdraw_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_delivery **place = &engine->synced.outbox.first;
    struct uex_delivery *before = NULL;

    while (*place != NULL && *place != delivery) {
        before = *place;
        place = &(*place)->next_outcome;
    }
    if (*place == NULL)
        return;
    *place = delivery->next_outcome;
    if (engine->synced.outbox.last == delivery)
        engine->synced.outbox.last = before;
    delivery->next_outcome = NULL;
    engine->synced.outbox.count--;
}

void uex_dispatch_finish(struct uex_engine *engine, struct uex_delivery *delivery, struct uex_job_outcome *job)
{
    const bool given_up = job->error == UEX_CANCELLED;

    if (!given_up)
        uex_policy_decide(engine, delivery, job);
    uex_engine_lock(engine);
    engine->synced.in_flight.running_count--;
    if (given_up ||
        uex_cancel_requested(&delivery->cancel)) { /* the partition went to somebody else, or the program ends */
        uex_starts_return_synced(engine, delivery);
        uex_dispatch_release_synced(engine, delivery);
    } else {
        uex_dispatch_submit_synced(engine, delivery);
    }
    pthread_cond_broadcast(&engine->synced.between);
    uex_engine_unlock(engine);
    uex_job_outcome_clear(job);
}

void uex_dispatch_release_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    if (delivery->holds_group) {
        struct uex_group_entry *entry =
            uex_group_table_find(&engine->synced.in_flight.groups, delivery->command.group_id);

        if (entry != NULL && entry->holder == delivery) {
            entry->holder = NULL;
            push_ready_synced(engine, entry);
            uex_group_table_release(&engine->synced.in_flight.groups, entry);
        }
    }
    if (engine->synced.poison.exclusive == delivery) {
        engine->synced.poison.exclusive = NULL;
        pthread_cond_broadcast(&engine->synced.work_changed);
    }
    forget_place_synced(engine, delivery);
    if (delivery->previous != NULL)
        delivery->previous->next = delivery->next;
    else
        engine->synced.in_flight.first = delivery->next;
    if (delivery->next != NULL)
        delivery->next->previous = delivery->previous;
    engine->synced.in_flight.count--;
    engine->synced.in_flight.bytes -= uex_delivery_size_bytes(delivery);
    delivery->previous = NULL;
    delivery->next = engine->synced.gone;
    engine->synced.gone = delivery;
}

/* Waiting deliveries leave their groups' queues; a group that someone holds stays. */
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
    struct uex_delivery *delivery = engine->synced.in_flight.first;

    engine->synced.in_flight.first_ready = NULL;
    engine->synced.in_flight.last_ready = NULL;
    engine->synced.poison.first_suspect = NULL;
    engine->synced.poison.last_suspect = NULL;
    uex_group_table_filter(&engine->synced.in_flight.groups, forget_waiting, NULL);
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        engine->synced.partitions[i].first_waiting = NULL;
        engine->synced.partitions[i].last_waiting = NULL;
    }
    while (delivery != NULL) {
        struct uex_delivery *next = delivery->next;

        if (delivery->state == UEX_DELIVERY_QUEUED)
            uex_dispatch_release_synced(engine, delivery);
        delivery = next;
    }
}
