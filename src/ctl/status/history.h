/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/history.h — the last commands of a group, as its state remembers them. Main thread. */
#ifndef EXPORT_CTL_STATUS_HISTORY_H
#define EXPORT_CTL_STATUS_HISTORY_H

#include "ctl/state_reader.h"

/* Append a table of the group's last 16 commands that ended, newest first, and above them a command that waits for its
 * next attempt. Nothing for a group without a readable state. */
void uex_status_history_write(const struct uex_state_set *states, const char *group_id, struct uex_buffer *out);
/* The same as a JSON array of objects. */
void uex_status_history_write_json(const struct uex_state_set *states, const char *group_id, struct uex_buffer *out);
#endif
