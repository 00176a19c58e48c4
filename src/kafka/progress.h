/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/progress.h — sends to topics.progress what running exports and the worker itself are doing.
 *
 * A plain producer beside the transactional one. A record may be lost, so it is neither idempotent nor waited for: a
 * record that finds the queue full is dropped, and so is one that is not delivered within 5 s. No call blocks. Schemas:
 * schemas/export-group-progress.schema.json, schemas/export-group-worker.schema.json. One thread, except the counts.
 */
#ifndef EXPORT_KAFKA_PROGRESS_H
#define EXPORT_KAFKA_PROGRESS_H

#include "export/config.h"
#include "export/worker_record.h"

struct uex_progress;

struct uex_progress_record {
    const char *group_id;   /* also the key: the record goes to the partition number of the group's commands */
    const char *command_id; /* a record without one is not sent */
    bool ended;             /* the attempt is over; its outcome stands in the state topic */
    uint64_t rows, bytes;
    int64_t started_at_ms, at_ms; /* wall */
};

/* No broker is asked. `config` has to outlive it. UEX_CONFIG, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_progress_new(const struct uex_config *config, struct uex_progress **out,
                                               struct uex_fault *fault);
/* Append the value of a record. `worker` names the process. */
void uex_progress_write(const struct uex_progress_record *record, const char *worker, struct uex_buffer *out);
/* Queue it, or drop it. */
void uex_progress_send(struct uex_progress *progress, const struct uex_progress_record *record);
/* The same for what the worker says of itself; its name is filled in. */
void uex_progress_send_worker(struct uex_progress *progress, const struct uex_worker_record *record);
/* Serve delivery reports, without waiting. */
void uex_progress_poll(struct uex_progress *progress);
/* What is still queued is dropped after 500 ms. Accepts NULL. */
void uex_progress_free(struct uex_progress *progress);

struct uex_progress_counts {
    uint64_t sent, failed, dropped;
};
/* Any thread; zeros for NULL. */
void uex_progress_counts(const struct uex_progress *progress, struct uex_progress_counts *out);
#endif
