/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"
#include "export/text.h"
#include "kafka/partitioner.h"

/* So many commands beyond the highest one started may start before the next commit of their committed offset: few,
 * because all of them are suspects after a crash, and enough that starts never wait for a commit that is on its way
 * anyway. */
#define START_AHEAD 16
#define WAIT_MS 100
#define ROUTE_AGAIN_MS 200

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

/* A start that killed nobody does not count. */
static void take_back_synced(struct uex_markers *markers, const struct uex_engine *engine,
                             const struct uex_input *input, const struct uex_inflight *inflight, bool begun)
{
    const int64_t count = inflight == NULL ? 0 : uex_markers_starts(markers, inflight->offset);

    if (count > 0 && begun && inflight->start_epoch == engine->synced.epoch &&
        input == uex_engine_input((struct uex_engine *)(uintptr_t)engine, inflight->input_topic, inflight->partition))
        uex_markers_set_starts(markers, inflight->offset, count - 1);
}

void uex_starts_to_commit_synced(const struct uex_engine *engine, const struct uex_input *input,
                                 struct uex_markers *out)
{
    const struct uex_inflight *exclusive = engine->synced.poison.exclusive;

    *out = input->markers;
    out->open_until = open_until(input);
    out->closing = engine->synced.assignment == UEX_ASSIGNMENT_CLOSING;
    if (!out->closing)
        return;
    /* What never ran exclusively stays suspected, also over a clean revoke. */
    out->open_until = input->window.base < input->suspect_until ? input->suspect_until : UEX_OFFSET_NONE;
    take_back_synced(out, engine, input, exclusive, exclusive != NULL && exclusive->state == UEX_INFLIGHT_RUNNING);
    take_back_synced(out, engine, input, engine->synced.poison.first_suspect, true);
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
static void count_start_synced(struct uex_engine *engine, struct uex_inflight *inflight)
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
        count_start_synced(engine, next);
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
        count_start_synced(engine, inflight);
}

/* ---- a suspect */

static bool given_up_synced(const struct uex_engine *engine, const struct uex_inflight *inflight)
{
    return engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || uex_cancel_requested(&inflight->cancel);
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

/* False: the command is given up. */
static bool commit_start_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    while (!given_up_synced(engine, inflight)) {
        if (inflight->epoch == engine->synced.epoch)
            count_start_synced(engine, inflight);
        if (inflight->start_committed)
            return true;
        wait_a_little_synced(engine);
    }
    return false;
}

/* The group becomes the suspect's; false: it is a duplicate, or was given up. */
static bool hold_group_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine->synced.in_flight.groups, inflight->command.group_id);

    while (entry != NULL && entry->holder != NULL && !given_up_synced(engine, inflight)) {
        wait_a_little_synced(engine);
        entry = uex_group_table_get(&engine->synced.in_flight.groups, inflight->command.group_id);
    }
    if (entry == NULL)
        uex_engine_out_of_memory_synced(engine, "a command's group");
    if (entry == NULL || given_up_synced(engine, inflight))
        return false;
    entry->holder = inflight;
    inflight->holds_group = true;
    if (entry->memory == NULL || !uex_group_memory_is_duplicate(entry->memory, inflight->command.command_id))
        return true;
    uex_policy_duplicate(inflight);
    return false;
}

static void end_exclusive_synced(struct uex_engine *engine, struct uex_inflight *inflight, bool has_outcome)
{
    engine->synced.in_flight.running_count--;
    if (has_outcome && !uex_cancel_requested(&inflight->cancel)) {
        uex_dispatch_submit_synced(engine, inflight);
    } else {
        uex_starts_return_synced(engine, inflight);
        uex_dispatch_release_synced(engine, inflight);
    }
    pthread_cond_broadcast(&engine->synced.between);
}

