/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"
#include "export/text.h"
#include "kafka/group_metadata.h"
#include "kafka/partitioner.h"

#define RESUBSCRIBE_AFTER_MS 3000

static void init_input(struct uex_input *input)
{
    memset(input, 0, sizeof(*input));
    uex_window_init(&input->window);
    input->committed_base = UEX_OFFSET_NONE;
    uex_reset_begin_synced(input);
}

/* An input partition is some KiB: as many for each partition as there are topics to read. */
bool uex_epoch_reserve_input_topics_synced(struct uex_engine *engine, size_t count)
{
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        struct uex_input *inputs = realloc(engine->synced.partitions[i].inputs, count * sizeof(*inputs));

        if (inputs == NULL)
            return false;
        engine->synced.partitions[i].inputs = inputs;
        for (size_t input_topic = engine->input_topic_count; input_topic < count; input_topic++)
            init_input(&inputs[input_topic]);
    }
    return true;
}

/* Room for `count` partitions; a count only rises. */
bool uex_epoch_resize_synced(struct uex_engine *engine, int32_t count)
{
    struct uex_partition *partitions = NULL;

    if (count <= engine->synced.partition_count)
        return true;
    partitions = realloc(engine->synced.partitions, (size_t)count * sizeof(*partitions));
    if (partitions == NULL)
        return false;
    engine->synced.partitions = partitions;
    for (int32_t i = engine->synced.partition_count; i < count; i++) {
        memset(&partitions[i], 0, sizeof(partitions[i]));
        partitions[i].inputs = calloc(engine->input_topic_count, sizeof(struct uex_input));
        if (partitions[i].inputs == NULL)
            return false;
        for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++)
            init_input(&partitions[i].inputs[input_topic]);
        engine->synced.partition_count = i + 1;
    }
    return true;
}

/* A partition number is worked only if it is held in every source: otherwise commands and retries of a group would be
 * at two workers. */
static void mark_owned_synced(struct uex_engine *engine, const rd_kafka_topic_partition_list_t *list)
{
    bool partial = false;

    engine->membership.resubscribe_at_ms = 0;
    engine->membership.passed_over_count = 0;
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        size_t held = 0;

        for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
            if (rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)list,
                                                   engine->input_topics[input_topic].topic, i) != NULL)
                held++;
        }
        engine->synced.partitions[i].assigned = held == engine->input_topic_count;
        partial = partial || (held != 0 && held != engine->input_topic_count);
    }
    if (partial) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_PARTITION_SPLIT,
                "partition not owned in the command topic and every retry topic; it waits, and the worker rejoins the "
                "group",
                UEX_STR("mend", "exportctl topics check"));
        if (engine->synced.partial_count < 5)
            engine->synced.partial_count++;
        engine->membership.resubscribe_at_ms =
            uex_monotonic_ms() + ((int64_t)RESUBSCRIBE_AFTER_MS << engine->synced.partial_count);
    } else {
        engine->synced.partial_count = 0;
    }
}

/* The input partitions of the new epoch start at the committed offsets. Takes what is not whole out of `list`. */
static void start_inputs_synced(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list)
{
    bool others = false, own = false;

    for (int i = list->cnt - 1; i >= 0; i--) {
        rd_kafka_topic_partition_t *place = &list->elems[i];
        struct uex_input *input = NULL;
        struct uex_markers markers;
        int64_t known_base = UEX_OFFSET_NONE;
        size_t topic_of_input = 0;

        for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
            if (strcmp(engine->input_topics[input_topic].topic, place->topic) == 0) {
                input = uex_engine_input(engine, input_topic, place->partition);
                topic_of_input = input_topic;
            }
        }
        if (input == NULL || !engine->synced.partitions[place->partition].assigned) {
            (void)rd_kafka_topic_partition_list_del_by_idx(list, i);
            continue;
        }
        input->assigned = true;
        input->paused = false;
        known_base = input->committed_base;
        uex_window_restore(&input->window, place->offset >= 0 ? place->offset : UEX_OFFSET_NONE,
                           uex_bytes_of(place->metadata, place->metadata_size), &markers);
        input->committed_base = input->window.base == UEX_OFFSET_NONE ? UEX_OFFSET_NONE : place->offset;
        /* A committed offset never goes back by itself: Kafka forgets it when a topic is deleted. Work of the old topic
         * must not make offsets of the new one finished. (Where none was known, the first transaction of all
         * may still be under way.) */
        if (input->committed_base < known_base) {
            uex_reset_cancel_synced(engine, topic_of_input, place->partition, 0);
            input->log_number++;
        }
        if (markers.open_until > input->window.base) { /* else nothing below it is unfinished */
            const bool is_own = uex_starts_are_own_synced(input, known_base, &markers);

            own = own || is_own;
            others = others || !is_own;
        }
        uex_starts_restore_synced(input, &markers);
        if (strcmp(place->topic, engine->input_topics[0].topic) == 0)
            engine->synced.partitions[place->partition].full_scan =
                markers.partition_count != engine->synced.partition_count;
        uex_reset_begin_synced(input);
        place->offset = input->committed_base == UEX_OFFSET_NONE ? RD_KAFKA_OFFSET_BEGINNING : input->window.base;
    }
    if (others)
        uex_log(UEX_LOG_WARN, UEX_EVENT_PREVIOUS_OWNER_CRASHED,
                "the previous owner crashed or lost its membership while commands were under way; running its "
                "unfinished commands one at a time first");
    if (own)
        uex_log(UEX_LOG_WARN, UEX_EVENT_CRASH_MARKER_OWN,
                "this worker lost its membership while commands were under way, and has their partitions again; "
                "running its unfinished commands one at a time first");
}

