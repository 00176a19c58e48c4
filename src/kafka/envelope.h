/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/envelope.h — the facts in a record's headers. Read once, when the record is copied (kafka/record.h); any
 * thread reads the fields.
 *
 * Retry and dead-letter headers are Spring Kafka's, so that its tools read ours and ours read its. Source: Spring for
 * Apache Kafka, KafkaHeaders and RetryTopicHeaders (names), DeadLetterPublishingRecoverer and
 * DeadLetterPublishingRecovererFactory (forms): integers are big-endian, int32 of 4 and int64 of 8 bytes. Spring writes
 * the two timestamps of retry_topic as a BigInteger, that is with leading zero bytes left out: 1 to 8 bytes are read.
 *
 * Of several headers with one name the last counts.
 */
#ifndef EXPORT_KAFKA_ENVELOPE_H
#define EXPORT_KAFKA_ENVELOPE_H

#include "export/clock.h"
#include "export/uuid.h"
#include "kafka/trace_parent.h"

#define UEX_HEADER_COMMAND_ID "export-command-id"
#define UEX_HEADER_ERROR_CODE "export-error-code"
#define UEX_HEADER_ERROR "export-error"
#define UEX_HEADER_ATTEMPTS_MADE "export-attempts"
#define UEX_HEADER_RETRY_ATTEMPTS "retry_topic-attempts"
#define UEX_HEADER_RETRY_TIMESTAMP "retry_topic-original-timestamp"
#define UEX_HEADER_RETRY_DUE "retry_topic-backoff-timestamp"
#define UEX_HEADER_ORIGINAL_TOPIC "kafka_original-topic"
#define UEX_HEADER_ORIGINAL_PARTITION "kafka_original-partition"
#define UEX_HEADER_ORIGINAL_OFFSET "kafka_original-offset"
#define UEX_HEADER_ORIGINAL_TIMESTAMP "kafka_original-timestamp"
#define UEX_HEADER_DLT_TOPIC "kafka_dlt-original-topic"
#define UEX_HEADER_DLT_PARTITION "kafka_dlt-original-partition"
#define UEX_HEADER_DLT_OFFSET "kafka_dlt-original-offset"
#define UEX_HEADER_DLT_TIMESTAMP "kafka_dlt-original-timestamp"
#define UEX_HEADER_DLT_MESSAGE "kafka_dlt-exception-message"
#define UEX_HEADER_TRACE "traceparent"
#define UEX_HEADER_RUN_ID "export-run-id"
#define UEX_HEADER_VERSION "export-version"
#define UEX_HEADER_LAYOUT "export-layout"
#define UEX_HEADER_FORMAT "export-format"
#define UEX_HEADER_ROW_COUNT "export-row-count"
#define UEX_HEADER_SNAPSHOT_AT "export-snapshot-at"
#define UEX_HEADER_PART "export-part"
#define UEX_HEADER_PART_COUNT "export-part-count"
#define UEX_HEADER_BYTE_COUNT "export-byte-count"
#define UEX_HEADER_SHA256 "export-sha256"
#define UEX_HEADER_REASON "export-reason"

#define UEX_ATTEMPT_MAX 32767 /* Spring's own cap */

/* A place in the command topic. `topic` is borrowed from the record. */
struct uex_origin {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
};

/* Bytes are borrowed from the record; data is NULL where the header is absent or has no value. */
struct uex_envelope {
    /* Was it replayed from the dead letters, by this service or another tool? It has a kafka_dlt-… header, and starts
     * afresh: first attempt, its own place, no due time. */
    bool is_replay;
    /* Where the command stands in the command topic: a retry record's four kafka_original-… headers, if all have the
     * right form; else the record's own place. A record of the command topic is always its own origin, also after a
     * reroute. */
    struct uex_origin origin;
    /* Which attempt this is: retry_topic-attempts (1 or 4 bytes, as Spring reads it), else 1; within
     * 1 … UEX_ATTEMPT_MAX. Only this service writes to its retry topics, but anybody writes to the command topic. There
     * the header counts only beside an export-attempts header that agrees with it, as in a record that was rerouted
     * from a retry topic. So a record that was copied from another application's retry topic is at its first attempt.
     */
    int32_t attempt;
    int64_t due_ms;                      /* retry_topic-backoff-timestamp: not before this time; UEX_NO_TIME */
    int64_t first_attempt_ms;            /* retry_topic-original-timestamp; UEX_NO_TIME */
    char command_id[UEX_UUID_TEXT_SIZE]; /* export-command-id, lower case; "": there is none, or it is no UUID */
    struct uex_bytes error_code, error, attempts_made; /* export-error-code, export-error, export-attempts */
    bool has_traceparent;
    struct uex_bytes traceparent;  /* as it is, for results */
    bool has_trace;                /* and it has the right form: */
    struct uex_trace_parent trace; /* what it says */
    /* Of a dead letter: kafka_dlt-original-…; `topic` is NULL where they are missing or have another form. */
    struct uex_origin dead_letter_origin;
};

struct uex_record;
/* Read the envelope of `record` from its other members. `command_topic`: topics.command; NULL: the record is no command
 * (a result, a dead letter), and its origin and attempt mean nothing. */
void uex_envelope_read(struct uex_record *record, const char *command_topic);

/* What becomes of a header when its record is sent on. */
enum uex_header_kind {
    UEX_HEADER_FOREIGN,      /* the command's own: goes on unchanged */
    UEX_HEADER_OURS,         /* taken out; written again where it belongs */
    UEX_HEADER_OURS_AND_KEPT /* the same, but a reroute keeps it */
};
enum uex_header_kind uex_header_kind(const char *name);
#endif
