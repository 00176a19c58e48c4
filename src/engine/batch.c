/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/batch.h"

#include <stdlib.h>

#include "export/format.h"
#include "export/result.h"
#include "kafka/headers.h"

/* ---- collecting */

static struct uex_batch_offset *offset_of(struct uex_engine *engine, struct uex_batch *batch, size_t input_topic,
                                          int32_t partition)
{
    struct uex_batch_offset *committed = NULL;

    for (size_t i = 0; i < batch->offset_count; i++) {
        if (batch->offsets[i].partition == partition && batch->offsets[i].input_topic == input_topic)
            return &batch->offsets[i];
    }
    if (batch->offset_count == batch->offset_capacity) {
        const size_t capacity = batch->offset_capacity == 0 ? 16 : batch->offset_capacity * 2;
        struct uex_batch_offset *offsets = realloc(batch->offsets, capacity * sizeof(*offsets));

        if (offsets == NULL)
            return NULL;
        batch->offsets = offsets;
        batch->offset_capacity = capacity;
    }
    committed = &batch->offsets[batch->offset_count++];
    committed->input_topic = input_topic;
    committed->partition = partition;
    committed->log_number = uex_engine_input(engine, input_topic, partition)->log_number;
    uex_starts_to_commit_synced(engine, uex_engine_input(engine, input_topic, partition), &committed->markers);
    committed->markers.partition_count =
        engine->synced.partitions[partition].state_spread || !engine->synced.partitions[partition].restored
            ? 0
            : engine->synced.partition_count;
    committed->window = uex_engine_input(engine, input_topic, partition)->window;
    return committed;
}

/* The group's memory with this outcome in it, which is also what the state record says. */
static bool remember(struct uex_engine *engine, struct uex_inflight *inflight)
{
    const struct uex_group_entry *entry = NULL;
    struct uex_state_record record;
    char sha256_hex[UEX_SHA256_HEX_SIZE];

    uex_group_memory_free(inflight->outcome.memory);
    inflight->outcome.memory = NULL;
    if (inflight->outcome.keeps_no_state)
        return true;
    entry = uex_group_table_find(&engine->synced.in_flight.groups, inflight->command.group_id);
    inflight->outcome.memory =
        entry != NULL && entry->memory != NULL ? uex_group_memory_copy(entry->memory) : uex_group_memory_new();
    if (inflight->outcome.memory == NULL)
        return false;
    uex_policy_state_record(inflight, sha256_hex, &record);
    return uex_group_memory_add(inflight->outcome.memory, &record) == UEX_OK;
}

/* A command whose id has got its outcome meanwhile says nothing again. */
static void check_duplicate(struct uex_engine *engine, struct uex_inflight *inflight)
{
    const struct uex_group_entry *entry = NULL;

    if (inflight->outcome.keeps_no_state)
        return;
    entry = uex_group_table_find(&engine->synced.in_flight.groups, inflight->command.group_id);
    if (entry == NULL || entry->memory == NULL ||
        !uex_group_memory_is_duplicate(entry->memory, inflight->command.command_id))
        return;
    uex_policy_duplicate(inflight);
}

static uint64_t list_bytes(const struct uex_inflight *inflight)
{
    return inflight->outcome.job.lists == NULL ? 0 : uex_spool_size_bytes(inflight->outcome.job.lists);
}

static bool goes_by_itself(const struct uex_inflight *inflight)
{
    return inflight->commit_by_itself || list_bytes(inflight) > UEX_BATCH_LIST_BYTES;
}

static bool add(struct uex_engine *engine, struct uex_batch *batch, struct uex_inflight *inflight)
{
    struct uex_batch_offset *committed = offset_of(engine, batch, inflight->input_topic, inflight->partition);

    check_duplicate(engine, inflight);
    if (committed == NULL || !remember(engine, inflight))
        return false;
    uex_window_complete(&committed->window, inflight->offset);
    uex_dispatch_withdraw_synced(engine, inflight);
    inflight->state = UEX_INFLIGHT_COMMITTING;
    inflight->verdict = UEX_VERDICT_NONE;
    inflight->refused_code = 0;
    batch->commands[batch->count++] = inflight;
    return true;
}