/* What is asked for, for its outcome; what cannot be read stays empty. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error read_poison_pill(struct uex_inflight *inflight)
{
    struct uex_fault ignored = {0};
    enum uex_error err = UEX_OK;

    uex_command_clear(&inflight->command);
    err = uex_command_parse(inflight->record->key, inflight->record->value, &inflight->command, &ignored);
    if (err != UEX_OK) {
        uex_command_clear(&inflight->command);
        inflight->command.requested_at_ms = UEX_NO_TIME;
    }
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

/* The command has ended with its worker's death often enough. False: it is given up, or a duplicate. */
static bool dead_letter_poison_pill_synced(struct uex_engine *engine, struct uex_inflight *inflight, int64_t starts)
{
    const struct uex_bytes key = inflight->record->key;
    struct uex_fault fault = {0};

    (void)uex_fail(&fault, UEX_WORKER_CRASHED, "the worker died %lld times while this command ran alone",
                   (long long)starts);
    inflight->origin = inflight->record->envelope.origin;
    inflight->attempt = (unsigned)inflight->record->envelope.attempt;
    uex_classify_name(engine, inflight);
    if (inflight->command.group_id == NULL && key.data != NULL && uex_group_id_valid(key)) {
        inflight->command.group_id = uex_text_copy(key);
        if (inflight->command.group_id == NULL) {
            uex_engine_out_of_memory_synced(engine, "a dead letter's group");
            return false;
        }
    }
    /* Of a group that belongs elsewhere the history is not known here: its state stays as it is. */
    if (inflight->command.group_id != NULL &&
        uex_partition_of(uex_bytes_of_text(inflight->command.group_id), engine->synced.partition_count) ==
            inflight->partition &&
        !hold_group_synced(engine, inflight))
        return false;
    uex_policy_dead_letter(inflight, &fault);
    return true;
}

/* Reading its record may be what kills: that is one more start, and after another death it is left out. */
static void end_poison_pill_synced(struct uex_engine *engine, struct uex_inflight *inflight, int64_t starts)
{
    enum uex_error err = UEX_OK;

    inflight->command.requested_at_ms = UEX_NO_TIME;
    if (starts == engine->config->retry_crashes) {
        if (!commit_start_synced(engine, inflight)) {
            end_exclusive_synced(engine, inflight, false);
            return;
        }
        uex_engine_unlock(engine);
        err = read_poison_pill(inflight);
        uex_engine_lock(engine);
        if (err != UEX_OK) {
            uex_engine_out_of_memory_synced(engine, "reading a command");
            end_exclusive_synced(engine, inflight, false);
            return;
        }
    }
    end_exclusive_synced(engine, inflight,
                         dead_letter_poison_pill_synced(engine, inflight, starts) ||
                             inflight->outcome.skip == UEX_SKIP_DUPLICATE);
}

static void ask_to_rejoin(struct uex_engine *engine)
{
    uex_engine_lock(engine);
    engine->synced.wants_rejoin = true;
    uex_engine_unlock(engine);
}

/* How often it was started before. This start may be counted already: with the outcome of the suspect before it, or by
 * an assignment that came after it was taken. */
static int64_t starts_before_synced(struct uex_engine *engine, const struct uex_inflight *inflight)
{
    if (inflight->start_epoch == engine->synced.epoch)
        return inflight->start_count - 1;
    return uex_markers_starts(&uex_engine_input(engine, inflight->input_topic, inflight->partition)->markers,
                              inflight->offset);
}

bool uex_starts_begin_exclusive(struct uex_engine *engine, struct uex_inflight *inflight)
{
    enum uex_backpressure backpressure = UEX_BACKPRESSURE_NONE;
    bool ended = false;
    bool job = false;
    int64_t starts = 0;

    uex_engine_lock(engine);
    starts = starts_before_synced(engine, inflight);
    if (starts >= engine->config->retry_crashes) {
        end_poison_pill_synced(engine, inflight, starts);
        uex_engine_unlock(engine);
        return false;
    }
    if (!commit_start_synced(engine, inflight)) {
        end_exclusive_synced(engine, inflight, false);
        uex_engine_unlock(engine);
        return false;
    }
    uex_engine_unlock(engine);
    uex_log(UEX_LOG_WARN, UEX_EVENT_POISON_SUSPECTED,
            "a worker died while this command may have been running; it runs exclusively",
            UEX_STR("topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
            UEX_INT("offset", inflight->offset), UEX_INT("start", inflight->start_count));
    while ((backpressure = uex_classify(engine, inflight, &ended)) != UEX_BACKPRESSURE_NONE) {
        if (backpressure == UEX_BACKPRESSURE_NO_MEMORY)
            break;
        if (backpressure == UEX_BACKPRESSURE_GROWN)
            ask_to_rejoin(engine);
        if (!uex_sleep_ms(ROUTE_AGAIN_MS, &inflight->cancel))
            break;
    }
    uex_engine_lock(engine);
    if (ended || backpressure == UEX_BACKPRESSURE_NO_MEMORY) {
        end_exclusive_synced(engine, inflight, ended);
    } else {
        job = hold_group_synced(engine, inflight);
        if (!job)
            end_exclusive_synced(engine, inflight, inflight->outcome.skip == UEX_SKIP_DUPLICATE);
    }
    uex_engine_unlock(engine);
    return job;
}
