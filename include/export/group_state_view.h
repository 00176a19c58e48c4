/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/group_state_view.h — a group's state record laid open, all of it, for those who show it.
 *
 * A worker needs only the memory of export/group_state.h. Any thread, one at a time for each view.
 */
#ifndef EXPORT_GROUP_STATE_VIEW_H
#define EXPORT_GROUP_STATE_VIEW_H

#include "export/group_state.h"

/* One of `recent`. Strings are borrowed and never NULL; "" is null outside. */
struct uex_recent_view {
    uint8_t command_id[16];
    const char *run_id;
    const char *reason;
    int64_t at_ms;
    enum uex_outcome_kind outcome;
};

struct uex_last_exported_view {
    uint8_t command_id[16];
    const char *run_id;
    const char *file_path;
    const char *layout; /* "": an export of version 1.0 */
    int64_t at_ms;
    uint64_t rows;
    uint8_t sha256[UEX_SHA256_SIZE];
    bool has_sha256;
};

struct uex_group_memory_view {
    int64_t at_ms;
    struct uex_recent_view recent[UEX_RECENT_MAX]; /* newest last */
    size_t recent_count;
    struct uex_last_exported_view last;
    bool has_last;
};

/* A state record. Strings are never NULL, "" is null outside; they live until the view is cleared. */
struct uex_group_state_view {
    struct uex_state_record record;      /* the newest outcome */
    struct uex_group_memory_view memory; /* `recent` and `lastExported` */
    char command_id[UEX_UUID_TEXT_SIZE]; /* what record.command_id points to: a view is not to be copied */
    char *text;                          /* owned: the strings */
};

/* Read a record's JSON by the rules of uex_group_state_read(), and the fields that it passes over too. UEX_MALFORMED,
 * UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_group_state_view_read(struct uex_bytes value, struct uex_group_state_view *out,
                                                        struct uex_fault *fault);
/* The same without `recent`, which is most of a record: its entries are not looked at and there are none. */
UEX_MUST_CHECK enum uex_error uex_group_state_newest_read(struct uex_bytes value, struct uex_group_state_view *out,
                                                          struct uex_fault *fault);
void uex_group_state_view_clear(struct uex_group_state_view *view);
#endif
