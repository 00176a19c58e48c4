/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/dead_letter.h — the records of the dead-letter topic: dead letters, and marks that say what was done with
 * one.
 *
 * A mark is written in the transaction that replays or discards the dead letter, into the same partition. So it is kept
 * for longer than the dead letter, and a reader of the whole topic knows what was done. Its value is null: a tool that
 * copies it back as a command makes a malformed command, not an export. Any thread.
 */
#ifndef EXPORT_KAFKA_DEAD_LETTER_H
#define EXPORT_KAFKA_DEAD_LETTER_H

#include "kafka/headers.h"

#define UEX_HEADER_MARK_OF "export-dlq-of"         /* "<partition>:<offset>" of the dead letter */
#define UEX_HEADER_MARK_ACTION "export-dlq-action" /* "replayed" or "discarded" */
#define UEX_HEADER_MARK_BY "export-dlq-by"         /* who */
#define UEX_HEADER_MARK_AT "export-dlq-at"         /* RFC 3339, UTC */
#define UEX_HEADER_MARK_REASON "export-dlq-reason" /* text; may be absent */

enum uex_dlq_action { UEX_DLQ_REPLAYED, UEX_DLQ_DISCARDED, UEX_DLQ_ACTION_COUNT };
const char *uex_dlq_action_text(enum uex_dlq_action action);

struct uex_dlq_mark {
    int32_t partition; /* of the dead letter and of the mark */
    int64_t offset;    /* of the dead letter */
    enum uex_dlq_action action;
    int64_t at_ms;                       /* UEX_NO_TIME: unknown */
    const char *by, *reason;             /* borrowed from the record; never NULL */
    char command_id[UEX_UUID_TEXT_SIZE]; /* the id that it was replayed with; "" if it has none */
};

/* Is this record a mark? One that names another partition than its own, or has a form that we do not write, is not: it
 * is shown as a dead letter. */
UEX_MUST_CHECK bool uex_dlq_mark_read(const struct uex_record *record, struct uex_dlq_mark *out);
/* The headers of a mark; its key is the dead letter's, its value null. NULL when memory ends. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_dlq_mark_headers(const struct uex_dlq_mark *mark);

/* The headers of a dead letter, as text. Texts are borrowed from the record and never NULL. */
struct uex_dead_letter {
    const char *error_code, *error;
    int64_t attempts;                    /* -1: unknown */
    char command_id[UEX_UUID_TEXT_SIZE]; /* "" if it has none */
    bool has_origin;
    struct uex_origin origin; /* where the command stood in the command topic */
};
void uex_dead_letter_read(const struct uex_record *record, struct uex_dead_letter *out);

/* Headers to replay a dead letter with: those of the command, in order, without what retries, dead letters and marks
 * (ours, and those of Spring's tools) have added, so that it starts afresh; then export-command-id (NULL or "": left
 * out). NULL when memory ends. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_replay(const struct uex_record *record, const char *command_id);
#endif
