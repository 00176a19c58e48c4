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

static int64_t time_of(struct uex_bytes value)
{
    struct uex_group_state_view view;
    int64_t at_ms = uex_group_state_newest_read(value, &view, NULL) == UEX_OK ? view.record.at_ms : UEX_NO_TIME;

    uex_group_state_view_clear(&view);
    return at_ms;
}

/* Of two records in one partition the later is the newer; in two, once the topic has grown, only their times tell. */
static bool is_newer(const struct state_entry *entry, const rd_kafka_message_t *message)
{
    return entry->value.data == NULL || entry->partition == message->partition ||
           time_of(uex_bytes_of(message->payload, message->len)) >= time_of(entry->value);
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
        return; /* the newer one stands in another partition */
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
    return is_newer(entry, message) ? replace(entry, message) : UEX_OK;
}

struct uex_bytes uex_state_set_find(const struct uex_state_set *set, const char *group_id)
{
    struct state_entry *wanted = entry_new(uex_bytes_of_text(group_id));
    void *node = wanted == NULL ? NULL : tfind(wanted, &set->root, compare_entries);

    free(wanted);
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
    enum uex_error err = uex_topic_reader_open(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, uex_state_set_take, out, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the states of the groups");
    uex_topic_reader_close(reader);
    return err;
}
