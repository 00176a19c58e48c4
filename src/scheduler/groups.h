/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/groups.h — a run's name and the command for each of its groups. */
#ifndef EXPORT_SCHEDULER_GROUPS_H
#define EXPORT_SCHEDULER_GROUPS_H

#include "export/command.h"
#include "export/config.h"
#include "export/group_list.h"

#define UEX_REQUESTED_BY "export-scheduler"

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