static bool belongs_here(const struct uex_engine *engine, const struct uex_inflight *inflight)
{
    const struct uex_partition *partition = &engine->synced.partitions[inflight->partition];

    if (!partition->assigned || uex_cancel_requested(&inflight->cancel))
        return false;
    if (uex_window_finished(&partition->inputs[inflight->input_topic].window, inflight->offset))
        return false;
    return !inflight->holds_group || uex_partition_of(uex_bytes_of_text(inflight->command.group_id),
                                                      engine->synced.partition_count) == inflight->partition;
}

/* An outcome whose transaction is still under way: the committed offset that was just read knows how it ended. */
static void judge_committing_synced(const struct uex_engine *engine, struct uex_inflight *inflight)
{
    const struct uex_partition *partition = &engine->synced.partitions[inflight->partition];

    if (!partition->assigned)
        inflight->verdict = UEX_VERDICT_LOST;
    else if (uex_window_finished(&partition->inputs[inflight->input_topic].window, inflight->offset))
        inflight->verdict = UEX_VERDICT_DONE;
    else
        inflight->verdict = belongs_here(engine, inflight) ? UEX_VERDICT_REDO : UEX_VERDICT_LOST;
    inflight->epoch = engine->synced.epoch;
}

/* What is under way goes on where its partition came back with the command unfinished; the rest is given up. */
static void adopt_synced(struct uex_engine *engine, size_t *adopted, size_t *cancelled)
{
    struct uex_inflight *inflight = engine->synced.in_flight.first;

    while (inflight != NULL) {
        struct uex_inflight *next = inflight->next;

        if (inflight->state == UEX_INFLIGHT_COMMITTING) {
            judge_committing_synced(engine, inflight);
        } else if (belongs_here(engine, inflight)) {
            inflight->epoch = engine->synced.epoch;
            (*adopted)++;
            uex_log(inflight->state == UEX_INFLIGHT_RUNNING ? UEX_LOG_INFO : UEX_LOG_DEBUG, UEX_EVENT_EXPORT_ADOPTED,
                    "export adopted: its partition came back",
                    UEX_STR("command", inflight->holds_group ? inflight->command.command_id : NULL),
                    UEX_STR("group", inflight->holds_group ? inflight->command.group_id : NULL),
                    UEX_INT("partition", inflight->partition), UEX_INT("offset", inflight->offset));
        } else if (inflight->state == UEX_INFLIGHT_RUNNING) {
            if (!uex_cancel_requested(&inflight->cancel))
                (*cancelled)++;
            uex_cancel_request(&inflight->cancel);
        } else {
            uex_dispatch_withdraw_synced(engine, inflight);
            uex_dispatch_release_synced(engine, inflight);
            (*cancelled)++;
        }
        inflight = next;
    }
}

/* The memory of a group stays while its partition does. */
static bool keep_group(void *context, struct uex_group_entry *entry)
{
    const struct uex_engine *engine = context;
    const int32_t partition = uex_partition_of(uex_bytes_of_text(entry->group_id), engine->synced.partition_count);

    if (!engine->synced.partitions[partition].assigned) {
        uex_group_memory_free(entry->memory);
        entry->memory = NULL;
        entry->memory_partition = -1;
    }
    return entry->memory != NULL || entry->holder != NULL || entry->first_waiting != NULL;
}

static void retire_metadata_synced(struct uex_engine *engine)
{
    const size_t places = sizeof(engine->synced.retired_metadata) / sizeof(engine->synced.retired_metadata[0]);

    if (engine->synced.group_metadata != NULL && !engine->synced.outbox.transaction_open) {
        rd_kafka_consumer_group_metadata_destroy(engine->synced.group_metadata);
        engine->synced.group_metadata = NULL;
    }
    for (size_t i = 0; engine->synced.group_metadata != NULL && i < places; i++) {
        if (engine->synced.retired_metadata[i] == NULL) {
            engine->synced.retired_metadata[i] =
                engine->synced.group_metadata; /* the committer destroys it after its transaction */
            engine->synced.group_metadata = NULL;
        }
    }
    engine->synced.group_metadata =
        NULL; /* more rebalances than places during one transaction: a few hundred bytes stay */
}

void uex_epoch_begin_synced(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list, size_t *adopted,
                            size_t *cancelled)
{
    bool is_member = false;

    engine->synced.epoch++;
    engine->synced.rebalance_count++;
    mark_owned_synced(engine, list);
    start_inputs_synced(engine, list);
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        struct uex_partition *partition = &engine->synced.partitions[i];

        if (!partition->assigned || partition->full_scan)
            partition->state_next = 0;
        partition->restored = false;
    }
    adopt_synced(engine, adopted, cancelled);
    uex_group_table_filter(&engine->synced.in_flight.groups, keep_group, engine);
    retire_metadata_synced(engine);
    engine->synced.group_metadata = engine->membership.pending_metadata;
    engine->membership.pending_metadata = NULL;
    is_member = uex_group_metadata_is_member(engine->synced.group_metadata);
    if (!is_member)
        uex_log(UEX_LOG_WARN, UEX_EVENT_MEMBERSHIP_LOST,
                "membership ended while partitions were assigned; nothing is committed before the next assignment");
    (void)uex_assignment_advance(&engine->synced.assignment, is_member ? UEX_ASSIGNMENT_HELD : UEX_ASSIGNMENT_FENCED);
    for (struct uex_inflight *inflight = engine->synced.in_flight.first; inflight != NULL; inflight = inflight->next) {
        if (inflight->state == UEX_INFLIGHT_RUNNING && inflight->epoch == engine->synced.epoch &&
            !uex_cancel_requested(&inflight->cancel))
            uex_starts_adopt_synced(engine, inflight);
    }
    pthread_cond_broadcast(&engine->synced.outcomes_changed);
}
