/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

/* So many commands beyond the highest one started may start before the next commit of their committed offset: few,
 * because all of them are suspects after a crash, and enough that starts never wait for a commit that is on its way
 * anyway. */
#define START_AHEAD 16

bool uex_starts_are_own_synced(const struct uex_input *input, int64_t known_base, const struct uex_markers *markers)
{
    return input->committed_until != UEX_OFFSET_NONE && !input->closed && input->window.base == known_base &&
           input->committed_until == markers->open_until && input->markers.start_count == markers->start_count &&
           memcmp(input->markers.starts, markers->starts, sizeof(markers->starts)) == 0;
}

void uex_starts_restore_synced(struct uex_input *input, const struct uex_markers *markers)
{
    input->markers = *markers;
    input->suspect_until = markers->open_until;
    input->committed_until = UEX_OFFSET_NONE;
    input->started_until = UEX_OFFSET_NONE;
    input->refused_from = UEX_OFFSET_NONE;
    input->starts_dirty = false;
    input->closed = false;
}

void uex_starts_cut_synced(struct uex_input *input, int64_t offset)
{
    for (size_t i = input->markers.start_count; i-- > 0;) {
        if (input->markers.starts[i].offset >= offset)
            uex_markers_set_starts(&input->markers, input->markers.starts[i].offset, 0);
    }
    if (input->suspect_until > offset)
        input->suspect_until = offset;
    if (input->started_until > offset)
        input->started_until = offset;
    if (input->refused_from >= offset)
        input->refused_from = UEX_OFFSET_NONE;
    input->starts_dirty = true; /* the committed offset in Kafka says that offsets of the lost end are finished */
}

