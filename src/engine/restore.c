/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"
#include "kafka/client.h"
#include "kafka/partitioner.h"

/* The end of a restore is the high watermark, taken after the committed offset is known, by a read_uncommitted
 * handle: a transaction's marker can reach the offsets topic before it reaches the state topic, and stopping at the
 * last stable offset would miss an outcome. */

#define WATERMARK_TIMEOUT_MS 5000

struct uex_restore {
    int64_t *targets; /* per state partition: the high watermark; UEX_OFFSET_NONE: not read in this restore */
    int64_t *next;    /* per state partition: read up to here */
    int32_t count;
    size_t open; /* partitions that have not reached their target */
    bool all;    /* every partition is read, because the topics grew */
    bool asked;  /* the watermarks are known and the reader is assigned */
    bool gap;    /* a record could not be kept for lack of memory: the engine is broken */
    int64_t ask_again_ms;
    uint64_t records;
    int64_t started_ms;
};

static void restore_free(struct uex_restore *restore)
{
    if (restore == NULL)
        return;
    free(restore->targets);
    free(restore->next);
    free(restore);
}

void uex_restore_cancel(struct uex_engine *engine)
{
    if (engine->membership.restore == NULL)
        return;
    (void)engine->consumer.state_assign(engine->consumer.context, NULL);
    restore_free(engine->membership.restore);
    engine->membership.restore = NULL;
}

static struct uex_restore *restore_new(const struct uex_engine *engine)
{
    struct uex_restore *restore = calloc(1, sizeof(*restore));

    if (restore == NULL)
        return NULL;
    restore->count = engine->synced.partition_count;
    restore->targets = calloc((size_t)restore->count + 1, sizeof(*restore->targets));
    restore->next = calloc((size_t)restore->count + 1, sizeof(*restore->next));
    if (restore->targets == NULL || restore->next == NULL) {
        restore_free(restore);
        return NULL;
    }
    return restore;
}

void uex_restore_begin(struct uex_engine *engine)
{
    struct uex_restore *restore = NULL;

    uex_restore_cancel(engine);
    restore = restore_new(engine);
    if (restore == NULL) {
        uex_engine_lock(engine);
        uex_engine_out_of_memory_synced(engine, "restoring the groups");
        uex_engine_unlock(engine);
        return;
    }
    restore->started_ms = uex_monotonic_ms();
    for (int32_t i = 0; i < restore->count; i++)
        restore->all =
            restore->all || (engine->synced.partitions[i].assigned && engine->synced.partitions[i].full_scan);
    for (int32_t i = 0; i < restore->count; i++) {
        const bool wanted = restore->all || engine->synced.partitions[i].assigned;

        restore->targets[i] = wanted ? 0 : UEX_OFFSET_NONE;
        restore->next[i] = restore->all ? 0 : engine->synced.partitions[i].state_next;
        restore->open += wanted ? 1 : 0;
    }
    engine->membership.restore = restore;
}

/* Ask for the ends and point the reader at what is missing. False: ask again later. */
static bool start_reading(struct uex_engine *engine)
{
    struct uex_fault fault = {0};
    int32_t count = 0;
    struct uex_restore *restore = engine->membership.restore;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(restore->count + 1);
    bool asked = true;

    /* A handle that knows the topic's leaders reads at once; one that does not looks for them once a second. */
    asked = engine->consumer.state_partitions(engine->consumer.context, WATERMARK_TIMEOUT_MS, &count, &fault) == UEX_OK;
    restore->open = 0;
    for (int32_t i = 0; i < restore->count && asked; i++) {
        int64_t low = 0;
        int64_t high = 0;

        if (restore->targets[i] == UEX_OFFSET_NONE)
            continue;
        asked = engine->consumer.state_watermarks(engine->consumer.context, i, &low, &high, WATERMARK_TIMEOUT_MS) ==
                RD_KAFKA_RESP_ERR_NO_ERROR;
        restore->targets[i] = high;
        if (restore->next[i] < low)
            restore->next[i] = low;
        if (restore->next[i] >= high)
            continue;
        rd_kafka_topic_partition_list_add(list, engine->config->topics_state, i)->offset = restore->next[i];
        restore->open++;
    }
    if (asked && list->cnt > 0)
        asked = engine->consumer.state_assign(engine->consumer.context, list) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!asked)
        uex_log(UEX_LOG_WARN, UEX_EVENT_STATE_END_UNKNOWN, "end of the state topic unknown; asking again",
                UEX_STR("topic", engine->config->topics_state));
    rd_kafka_topic_partition_list_destroy(list);
    return asked;
}