/* Only transaction markers were left, or nothing was ever committed. */
static bool can_move(const struct uex_input *input)
{
    return input->end_offset != UEX_OFFSET_NONE && input->window.base != UEX_OFFSET_NONE &&
           input->window.base != input->committed_base && input->window.base == input->window.next;
}

/* Input partitions whose committed offset moves without an outcome, or whose crash markers must be committed. */
static void add_quiet_offsets(struct uex_engine *engine, struct uex_batch *batch)
{
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        for (int32_t i = 0; i < engine->synced.partition_count; i++) {
            const struct uex_input *input = uex_engine_input(engine, input_topic, i);

            if (input->assigned && engine->synced.partitions[i].restored &&
                (can_move(input) || uex_starts_need_commit_synced(engine, input)))
                (void)offset_of(engine, batch, input_topic, i);
        }
    }
}

bool uex_batch_collect_synced(struct uex_engine *engine, size_t most, struct uex_batch *batch)
{
    struct uex_inflight *inflight = engine->synced.outbox.first;
    const int64_t now_ms = uex_monotonic_ms();
    uint64_t bytes = 0;

    batch->count = 0;
    batch->offset_count = 0;
    batch->epoch = engine->synced.epoch;
    batch->metadata = engine->synced.group_metadata;
    while (inflight != NULL && batch->count < most && batch->count < UEX_BATCH_MAX) {
        struct uex_inflight *next = inflight->next_outcome;
        const bool by_itself = goes_by_itself(inflight);
        const bool later = inflight->not_before_ms > now_ms;

        /* Without the group's history its state record would lose it: what was adopted waits for the restore. And where
         * nothing was ever committed there is no committed offset for it before something was read. */
        const bool ready =
            (inflight->outcome.keeps_no_state || engine->synced.partitions[inflight->partition].restored) &&
            uex_engine_input(engine, inflight->input_topic, inflight->partition)->window.base != UEX_OFFSET_NONE;

        if (uex_cancel_requested(&inflight->cancel)) { /* its topic was re-created: there is no such command */
            uex_dispatch_withdraw_synced(engine, inflight);
            uex_dispatch_release_synced(engine, inflight);
            inflight = next;
            continue;
        }
        if (ready && !later && inflight->epoch == engine->synced.epoch && (!by_itself || batch->count == 0) &&
            (batch->count == 0 || bytes + list_bytes(inflight) <= UEX_BATCH_LISTS_BYTES)) {
            if (!add(engine, batch, inflight))
                break; /* no memory: the rest waits */
            bytes += list_bytes(inflight);
            if (by_itself)
                break;
        }
        inflight = next;
    }
    if (batch->count < UEX_BATCH_MAX && (batch->count == 0 || !goes_by_itself(batch->commands[0])))
        add_quiet_offsets(engine, batch);
    return batch->count > 0 || batch->offset_count > 0;
}

/* ---- producing */

static enum uex_error produce_parts(const struct uex_engine *engine, const struct uex_transaction *transaction,
                                    struct uex_inflight *inflight, struct uex_fault *fault)
{
    const struct uex_job_outcome *job = &inflight->outcome.job;
    struct uex_result_facts facts = {.command_id = inflight->command.command_id,
                                     .run_id = inflight->command.run_id,
                                     .version = uex_layout_version(engine->config),
                                     .layout = job->layout_id,
                                     .row_count = job->row_count,
                                     .snapshot_at_ms = job->snapshot_at_ms,
                                     .part_count = job->object.url != NULL ? 1 : (uint32_t)job->part_count,
                                     .is_file = job->object.url != NULL,
                                     .format = uex_format_name(engine->config->export_format),
                                     .byte_count = job->object.size_bytes,
                                     .sha256 = job->object.has_sha256 ? job->object.sha256 : NULL};
    struct uex_buffer value = {0};
    enum uex_error error = UEX_OK;

