/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/state_reader.h — the newest state record of each group, as bytes. Records are parsed only when they are used,
 * so that old records of a topic that is not compacted yet cost little. One thread. */
#ifndef EXPORT_CTL_STATE_READER_H
#define EXPORT_CTL_STATE_READER_H

#include "ctl/connect.h"
#include "export/group_state_view.h"

/* A zeroed struct is empty. */
struct uex_state_set {
    void *root;      /* of tsearch(3) */
    size_t count;    /* groups */
    size_t bad_keys; /* records whose key is not a group id */
};
void uex_state_set_clear(struct uex_state_set *set);

/* Add a record of the state topic; of two records of a group the newer stays. A record without a value removes its
 * group. UEX_NO_MEMORY. `set` is a struct uex_state_set; its signature is that of uex_topic_reader_drain(). */
UEX_MUST_CHECK enum uex_error uex_state_set_take(void *set, const rd_kafka_message_t *message);
/* The group's record; data NULL if there is none. Borrowed until the next change. */
struct uex_bytes uex_state_set_find(const struct uex_state_set *set, const char *group_id);
/* All of them, in the order of the groups' ids. */
void uex_state_set_each(const struct uex_state_set *set,
                        void (*each)(void *context, const char *group_id, struct uex_bytes value), void *context);

/* Read the whole state topic. Errors as of the topic reader. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_states_read(const struct uex_config *config, struct uex_state_set *out,
                                              struct uex_fault *fault);
#endif
