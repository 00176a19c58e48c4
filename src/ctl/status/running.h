/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/running.h — running exports, from the progress topic. One thread. */
#ifndef EXPORT_CTL_RUNNING_H
#define EXPORT_CTL_RUNNING_H

#include "export/group_progress.h"

#define UEX_RUNNING_MAX 4096        /* running exports at most */
#define UEX_RUNNING_SILENT_MS 30000 /* an export without a record for this time is no longer shown */
#define UEX_RUNNING_ENDED_MAX 256

struct uex_running_export {
    struct uex_group_progress progress; /* the newest */
    uint64_t rows_per_s;                /* between the last two; before there are two, since its start */
    uint64_t last_rows;                 /* of the group's last export: what 100 % are; UEX_UNKNOWN. For the caller */
    int64_t heard_ms;                   /* monotonic */
};

/* A zeroed struct is empty. */
struct uex_running {
    struct uex_running_export *items;
    size_t count, capacity;
    char ended[UEX_RUNNING_ENDED_MAX][UEX_UUID_TEXT_SIZE]; /* a progress record may arrive after the outcome */
    size_t ended_next;
};

/* Add the value of a record at monotonic time `now_ms`. NULL: it cannot be parsed, or its export has ended. */
struct uex_running_export *uex_running_take(struct uex_running *running, struct uex_bytes value, int64_t now_ms);
/* Add an export that another set knows of, unless it has ended or is there. */
void uex_running_add(struct uex_running *running, const struct uex_running_export *item);
/* A command has an outcome. */
void uex_running_end(struct uex_running *running, const char *command_id);
/* Remove exports without records for UEX_RUNNING_SILENT_MS. */
void uex_running_expire(struct uex_running *running, int64_t now_ms);
void uex_running_clear(struct uex_running *running);

/* By the groups' ids; pointers into `items` change. */
void uex_running_sort(struct uex_running *running);

/* "g-17  running  1,200,000 rows  48 %, 3.2 s left  400,000 rows/s  3.0 s  48.1 MiB  on pod-1/17", without a line end;
 * the share only where last_rows is known, the size once something was sent. `now_ms` is wall time. */
void uex_running_write(const struct uex_running_export *item, int64_t now_ms, struct uex_buffer *out);
/* The same as a JSON object with "event": "progress". */
void uex_running_write_json(const struct uex_running_export *item, struct uex_buffer *out);
#endif
