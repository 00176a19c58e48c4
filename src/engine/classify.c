/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"
#include "export/text.h"
#include "kafka/client.h"
#include "kafka/partitioner.h"

#define ROUTE_TIMEOUT_MS 5000
#define ASK_EVERY_MS 250

void uex_classify_name(const struct uex_engine *engine, struct uex_inflight *inflight)
{
    struct uex_command *command = &inflight->command;
    const struct uex_record *record = inflight->record;

    inflight->has_own_id = command->command_id[0] != '\0';
    if (!inflight->has_own_id)
        memcpy(command->command_id, record->envelope.command_id, sizeof(command->command_id));
    if (command->command_id[0] == '\0')
        uex_command_id_of_record(engine->cluster_id, record->topic, record->partition, record->offset,
                                 record->timestamp_ms, command->command_id);
    if (command->requested_at_ms == UEX_NO_TIME)
        command->requested_at_ms = inflight->origin.timestamp_ms;
}

/* How many partitions there are now; asked of the broker at most every ASK_EVERY_MS, so that a run of commands on wrong
 * partitions does not ask for each. */
static bool ask_count(struct uex_engine *engine, const struct uex_inflight *inflight, int32_t *count)
{
    struct uex_fault fault = {0};
    const int64_t now_ms = uex_monotonic_ms();

    uex_engine_lock(engine);
    *count = engine->synced.asked_count_ms != 0 && now_ms - engine->synced.asked_count_ms < ASK_EVERY_MS
                 ? engine->synced.asked_count
                 : 0;
    uex_engine_unlock(engine);
    if (*count > 0)
        return true;
    if (engine->consumer.command_partitions(engine->consumer.context, ROUTE_TIMEOUT_MS, count, &fault) != UEX_OK) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_PARTITION_COUNT_UNKNOWN,
                "command waits: Kafka does not report the partition count; asking again", UEX_STR("error", fault.text),
                UEX_STR("topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
                UEX_INT("offset", inflight->offset));
        return false;
    }
    uex_engine_lock(engine);
    engine->synced.asked_count = *count;
    engine->synced.asked_count_ms = now_ms;
    uex_engine_unlock(engine);
    return true;
}

/* Which partition does this key belong to now? A count that has grown must not send a command astray. */
static enum uex_backpressure route(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_bytes key,
                                   int32_t known_count, bool *moved)
{
    int32_t count = 0;

    if (!ask_count(engine, inflight, &count))
        return UEX_BACKPRESSURE_ROUTE;
    if (inflight->record->key.data != NULL && uex_partition_of(key, count) == inflight->partition)
        /* Right by the new count; its group's state is found by the next assignment only. A lower count comes from a
         * broker that has not heard of a growth yet. */
        return count > known_count ? UEX_BACKPRESSURE_GROWN : UEX_BACKPRESSURE_ROUTE;
    uex_policy_reroute(inflight, uex_partition_of(key, count));
    *moved = true;
    return UEX_BACKPRESSURE_NONE;
}

/* A record that is no command is not worth a move: it is a dead letter where it stands. */
enum uex_backpressure uex_classify(struct uex_engine *engine, struct uex_inflight *inflight, bool *ended)
{
    const struct uex_record *record = inflight->record;
    struct uex_fault fault = {0};
    struct uex_bytes key = record->key;
    enum uex_backpressure backpressure = UEX_BACKPRESSURE_NONE;
    int32_t count = 0;
    enum uex_error err = UEX_OK;

    uex_engine_lock(engine);
    count = engine->synced.partition_count;
    uex_engine_unlock(engine);
    inflight->origin = record->envelope.origin;
    inflight->attempt = (unsigned)record->envelope.attempt;
    uex_command_clear(&inflight->command);
    err = uex_command_parse(record->key, record->value, &inflight->command, &fault);
    if (err == UEX_NO_MEMORY) { /* says nothing of the command */
        uex_engine_lock(engine);
        uex_engine_out_of_memory_synced(engine, "reading a command");
        uex_engine_unlock(engine);
        return UEX_BACKPRESSURE_NO_MEMORY;
    }
    if (err != UEX_OK) {
        uex_policy_dead_letter(inflight, &fault);
        *ended = true;
    } else {
        if (key.data == NULL)
            key = uex_bytes_of_text(inflight->command.group_id);
        if (record->key.data == NULL || uex_partition_of(key, count) != inflight->partition)
            backpressure = route(engine, inflight, key, count, ended);
    }
    uex_classify_name(engine, inflight);
    return backpressure;
}
