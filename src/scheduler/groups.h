/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/groups.h — all active groups, read before anything is sent, and the command for each. */
#ifndef EXPORT_SCHEDULER_GROUPS_H
#define EXPORT_SCHEDULER_GROUPS_H

#include "export/command.h"
#include "export/config.h"

#define UEX_GROUPS_CAP_BYTES ((size_t)256 << 20) /* a million ids of the longest kind */
#define UEX_REQUESTED_BY "export-scheduler"

/* The ids one behind the other, each with its zero byte: 100,000 groups take a few MB. A zeroed struct is empty. */
struct uex_group_list {
    struct uex_buffer ids;
    uint64_t count;
    uint64_t left_out; /* ids that no command may carry (length, control characters, not UTF-8) */
};
void uex_group_list_clear(struct uex_group_list *list);
/* Add an id, or count it as left out and warn. Its signature is that of uex_postgres_each_active_group(). UEX_LIMIT,
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_group_list_add(void *list, const char *group_id);
/* The id behind `previous` (NULL: the first); NULL at the end. */
const char *uex_group_list_next(const struct uex_group_list *list, const char *previous);

/* Wait until the database answers. UEX_DB_UNAVAILABLE after `timeout_ms`; what waiting cannot mend (authentication)
 * ends it at once. */
UEX_MUST_CHECK enum uex_error uex_groups_await(const struct uex_config *config, int64_t timeout_ms,
                                               const struct uex_cancel *cancel, struct uex_fault *fault);
/* Read the active groups into an empty list; a reading that breaks off is begun anew within `timeout_ms`. */
UEX_MUST_CHECK enum uex_error uex_groups_read(const struct uex_config *config, int64_t timeout_ms,
                                              const struct uex_cancel *cancel, struct uex_group_list *list,
                                              struct uex_fault *fault);

/* May a run be called so? 1 to 64 characters of UTF-8, no control characters. */
bool uex_run_id_valid(struct uex_bytes run_id);

/* What the commands of a run have in common. */
struct uex_run {
    const char *run_id;
    const char *domain_id;
    int64_t requested_at_ms;
};
/* Append the value of the group's command: its id is the UUIDv5 of run and group. */
void uex_run_command(const struct uex_run *run, const char *group_id, struct uex_buffer *value);
#endif
