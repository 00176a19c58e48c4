/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/manifest_line.h — one line of a run's manifest. Any thread. */
#ifndef EXPORT_RUN_MANIFEST_LINE_H
#define EXPORT_RUN_MANIFEST_LINE_H

#include "export/group_state.h"

/* Append the outcome of a group as one line of JSON with its '\n': groupId, outcome, reason, commandId, filePath,
 * sha256, rows, bytes, snapshotAt, in this order; null for what there is not. NULL and "" are null; so are UEX_UNKNOWN
 * and UEX_NO_TIME. */
void uex_manifest_line_write(const struct uex_state_record *outcome, struct uex_buffer *out);
#endif
