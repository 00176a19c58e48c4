/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/records.h — the runs that topics.run has, read once: the newest record of each. One thread. */
#ifndef EXPORT_RUN_RECORDS_H
#define EXPORT_RUN_RECORDS_H

#include "export/run_record.h"
#include "kafka/client.h"

/* A header of each record, text: the command topic of the deployment that wrote it. The default of topics.run is the
 * same for all deployments of a cluster. So one whose other topics were renamed finds that a run of this name is
 * another's, and does not leave its own night out. */
#define UEX_RUN_HEADER_COMMAND_TOPIC "export-command-topic"

/* A header "true" of the records of a run that was started again (--again). */
#define UEX_RUN_HEADER_AGAIN "export-run-again"

/* A run that was read. */
struct uex_run_entry {
    struct uex_run_record record;
    bool is_foreign; /* written for another command topic than topics.command */
};

/* A zeroed struct is empty. */
struct uex_run_records {
    struct uex_run_entry *items; /* by startedAt, the newest last; each runId once */
    size_t count, capacity;
    size_t unreadable_count; /* records that are no run records; they are passed over */
};
void uex_run_records_clear(struct uex_run_records *records);

/* Read topics.run to its end, as far as it is committed: what stands behind the begin of an open transaction is not
 * seen yet. Kafka's answers may take `wait_ms`. UEX_KAFKA_TOPICS: the topic does not exist, or may not be seen (the
 * fault has the command that creates it); UEX_KAFKA_UNAVAILABLE, UEX_KAFKA, UEX_NO_MEMORY, UEX_CANCELLED. The caller
 * clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_run_records_read(const struct uex_config *config, int64_t wait_ms,
                                                   const struct uex_cancel *cancel, struct uex_run_records *out,
                                                   struct uex_fault *fault);
/* The run of this name; NULL: there is none. Borrowed. */
const struct uex_run_entry *uex_run_records_find(const struct uex_run_records *records, const char *run_id);
/* The run that was started last, those of other deployments left out; NULL: there is none. Borrowed. */
const struct uex_run_entry *uex_run_records_last(const struct uex_run_records *records);

/* Read the topic for one run. UEX_NOT_FOUND: there is no run of this name, or it is another deployment's
 * (`*is_foreign`, which may be NULL). Other errors as above. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_run_record_find(const struct uex_config *config, const char *run_id, int64_t wait_ms,
                                                  const struct uex_cancel *cancel, struct uex_run_record *out,
                                                  bool *is_foreign, struct uex_fault *fault);
/* The same, but it waits for transactions that are open in the topic; UEX_KAFKA_UNAVAILABLE when they do not end within
 * `wait_ms`. For who has just begun with the transactional id under which the run's records are written. */
UEX_MUST_CHECK enum uex_error uex_run_record_find_settled(const struct uex_config *config, const char *run_id,
                                                          int64_t wait_ms, const struct uex_cancel *cancel,
                                                          struct uex_run_record *out, bool *is_foreign,
                                                          struct uex_fault *fault);
/* Is it the same record of the same start: status, startedAt and endedAt? */
bool uex_run_record_is(const struct uex_run_record *left, const struct uex_run_record *right);
#endif
