/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/members.h — the groups of a run, and what is known of each. About 60 bytes a group and its id. One thread. */
#ifndef EXPORT_RUN_MEMBERS_H
#define EXPORT_RUN_MEMBERS_H

#include "export/clock.h"
#include "export/outcome_kind.h"
#include "kafka/client.h"

/* A group of the run. */
struct uex_run_member {
    uint32_t id_at;    /* where its id begins; uex_run_member_id() */
    uint8_t outcome;   /* enum uex_outcome_kind: exported, skipped or dead-lettered; UEX_OUTCOME_COUNT: not ended */
    bool is_retrying;  /* the newest outcome of its state is a retry of this run */
    int32_t partition; /* where the state record stands that said so; offset -1: none did */
    int64_t offset;
    int64_t at_ms; /* of the outcome */
    uint64_t rows; /* UEX_UNKNOWN: not known */
    uint64_t bytes;
};

/* A zeroed struct is empty. */
struct uex_run_members {
    struct uex_run_member *items; /* in the order in which they were added */
    size_t count, capacity;
    char *ids; /* each with its zero byte */
    size_t ids_bytes, ids_capacity;
    uint32_t *slots; /* hash table of places in `items` */
    uint8_t *tags;   /* of each slot: 0 if it is free, else some bits of the hash, so that few others are compared */
    size_t slot_count;
};
void uex_run_members_clear(struct uex_run_members *members);

/* Make room for so many groups, so that nothing is copied while they are added. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_run_members_reserve(struct uex_run_members *members, size_t count, size_t ids_bytes);
/* Add a group, by a valid id (uex_group_id_valid()); one that is there already stays as it is. UEX_NO_MEMORY, UEX_LIMIT
 * (over 4 GiB of ids). Places in `items` change. */
UEX_MUST_CHECK enum uex_error uex_run_members_add(struct uex_run_members *members, struct uex_bytes group_id);
/* By any bytes. NULL: no group of this run has this id. Borrowed until one is added. */
struct uex_run_member *uex_run_members_find(const struct uex_run_members *members, struct uex_bytes group_id);
/* Never NULL. Borrowed until one is added. */
const char *uex_run_member_id(const struct uex_run_members *members, const struct uex_run_member *member);
bool uex_run_member_has_ended(const struct uex_run_member *member);

/* Add the groups that commands of topics.command name for this run: committed ones, from 10 minutes before
 * `started_at_ms` on (clocks differ). Commands that the topic no longer holds are missing, so the caller compares the
 * count with that of the run's record. Kafka's answers may take `wait_ms`. Errors as of uex_topic_reader_open() and
 * uex_topic_reader_drain(). */
UEX_MUST_CHECK enum uex_error uex_run_members_read(const struct uex_config *config, const char *run_id,
                                                   int64_t started_at_ms, int64_t wait_ms,
                                                   const struct uex_cancel *cancel, struct uex_run_members *members,
                                                   struct uex_fault *fault);
#endif
