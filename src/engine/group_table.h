/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/group_table.h — the groups that a worker knows: their memory and who is at work for them.
 *
 * A group is locked from the start of a command until that command's outcome is committed; later commands of the
 * group wait in order. The table is global to the process, so that a job that outlives its partition still keeps a
 * second one of its group away. Used under the engine's lock.
 */
#ifndef ENGINE_GROUP_TABLE_H
#define ENGINE_GROUP_TABLE_H

#include "engine/inflight.h"

struct uex_group_entry {
    char *group_id;
    struct uex_group_memory *memory; /* NULL: nothing is known of the group */
    int32_t memory_partition;        /* the partition whose restore gave the memory; -1 without one */
    struct uex_inflight *holder;     /* the command that holds the group */
    struct uex_inflight *first_waiting, *last_waiting;
    bool ready; /* in the ready list */
    struct uex_group_entry *next_ready;
    struct uex_group_entry *next_in_bucket;
};

struct uex_group_table {
    struct uex_group_entry **buckets;
    size_t bucket_count, entry_count;
};

/* The entry of a group, made if it is not there; NULL when memory ends. */
UEX_MUST_CHECK struct uex_group_entry *uex_group_table_get(struct uex_group_table *table, const char *group_id);
/* The entry if it is there. */
struct uex_group_entry *uex_group_table_find(const struct uex_group_table *table, const char *group_id);
/* Call `keep` for every entry; entries for which it returns false are removed. */
void uex_group_table_filter(struct uex_group_table *table, bool (*keep)(void *context, struct uex_group_entry *entry),
                            void *context);
/* An entry that knows nothing and that nobody waits for goes. */
void uex_group_table_release(struct uex_group_table *table, struct uex_group_entry *entry);
void uex_group_table_clear(struct uex_group_table *table);
#endif
