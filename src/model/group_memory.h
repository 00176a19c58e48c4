/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/group_memory.h — the memory of a group laid open and packed again, for those who write and read it. One
 * thread at a time. */
#ifndef EXPORT_MODEL_GROUP_MEMORY_H
#define EXPORT_MODEL_GROUP_MEMORY_H

#include "export/group_state_view.h"

#define UEX_STATE_VERSION 1

struct uex_packed_recent;

struct uex_group_memory {
    int64_t at_ms;
    struct uex_packed_recent *recent; /* the block: recent_count entries, one packed_last if has_last, the strings */
    uint8_t recent_count;
    bool has_last;
};

/* Put an entry at the end of `recent`; an older one with the same command id goes, and the oldest if there are 16. */
void uex_group_memory_view_push(struct uex_group_memory_view *view, const struct uex_recent_view *entry);

/* Lay a memory open; the strings live as long as it stays unchanged. */
void uex_group_memory_unpack(const struct uex_group_memory *memory, struct uex_group_memory_view *out);
/* The other way round, replacing what `memory` held. The view's strings may be those of the memory itself.
 * UEX_NO_MEMORY and UEX_LIMIT (strings of over 64 KiB) leave it unchanged. */
UEX_MUST_CHECK enum uex_error uex_group_memory_pack(const struct uex_group_memory_view *view,
                                                    struct uex_group_memory *memory);

/* Read it from a state record's JSON: version, group, outcome, time, `recent` and `lastExported`, nothing else. Strings
 * point into `*text`, which the caller frees in any case. UEX_MALFORMED, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_group_memory_view_read(struct uex_bytes value, struct uex_group_memory_view *out,
                                                         char **text, struct uex_fault *fault);
#endif
