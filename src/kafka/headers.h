/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/headers.h — builds the headers of the records that are sent.
 *
 * Forms and names are those of kafka/envelope.h. The command's own headers go on unchanged and in order. Ours are taken
 * out and written again behind them, so they do not pile up. Any thread.
 */
#ifndef EXPORT_KAFKA_HEADERS_H
#define EXPORT_KAFKA_HEADERS_H

#include "export/digest.h"
#include "kafka/record.h"

/* The builders return headers to be given to rd_kafka_producev() (which takes them when it succeeds; otherwise
 * rd_kafka_headers_destroy()), NULL when memory ends. `command_id` NULL or "": unknown, the header is left out. */

/* For a reroute to the right partition of the command topic. A retry record keeps its retry headers, which count there
 * too; kafka_original-… are left out, because its place is a new one. Produce it with its origin's timestamp. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_move(const struct uex_record *record, const char *command_id);
/* For the next retry topic. `next_attempt` is the attempt that it will be (2 in the first); attempts made are one less.
 */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_retry(const struct uex_record *record, const struct uex_origin *origin,
                                                     const char *command_id, int32_t next_attempt, int64_t due_ms,
                                                     const char *error_code, const char *error_text);
/* For the dead-letter topic. The retry_topic headers are left out, so that a plain copy back starts afresh. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_dead_letter(const struct uex_record *record,
                                                           const struct uex_origin *origin, const char *command_id,
                                                           const char *error_code, const char *error_text,
                                                           int32_t attempts_made);

/* The facts in the headers of one result message. */
struct uex_result_facts {
    const char *command_id;
    const char *run_id;     /* "" is written as such: the header is always there */
    const char *version;    /* export.version */
    const char *layout;     /* the id of the layout; NULL, "": left out */
    uint64_t row_count;     /* of the whole outcome; UEX_UNKNOWN: the header is left out */
    int64_t snapshot_at_ms; /* UEX_NO_TIME: left out */
    uint32_t part;          /* from 1 */
    uint32_t part_count;
    bool is_file;          /* format, byte_count and sha256 hold */
    const char *format;    /* NULL: left out */
    uint64_t byte_count;   /* UEX_UNKNOWN: left out */
    const uint8_t *sha256; /* UEX_SHA256_SIZE bytes; NULL: left out */
    const char *reason;    /* why there is nothing, of a group that was skipped; NULL: left out */
};

/* For a result: all text; the traceparent of `record` (may be NULL) is passed on. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_result(const struct uex_record *record,
                                                      const struct uex_result_facts *facts);
#endif
