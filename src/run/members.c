/* SPDX-License-Identifier: Apache-2.0 */
#include "run/members.h"

#include <stdlib.h>

#include "export/command.h"
#include "kafka/topic_reader.h"

#define FIRST_CAPACITY 1024
#define FIRST_IDS_BYTES ((size_t)32 << 10)
#define CLOCKS_DIFFER_MS 600000

void uex_run_members_clear(struct uex_run_members *members)
{
    free(members->items);
    free(members->ids);
    free(members->slots);
    free(members->tags);
    *members = (struct uex_run_members){0};
}

/* FNV-1a of 64 bits, folded. Source: RFC 9923, "The FNV Non-Cryptographic Hash Algorithm". */
static uint64_t hash_of(struct uex_bytes id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < id.size_bytes; i++)
        hash = (hash ^ id.data[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

const char *uex_run_member_id(const struct uex_run_members *members, const struct uex_run_member *member)
{
    return members->ids + member->id_at;
}

bool uex_run_member_has_ended(const struct uex_run_member *member)
{
    return member->outcome != UEX_OUTCOME_COUNT;
}

static uint8_t tag_of(uint64_t hash)
{
    return (uint8_t)(0x80 | hash >> 57);
}

/* The slot that has the id, or the free one where it belongs. There is always a free one. */
static size_t slot_of(const struct uex_run_members *members, struct uex_bytes id, uint64_t hash)
{
    size_t at = (size_t)hash & (members->slot_count - 1);

    for (;; at = (at + 1) & (members->slot_count - 1)) {
        const char *other = NULL;

        if (members->tags[at] == 0)
            return at;
        if (members->tags[at] != tag_of(hash))
            continue;
        other = uex_run_member_id(members, &members->items[members->slots[at]]);
        if (strncmp(other, (const char *)id.data, id.size_bytes) == 0 && other[id.size_bytes] == 0)
            return at;
    }
}

static void fill_slot(struct uex_run_members *members, size_t slot, uint64_t hash, size_t place)
{
    members->slots[slot] = (uint32_t)place;
    members->tags[slot] = tag_of(hash);
}

struct uex_run_member *uex_run_members_find(const struct uex_run_members *members, struct uex_bytes group_id)
{
    size_t slot = 0;

    if (members->slot_count == 0 || group_id.size_bytes == 0 || memchr(group_id.data, 0, group_id.size_bytes) != NULL)
        return NULL;
    slot = slot_of(members, group_id, hash_of(group_id));
    return members->tags[slot] == 0 ? NULL : &members->items[members->slots[slot]];
}

/* At least twice as many slots as groups. */
static enum uex_error make_slots(struct uex_run_members *members, size_t count)
{
    size_t slot_count = FIRST_CAPACITY;
    uint32_t *slots = NULL;
    uint8_t *tags = NULL;

    while (slot_count < 2 * count)
        slot_count *= 2;
    if (slot_count <= members->slot_count)
        return UEX_OK;
    slots = malloc(slot_count * sizeof(*slots));
    tags = calloc(slot_count, sizeof(*tags));
    if (slots == NULL || tags == NULL) {
        free(slots);
        free(tags);
        return UEX_NO_MEMORY;
    }
    free(members->slots);
    free(members->tags);
    members->slots = slots;
    members->tags = tags;
    members->slot_count = slot_count;
    for (size_t i = 0; i < members->count; i++) {
        const struct uex_bytes id = uex_bytes_of_text(uex_run_member_id(members, &members->items[i]));
        const uint64_t hash = hash_of(id);

        fill_slot(members, slot_of(members, id, hash), hash, i);
    }
    return UEX_OK;
}

static enum uex_error make_room(struct uex_run_members *members, size_t capacity)
{
    struct uex_run_member *items = NULL;

    if (capacity >= UINT32_MAX)
        return UEX_LIMIT;
    if (capacity > members->capacity) {
        items = realloc(members->items, capacity * sizeof(*items));
        if (items == NULL)
            return UEX_NO_MEMORY;
        members->items = items;
        members->capacity = capacity;
    }
    return make_slots(members, capacity);
}

static enum uex_error make_ids_room(struct uex_run_members *members, size_t capacity)
{
    char *ids = NULL;

    if (capacity > UINT32_MAX)
        return UEX_LIMIT;
    if (capacity <= members->ids_capacity)
        return UEX_OK;
    ids = realloc(members->ids, capacity);
    if (ids == NULL)
        return UEX_NO_MEMORY;
    members->ids = ids;
    members->ids_capacity = capacity;
    return UEX_OK;
}

enum uex_error uex_run_members_reserve(struct uex_run_members *members, size_t count, size_t ids_bytes)
{
    enum uex_error err = make_room(members, count);

    return err == UEX_OK ? make_ids_room(members, ids_bytes) : err;
}

enum uex_error uex_run_members_add(struct uex_run_members *members, struct uex_bytes group_id)
{
    const size_t ids_bytes = members->ids_bytes + group_id.size_bytes + 1;
    const uint64_t hash = hash_of(group_id);
    enum uex_error err = UEX_OK;

    if (uex_run_members_find(members, group_id) != NULL)
        return UEX_OK;
    if (members->count == members->capacity)
        err = make_room(members, members->capacity == 0 ? FIRST_CAPACITY : 2 * members->capacity);
    if (err == UEX_OK && ids_bytes > members->ids_capacity)
        err = make_ids_room(members, 2 * ids_bytes + FIRST_IDS_BYTES);
    if (err != UEX_OK)
        return err;
    memcpy(members->ids + members->ids_bytes, group_id.data, group_id.size_bytes);
    members->ids[members->ids_bytes + group_id.size_bytes] = 0;
    members->items[members->count] = (struct uex_run_member){.id_at = (uint32_t)members->ids_bytes,
                                                             .outcome = UEX_OUTCOME_COUNT,
                                                             .offset = -1,
                                                             .at_ms = UEX_NO_TIME,
                                                             .rows = UEX_UNKNOWN,
                                                             .bytes = UEX_UNKNOWN};
    members->ids_bytes = ids_bytes;
    fill_slot(members, slot_of(members, group_id, hash), hash, members->count++);
    return UEX_OK;
}

struct reading {
    const char *run_id;
    struct uex_run_members *members;
};

static enum uex_error take_command(void *context, const rd_kafka_message_t *message)
{
    const struct reading *reading = context;
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(uex_bytes_of(message->key, message->key == NULL ? 0 : message->key_len),
                                           uex_bytes_of(message->payload, message->len), &command, NULL);

    if (err == UEX_OK && strcmp(command.run_id, reading->run_id) == 0)
        err = uex_run_members_add(reading->members, uex_bytes_of_text(command.group_id));
    else if (err == UEX_MALFORMED)
        err = UEX_OK; /* the worker says what is wrong with it */
    uex_command_clear(&command);
    return err;
}

enum uex_error uex_run_members_read(const struct uex_config *config, const char *run_id, int64_t started_at_ms,
                                    int64_t wait_ms, const struct uex_cancel *cancel, struct uex_run_members *members,
                                    struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_command,
                                         .from = UEX_READ_SINCE,
                                         .since_ms =
                                             started_at_ms > CLOCKS_DIFFER_MS ? started_at_ms - CLOCKS_DIFFER_MS : 0,
                                         .whole = true};
    struct reading reading = {.run_id = run_id, .members = members};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_topic_reader_open(config, &topic, 1, wait_ms, cancel, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_command, &reading, fault);
    if (err == UEX_NO_MEMORY || err == UEX_LIMIT)
        err = uex_fail(fault, err, "no memory for the groups of run %s", run_id);
    uex_topic_reader_close(reader);
    return err;
}
