/* SPDX-License-Identifier: Apache-2.0 */
#include "run/manifest_line.h"

#include "model/json.h"

void uex_manifest_line_write(const struct uex_state_record *outcome, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "{\"groupId\":");
    uex_buffer_append_json(out, outcome->group_id);
    uex_json_append_text(out, "outcome", uex_outcome_text(outcome->outcome));
    uex_json_append_text(out, "reason", outcome->reason);
    uex_json_append_text(out, "commandId", outcome->command_id);
    uex_json_append_text(out, "filePath", outcome->file_path);
    uex_json_append_text(out, "sha256", outcome->sha256);
    uex_json_append_count(out, "rows", outcome->rows);
    uex_json_append_count(out, "bytes", outcome->bytes);
    uex_json_append_time(out, "snapshotAt", outcome->snapshot_at_ms);
    uex_buffer_append_text(out, "}\n");
}
