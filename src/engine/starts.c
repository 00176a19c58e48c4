/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"
#include "export/text.h"
#include "kafka/partitioner.h"

/* So many commands beyond the highest one started may start before the next commit of their position: few, because all
 * of them are suspects after a crash, and enough that starts never wait for a commit that is on its way anyway. */
#define START_AHEAD 16
#define WAIT_MS 100
#define ROUTE_AGAIN_MS 200

void uex_starts_restore_synced(struct uex_slot *slot, const struct uex_marks *marks)
{
    slot->marks = *marks;
    slot->suspect_until = marks->open_until;
    slot->committed_until = UEX_OFFSET_NONE;
    slot->started_until = UEX_OFFSET_NONE;
    slot->refused_from = UEX_OFFSET_NONE;
    slot->starts_dirty = false;
    slot->closed = false;
}

void uex_starts_cut_synced(struct uex_slot *slot, int64_t offset)
{
    for (size_t i = slot->marks.start_count; i-- > 0;) {
        if (slot->marks.starts[i].offset >= offset)
            uex_marks_set_starts(&slot->marks, slot->marks.starts[i].offset, 0);
    }
    if (slot->suspect_until > offset)
        slot->suspect_until = offset;
    if (slot->started_until > offset)
        slot->started_until = offset;
    if (slot->refused_from >= offset)
        slot->refused_from = UEX_OFFSET_NONE;
    slot->starts_dirty = true; /* the position in Kafka says that offsets of the lost end are finished */
}

void uex_starts_see_end_synced(struct uex_engine *engine, struct uex_slot *slot, int64_t end_offset)
{
    if (slot->suspect_until <= end_offset)
        return;
    slot->suspect_until = end_offset;
    slot->starts_dirty = true; /* the mark in Kafka must not wait for what comes after this assignment either */
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

bool uex_starts_is_suspect_synced(const struct uex_slot *slot, int64_t offset)
{
    return offset < slot->suspect_until || uex_marks_starts(&slot->marks, offset) > 0;
}

bool uex_starts_allowed_synced(struct uex_engine *engine, struct uex_slot *slot, int64_t offset)
{
    if (slot->committed_until != UEX_OFFSET_NONE && offset < slot->committed_until) {
        if (slot->started_until < offset + 1)
            slot->started_until = offset + 1;
        return true;
    }
    if (slot->refused_from == UEX_OFFSET_NONE || offset < slot->refused_from)
        slot->refused_from = offset;
    slot->starts_dirty = true;
    pthread_cond_signal(&engine->synced.outcomes_changed);
    return false;
}

/* What the next commit allows: a few beyond what was started, and beyond the first that waits. */
static int64_t open_until(const struct uex_slot *slot)
{
    int64_t until = slot->suspect_until;

    if (slot->started_until != UEX_OFFSET_NONE && until < slot->started_until + START_AHEAD)
        until = slot->started_until + START_AHEAD;
    if (slot->refused_from != UEX_OFFSET_NONE && until < slot->refused_from + 1 + START_AHEAD)
        until = slot->refused_from + 1 + START_AHEAD;
    return until;
}

bool uex_starts_need_commit_synced(const struct uex_engine *engine, const struct uex_slot *slot)
{
    if (!slot->assigned || slot->window.base == UEX_OFFSET_NONE)
        return false;
    if (engine->synced.assignment == UEX_ASSIGNMENT_CLOSING)
        return slot->committed_until != UEX_OFFSET_NONE && !slot->closed;
    return slot->starts_dirty;
}

/* A start that killed nobody does not count. */
static void take_back_synced(struct uex_marks *marks, const struct uex_engine *engine, const struct uex_slot *slot,
                             const struct uex_delivery *delivery, bool begun)
{
    const int64_t count = delivery == NULL ? 0 : uex_marks_starts(marks, delivery->offset);

    if (count > 0 && begun && delivery->start_epoch == engine->synced.epoch &&
        slot == uex_engine_slot((struct uex_engine *)(uintptr_t)engine, delivery->source, delivery->partition))
        uex_marks_set_starts(marks, delivery->offset, count - 1);
}

void uex_starts_to_commit_synced(const struct uex_engine *engine, const struct uex_slot *slot, struct uex_marks *out)
{
    const struct uex_delivery *alone = engine->synced.poison.exclusive;

    *out = slot->marks;
    out->open_until = open_until(slot);
    out->closing = engine->synced.assignment == UEX_ASSIGNMENT_CLOSING;
    if (!out->closing)
        return;
    /* What never ran alone stays suspected, also over a clean revoke. */
    out->open_until = slot->window.base < slot->suspect_until ? slot->suspect_until : UEX_OFFSET_NONE;
    take_back_synced(out, engine, slot, alone, alone != NULL && alone->state == UEX_DELIVERY_RUNNING);
    take_back_synced(out, engine, slot, engine->synced.poison.first_suspect, true);
}

static void note_start_synced(struct uex_delivery *delivery, const struct uex_engine *engine, size_t source,
                              int32_t partition, const struct uex_marks *marks)
{
    if (delivery != NULL && delivery->source == source && delivery->partition == partition &&
        delivery->start_epoch == engine->synced.epoch &&
        uex_marks_starts(marks, delivery->offset) >= delivery->start_count)
        delivery->start_committed = true;
}

void uex_starts_committed_synced(struct uex_engine *engine, size_t source, int32_t partition,
                                 const struct uex_marks *marks)
{
    struct uex_slot *slot = uex_engine_slot(engine, source, partition);

    if (slot == NULL || !slot->assigned)
        return;
    slot->committed_until = marks->open_until;
    slot->closed = marks->closing;
    if (slot->refused_from != UEX_OFFSET_NONE && slot->refused_from < slot->committed_until)
        slot->refused_from = UEX_OFFSET_NONE;
    if (slot->refused_from == UEX_OFFSET_NONE && memcmp(marks->starts, slot->marks.starts, sizeof(marks->starts)) == 0)
        slot->starts_dirty = false;
    note_start_synced(engine->synced.poison.exclusive, engine, source, partition, marks);
    note_start_synced(engine->synced.poison.first_suspect, engine, source, partition, marks);
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.between);
}

