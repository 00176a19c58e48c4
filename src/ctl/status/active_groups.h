/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/active_groups.h — the active groups of the database, read beside something else that takes its time,
 * and given up where the database takes longer. Main thread. */
#ifndef EXPORT_CTL_ACTIVE_GROUPS_H
#define EXPORT_CTL_ACTIVE_GROUPS_H

#include "export/group_list.h"

struct uex_active_groups;

/* Begin to read. NULL: there is no postgres.dsn, or no thread. */
UEX_MUST_CHECK struct uex_active_groups *uex_active_groups_start(const struct uex_config *config);
/* Wait `wait_ms` more at most, or until uex_program_cancel, and free it. UEX_OK: `*out` (cleared by the caller) has
 * them. NULL is UEX_NOT_FOUND. `fault` says why they are not known. */
UEX_MUST_CHECK enum uex_error uex_active_groups_finish(struct uex_active_groups *groups, int64_t wait_ms,
                                                       struct uex_group_list *out, struct uex_fault *fault);
#endif
