/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/run_record.h — a run as it stands in the run topic: the value of a record of topics.run, key runId.
 * Any thread. */
#ifndef EXPORT_RUN_RECORD_H
#define EXPORT_RUN_RECORD_H

#include "export/buffer.h"
#include "export/clock.h"
#include "export/digest.h"

#define UEX_RUN_VERSION 1

enum uex_run_status {
    UEX_RUN_STARTED,   /* its commands are sent; nobody has written its end */
    UEX_RUN_COMPLETED, /* every group has ended, some perhaps as dead letters */
    UEX_RUN_INCOMPLETE /* somebody waited for as long as was allowed, and some groups had not ended */
};

/* Strings are owned; NULL is null outside. UEX_UNKNOWN and UEX_NO_TIME are null outside. */
struct uex_run_record {
    char *run_id;
    enum uex_run_status status;
    uint64_t groups;                                       /* of the run; the next four sum up to it */
    uint64_t exported, skipped, dead_lettered, unfinished; /* known at the end */
    uint64_t rows, bytes;                                  /* of the exported ones, as far as it is known */
    int64_t started_at_ms; /* when its commands were made; names this start of the run */
    int64_t ended_at_ms;
    bool started_again; /* the run was started before; a header of the record, not in its value (run/records.h) */
    char *requested_by;
    char *manifest_path;
    char manifest_sha256[UEX_SHA256_HEX_SIZE]; /* "" is null outside */
};

/* "started", "completed", "incomplete"; never NULL. */
const char *uex_run_status_text(enum uex_run_status status);

/* Append the record's JSON. */
void uex_run_record_write_json(const struct uex_run_record *record, struct uex_buffer *out);
/* Read a record's JSON; unknown fields are ignored. UEX_MALFORMED with the field and the rule for anything that is not
 * a run record of version 1, UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_run_record_parse(struct uex_bytes value, struct uex_run_record *out,
                                                   struct uex_fault *fault);
/* A copy of its own. UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_run_record_copy(const struct uex_run_record *record, struct uex_run_record *out);
void uex_run_record_clear(struct uex_run_record *record);
#endif
