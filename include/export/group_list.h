/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/group_list.h — all active groups at once, read from the database with patience. One thread. */
#ifndef EXPORT_GROUP_LIST_H
#define EXPORT_GROUP_LIST_H

#include "export/postgres.h"

#define UEX_GROUPS_CAP_BYTES ((size_t)256 << 20) /* a million ids of the longest kind */

/* The ids one behind the other, each with its zero byte: 100,000 groups take a few MB. A zeroed struct is empty. */
struct uex_group_list {
    struct uex_buffer ids;
    uint64_t count;
    uint64_t seen_bytes; /* of all ids that came, those that were left out too */
    uint64_t left_out;   /* ids that no command may carry (length, control characters, not UTF-8) */
};
void uex_group_list_clear(struct uex_group_list *list);
/* Add an id, or count it as left out and warn. UEX_GROUPS_CAP_BYTES bounds both together. Its signature is that of
 * uex_postgres_each_active_group(). UEX_LIMIT, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_group_list_add(void *list, const char *group_id);
/* The id behind `previous` (NULL: the first); NULL at the end. */
const char *uex_group_list_next(const struct uex_group_list *list, const char *previous);

/* Wait until the database answers. UEX_DB_UNAVAILABLE after `timeout_ms`; what waiting does not change (authentication)
 * ends it at once. */
UEX_MUST_CHECK enum uex_error uex_groups_await(const struct uex_config *config, const char *application_name,
                                               int64_t timeout_ms, const struct uex_cancel *cancel,
                                               struct uex_fault *fault);
/* Read the active groups into an empty list; a reading that breaks off is begun again within `timeout_ms`. */
UEX_MUST_CHECK enum uex_error uex_groups_read(const struct uex_config *config, const char *application_name,
                                              int64_t timeout_ms, const struct uex_cancel *cancel,
                                              struct uex_group_list *list, struct uex_fault *fault);
#endif
