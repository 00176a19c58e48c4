/* SPDX-License-Identifier: Apache-2.0 */
#include "run/manifest_line.h"

#include <inttypes.h>

static void append_text(struct uex_buffer *out, const char *name, const char *text)
{
    uex_buffer_append_text(out, name);
    uex_buffer_append_json(out, text == NULL || text[0] == 0 ? NULL : text);
}

static void append_count(struct uex_buffer *out, const char *name, uint64_t count)
{
    uex_buffer_append_text(out, name);
    if (count > UEX_COUNT_MAX) /* UEX_UNKNOWN too */
        uex_buffer_append_text(out, "null");
    else
        uex_buffer_append_format(out, "%" PRIu64, count);
}

void uex_manifest_line_write(const struct uex_state_record *outcome, struct uex_buffer *out)
{
    char snapshot_at[UEX_TIME_TEXT_SIZE];

    uex_time_format(outcome->snapshot_at_ms, snapshot_at);
    append_text(out, "{\"groupId\":", outcome->group_id);
    append_text(out, ",\"outcome\":", uex_outcome_text(outcome->outcome));
    append_text(out, ",\"reason\":", outcome->reason);
    append_text(out, ",\"commandId\":", outcome->command_id);
    append_text(out, ",\"filePath\":", outcome->file_path);
    append_text(out, ",\"sha256\":", outcome->sha256);
    append_count(out, ",\"rows\":", outcome->rows);
    append_count(out, ",\"bytes\":", outcome->bytes);
    append_text(out, ",\"snapshotAt\":", snapshot_at);
    uex_buffer_append_text(out, "}\n");
}
