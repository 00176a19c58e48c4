/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/worker_record.h — what a worker says of itself in the progress topic
 * (schemas/export-group-worker.schema.json).
 *
 * The key is "worker:<host>:<process id>". A group may be named so too: what a record is, its value tells. A worker's
 * has no `groupId`, and a group's progress (group_progress.h) has one; each reader refuses the other's. Any thread.
 */
#ifndef EXPORT_WORKER_RECORD_H
#define EXPORT_WORKER_RECORD_H

#include "export/buffer.h"
#include "export/clock.h"
#include "export/text.h"

#define UEX_WORKER_KEY_PREFIX "worker:"
#define UEX_WORKER_BREAKERS_MAX 4
/* A worker writes so often when nothing changes. One that has not been heard of for three times as long is gone. */
#define UEX_WORKER_RECORD_EVERY_MS 10000
#define UEX_WORKER_SILENT_MS 30000

/* An open circuit breaker. */
struct uex_worker_breaker {
    char dependency[16]; /* "postgres", "store" */
    int64_t since_ms;    /* wall */
    char code[32];       /* of the error that opened it, as uex_error_code() */
};

struct uex_worker_record {
    char *worker;  /* host name and process id. Owned where it was parsed; borrowed where it is to be written */
    int64_t at_ms; /* wall */
    uint64_t running, queued; /* commands that run, and that were read and wait for a worker thread */
    struct uex_worker_breaker breakers[UEX_WORKER_BREAKERS_MAX];
    size_t breaker_count;
    bool stopping; /* it takes no new command; the last record of a worker that ends cleanly says so */
};

/* Append the record's JSON. */
void uex_worker_record_write_json(const struct uex_worker_record *record, struct uex_buffer *out);

/* Read a record's JSON; unknown fields are ignored, and breakers beyond UEX_WORKER_BREAKERS_MAX. UEX_MALFORMED with the
 * field and the rule: also for the progress of a group. UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_worker_record_parse(struct uex_bytes value, struct uex_worker_record *out,
                                                      struct uex_fault *fault);
void uex_worker_record_clear(struct uex_worker_record *record);

/* Do two records say the same, but for the time? */
bool uex_worker_record_same(const struct uex_worker_record *left, const struct uex_worker_record *right);
#endif
