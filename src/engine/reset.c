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

static void remember(struct uex_input *input, int64_t offset, const struct uex_record *record)
{
    input->known[offset % UEX_KNOWN_RECORDS] = (struct uex_known_record){.offset = offset, .print = print_of(record)};
}

static void forget_from(struct uex_input *input, int64_t offset)
{
    for (size_t i = 0; i < UEX_KNOWN_RECORDS; i++) {
        if (input->known[i].offset >= offset)
            input->known[i].offset = UEX_OFFSET_NONE;
    }
}

enum likeness { UNKNOWN, SAME, OTHER };

static enum likeness compare(const struct uex_engine *engine, const struct uex_input *input, size_t input_topic,
                             int32_t partition, int64_t offset, const struct uex_record *record)
{
    const struct uex_known_record *known = &input->known[offset % UEX_KNOWN_RECORDS];
    const struct uex_inflight *inflight = uex_dispatch_find_synced(engine, input_topic, partition, offset);

    if (inflight != NULL)
        return print_of(inflight->record) == print_of(record) ? SAME : OTHER;
    if (known->offset != offset)
        return UNKNOWN;
    return known->print == print_of(record) ? SAME : OTHER;
}

static bool is_of(const struct uex_inflight *inflight, size_t input_topic, int32_t partition)
{
    return inflight->input_topic == input_topic && inflight->partition == partition &&
           !uex_cancel_requested(&inflight->cancel);
}

/* UEX_OFFSET_NONE: no record of the log is known. */
static int64_t oldest_known(const struct uex_engine *engine, const struct uex_input *input, size_t input_topic,
                            int32_t partition)
{
    int64_t oldest = UEX_OFFSET_NONE;

    for (size_t i = 0; i < UEX_KNOWN_RECORDS; i++) {
        const int64_t offset = input->known[i].offset;

        if (offset != UEX_OFFSET_NONE && (oldest == UEX_OFFSET_NONE || offset < oldest))
            oldest = offset;
    }
    for (const struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL;
         inflight = inflight->next) {
        if (is_of(inflight, input_topic, partition) && (oldest == UEX_OFFSET_NONE || inflight->offset < oldest))
            oldest = inflight->offset;
    }
    return oldest;
}

/* ---- what follows */

void uex_reset_forget_backpressured_synced(struct uex_input *input)
{
    while (input->first_backpressured != NULL) {
        struct uex_inflight *next = input->first_backpressured->next_in_group;

        uex_inflight_free(input->first_backpressured);
        input->first_backpressured = next;
    }
    input->last_backpressured = NULL;
    input->backpressure = UEX_BACKPRESSURE_NONE;
}

void uex_reset_begin_synced(struct uex_input *input)
{
    forget_from(input, 0);
    input->read_next = input->window.base;
    input->end_offset = UEX_OFFSET_NONE;
    input->checking = false;
    input->same_until = UEX_OFFSET_NONE;
    input->seek_to = UEX_OFFSET_NONE;
}

void uex_reset_cancel_synced(struct uex_engine *engine, size_t input_topic, int32_t partition, int64_t from)
{
    for (struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL; inflight = inflight->next) {
        if (is_of(inflight, input_topic, partition) && inflight->offset >= from)
            uex_cancel_request(&inflight->cancel);
    }
}

/* Nothing of this log is known: whatever is in it is taken. */
static enum uex_step begin_anew(struct uex_engine *engine, struct uex_input *input, size_t input_topic,
                                int32_t partition)
{
    struct uex_markers markers;

    uex_reset_cancel_synced(engine, input_topic, partition, 0);
    uex_reset_forget_backpressured_synced(input);
    uex_window_init(&input->window);
    uex_markers_init(&markers);
    uex_starts_restore_synced(input, &markers);
    uex_reset_begin_synced(input);
    input->committed_base = UEX_OFFSET_NONE;
    input->log_number++;
    input->starts_dirty = true; /* the committed offset of the old log must not stay in Kafka */
    input->seek_to = RD_KAFKA_OFFSET_BEGINNING;
    return UEX_STEP_ANEW;
}

static enum uex_step check(struct uex_engine *engine, struct uex_input *input, size_t input_topic, int32_t partition)
{
    const int64_t oldest = oldest_known(engine, input, input_topic, partition);

    if (oldest == UEX_OFFSET_NONE)
        return begin_anew(engine, input, input_topic, partition);
    if (input->first_backpressured != NULL && input->first_backpressured->offset < input->read_next)
        input->read_next = input->first_backpressured->offset; /* they are read again */
    uex_reset_forget_backpressured_synced(input);
    input->end_offset = UEX_OFFSET_NONE;
    input->checking = true;
    input->same_until = UEX_OFFSET_NONE;
    input->seek_to = oldest;
    return UEX_STEP_CHECK;
}

/* The log is the same up to `same_until`, and another one from somewhere behind it on. */
static enum uex_step cut(struct uex_engine *engine, struct uex_input *input, size_t input_topic, int32_t partition)
{
    const int64_t from = input->same_until;

    uex_reset_cancel_synced(engine, input_topic, partition, from);
    uex_window_cut(&input->window, from);
    uex_starts_cut_synced(input, from);
    forget_from(input, from);
    input->read_next = from;
    input->checking = false;
    input->log_number++;
    input->seek_to = from;
    return UEX_STEP_CUT;
}

static enum uex_step go_on_checking(struct uex_engine *engine, struct uex_input *input, size_t input_topic,
                                    int32_t partition, int64_t offset, enum likeness likeness, bool is_end)
{
    if (likeness == SAME)
        input->same_until = offset + 1;
    if (offset < input->read_next && !is_end && likeness != OTHER)
        return UEX_STEP_DROP;
    if (input->same_until == UEX_OFFSET_NONE)
        return begin_anew(engine, input, input_topic, partition);
    if (offset < input->read_next || likeness == OTHER)
        return cut(engine, input, input_topic, partition);
    input->checking = false;
    return UEX_STEP_SAME;
}

enum uex_step uex_reset_notice_synced(struct uex_engine *engine, size_t input_topic, int32_t partition, int64_t offset,
                                      const struct uex_record *record, int64_t *read_until)
{
    struct uex_input *input = uex_engine_input(engine, input_topic, partition);
    enum uex_step step = UEX_STEP_ON;
    enum likeness likeness = UNKNOWN;

    *read_until = input->read_next;
    if (input->seek_to != UEX_OFFSET_NONE)
        return UEX_STEP_DROP;
    if (record != NULL)
        likeness = compare(engine, input, input_topic, partition, offset, record);
    if (input->checking)
        step = go_on_checking(engine, input, input_topic, partition, offset, likeness, record == NULL);
    else if (likeness == OTHER || (offset < input->read_next && likeness == UNKNOWN))
        step = check(engine, input, input_topic, partition);
    else if (offset < input->read_next)
        step = UEX_STEP_DROP; /* delivered once more */
    if (step != UEX_STEP_ON && step != UEX_STEP_SAME)
        return step;
    if (record != NULL)
        remember(input, offset, record);
    input->read_next = record != NULL ? offset + 1 : offset;
    return step;
}