/* ---- one record */

/* Of two records of a group in two partitions (the topic has grown): the one that was written with the other one in its
 * history. Where neither says so, their times decide. */
static bool is_newer(const struct uex_group_memory *one, const struct uex_group_memory *other)
{
    if (uex_group_memory_follows(one, other) != uex_group_memory_follows(other, one))
        return uex_group_memory_follows(one, other);
    return uex_group_memory_at_ms(one) > uex_group_memory_at_ms(other);
}

static void leave_gap_synced(struct uex_engine *engine)
{
    engine->membership.restore->gap = true;
    uex_engine_out_of_memory_synced(engine, "a group's history");
}

static void remember_synced(struct uex_engine *engine, const char *group_id, int32_t from,
                            struct uex_group_memory *memory)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine->synced.in_flight.groups, group_id);

    if (entry == NULL) {
        leave_gap_synced(engine);
        uex_group_memory_free(memory);
        return;
    }
    /* Within one partition the later record is the newer one, whatever clocks say. */
    if (engine->membership.restore->all && entry->memory != NULL && entry->memory_partition != from &&
        is_newer(entry->memory, memory)) {
        uex_group_memory_free(memory);
        return;
    }
    uex_group_memory_free(entry->memory);
    entry->memory = memory;
    entry->memory_partition = from;
}

/* A record without a value: somebody has removed the group's state. An older record before it may still be in the log,
 * and what stands in another partition is not meant by it. */
static void forget_synced(struct uex_engine *engine, const char *group_id, int32_t from)
{
    struct uex_group_entry *entry = uex_group_table_find(&engine->synced.in_flight.groups, group_id);

    if (entry == NULL || (engine->membership.restore->all && entry->memory_partition != from))
        return;
    uex_group_memory_free(entry->memory);
    entry->memory = NULL;
    entry->memory_partition = -1;
    uex_group_table_release(&engine->synced.in_flight.groups, entry);
}

/* Which partitions are worked is changed by this thread only, and read here without the lock; so a large state is
 * parsed without holding up lanes and committer. */
static void apply(struct uex_engine *engine, const rd_kafka_message_t *message)
{
    const struct uex_bytes key = uex_bytes_of(message->key, message->key_len);
    const int32_t owner = uex_partition_of(key, engine->synced.partition_count);
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1] = {0};

    if (message->key == NULL || message->key_len == 0 || message->key_len > UEX_GROUP_ID_MAX_BYTES ||
        !engine->synced.partitions[owner].assigned)
        return;
    memcpy(group_id, message->key, message->key_len);
    if (message->payload == NULL) {
        uex_engine_lock(engine);
        forget_synced(engine, group_id, message->partition);
        uex_engine_unlock(engine);
        return;
    }
    err = uex_group_state_read(uex_bytes_of(message->payload, message->len), &memory, &fault);
    if (err == UEX_NO_MEMORY) { /* says nothing of the record */
        uex_engine_lock(engine);
        leave_gap_synced(engine);
        uex_engine_unlock(engine);
        return;
    }
    if (err != UEX_OK) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_STATE_UNREADABLE, "state record unreadable; skipped",
                UEX_STR("error", fault.text), UEX_STR("topic", engine->config->topics_state),
                UEX_INT("partition", message->partition), UEX_INT("offset", message->offset));
        return;
    }
    uex_engine_lock(engine);
    remember_synced(engine, group_id, message->partition, memory);
    uex_engine_unlock(engine);
}