void uex_starts_see_end_synced(struct uex_engine *engine, struct uex_input *input, int64_t end_offset)
{
    if (input->suspect_until <= end_offset)
        return;
    input->suspect_until = end_offset;
    input->starts_dirty =
        true; /* the crash marker in Kafka must not wait for what comes after this assignment either */
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

bool uex_starts_is_suspect_synced(const struct uex_input *input, int64_t offset)
{
    return offset < input->suspect_until || uex_markers_starts(&input->markers, offset) > 0;
}

bool uex_starts_allowed_synced(struct uex_engine *engine, struct uex_input *input, int64_t offset)
{
    if (input->committed_until != UEX_OFFSET_NONE && offset < input->committed_until) {
        if (input->started_until < offset + 1)
            input->started_until = offset + 1;
        return true;
    }
    if (input->refused_from == UEX_OFFSET_NONE || offset < input->refused_from)
        input->refused_from = offset;
    input->starts_dirty = true;
    pthread_cond_signal(&engine->synced.outcomes_changed);
    return false;
}

/* What the next commit allows: a few beyond what was started, and beyond the first that waits. */
static int64_t open_until(const struct uex_input *input)
{
    int64_t until = input->suspect_until;

    if (input->started_until != UEX_OFFSET_NONE && until < input->started_until + START_AHEAD)
        until = input->started_until + START_AHEAD;
    if (input->refused_from != UEX_OFFSET_NONE && until < input->refused_from + 1 + START_AHEAD)
        until = input->refused_from + 1 + START_AHEAD;
    return until;
}

bool uex_starts_need_commit_synced(const struct uex_engine *engine, const struct uex_input *input)
{
    if (!input->assigned || input->window.base == UEX_OFFSET_NONE)
        return false;
    if (engine->synced.assignment == UEX_ASSIGNMENT_CLOSING)
        return input->committed_until != UEX_OFFSET_NONE && !input->closed;
    return input->starts_dirty;
}

/* A start that killed nobody does not count, be its job running or its outcome waiting. */
static void take_back_synced(struct uex_markers *markers, const struct uex_engine *engine,
                             const struct uex_input *input, const struct uex_inflight *inflight)
{
    const int64_t count = inflight == NULL ? 0 : uex_markers_starts(markers, inflight->offset);

    if (count > 0 && inflight->start_epoch == engine->synced.epoch &&
        input == uex_engine_input((struct uex_engine *)(uintptr_t)engine, inflight->input_topic, inflight->partition))
        uex_markers_set_starts(markers, inflight->offset, count - 1);
}

void uex_starts_to_commit_synced(const struct uex_engine *engine, const struct uex_input *input,
                                 struct uex_markers *out)
{
    *out = input->markers;
    out->open_until = open_until(input);
    out->closing = engine->synced.assignment == UEX_ASSIGNMENT_CLOSING;
    if (!out->closing)
        return;
    /* What never ran exclusively stays suspected, also over a clean revoke. */
    out->open_until = input->window.base < input->suspect_until ? input->suspect_until : UEX_OFFSET_NONE;
    take_back_synced(out, engine, input, engine->synced.poison.exclusive);
    take_back_synced(out, engine, input, engine->synced.poison.first_suspect);
}

static void note_start_synced(struct uex_inflight *inflight, const struct uex_engine *engine, size_t input_topic,
                              int32_t partition, const struct uex_markers *markers)
{
    if (inflight != NULL && inflight->input_topic == input_topic && inflight->partition == partition &&
        inflight->start_epoch == engine->synced.epoch &&
        uex_markers_starts(markers, inflight->offset) >= inflight->start_count)
        inflight->start_committed = true;
}

void uex_starts_committed_synced(struct uex_engine *engine, size_t input_topic, int32_t partition,
                                 const struct uex_markers *markers)
{
    struct uex_input *input = uex_engine_input(engine, input_topic, partition);

    if (input == NULL || !input->assigned)
        return;
    input->committed_until = markers->open_until;
    input->closed = markers->closing;
    if (input->refused_from != UEX_OFFSET_NONE && input->refused_from < input->committed_until)
        input->refused_from = UEX_OFFSET_NONE;
    if (input->refused_from == UEX_OFFSET_NONE &&
        memcmp(markers->starts, input->markers.starts, sizeof(markers->starts)) == 0)
        input->starts_dirty = false;
    note_start_synced(engine->synced.poison.exclusive, engine, input_topic, partition, markers);
    note_start_synced(engine->synced.poison.first_suspect, engine, input_topic, partition, markers);
    pthread_cond_broadcast(&engine->synced.work_changed);
    pthread_cond_broadcast(&engine->synced.between);
}

/* Count the start of a suspect, once in each epoch: a new one has the counts that were committed before. */
void uex_starts_count_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_input *input = uex_engine_input(engine, inflight->input_topic, inflight->partition);

    if (!input->assigned || !uex_assignment_may_start(engine->synced.assignment) ||
        inflight->start_epoch == engine->synced.epoch)
        return;
    inflight->start_epoch = engine->synced.epoch;
    inflight->start_committed = false;
    uex_markers_prune(&input->markers, &input->window);
    inflight->start_count = uex_markers_starts(&input->markers, inflight->offset) + 1;
    uex_markers_set_starts(&input->markers, inflight->offset, inflight->start_count);
    (void)uex_starts_allowed_synced(engine, input, inflight->offset);
    input->starts_dirty = true;
    pthread_cond_signal(&engine->synced.outcomes_changed);
}

void uex_starts_prepare_next_synced(struct uex_engine *engine)
{
    struct uex_inflight *next = engine->synced.poison.first_suspect;

    if (next == NULL || !engine->synced.partitions[next->partition].restored || next->epoch != engine->synced.epoch)
        return;
    if (uex_markers_starts(&uex_engine_input(engine, next->input_topic, next->partition)->markers, next->offset) <
        engine->config->retry_crashes)
        uex_starts_count_synced(engine, next);
}

void uex_starts_return_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_input *input = uex_engine_input(engine, inflight->input_topic, inflight->partition);

    if (inflight->start_epoch == engine->synced.epoch && input->assigned) {
        uex_markers_set_starts(&input->markers, inflight->offset, inflight->start_count - 1);
        input->starts_dirty = true;
        pthread_cond_signal(&engine->synced.outcomes_changed);
    }
    inflight->start_epoch = 0;
    inflight->start_committed = false;
}

void uex_starts_adopt_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_input *input = uex_engine_input(engine, inflight->input_topic, inflight->partition);

    (void)uex_starts_allowed_synced(engine, input, inflight->offset);
    if (input->started_until < inflight->offset + 1)
        input->started_until = inflight->offset + 1;
    input->starts_dirty = true;
    if (inflight->suspect)
        uex_starts_count_synced(engine, inflight);
}
