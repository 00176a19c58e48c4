/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/state_reader.h"

#include <search.h>
#include <stdlib.h>

#include "export/text.h"

struct state_entry {
    int32_t partition;
    struct uex_bytes value; /* owned */
    char group_id[];
};

static int compare_entries(const void *left, const void *right)
{
    return strcmp(((const struct state_entry *)left)->group_id, ((const struct state_entry *)right)->group_id);
}

static void free_entry(void *item)
{
    struct state_entry *entry = item;

    free((void *)(uintptr_t)entry->value.data);
    free(entry);
}

void uex_state_set_clear(struct uex_state_set *set)
{
    tdestroy(set->root, free_entry);
    *set = (struct uex_state_set){0};
}

static struct state_entry *entry_new(struct uex_bytes key)
{
    struct state_entry *entry = calloc(1, sizeof(*entry) + key.size_bytes + 1);

    if (entry != NULL)
        memcpy(entry->group_id, key.data, key.size_bytes);
    return entry;
}

/* UEX_NO_TIME: the record cannot be read. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error time_of(struct uex_bytes value, int64_t *at_ms)
{
    struct uex_group_state_view view;
    enum uex_error err = uex_group_state_newest_read(value, &view, NULL);

    *at_ms = err == UEX_OK ? view.record.at_ms : UEX_NO_TIME;
    uex_group_state_view_clear(&view);
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

/* In one partition the later record is newer. In two partitions, after the topic has grown, their times decide. */
static enum uex_error is_newer(const struct state_entry *entry, const rd_kafka_message_t *message, bool *newer)
{
    int64_t before_ms = UEX_NO_TIME, at_ms = UEX_NO_TIME;
    enum uex_error err = UEX_OK;

    *newer = entry->value.data == NULL || entry->partition == message->partition;
    if (*newer)
        return UEX_OK;
    err = time_of(entry->value, &before_ms);
    if (err == UEX_OK)
        err = time_of(uex_bytes_of(message->payload, message->len), &at_ms);
    *newer = at_ms >= before_ms;
    return err;
}

static enum uex_error replace(struct state_entry *entry, const rd_kafka_message_t *message)
{
    uint8_t *copy = malloc(message->len + 1);

    if (copy == NULL)
        return UEX_NO_MEMORY;
    memcpy(copy, message->payload, message->len);
    copy[message->len] = 0;
    free((void *)(uintptr_t)entry->value.data);
    entry->value = uex_bytes_of(copy, message->len);
    entry->partition = message->partition;
    return UEX_OK;
}

static void forget(struct uex_state_set *set, struct state_entry *entry, const rd_kafka_message_t *message)
{
    if (entry->value.data != NULL && entry->partition != message->partition)
        return; /* the newer one is in another partition */
    set->count--;
    tdelete(entry, &set->root, compare_entries);
    free_entry(entry);
}

enum uex_error uex_state_set_take(void *context, const rd_kafka_message_t *message)
{
    struct uex_state_set *set = context;
    struct uex_bytes key = uex_bytes_of(message->key, message->key == NULL ? 0 : message->key_len);
    struct state_entry *made = NULL, *entry = NULL;
    void *node = NULL;
    bool newer = false;
    enum uex_error err = UEX_OK;

    if (!uex_group_id_valid(key)) {
        set->bad_keys++;
        return UEX_OK;
    }
    made = entry_new(key);
    node = made == NULL ? NULL : tsearch(made, &set->root, compare_entries);
    if (node == NULL) {
        free(made);
        return UEX_NO_MEMORY;
    }
    entry = *(struct state_entry **)node;
    if (entry != made)
        free(made);
    else
        set->count++;
    if (message->payload == NULL) {
        forget(set, entry, message);
        return UEX_OK;
    }
    err = is_newer(entry, message, &newer);
    return err == UEX_OK && newer ? replace(entry, message) : err;
}

static int compare_group(const void *group_id, const void *entry)
{
    return strcmp(group_id, ((const struct state_entry *)entry)->group_id);
}

struct uex_bytes uex_state_set_find(const struct uex_state_set *set, const char *group_id)
{
    /* tfind(3) passes the key as the first argument, so no entry has to be allocated to look one up. */
    void *node = tfind(group_id, &set->root, compare_group);

    return node == NULL ? (struct uex_bytes){0} : (*(struct state_entry **)node)->value;
}

struct walk {
    void (*each)(void *context, const char *group_id, struct uex_bytes value);
    void *context;
};

static void visit(const void *node, VISIT which, void *context)
{
    const struct state_entry *entry = *(struct state_entry *const *)node;
    const struct walk *walk = context;

    if (which == postorder || which == leaf)
        walk->each(walk->context, entry->group_id, entry->value);
}

void uex_state_set_each(const struct uex_state_set *set,
                        void (*each)(void *context, const char *group_id, struct uex_bytes value), void *context)
{
    struct walk walk = {.each = each, .context = context};

    twalk_r(set->root, visit, &walk);
}

enum uex_error uex_states_read(const struct uex_config *config, struct uex_state_set *out, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_state, .from = UEX_READ_ALL};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, uex_state_set_take, out, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the states of the groups");
    uex_topic_reader_close(reader);
    return err;
}