/* Count the start of a suspect, once in each epoch: a new one has the counts that were committed before. */
static void count_start_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_slot *slot = uex_engine_slot(engine, delivery->source, delivery->partition);

    if (!slot->assigned || !uex_assignment_may_start(engine->synced.assignment) ||
        delivery->start_epoch == engine->synced.epoch)
        return;
    delivery->start_epoch = engine->synced.epoch;
    delivery->start_committed = false;
    uex_marks_prune(&slot->marks, &slot->window);
    delivery->start_count = uex_marks_starts(&slot->marks, delivery->offset) + 1;
    uex_marks_set_starts(&slot->marks, delivery->offset, delivery->start_count);
    (void)uex_starts_allowed_synced(engine, slot, delivery->offset);
    slot->starts_dirty = true;
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

void uex_starts_prepare_next_synced(struct uex_engine *engine)
{
    struct uex_delivery *next = engine->synced.poison.first_suspect;

    if (next == NULL || !engine->synced.partitions[next->partition].restored || next->epoch != engine->synced.epoch)
        return;
    if (uex_marks_starts(&uex_engine_slot(engine, next->source, next->partition)->marks, next->offset) <
        engine->config->retry_crashes)
        count_start_synced(engine, next);
}

void uex_starts_return_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_slot *slot = uex_engine_slot(engine, delivery->source, delivery->partition);

    if (delivery->start_epoch == engine->synced.epoch && slot->assigned) {
        uex_marks_set_starts(&slot->marks, delivery->offset, delivery->start_count - 1);
        slot->starts_dirty = true;
        pthread_cond_signal(&engine->synced.outcomes_changed);
    }
    delivery->start_epoch = 0;
    delivery->start_committed = false;
}

