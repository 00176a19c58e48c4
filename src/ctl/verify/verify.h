/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/verify/verify.h — what the files of exportctl verify share. */
#ifndef EXPORT_CTL_VERIFY_H
#define EXPORT_CTL_VERIFY_H

#include "ctl/state_reader.h"
#include "export/command.h"
#include "export/layout.h"
#include "export/object_store.h"
#include "kafka/record.h"

/* The checks, in the order of the table. X(NAME, key in JSON, title) */
#define UEX_VERIFY_CHECKS(X)                                                                                           \
    X(ANNOUNCED, "announced", "ANNOUNCED") /* in topics.result, complete */                                            \
    X(PARTS, "parts", "PARTS")             /* 1 to n, each once */                                                     \
    X(OBJECT, "object", "OBJECT")          /* exists under the announced name, with the command's metadata */          \
    X(SHA256, "sha256", "SHA256")          /* of the object as announced */                                            \
    X(BYTES, "bytes", "SIZE")              /* likewise */                                                              \
    X(GZIP, "gzip", "GZIP")                /* one member, CSV inside */                                                \
    X(ROWS, "rows", "COUNT")               /* of the object, or usernames, as announced */                             \
    X(HEADER, "header", "HEADER")          /* the line with the columns */                                             \
    X(STATE, "state", "STATE")             /* agrees with the announcement */

enum uex_verify_check {
#define UEX_VERIFY_ENUM(name, key, title) UEX_VERIFY_##name,
    UEX_VERIFY_CHECKS(UEX_VERIFY_ENUM)
#undef UEX_VERIFY_ENUM
        UEX_VERIFY_COUNT
};

enum uex_verdict { UEX_VERDICT_OPEN, UEX_VERDICT_HOLDS, UEX_VERDICT_FAILS };

/* The figures of an export, from one source. Strings are owned; "" or UEX_UNKNOWN: the source does not have it. */
struct uex_verify_facts {
    uint64_t rows, bytes;
    char sha256[UEX_SHA256_HEX_SIZE];
    char layout[UEX_LAYOUT_ID_SIZE]; /* its id; version 1.0 wrote none */
    char *file_path;
};

struct uex_verified {
    char *group_id, *run_id;
    char command_id[UEX_UUID_TEXT_SIZE]; /* "": the group was never exported */
    int64_t at_ms;                       /* of the outcome */
    struct uex_verify_facts state, announced, object;
    bool is_announced, is_list;
    char domain_id[UEX_UUID_TEXT_SIZE];
    /* Of the newest announcement: a duplicate older than the last 16 commands of its group may be announced again. */
    char announced_run_id[UEX_RUN_ID_MAX_BYTES + 1];
    uint32_t part_count, parts_seen_count, first_part;
    uint8_t *parts_seen; /* per part */
    int32_t partition;
    int64_t announced_at_ms; /* of its first record */
    unsigned announcement_count;
    uint64_t name_count;
    enum uex_verdict verdicts[UEX_VERIFY_COUNT];
    struct uex_buffer problems; /* a line for each failed check */
    struct uex_buffer notes;    /* a line for each check that is open, and why */
    bool is_done;
};

struct uex_verification {
    const struct uex_config *config;
    struct uex_layout *layout;  /* of today */
    const char *run_id;         /* NULL: the last export of each group */
    struct uex_verified *items; /* in the order of their groups' ids */
    size_t count, capacity;
    struct uex_verified **by_command;
    size_t command_count;
    size_t other_counts[UEX_OUTCOME_COUNT]; /* groups of the run with nothing to verify */
};
void uex_verification_clear(struct uex_verification *verification);

/* A check fails. */
void uex_verify_fails(struct uex_verified *item, enum uex_verify_check check, const char *format, ...) UEX_PRINTF(3, 4);
/* Why a check is open. */
void uex_verify_note(struct uex_verified *item, const char *format, ...) UEX_PRINTF(2, 3);
/* A check holds, unless it has failed before. */
void uex_verify_holds(struct uex_verified *item, enum uex_verify_check check);
bool uex_verified_is_good(const struct uex_verified *item);

/* Find the exports to verify in the states, of these groups (none: all of the run). UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_verify_find(struct uex_verification *verification, const struct uex_state_set *states,
                                              int group_count, char **group_ids);
/* Add a record of topics.result that announces this item's command, in the order of its partition. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_verify_add_record(struct uex_verified *item, const struct uex_record *record);
/* After its last record: check the announcement, and compare it with the state. */
void uex_verify_check_announcement(struct uex_verified *item);
/* Read the announcements of all items from topics.result and check them. Errors as of the topic reader. */
UEX_MUST_CHECK enum uex_error uex_verify_announcements(struct uex_verification *verification, struct uex_fault *fault);
/* Read the object and compare. An error is only what ends the whole run: the store cannot be reached, UEX_CANCELLED.
 * `layout` is that of today, resolved if the database could be asked. Columns that are not its columns fail, unless the
 * object has another layout: then they are not compared. `heard` (may be NULL) is called with the bytes so far. */
UEX_MUST_CHECK enum uex_error uex_verify_object(struct uex_verified *item, struct uex_object_store *store,
                                                const struct uex_layout *layout,
                                                void (*heard)(void *context, uint64_t size_bytes), void *context,
                                                struct uex_fault *fault);
#endif