static void moved_to(struct uex_restore *restore, int32_t partition, int64_t next)
{
    const bool was_open = restore->next[partition] < restore->targets[partition];

    restore->next[partition] = next;
    if (was_open && next >= restore->targets[partition])
        restore->open--;
}

void uex_restore_take(struct uex_engine *engine, const rd_kafka_message_t *message)
{
    struct uex_restore *restore = engine->membership.restore;

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        moved_to(restore, message->partition, message->offset);
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_STATE_READ_ERROR, "reading the state topic failed; going on",
                UEX_STR("error", rd_kafka_err2str(message->err)));
        return;
    }
    if (message->partition < 0 || message->partition >= restore->count)
        return;
    apply(engine, message);
    restore->records++;
    moved_to(restore, message->partition, message->offset + 1);
}

/* ---- the end */

/* Groups whose newest state still stands in another partition keep their owner's metadata at "grown". */
static bool note_misplaced(void *context, struct uex_group_entry *entry)
{
    struct uex_engine *engine = context;
    const int32_t owner = uex_partition_of(uex_bytes_of_text(entry->group_id), engine->synced.partition_count);

    if (entry->memory != NULL && entry->memory_partition >= 0 && entry->memory_partition != owner)
        engine->synced.partitions[owner].state_spread = true;
    return true;
}

static void finish(struct uex_engine *engine)
{
    struct uex_restore *restore = engine->membership.restore;
    size_t group_count = 0;

    (void)engine->consumer.state_assign(engine->consumer.context, NULL);
    uex_engine_lock(engine);
    for (int32_t i = 0; i < restore->count; i++)
        engine->synced.partitions[i].state_spread = false;
    uex_group_table_filter(&engine->synced.in_flight.groups, note_misplaced, engine);
    for (int32_t i = 0; i < restore->count; i++) {
        if (!engine->synced.partitions[i].assigned)
            continue;
        engine->synced.partitions[i].state_next = restore->next[i];
        uex_dispatch_restored_synced(engine, &engine->synced.partitions[i]);
    }
    pthread_cond_broadcast(&engine->synced.outcomes_changed);
    group_count = engine->synced.in_flight.groups.entry_count;
    uex_engine_unlock(engine);
    uex_log(UEX_LOG_INFO, UEX_EVENT_STATE_RESTORED, "states of the assigned partitions read; their commands start",
            UEX_NUM("records", restore->records), UEX_BOOL("all_partitions", restore->all),
            UEX_NUM("groups", group_count), UEX_INT("duration_ms", uex_monotonic_ms() - restore->started_ms));
    restore_free(restore);
    engine->membership.restore = NULL;
}

bool uex_restore_step(struct uex_engine *engine, int budget_ms)
{
    const int64_t until_ms = uex_monotonic_ms() + budget_ms;

    if (engine->membership.restore == NULL)
        return false;
    if (!engine->membership.restore->asked) {
        if (uex_monotonic_ms() < engine->membership.restore->ask_again_ms)
            return true;
        engine->membership.restore->asked = start_reading(engine);
        engine->membership.restore->ask_again_ms = uex_monotonic_ms() + 1000;
        if (!engine->membership.restore->asked)
            return true;
    }
    while (engine->membership.restore->open > 0 && !engine->membership.restore->gap && uex_monotonic_ms() < until_ms) {
        rd_kafka_message_t *message = engine->consumer.state_poll(engine->consumer.context, 5);

        if (message == NULL)
            continue;
        uex_restore_take(engine, message);
        engine->consumer.state_release(engine->consumer.context, message);
    }
    if (engine->membership.restore->open > 0 || engine->membership.restore->gap)
        return true;
    finish(engine);
    return false;
}