    for (uint32_t part = 0; part < facts.part_count && error == UEX_OK; part++) {
        struct uex_txn_record record = {.topic = engine->config->topics_result,
                                        .partition = RD_KAFKA_PARTITION_UA,
                                        .key = uex_bytes_of_text(inflight->command.group_id),
                                        .opaque = inflight};

        facts.part = part + 1;
        uex_buffer_reset(&value);
        if (facts.is_file) {
            uex_result_write_file(inflight->command.group_id, job->domain_id, job->object.url,
                                  uex_format_content_type(engine->config->export_format), &value);
        } else {
            uint8_t *room = uex_buffer_reserve(&value, job->parts[part].size_bytes);

            error = room == NULL
                        ? UEX_NO_MEMORY
                        : uex_spool_read(job->lists, job->parts[part].offset, room, job->parts[part].size_bytes, fault);
            value.size_bytes = job->parts[part].size_bytes;
        }
        if (error == UEX_OK && uex_buffer_failed(&value))
            error = UEX_NO_MEMORY;
        if (error != UEX_OK)
            break;
        record.value = uex_buffer_bytes(&value);
        record.headers = uex_headers_result(inflight->record, &facts);
        error = record.headers == NULL ? uex_fail(fault, UEX_NO_MEMORY, "headers")
                                       : transaction->produce(transaction->context, &record, fault);
    }
    uex_buffer_clear(&value);
    return error;
}

/* Does a reader who keeps what it got have to drop it? A group of an invalid type is an operator's matter first. */
static bool is_announced_as_empty(const struct uex_engine *engine, const struct uex_outcome *outcome)
{
    return engine->config->export_announce_empty &&
           (outcome->skip == UEX_SKIP_EMPTY || outcome->skip == UEX_SKIP_INACTIVE ||
            outcome->skip == UEX_SKIP_UNKNOWN_GROUP);
}

static enum uex_error produce_empty(const struct uex_engine *engine, const struct uex_transaction *transaction,
                                    struct uex_inflight *inflight, struct uex_fault *fault)
{
    const struct uex_job_outcome *job = &inflight->outcome.job;
    const struct uex_result_facts facts = {.command_id = inflight->command.command_id,
                                           .run_id = inflight->command.run_id,
                                           .version = uex_layout_version(engine->config),
                                           .layout = job->layout_id,
                                           .row_count = 0,
                                           .snapshot_at_ms = job->snapshot_at_ms,
                                           .part = 1,
                                           .part_count = 1,
                                           .reason = uex_skip_text(inflight->outcome.skip)};
    struct uex_txn_record record = {.topic = engine->config->topics_result,
                                    .partition = RD_KAFKA_PARTITION_UA,
                                    .key = uex_bytes_of_text(inflight->command.group_id),
                                    .opaque = inflight};
    struct uex_buffer value = {0};
    enum uex_error error;

    uex_result_write_list_head(inflight->command.group_id, job->domain_id, &value);
    uex_result_write_list_tail(&value);
    record.value = uex_buffer_bytes(&value);
    record.headers = uex_buffer_failed(&value) ? NULL : uex_headers_result(inflight->record, &facts);
    error = record.headers == NULL ? uex_fail(fault, UEX_NO_MEMORY, "an empty result")
                                   : transaction->produce(transaction->context, &record, fault);
    uex_buffer_clear(&value);
    return error;
}

static enum uex_error produce_state(const struct uex_engine *engine, const struct uex_transaction *transaction,
                                    struct uex_inflight *inflight, struct uex_fault *fault)
{
    struct uex_txn_record record = {.topic = engine->config->topics_state,
                                    .partition = inflight->partition,
                                    .key = uex_bytes_of_text(inflight->command.group_id),
                                    .opaque = inflight};
    struct uex_state_record state;
    char sha256_hex[UEX_SHA256_HEX_SIZE];
    struct uex_buffer value = {0};
    enum uex_error error = UEX_OK;

    if (inflight->outcome.keeps_no_state)
        return UEX_OK;
    uex_policy_state_record(inflight, sha256_hex, &state);
    uex_group_state_write(&state, inflight->outcome.memory, &value);
    record.value = uex_buffer_bytes(&value);
    error = uex_buffer_failed(&value) ? uex_fail(fault, UEX_NO_MEMORY, "a state record")
                                      : transaction->produce(transaction->context, &record, fault);
    uex_buffer_clear(&value);
    return error;
}

