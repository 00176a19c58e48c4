/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the groups: their states, and commands of theirs that are not finished. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/forget/forget.h"
#include "ctl/retry/waiting.h"
#include "export/command.h"

static int by_id(const void *left, const void *right)
{
    return strcmp(((const struct uex_forgotten *)left)->group_id, ((const struct uex_forgotten *)right)->group_id);
}

enum uex_error uex_forgotten_make(int group_count, char *const *group_ids, struct uex_forgotten_set *out)
{
    size_t kept = 0;

    *out = (struct uex_forgotten_set){.items = calloc((size_t)group_count + 1, sizeof(*out->items))};
    if (out->items == NULL)
        return UEX_NO_MEMORY;
    for (int i = 0; i < group_count; i++)
        out->items[i] = (struct uex_forgotten){.group_id = group_ids[i], .last_exported_at_ms = UEX_NO_TIME};
    if (group_count > 1)
        qsort(out->items, (size_t)group_count, sizeof(out->items[0]), by_id);
    for (int i = 0; i < group_count; i++)
        if (kept == 0 || by_id(&out->items[kept - 1], &out->items[i]) != 0)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return UEX_OK;
}

struct uex_forgotten *uex_forgotten_find(const struct uex_forgotten_set *set, const void *key, size_t key_bytes)
{
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1] = "";
    const struct uex_forgotten wanted = {.group_id = group_id};

    if (key == NULL || key_bytes > UEX_GROUP_ID_MAX_BYTES)
        return NULL;
    memcpy(group_id, key, key_bytes);
    return bsearch(&wanted, set->items, set->count, sizeof(wanted), by_id);
}

void uex_forgotten_clear(struct uex_forgotten_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->items[i].partitions);
    free(set->items);
    *set = (struct uex_forgotten_set){0};
}

/* ---- the states */

static void remove_partition(struct uex_forgotten *item, int32_t partition)
{
    size_t kept = 0;

    for (size_t i = 0; i < item->partition_count; i++)
        if (item->partitions[i] != partition)
            item->partitions[kept++] = item->partitions[i];
    item->partition_count = kept;
}

static enum uex_error add_partition(struct uex_forgotten *item, int32_t partition)
{
    int32_t *partitions = NULL;

    for (size_t i = 0; i < item->partition_count; i++)
        if (item->partitions[i] == partition)
            return UEX_OK;
    partitions = realloc(item->partitions, (item->partition_count + 1) * sizeof(*partitions));
    if (partitions == NULL)
        return UEX_NO_MEMORY;
    item->partitions = partitions;
    item->partitions[item->partition_count++] = partition;
    return UEX_OK;
}

static enum uex_error take_state(void *context, const rd_kafka_message_t *message)
{
    struct uex_forgotten *item = uex_forgotten_find(context, message->key, message->key_len);
    struct uex_group_state_view view = {0};
    enum uex_error err = UEX_OK;

    if (item == NULL)
        return UEX_OK;
    if (message->payload == NULL) {
        remove_partition(item, message->partition);
        return UEX_OK;
    }
    err = uex_group_state_newest_read(uex_bytes_of(message->payload, message->len), &view, NULL);
    if (err == UEX_OK && view.memory.has_last)
        item->last_exported_at_ms = view.memory.last.at_ms;
    uex_group_state_view_clear(&view);
    return err == UEX_NO_MEMORY ? err : add_partition(item, message->partition); /* also one that cannot be read */
}

static enum uex_error read_states(const struct uex_config *config, struct uex_forgotten_set *set,
                                  struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_state, .from = UEX_READ_ALL, .whole = true};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, set, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the states of the groups");
    uex_topic_reader_close(reader);
    return err;
}

/* ---- commands that are not finished */

static enum uex_error take_command(void *context, const rd_kafka_message_t *message, const struct uex_tier *tier)
{
    struct uex_forgotten *item = uex_forgotten_find(context, message->key, message->key_len);

    if (item != NULL)
        snprintf(item->waits_at, sizeof(item->waits_at), "%s, %" PRId32 ":%" PRId64,
                 tier == NULL ? "command topic" : tier->topic, message->partition, message->offset);
    return UEX_OK;
}

enum uex_error uex_forget_look(const struct uex_config *config, struct uex_forgotten_set *set, struct uex_fault *fault)
{
    const struct uex_waiting_commands reading = {.with_command_topic = true, .take = take_command, .context = set};
    enum uex_error err = read_states(config, set, fault);

    return err == UEX_OK ? uex_waiting_commands_read(config, &reading, fault) : err;
}
