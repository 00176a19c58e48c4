/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/group_progress.h — what a running export is doing, read from the progress topic
 * (schemas/export-group-progress.schema.json). Any thread. */
#ifndef EXPORT_GROUP_PROGRESS_H
#define EXPORT_GROUP_PROGRESS_H

#include "export/buffer.h"
#include "export/clock.h"
#include "export/command.h"

#define UEX_WORKER_NAME_MAX_CHARACTERS 255

struct uex_group_progress {
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1];
    char command_id[UEX_UUID_TEXT_SIZE];
    char worker[4 * UEX_WORKER_NAME_MAX_CHARACTERS + 1]; /* host name and process id */
    bool ended;                                          /* the worker is done with this attempt */
    uint64_t row_count;
    uint64_t object_bytes;
    int64_t started_at_ms, at_ms;
};

/* Read a record's JSON; unknown fields are ignored. UEX_MALFORMED with the field and the rule, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_group_progress_read(struct uex_bytes value, struct uex_group_progress *out,
                                                      struct uex_fault *fault);
#endif
