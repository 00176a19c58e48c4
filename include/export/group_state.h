/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/group_state.h — the last outcome of a group, as it stands in the state topic.
 *
 * Two forms: the record (everything that is written) and the memory of a group (only what the next record and the check
 * for duplicates need, in compact form, because a worker holds one for each group of its partitions). One thread at a
 * time.
 */
#ifndef EXPORT_GROUP_STATE_H
#define EXPORT_GROUP_STATE_H

#include "export/buffer.h"
#include "export/clock.h"
#include "export/digest.h"
#include "export/outcome_kind.h"
#include "export/uuid.h"

#define UEX_RECENT_MAX 16
#define UEX_STATE_REASON_MAX_CHARACTERS 255
#define UEX_STATE_PATH_MAX_BYTES 16384
#define UEX_STATE_LAYOUT_MAX_CHARACTERS 64
#define UEX_STATE_ERROR_MAX_CHARACTERS 1024

/* The newest outcome; strings are borrowed. NULL, "", UEX_UNKNOWN and UEX_NO_TIME are written as null. */
struct uex_state_record {
    const char *group_id;
    enum uex_outcome_kind outcome;
    const char *reason; /* skip reason or error code */
    const char *command_id, *run_id;
    int64_t at_ms;
    uint64_t rows, bytes;
    const char *file_path;
    const char *sha256; /* hex */
    int64_t snapshot_at_ms;
    int64_t duration_ms; /* UEX_NO_TIME: unknown */
    uint64_t attempts;
    int64_t next_attempt_at_ms;
    const char *error;  /* of a retry or dead letter: the sentence of its header export-error */
    const char *layout; /* of an export: the id of its layout */
};

/* What is remembered of a group: `recent` and `lastExported`. */
struct uex_group_memory;

/* The memory of a group without history; NULL when memory ends. */
UEX_MUST_CHECK struct uex_group_memory *uex_group_memory_new(void);
void uex_group_memory_free(struct uex_group_memory *memory);
UEX_MUST_CHECK struct uex_group_memory *uex_group_memory_copy(const struct uex_group_memory *memory);

/* Take in an outcome: what ended (exported, skipped, dead-lettered) goes to the end of `recent` (an older entry with
 * the same command id goes; 16 stay), exported becomes lastExported. Retried changes neither; what has no state record
 * (rerouted, skipped as duplicate) changes nothing at all. UEX_NO_MEMORY, UEX_LIMIT (strings of over 64 KiB) and
 * UEX_INTERNAL (no valid command id) leave it unchanged. */
UEX_MUST_CHECK enum uex_error uex_group_memory_add(struct uex_group_memory *memory,
                                                   const struct uex_state_record *record);

/* Is this command among the recent ones as exported or skipped? */
bool uex_group_memory_is_duplicate(const struct uex_group_memory *memory, const char *command_id);
/* Was `memory` written with the newest ended outcome of `other` in its history? So it is the newer one, whatever the
 * clocks of their writers show. False where `other` has none, or when it is more than 16 outcomes ago. */
bool uex_group_memory_follows(const struct uex_group_memory *memory, const struct uex_group_memory *other);
/* When the newest outcome was written (the record's `at`), UEX_NO_TIME without one. */
int64_t uex_group_memory_at_ms(const struct uex_group_memory *memory);

/* The record's JSON: `record` with the `recent` and `lastExported` of `memory` (to which it has been added). */
void uex_group_state_write(const struct uex_state_record *record, const struct uex_group_memory *memory,
                           struct uex_buffer *out);

/* Read a record's JSON into the memory of its group: any order of fields, unknown fields ignored, of more than 16
 * recent entries the last 16, of entries with the same command id the last. UEX_MALFORMED for anything that is not a
 * state record of version 1; UEX_NO_MEMORY. `*out` is NULL then. */
UEX_MUST_CHECK enum uex_error uex_group_state_read(struct uex_bytes value, struct uex_group_memory **out,
                                                   struct uex_fault *fault);
#endif
