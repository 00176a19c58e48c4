/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/record.h — a consumed record, copied out of librdkafka's memory.
 *
 * A copy holds no reference to a fetch buffer, so that a record that waits for hours pins only itself. Immutable once
 * made; any thread may read it, one frees it.
 */
#ifndef EXPORT_KAFKA_RECORD_H
#define EXPORT_KAFKA_RECORD_H

#include <librdkafka/rdkafka.h>

#include "kafka/envelope.h"

/* The value may be absent (data NULL); otherwise one zero byte stands behind it, so that text can be read as such. */
struct uex_record_header {
    const char *name;
    struct uex_bytes value;
};

struct uex_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;   /* -1: the record has none */
    struct uex_bytes key;   /* data NULL: none */
    struct uex_bytes value; /* data NULL: none */
    const struct uex_record_header *headers;
    size_t header_count;
    struct uex_envelope envelope; /* the facts in the headers */
};

/* Copy a message without error, and read its envelope: `command_topic` as of uex_envelope_read(). NULL when memory
 * ends. One allocation; uex_record_free() frees it. */
UEX_MUST_CHECK struct uex_record *uex_record_copy(const rd_kafka_message_t *message, const char *command_topic);
/* Accepts NULL. */
void uex_record_free(struct uex_record *record);
/* The heap bytes that the copy takes. */
size_t uex_record_size_bytes(const struct uex_record *record);
/* The last header of that name, for what the envelope does not hold. False: there is none; a header without a value
 * gives data NULL. */
bool uex_record_header(const struct uex_record *record, const char *name, struct uex_bytes *out);
#endif
