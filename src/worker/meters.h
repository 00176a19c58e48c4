/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/meters.h — what the worker counts: the families of docs/metrics.md and the events that move them.
 *
 * Names and labels of the families users_export_… are Micrometer's forms of the first documents' meters. What each
 * means stands in its HELP text, meter_table.c. Series of a group are made with 0 when its first command is seen, those
 * that need its type when that is known, so that a rate sees the first event where a scrape comes between. Any thread.
 */
#ifndef WORKER_METERS_H
#define WORKER_METERS_H

#include "engine/inflight.h"
#include "export/config.h"
#include "export/metrics.h"

/* The order of /metrics. */
enum uex_meter {
    UEX_METER_DURATION,
    UEX_METER_GROUP_DURATION,
    UEX_METER_BATCH_DURATION,
    UEX_METER_FAILURES,
    UEX_METER_BATCH_FAILURES,
    UEX_METER_BATCH_PROCESSED,
    UEX_METER_INVALID_GROUP_TYPE,
    UEX_METER_CSV_PROCESSED,
    UEX_METER_CSV_FAILURES,
    UEX_METER_TO_DLQ,
    UEX_METER_COMMANDS,
    UEX_METER_SKIPPED,
    UEX_METER_FAILED_ATTEMPTS,
    UEX_METER_RETRIES,
    UEX_METER_IN_FLIGHT,
    UEX_METER_LANES,
    UEX_METER_QUEUED,
    UEX_METER_QUEUE_BYTES,
    UEX_METER_UNCOMMITTED,
    UEX_METER_OLDEST_UNFINISHED,
    UEX_METER_LAST_SCHEDULED,
    UEX_METER_BREAKER_OPEN,
    UEX_METER_BREAKER_OPENINGS,
    UEX_METER_LANES_WAITING,
    UEX_METER_TRANSACTIONS,
    UEX_METER_TRANSACTION_SECONDS,
    UEX_METER_REBUILDS,
    UEX_METER_REBALANCES,
    UEX_METER_ADOPTED,
    UEX_METER_CANCELLED,
    UEX_METER_PARTITIONS,
    UEX_METER_LAG,
    UEX_METER_READY,
    UEX_METER_GROUPS,
    UEX_METER_ROWS,
    UEX_METER_BYTES,
    UEX_METER_S3_REQUESTS,
    UEX_METER_S3_SECONDS,
    UEX_METER_CACHE,
    UEX_METER_PROGRESS,
    UEX_METER_BUILD_INFO,
    UEX_METER_COUNT
};

extern const struct uex_metric_spec uex_meter_table[UEX_METER_COUNT];

/* groupType where the group was not looked up. */
#define UEX_GROUP_TYPE_UNKNOWN "UNKNOWN"

struct uex_meters {
    struct uex_metrics *registry;
    struct uex_metric *families[UEX_METER_COUNT];
    struct uex_process_metrics process;
    struct uex_label_cap *groups; /* values of groupId and key */
    struct uex_label_cap *types;  /* values of groupType that are no types */
    const char *command_topic;
    char file_type[sizeof(((struct uex_group *)0)->type_text)]; /* groupType of a file that was there already */
    _Atomic int64_t last_scheduled_ms;                          /* wall; 0: none seen */
};

/* `config` has to outlive it. UEX_NO_MEMORY; the caller clears in any case. */
UEX_MUST_CHECK enum uex_error uex_meters_init(struct uex_meters *meters, const struct uex_config *config,
                                              struct uex_fault *fault);
void uex_meters_clear(struct uex_meters *meters);

/* A command was read, or taken by a lane. */
void uex_meters_seen(struct uex_meters *meters, const struct uex_command *command);
/* A record that is no command was read: the series of the group that its key names. */
void uex_meters_unreadable(struct uex_meters *meters, const struct uex_inflight *inflight);
/* A running job knows its group. */
void uex_meters_group_known(struct uex_meters *meters, const struct uex_group *group);
void uex_meters_batch(struct uex_meters *meters, const struct uex_group *group, uint64_t row_count,
                      int64_t duration_ms);
void uex_meters_bytes(struct uex_meters *meters, uint64_t read_bytes, uint64_t written_bytes);
/* A job has ended, whatever becomes of it. */
void uex_meters_attempt(struct uex_meters *meters, const struct uex_job_outcome *job);
/* An outcome is committed. */
void uex_meters_committed(struct uex_meters *meters, const struct uex_inflight *inflight);
void uex_meters_transaction(struct uex_meters *meters, const char *result, int64_t duration_us);
void uex_meters_rebalanced(struct uex_meters *meters, size_t adopted, size_t cancelled);
void uex_meters_request(struct uex_meters *meters, const char *method, long status, int64_t duration_ms);
#endif