/* The record itself goes on: key, value and its own headers as they were. */
static enum uex_error forward(const struct uex_engine *engine, const struct uex_transaction *transaction,
                              struct uex_inflight *inflight, struct uex_fault *fault)
{
    const struct uex_outcome *outcome = &inflight->outcome;
    const char *code = uex_error_code(outcome->fault.error);
    const char *text = uex_outcome_error_text(outcome);
    struct uex_record bare = *inflight->record;
    struct uex_txn_record record = {.key = inflight->record->key, .value = inflight->record->value, .opaque = inflight};

    if (outcome->kind == UEX_OUTCOME_REROUTED) {
        record.topic = engine->input_topics[0].topic;
        record.partition = outcome->to_partition;
        record.timestamp_ms = inflight->origin.timestamp_ms > 0 ? inflight->origin.timestamp_ms : 0;
        if (record.key.data == NULL)
            record.key = uex_bytes_of_text(inflight->command.group_id);
        record.headers =
            uex_headers_move(inflight->record, outcome->headers_refused ? NULL : inflight->command.command_id);
    } else if (outcome->kind == UEX_OUTCOME_RETRIED) {
        record.topic = engine->input_topics[1 + outcome->tier].topic;
        record.partition = inflight->partition;
        record.headers = uex_headers_retry(inflight->record, &inflight->origin, inflight->command.command_id,
                                           (int32_t)inflight->attempt + 1, outcome->due_at_ms, code, text);
    } else {
        record.topic = engine->config->topics_dlq;
        record.partition = RD_KAFKA_PARTITION_UA;
        if (outcome->value_refused)
            record.value = (struct uex_bytes){0};
        if (outcome->headers_refused) { /* only what we write ourselves: it says where the command stands */
            bare.header_count = 0;
            record.key = outcome->keeps_no_state ? (struct uex_bytes){0} : record.key;
        }
        record.headers = uex_headers_dead_letter(&bare, &inflight->origin, inflight->command.command_id, code, text,
                                                 (int32_t)inflight->attempt);
    }
    return record.headers == NULL ? uex_fail(fault, UEX_NO_MEMORY, "headers")
                                  : transaction->produce(transaction->context, &record, fault);
}

enum uex_error uex_batch_produce(const struct uex_engine *engine, const struct uex_transaction *transaction,
                                 struct uex_inflight *inflight, struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    switch (inflight->outcome.kind) {
    case UEX_OUTCOME_EXPORTED:
        error = produce_parts(engine, transaction, inflight, fault);
        break;
    case UEX_OUTCOME_RETRIED:
    case UEX_OUTCOME_DEAD_LETTERED:
    case UEX_OUTCOME_REROUTED:
        error = forward(engine, transaction, inflight, fault);
        break;
    case UEX_OUTCOME_SKIPPED:
        if (is_announced_as_empty(engine, &inflight->outcome))
            error = produce_empty(engine, transaction, inflight, fault);
        break;
    case UEX_OUTCOME_COUNT:
        break;
    }
    return error != UEX_OK ? error : produce_state(engine, transaction, inflight, fault);
}

rd_kafka_topic_partition_list_t *uex_batch_offsets(const struct uex_engine *engine, const struct uex_batch *batch)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)batch->offset_count + 1);

    for (size_t i = 0; i < batch->offset_count; i++) {
        const struct uex_batch_offset *committed = &batch->offsets[i];
        rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_add(
            list, engine->input_topics[committed->input_topic].topic, committed->partition);
        struct uex_buffer metadata = {0};

        place->offset = committed->window.base;
        uex_window_encode(&committed->window, &committed->markers, &metadata);
        if (uex_buffer_failed(&metadata)) {
            uex_buffer_clear(&metadata);
            rd_kafka_topic_partition_list_destroy(list);
            return NULL;
        }
        place->metadata = metadata.data; /* the list frees it */
        place->metadata_size = metadata.size_bytes;
    }
    return list;
}

void uex_batch_clear(struct uex_batch *batch)
{
    free(batch->offsets);
    memset(batch, 0, sizeof(*batch));
}
