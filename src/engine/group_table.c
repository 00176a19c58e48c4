/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/group_table.h"

#include <stdlib.h>

#define FIRST_BUCKET_COUNT 1024

/* FNV-1a, 64 bit. */
static size_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037ULL;

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211ULL;
    return (size_t)(hash ^ (hash >> 32));
}

static bool grow(struct uex_group_table *table)
{
    const size_t count = table->bucket_count == 0 ? FIRST_BUCKET_COUNT : table->bucket_count * 2;
    struct uex_group_entry **buckets = calloc(count, sizeof(struct uex_group_entry *));

    if (buckets == NULL)
        return table->bucket_count > 0; /* longer chains are slower, not wrong */
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct uex_group_entry *entry = table->buckets[i];

        while (entry != NULL) {
            struct uex_group_entry *next = entry->next_in_bucket;
            struct uex_group_entry **bucket = &buckets[hash_of(entry->group_id) % count];

            entry->next_in_bucket = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
    return true;
}

static void entry_free(struct uex_group_entry *entry)
{
    uex_group_memory_free(entry->memory);
    free(entry->group_id);
    free(entry);
}

struct uex_group_entry *uex_group_table_find(const struct uex_group_table *table, const char *group_id)
{
    struct uex_group_entry *entry = NULL;

    if (table->bucket_count == 0)
        return NULL;
    entry = table->buckets[hash_of(group_id) % table->bucket_count];
    while (entry != NULL && strcmp(entry->group_id, group_id) != 0)
        entry = entry->next_in_bucket;
    return entry;
}

struct uex_group_entry *uex_group_table_get(struct uex_group_table *table, const char *group_id)
{
    struct uex_group_entry *entry = uex_group_table_find(table, group_id);
    struct uex_group_entry **bucket = NULL;

    if (entry != NULL)
        return entry;
    if (table->entry_count >= table->bucket_count && !grow(table))
        return NULL;
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    entry->group_id = strdup(group_id);
    if (entry->group_id == NULL) {
        free(entry);
        return NULL;
    }
    entry->memory_partition = -1;
    bucket = &table->buckets[hash_of(group_id) % table->bucket_count];
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    table->entry_count++;
    return entry;
}

void uex_group_table_filter(struct uex_group_table *table, bool (*keep)(void *context, struct uex_group_entry *entry),
                            void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct uex_group_entry **place = &table->buckets[i];

        while (*place != NULL) {
            struct uex_group_entry *entry = *place;

            if (keep(context, entry)) {
                place = &entry->next_in_bucket;
                continue;
            }
            *place = entry->next_in_bucket;
            table->entry_count--;
            entry_free(entry);
        }
    }
}

void uex_group_table_release(struct uex_group_table *table, struct uex_group_entry *entry)
{
    struct uex_group_entry **place = NULL;

    if (entry->memory != NULL || entry->holder != NULL || entry->first_waiting != NULL || entry->ready)
        return;
    place = &table->buckets[hash_of(entry->group_id) % table->bucket_count];
    while (*place != NULL && *place != entry)
        place = &(*place)->next_in_bucket;
    if (*place == NULL)
        return;
    *place = entry->next_in_bucket;
    table->entry_count--;
    entry_free(entry);
}

void uex_group_table_clear(struct uex_group_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i] != NULL) {
            struct uex_group_entry *entry = table->buckets[i];

            table->buckets[i] = entry->next_in_bucket;
            entry_free(entry);
        }
    }
    free(table->buckets);
    memset(table, 0, sizeof(*table));
}
