/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/group_memory.h — the memory of a group laid open, for those who write and read it. One thread at a time. */
#ifndef EXPORT_MODEL_GROUP_MEMORY_H
#define EXPORT_MODEL_GROUP_MEMORY_H

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

/* Put an entry at the end of `recent`; an older one with the same command id goes, and the oldest if there are 16. */
void uex_group_memory_view_push(struct uex_group_memory_view *view, const struct uex_recent_view *entry);

/* Lay a memory open; the strings live as long as it stays unchanged. */
void uex_group_memory_unpack(const struct uex_group_memory *memory, struct uex_group_memory_view *out);
/* The other way round, replacing what `memory` held. The view's strings may be those of the memory itself.
 * UEX_NO_MEMORY and UEX_LIMIT (strings of over 64 KiB) leave it unchanged. */
UEX_MUST_CHECK enum uex_error uex_group_memory_pack(const struct uex_group_memory_view *view,
                                                    struct uex_group_memory *memory);
#endif
