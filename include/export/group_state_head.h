/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/group_state_head.h — the newest outcome at the head of a state record, for those who count groups by
 * the million. Any thread. */
#ifndef EXPORT_GROUP_STATE_HEAD_H
#define EXPORT_GROUP_STATE_HEAD_H

#include "export/group_state.h"

struct uex_state_head {
    enum uex_outcome_kind outcome;
    struct uex_bytes run_id; /* borrowed from the record; empty: null */
    int64_t at_ms;
    uint64_t rows, bytes;
};

/* Read the head of the state of this group, where it has exactly the form in which uex_group_state_write() writes it:
 * its members in their order, no white space, no escapes. Nothing is copied, and what follows `bytes` is not looked at.
 * False: it has another form or is no state record at all; uex_group_state_view_read() tells. */
UEX_MUST_CHECK bool uex_group_state_head_read(struct uex_bytes value, struct uex_bytes group_id,
                                              struct uex_state_head *out);
#endif