void uex_starts_adopt_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_slot *slot = uex_engine_slot(engine, delivery->source, delivery->partition);

    (void)uex_starts_allowed_synced(engine, slot, delivery->offset);
    if (slot->started_until < delivery->offset + 1)
        slot->started_until = delivery->offset + 1;
    slot->starts_dirty = true;
    if (delivery->suspect)
        count_start_synced(engine, delivery);
}

/* ---- a suspect */

static bool given_up_synced(const struct uex_engine *engine, const struct uex_delivery *delivery)
{
    return engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || uex_cancel_requested(&delivery->cancel);
}

static void wait_a_little_synced(struct uex_engine *engine)
{
    struct timespec until = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)uex_engine_wait_synced(engine, &engine->synced.between, &until);
}

/* False: the delivery is given up. */
static bool commit_start_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    while (!given_up_synced(engine, delivery)) {
        if (delivery->epoch == engine->synced.epoch)
            count_start_synced(engine, delivery);
        if (delivery->start_committed)
            return true;
        wait_a_little_synced(engine);
    }
    return false;
}

/* The group becomes the suspect's; false: it is a duplicate, or was given up. */
static bool hold_group_synced(struct uex_engine *engine, struct uex_delivery *delivery)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine->synced.in_flight.groups, delivery->command.group_id);

    while (entry != NULL && entry->holder != NULL && !given_up_synced(engine, delivery)) {
        wait_a_little_synced(engine);
        entry = uex_group_table_get(&engine->synced.in_flight.groups, delivery->command.group_id);
    }
    if (entry == NULL)
        uex_engine_out_of_memory_synced(engine, "a command's group");
    if (entry == NULL || given_up_synced(engine, delivery))
        return false;
    entry->holder = delivery;
    delivery->holds_group = true;
    if (entry->memory == NULL || !uex_group_memory_is_duplicate(entry->memory, delivery->command.command_id))
        return true;
    delivery->outcome.kind = UEX_OUTCOME_SKIPPED;
    delivery->outcome.skip = UEX_SKIP_DUPLICATE;
    delivery->outcome.keeps_no_state = true;
    return false;
}

static void end_alone_synced(struct uex_engine *engine, struct uex_delivery *delivery, bool has_outcome)
{
    engine->synced.in_flight.running_count--;
    if (has_outcome && !uex_cancel_requested(&delivery->cancel)) {
        uex_dispatch_submit_synced(engine, delivery);
    } else {
        uex_starts_return_synced(engine, delivery);
        uex_dispatch_release_synced(engine, delivery);
    }
    pthread_cond_broadcast(&engine->synced.between);
}

/* What is asked for, for its outcome; what cannot be read stays empty. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error read_killer(struct uex_delivery *delivery)
{
    struct uex_fault ignored = {0};
    enum uex_error err = UEX_OK;

    uex_command_clear(&delivery->command);
    err = uex_command_parse(delivery->record->key, delivery->record->value, &delivery->command, &ignored);
    if (err != UEX_OK) {
        uex_command_clear(&delivery->command);
        delivery->command.requested_at_ms = UEX_NO_TIME;
    }
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

/* The command has ended with its worker's death often enough. False: it is given up, or a duplicate. */
static bool dead_letter_killer_synced(struct uex_engine *engine, struct uex_delivery *delivery, int64_t starts)
{
    const struct uex_bytes key = delivery->record->key;
    struct uex_fault fault = {0};

    (void)uex_fail(&fault, UEX_WORKER_CRASHED, "the worker died %lld times while this command ran alone",
                   (long long)starts);
    delivery->origin = delivery->record->envelope.origin;
    delivery->attempt = (unsigned)delivery->record->envelope.attempt;
    uex_classify_name(engine, delivery);
    if (delivery->command.group_id == NULL && key.data != NULL && uex_group_id_valid(key)) {
        delivery->command.group_id = uex_text_copy(key);
        if (delivery->command.group_id == NULL) {
            uex_engine_out_of_memory_synced(engine, "a dead letter's group");
            return false;
        }
    }
    /* Of a group that belongs elsewhere the history is not known here: its state stays as it is. */
    if (delivery->command.group_id != NULL &&
        uex_partition_of(uex_bytes_of_text(delivery->command.group_id), engine->synced.partition_count) ==
            delivery->partition &&
        !hold_group_synced(engine, delivery))
        return false;
    uex_policy_dead_letter(delivery, &fault);
    delivery->outcome.keeps_no_state = !delivery->holds_group;
    return true;
}

