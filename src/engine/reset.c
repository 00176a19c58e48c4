/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

/* ---- what is known of the records of a log */

static uint64_t mix(uint64_t hash, const void *data, size_t size_bytes)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    return hash;
}

/* Timestamp, key and value: a topic that was created again has another record at this offset. */
static uint64_t print_of(const struct uex_record *record)
{
    uint64_t hash = mix(14695981039346656037ULL, &record->timestamp_ms, sizeof(record->timestamp_ms));

    hash = mix(hash, &record->key.size_bytes, sizeof(record->key.size_bytes));
    hash = mix(hash, record->key.data, record->key.size_bytes);
    return mix(hash, record->value.data, record->value.size_bytes);
}

static void remember(struct uex_slot *slot, int64_t offset, const struct uex_record *record)
{
    slot->known[offset % UEX_KNOWN_RECORDS] = (struct uex_known_record){.offset = offset, .print = print_of(record)};
}

static void forget_from(struct uex_slot *slot, int64_t offset)
{
    for (size_t i = 0; i < UEX_KNOWN_RECORDS; i++) {
        if (slot->known[i].offset >= offset)
            slot->known[i].offset = UEX_OFFSET_NONE;
    }
}

enum likeness { UNKNOWN, SAME, OTHER };

static enum likeness compare(const struct uex_engine *engine, const struct uex_slot *slot, size_t source,
                             int32_t partition, int64_t offset, const struct uex_record *record)
{
    const struct uex_known_record *known = &slot->known[offset % UEX_KNOWN_RECORDS];
    const struct uex_inflight *inflight = uex_dispatch_find_synced(engine, source, partition, offset);

    if (inflight != NULL)
        return print_of(inflight->record) == print_of(record) ? SAME : OTHER;
    if (known->offset != offset)
        return UNKNOWN;
    return known->print == print_of(record) ? SAME : OTHER;
}

static bool is_of(const struct uex_inflight *inflight, size_t source, int32_t partition)
{
    return inflight->source == source && inflight->partition == partition && !uex_cancel_requested(&inflight->cancel);
}

/* UEX_OFFSET_NONE: no record of the log is known. */
static int64_t oldest_known(const struct uex_engine *engine, const struct uex_slot *slot, size_t source,
                            int32_t partition)
{
    int64_t oldest = UEX_OFFSET_NONE;

    for (size_t i = 0; i < UEX_KNOWN_RECORDS; i++) {
        const int64_t offset = slot->known[i].offset;

        if (offset != UEX_OFFSET_NONE && (oldest == UEX_OFFSET_NONE || offset < oldest))
            oldest = offset;
    }
    for (const struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL;
         inflight = inflight->next) {
        if (is_of(inflight, source, partition) && (oldest == UEX_OFFSET_NONE || inflight->offset < oldest))
            oldest = inflight->offset;
    }
    return oldest;
}

/* ---- what follows */

void uex_reset_forget_backpressured_synced(struct uex_slot *slot)
{
    while (slot->first_backpressured != NULL) {
        struct uex_inflight *next = slot->first_backpressured->next_in_group;

        uex_inflight_free(slot->first_backpressured);
        slot->first_backpressured = next;
    }
    slot->last_backpressured = NULL;
    slot->backpressure = UEX_BACKPRESSURE_NONE;
}

void uex_reset_begin_synced(struct uex_slot *slot)
{
    forget_from(slot, 0);
    slot->read_next = slot->window.base;
    slot->end_offset = UEX_OFFSET_NONE;
    slot->checking = false;
    slot->same_until = UEX_OFFSET_NONE;
    slot->seek_to = UEX_OFFSET_NONE;
}

void uex_reset_cancel_synced(struct uex_engine *engine, size_t source, int32_t partition, int64_t from)
{
    for (struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL; inflight = inflight->next) {
        if (is_of(inflight, source, partition) && inflight->offset >= from)
            uex_cancel_request(&inflight->cancel);
    }
}

