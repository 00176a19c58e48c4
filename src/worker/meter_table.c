/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/meter_table.c — every family that the worker shows beside the process_… ones; docs/metrics.md is its text
 * for people. */
#include "worker/meters.h"

#define COUNTER(name_, help_, ...)                                                                                     \
    {                                                                                                                  \
        .name = name_, .help = help_, .kind = UEX_METRIC_COUNTER, .labels = { __VA_ARGS__ }                            \
    }
#define HISTOGRAM(name_, help_, ...)                                                                                   \
    {                                                                                                                  \
        .name = name_, .help = help_, .kind = UEX_METRIC_HISTOGRAM, .labels = { __VA_ARGS__ }                          \
    }
/* Read from elsewhere at each scrape. */
#define GAUGE(name_, help_, ...)                                                                                       \
    {                                                                                                                  \
        .name = name_, .help = help_, .kind = UEX_METRIC_GAUGE, .sampled = true, .labels = { __VA_ARGS__ }             \
    }
#define NUMBER(name_, help_, ...)                                                                                      \
    {                                                                                                                  \
        .name = name_, .help = help_, .kind = UEX_METRIC_COUNTER, .sampled = true, .labels = { __VA_ARGS__ }           \
    }

const struct uex_metric_spec uex_meter_table[UEX_METER_COUNT] = {
    [UEX_METER_DURATION] =
        HISTOGRAM("users_export_duration_seconds",
                  "Attempts at a group's export with an outcome, whichever: from their start on a lane to the commit.",
                  "groupId", "groupType"),
    [UEX_METER_GROUP_DURATION] = HISTOGRAM(
        "users_export_group_duration_seconds",
        "Exports without Kafka: rows read, file written and published, or usernames gathered.", "groupId", "groupType"),
    [UEX_METER_BATCH_DURATION] =
        HISTOGRAM("users_export_batch_duration_seconds", "Batches of export.batch_rows rows.", "groupId"),
    [UEX_METER_FAILURES] =
        COUNTER("users_export_failures_total",
                "Commands that failed for good (dead-lettered). groupType is UNKNOWN if it was not looked up.",
                "groupId", "groupType"),
    [UEX_METER_BATCH_FAILURES] = COUNTER(
        "users_export_batch_failures_total",
        "Attempts that failed while rows were read, stored or announced, also those that are tried again.", "groupId"),
    [UEX_METER_BATCH_PROCESSED] = COUNTER(
        "users_export_batch_processed_total",
        "Rows that passed while exports run, of both types, batch by batch; read again, counted again.", "groupId"),
    [UEX_METER_INVALID_GROUP_TYPE] =
        COUNTER("users_export_invalid_group_type_total", "Commands skipped because of their group's unknown type.",
                "groupId", "groupType"),
    [UEX_METER_CSV_PROCESSED] =
        COUNTER("users_export_csv_processed_total", "Rows in the files of committed exports.", "groupId"),
    [UEX_METER_CSV_FAILURES] =
        COUNTER("users_export_csv_failures_total",
                "Attempts that failed while a file was made, also those that are tried again.", "groupId"),
    [UEX_METER_TO_DLQ] =
        COUNTER("export_to_dlq_total", "Commands that went to the dead-letter topic, by group and command topic.",
                "key", "topic"),

    [UEX_METER_COMMANDS] =
        COUNTER("users_export_commands_total", "Command records with a committed outcome.", "outcome"),
    [UEX_METER_SKIPPED] = COUNTER("users_export_skipped_total", "Commands skipped, by reason.", "reason"),
    [UEX_METER_FAILED_ATTEMPTS] = COUNTER("users_export_failed_attempts_total",
                                          "Attempts that went to a retry tier or the dead letters, by error.", "code"),
    [UEX_METER_RETRIES] =
        COUNTER("users_export_retries_total", "Commands sent to a retry tier, 0 being the first.", "tier"),
    [UEX_METER_IN_FLIGHT] = GAUGE("users_export_in_flight", "Commands on the lanes now.", NULL),
    [UEX_METER_LANES] = GAUGE("users_export_lanes", "Groups that this worker can export at the same time.", NULL),
    [UEX_METER_QUEUED] = GAUGE("users_export_queued", "Commands that were read and wait for a lane.", NULL),
    [UEX_METER_QUEUE_BYTES] = GAUGE("users_export_queue_bytes", "Memory of all commands that were read.", NULL),
    [UEX_METER_UNCOMMITTED] = GAUGE("users_export_uncommitted", "Outcomes that wait for their commit.", NULL),
    [UEX_METER_OLDEST_UNFINISHED] =
        GAUGE("users_export_oldest_unfinished_seconds",
              "Age of the oldest command that was read and is not finished, also one that waits for its retry; else 0.",
              NULL),
    [UEX_METER_LAST_SCHEDULED] =
        GAUGE("users_export_last_scheduled_timestamp_seconds",
              "When the newest scheduled command that was seen was requested; 0 before the first.", NULL),
    [UEX_METER_BREAKER_OPEN] = GAUGE("users_export_breaker_open",
                                     "1 while a dependency is unavailable and no command is taken.", "dependency"),
    [UEX_METER_BREAKER_OPENINGS] =
        NUMBER("users_export_breaker_openings_total", "How often a breaker opened.", "dependency"),
    [UEX_METER_LANES_WAITING] =
        GAUGE("users_export_lanes_waiting_for_connection",
              "Lanes that the database refused a connection for its limits; their commands wait, uncharged.", NULL),
    [UEX_METER_TRANSACTIONS] =
        COUNTER("users_export_transactions_total", "Kafka transactions, by how they ended.", "result"),
    [UEX_METER_TRANSACTION_SECONDS] =
        HISTOGRAM("users_export_transaction_seconds", "Kafka transactions, from begin until their end is known.", NULL),
    [UEX_METER_REBUILDS] =
        NUMBER("users_export_producer_rebuilds_total", "How often the transactional producer was rebuilt.", NULL),
    [UEX_METER_REBALANCES] = NUMBER("users_export_rebalances_total", "Assignments of partitions to this worker.", NULL),
    [UEX_METER_ADOPTED] =
        COUNTER("users_export_jobs_adopted_total", "Jobs and outcomes that went on after a rebalance.", NULL),
    [UEX_METER_CANCELLED] =
        COUNTER("users_export_jobs_cancelled_total", "Jobs and outcomes given up because of a rebalance.", NULL),
    [UEX_METER_PARTITIONS] = GAUGE("users_export_partitions", "Partitions of the command topic owned here.", NULL),
    [UEX_METER_LAG] = GAUGE("users_export_lag",
                            "Records between the committed offset and the last known end, as Kafka's tools count.",
                            "topic", "partition"),
    [UEX_METER_READY] = GAUGE("users_export_ready", "1 while /readyz reports ready.", NULL),
    [UEX_METER_GROUPS] = GAUGE("users_export_remembered_groups", "Groups whose state is in memory.", NULL),
    [UEX_METER_ROWS] = COUNTER("users_export_rows_total", "Rows that passed while exports run, batch by batch.", NULL),
    [UEX_METER_BYTES] = COUNTER(
        "users_export_bytes_total",
        "Bytes while exports run: read from the database (CSV text), written to the store (compressed).", "direction"),
    [UEX_METER_S3_REQUESTS] = COUNTER("users_export_s3_requests_total",
                                      "Requests to the S3 server; code is the HTTP status, or none.", "method", "code"),
    [UEX_METER_S3_SECONDS] = HISTOGRAM("users_export_s3_request_seconds", "Requests to the S3 server.", "method"),
    [UEX_METER_CACHE] =
        NUMBER("users_export_cache_requests_total", "Look-ups of groups in Redis: hit, miss, failure.", "result"),
    [UEX_METER_PROGRESS] = NUMBER("users_export_progress_records_total",
                                  "Progress records: sent, failed, dropped (the queue was full).", "result"),
    [UEX_METER_BUILD_INFO] = GAUGE("users_export_build_info", "1; the version is in the label.", "version"),
};
