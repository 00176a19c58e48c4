/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/dead_letter.h — the dead letter topic: what a letter says of itself, and the marks of what became of it.
 *
 * A mark is a record in the dead letter topic itself, written in the transaction that replays a letter (or that
 * discards it), into the letter's own partition: so it outlives the letter there, and whoever reads the topic from its
 * beginning knows what was done. Its value is null: a tool that copies it back as a command makes a malformed one, not
 * an export. Any thread.
 */
#ifndef EXPORT_KAFKA_DEAD_LETTER_H
#define EXPORT_KAFKA_DEAD_LETTER_H

#include "kafka/headers.h"

#define UEX_HEADER_MARK_OF "export-dlq-of"         /* "<partition>:<offset>" of the letter */
#define UEX_HEADER_MARK_ACTION "export-dlq-action" /* "replayed" or "discarded" */
#define UEX_HEADER_MARK_BY "export-dlq-by"         /* who */
#define UEX_HEADER_MARK_AT "export-dlq-at"         /* RFC 3339, UTC */
#define UEX_HEADER_MARK_REASON "export-dlq-reason" /* text; may be absent */

enum uex_dlq_action { UEX_DLQ_REPLAYED, UEX_DLQ_DISCARDED, UEX_DLQ_ACTION_COUNT };
const char *uex_dlq_action_text(enum uex_dlq_action action);

struct uex_dlq_mark {
    int32_t partition; /* of the letter, and of the mark */
    int64_t offset;    /* of the letter */
    enum uex_dlq_action action;
    int64_t at_ms;                       /* UEX_NO_TIME: not said */
    const char *by, *reason;             /* borrowed from the record; never NULL */
    char command_id[UEX_UUID_TEXT_SIZE]; /* the id that it was replayed with; "" if it has none */
};

/* Is this record a mark? One that speaks of another partition than its own, or in a form that we do not write, is none:
 * it is shown as a letter. */
UEX_MUST_CHECK bool uex_dlq_mark_read(const struct uex_record *record, struct uex_dlq_mark *out);
/* The headers of a mark; its key is the letter's, its value null. NULL when memory ends. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_dlq_mark_headers(const struct uex_dlq_mark *mark);

/* What a letter says of itself. Texts are borrowed from the record and never NULL. */
struct uex_dead_letter {
    const char *error_code, *error;
    int64_t attempts;                    /* -1: not said */
    char command_id[UEX_UUID_TEXT_SIZE]; /* "" if it has none */
    bool has_origin;
    struct uex_origin origin; /* where the command stood in the command topic */
};
void uex_dead_letter_read(const struct uex_record *record, struct uex_dead_letter *out);

/* Headers to replay a letter with: its own and foreign ones in order, without what retries, dead letters and marks
 * (ours, and those of Spring's tools) have added, so that it starts afresh; then export-command-id (NULL or "": without
 * one). NULL when memory ends. */
UEX_MUST_CHECK rd_kafka_headers_t *uex_headers_replay(const struct uex_record *record, const char *command_id);
#endif