/* Nothing of this log is known: whatever is in it is taken. */
static enum uex_step begin_anew(struct uex_engine *engine, struct uex_slot *slot, size_t source, int32_t partition)
{
    struct uex_markers markers;

    uex_reset_cancel_synced(engine, source, partition, 0);
    uex_reset_forget_backpressured_synced(slot);
    uex_window_init(&slot->window);
    uex_markers_init(&markers);
    uex_starts_restore_synced(slot, &markers);
    uex_reset_begin_synced(slot);
    slot->committed_base = UEX_OFFSET_NONE;
    slot->log_number++;
    slot->starts_dirty = true; /* the position of the old log must not stay in Kafka */
    slot->seek_to = RD_KAFKA_OFFSET_BEGINNING;
    return UEX_STEP_ANEW;
}

static enum uex_step check(struct uex_engine *engine, struct uex_slot *slot, size_t source, int32_t partition)
{
    const int64_t oldest = oldest_known(engine, slot, source, partition);

    if (oldest == UEX_OFFSET_NONE)
        return begin_anew(engine, slot, source, partition);
    if (slot->first_backpressured != NULL && slot->first_backpressured->offset < slot->read_next)
        slot->read_next = slot->first_backpressured->offset; /* they are read again */
    uex_reset_forget_backpressured_synced(slot);
    slot->end_offset = UEX_OFFSET_NONE;
    slot->checking = true;
    slot->same_until = UEX_OFFSET_NONE;
    slot->seek_to = oldest;
    return UEX_STEP_CHECK;
}

/* The log is the same up to `same_until`, and another one from somewhere behind it on. */
static enum uex_step cut(struct uex_engine *engine, struct uex_slot *slot, size_t source, int32_t partition)
{
    const int64_t from = slot->same_until;

    uex_reset_cancel_synced(engine, source, partition, from);
    uex_window_cut(&slot->window, from);
    uex_starts_cut_synced(slot, from);
    forget_from(slot, from);
    slot->read_next = from;
    slot->checking = false;
    slot->log_number++;
    slot->seek_to = from;
    return UEX_STEP_CUT;
}

static enum uex_step go_on_checking(struct uex_engine *engine, struct uex_slot *slot, size_t source, int32_t partition,
                                    int64_t offset, enum likeness likeness, bool is_end)
{
    if (likeness == SAME)
        slot->same_until = offset + 1;
    if (offset < slot->read_next && !is_end && likeness != OTHER)
        return UEX_STEP_DROP;
    if (slot->same_until == UEX_OFFSET_NONE)
        return begin_anew(engine, slot, source, partition);
    if (offset < slot->read_next || likeness == OTHER)
        return cut(engine, slot, source, partition);
    slot->checking = false;
    return UEX_STEP_SAME;
}

enum uex_step uex_reset_notice_synced(struct uex_engine *engine, size_t source, int32_t partition, int64_t offset,
                                      const struct uex_record *record, int64_t *read_until)
{
    struct uex_slot *slot = uex_engine_slot(engine, source, partition);
    enum uex_step step = UEX_STEP_ON;
    enum likeness likeness = UNKNOWN;

    *read_until = slot->read_next;
    if (slot->seek_to != UEX_OFFSET_NONE)
        return UEX_STEP_DROP;
    if (record != NULL)
        likeness = compare(engine, slot, source, partition, offset, record);
    if (slot->checking)
        step = go_on_checking(engine, slot, source, partition, offset, likeness, record == NULL);
    else if (likeness == OTHER || (offset < slot->read_next && likeness == UNKNOWN))
        step = check(engine, slot, source, partition);
    else if (offset < slot->read_next)
        step = UEX_STEP_DROP; /* delivered once more */
    if (step != UEX_STEP_ON && step != UEX_STEP_SAME)
        return step;
    if (record != NULL)
        remember(slot, offset, record);
    slot->read_next = record != NULL ? offset + 1 : offset;
    return step;
}
