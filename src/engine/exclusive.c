/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/exclusive.c — a suspected poison pill that has the process to itself. */
#include "engine/engine.h"
#include "export/text.h"
#include "kafka/partitioner.h"

#define WAIT_MS 100
#define ROUTE_AGAIN_MS 200

static bool given_up_synced(const struct uex_engine *engine, const struct uex_inflight *inflight)
{
    return engine->synced.lifecycle != UEX_LIFECYCLE_WORKING || uex_cancel_requested(&inflight->cancel);
}

static void wait_a_little_synced(struct uex_engine *engine)
{
    (void)uex_engine_wait_synced(engine, &engine->synced.between, uex_monotonic_ms() + WAIT_MS);
}

/* False: the command is given up. */
static bool commit_start_synced(struct uex_engine *engine, struct uex_inflight *inflight)
{
    while (!given_up_synced(engine, inflight)) {
        if (inflight->epoch == engine->synced.epoch)
            uex_starts_count_synced(engine, inflight);
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

    (void)uex_fail(&fault, UEX_WORKER_CRASHED,
                   "the command was started %lld times with a worker to itself and never came to an end: each time "
                   "the worker crashed, or lost the partition",
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

static void log_suspected(const struct uex_inflight *inflight)
{
    uex_log(UEX_LOG_WARN, UEX_EVENT_POISON_SUSPECTED,
            inflight->below_marker ? "a worker crashed, or lost the partition, while this command may have been "
                                     "running; it runs exclusively"
                                   : "this command was running each time that a circuit breaker opened; it runs "
                                     "exclusively",
            UEX_STR("cause", inflight->below_marker ? "crash-marker" : "breaker"),
            UEX_STR("topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
            UEX_INT("offset", inflight->offset), UEX_INT("start", inflight->start_count));
}

bool uex_exclusive_begin(struct uex_engine *engine, struct uex_inflight *inflight)
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
    log_suspected(inflight);
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