/* Reading its record may be what kills: that is one more start, and after another death it is left out. */
static void end_killer_synced(struct uex_engine *engine, struct uex_delivery *delivery, int64_t starts)
{
    enum uex_error err = UEX_OK;

    delivery->command.requested_at_ms = UEX_NO_TIME;
    if (starts == engine->config->retry_crashes) {
        if (!commit_start_synced(engine, delivery)) {
            end_alone_synced(engine, delivery, false);
            return;
        }
        uex_engine_unlock(engine);
        err = read_killer(delivery);
        uex_engine_lock(engine);
        if (err != UEX_OK) {
            uex_engine_out_of_memory_synced(engine, "reading a command");
            end_alone_synced(engine, delivery, false);
            return;
        }
    }
    end_alone_synced(engine, delivery,
                     dead_letter_killer_synced(engine, delivery, starts) ||
                         delivery->outcome.skip == UEX_SKIP_DUPLICATE);
}

static void ask_to_rejoin(struct uex_engine *engine)
{
    uex_engine_lock(engine);
    engine->synced.wants_rejoin = true;
    uex_engine_unlock(engine);
}

/* How often it was started before. This start may be counted already: with the outcome of the suspect before it, or by
 * an assignment that came after it was taken. */
static int64_t starts_before_synced(struct uex_engine *engine, const struct uex_delivery *delivery)
{
    if (delivery->start_epoch == engine->synced.epoch)
        return delivery->start_count - 1;
    return uex_marks_starts(&uex_engine_slot(engine, delivery->source, delivery->partition)->marks, delivery->offset);
}

bool uex_starts_begin_alone(struct uex_engine *engine, struct uex_delivery *delivery)
{
    enum uex_hold hold = UEX_HOLD_NONE;
    bool ended = false;
    bool job = false;
    int64_t starts = 0;

    uex_engine_lock(engine);
    starts = starts_before_synced(engine, delivery);
    if (starts >= engine->config->retry_crashes) {
        end_killer_synced(engine, delivery, starts);
        uex_engine_unlock(engine);
        return false;
    }
    if (!commit_start_synced(engine, delivery)) {
        end_alone_synced(engine, delivery, false);
        uex_engine_unlock(engine);
        return false;
    }
    uex_engine_unlock(engine);
    uex_log(UEX_LOG_WARN, UEX_EVENT_POISON_SUSPECTED,
            "a worker died while this command may have been running; it runs exclusively",
            UEX_STR("topic", delivery->record->topic), UEX_INT("partition", delivery->partition),
            UEX_INT("offset", delivery->offset), UEX_INT("start", delivery->start_count));
    while ((hold = uex_classify(engine, delivery, &ended)) != UEX_HOLD_NONE) {
        if (hold == UEX_HOLD_NO_MEMORY)
            break;
        if (hold == UEX_HOLD_GROWN)
            ask_to_rejoin(engine);
        if (!uex_sleep_ms(ROUTE_AGAIN_MS, &delivery->cancel))
            break;
    }
    uex_engine_lock(engine);
    if (ended || hold == UEX_HOLD_NO_MEMORY) {
        end_alone_synced(engine, delivery, ended);
    } else {
        job = hold_group_synced(engine, delivery);
        if (!job)
            end_alone_synced(engine, delivery, delivery->outcome.skip == UEX_SKIP_DUPLICATE);
    }
    uex_engine_unlock(engine);
    return job;
}
