/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/headers.h — the headers that a command and a result carry: names, forms, what is kept and what is replaced.
 *
 * Retries and dead letters are written as Spring Kafka writes them, so that its tools read ours and ours read its.
 * Source: Spring for Apache Kafka, KafkaHeaders and RetryTopicHeaders (names), DeadLetterPublishingRecoverer and
 * DeadLetterPublishingRecovererFactory (forms): integers are big-endian, int32 of 4 and int64 of 8 bytes. Spring writes
 * the two timestamps of retry_topic as a BigInteger, that is with leading zero bytes left out: 1 to 8 bytes are read.
 *
 * The command's own headers go on unchanged and in order; ours are taken out and written anew behind them, so they do
 * not pile up. A record that carries a kafka_dlt-original-… header was replayed from the dead letters by whatever tool:
 * it starts afresh (first attempt, its own place), keeping only its command id. Any thread.
 */
#ifndef EXPORT_KAFKA_HEADERS_H
#define EXPORT_KAFKA_HEADERS_H

#include "export/clock.h"
#include "export/digest.h"
#include "export/uuid.h"
#include "kafka/record.h"

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
#define UEX_HEADER_ROW_COUNT "export-row-count"
#define UEX_HEADER_SNAPSHOT_AT "export-snapshot-at"
#define UEX_HEADER_PART "export-part"
#define UEX_HEADER_PART_COUNT "export-part-count"
#define UEX_HEADER_BYTE_COUNT "export-byte-count"
#define UEX_HEADER_SHA256 "export-sha256"

#define UEX_ATTEMPT_MAX 32767 /* Spring's own cap */

/* A place in the command topic. `topic` is borrowed from the record or from the caller of uex_record_origin(). */
struct uex_origin {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
};

/* Where the command stands in the command topic: what a tier record's kafka_original-… headers say, all four of the
 * right form; else the record's own place. A record of the command topic is always its own origin, also after a move.
 */
void uex_record_origin(const struct uex_record *record, const char *command_topic, struct uex_origin *origin);
/* The same of a dead letter, from its kafka_dlt-original-… headers. False: they are not there, or of another form. */
UEX_MUST_CHECK bool uex_record_dead_letter_origin(const struct uex_record *record, struct uex_origin *origin);
/* Which attempt this is: 1, or what retry_topic-attempts says (1 or 4 bytes, as Spring reads it; else 1), within
 * 1 … UEX_ATTEMPT_MAX. Only this service writes to its retry tiers, but anybody writes to the command topic: there the
 * header counts only beside an export-attempts header that agrees with it, as it does in a record that was moved from a
 * tier. A record that was copied from another application's retry topic is at its first attempt. */
int32_t uex_record_attempt(const struct uex_record *record, const char *command_topic);
/* Not before this time: retry_topic-backoff-timestamp, UEX_NO_TIME without one. */
int64_t uex_record_due_ms(const struct uex_record *record);
/* The id in export-command-id, lower case. False: there is none or it is no UUID. `out` has UEX_UUID_TEXT_SIZE bytes.
 */
UEX_MUST_CHECK bool uex_record_command_id(const struct uex_record *record, char *out);
/* Was it replayed from the dead letters (it carries kafka_dlt-original-… headers)? */
bool uex_record_is_replay(const struct uex_record *record);

/* The builders return headers to be given to rd_kafka_producev() (which takes them when it succeeds; otherwise
 * rd_kafka_headers_destroy()), NULL when memory ends. `command_id` may be NULL or "": not known, then the header stays
 * away. */

/* For a move to the right partition of the command topic: a tier record keeps its retry headers, which are honoured
 * there; kafka_original-… are gone, because its place is a new one. Produce it with the timestamp of
 * uex_record_origin(). */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_move(const struct uex_record *record, const char *command_id);
/* For the next tier. `next_attempt` is the one it will be (2 in the first tier); attempts made are one less. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_retry(const struct uex_record *record, const struct uex_origin *origin,
                                                     const char *command_id, int32_t next_attempt, int64_t due_ms,
                                                     const char *error_code, const char *error_text);
/* For the dead letters. The headers of retry_topic are not handed on, so that a plain copy back starts afresh. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_dead_letter(const struct uex_record *record,
                                                           const struct uex_origin *origin, const char *command_id,
                                                           const char *error_code, const char *error_text,
                                                           int32_t attempts_made);

/* What stands in the headers of one result message. */
struct uex_result_facts {
    const char *command_id;
    const char *run_id;     /* "" is written as such: the header is always there */
    uint64_t row_count;     /* of the whole outcome; UEX_UNKNOWN: the header is left out */
    int64_t snapshot_at_ms; /* UEX_NO_TIME: left out */
    uint32_t part;          /* from 1 */
    uint32_t part_count;
    bool is_file;          /* byte_count and sha256 hold */
    uint64_t byte_count;   /* UEX_UNKNOWN: left out */
    const uint8_t *sha256; /* UEX_SHA256_SIZE bytes; NULL: left out */
};

/* For a result: all text; a traceparent of `record` (may be NULL) is handed on. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_result(const struct uex_record *record,
                                                      const struct uex_result_facts *facts);
#endif
