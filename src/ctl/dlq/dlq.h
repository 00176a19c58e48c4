/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/dlq/dlq.h — dead letters for operators: select, list, replay, discard.
 *
 * Each subcommand reads the topic from its beginning to its high watermark. Marks in it record what was replayed or
 * discarded (kafka/dead_letter.h). Main thread.
 */
#ifndef EXPORT_CTL_DLQ_H
#define EXPORT_CTL_DLQ_H

#include "ctl/output.h"
#include "kafka/dead_letter.h"

/* ---- letters.c: the selection */

struct uex_dlq_place {
    int32_t partition;
    int64_t offset;
    bool found;
};

/* A dead letter matches if it is at one of the places (if there are any) and matches all the rest. */
struct uex_dlq_filter {
    struct uex_dlq_place *places; /* in order */
    size_t place_count;
    const char *group, *error_code; /* NULL: any */
    int64_t since_ms, until_ms;     /* UEX_NO_TIME: any */
};

/* The filter of the options and the operands "PARTITION:OFFSET"; times are RFC 3339, or a duration before now.
 * UEX_CONFIG, reported on stderr; also if `must_name` and nothing is selected, not even with --all. Clear in any case.
 */
UEX_MUST_CHECK enum uex_error uex_dlq_filter_make(int operand_count, char *const *operands, bool must_name,
                                                  struct uex_dlq_filter *out);
void uex_dlq_filter_clear(struct uex_dlq_filter *filter);
/* Does it match? Also notes that its place was found. */
bool uex_dlq_filter_fits(struct uex_dlq_filter *filter, const struct uex_record *record);
/* Report on stderr the places without a dead letter; true if there are any. */
bool uex_dlq_filter_report_missing(const struct uex_dlq_filter *filter);

/* ---- letters.c: the marks */

struct uex_dlq_done {
    int32_t partition;
    int64_t offset;
    int64_t mark_offset; /* orders the marks of one dead letter */
    int64_t at_ms;
    enum uex_dlq_action action;
    char command_id[UEX_UUID_TEXT_SIZE];
    const char *by, *reason;
};

/* A zeroed struct is empty. */
struct uex_dlq_marks {
    struct uex_dlq_done *items;
    size_t count, capacity;
    bool is_sorted;
    struct uex_dlq_text *texts; /* owned: what `by` and `reason` point to */
    const char *last_by, *last_reason;
};
UEX_MUST_CHECK enum uex_error uex_dlq_marks_add(struct uex_dlq_marks *marks, const struct uex_record *record,
                                                const struct uex_dlq_mark *mark, struct uex_fault *fault);
/* The marks of the dead letter at this place, oldest first; `*count` 0: it is open. */
const struct uex_dlq_done *uex_dlq_marks_find(struct uex_dlq_marks *marks, int32_t partition, int64_t offset,
                                              size_t *count);
void uex_dlq_marks_clear(struct uex_dlq_marks *marks);

/* ---- letters.c: reading the topic */

/* Who gets the records of the topic. Members may be NULL. An error of `letter` ends the reading. */
struct uex_dlq_visitor {
    struct uex_dlq_marks *marks; /* gets the marks */
    /* `record` is the visitor's if it sets *kept. */
    enum uex_error (*letter)(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault);
    void *context;
};
UEX_MUST_CHECK enum uex_error uex_dlq_read(const struct uex_config *config, const struct uex_dlq_visitor *visitor,
                                           struct uex_fault *fault);

/* The dead letters that match, by time, and all marks. */
struct uex_dlq_letters {
    struct uex_record **items; /* owned */
    size_t count, capacity, size_bytes;
    struct uex_dlq_filter *filter;
    struct uex_dlq_marks marks;
};
/* UEX_LIMIT: they are more than 256 MiB. */
UEX_MUST_CHECK enum uex_error uex_dlq_collect(const struct uex_config *config, struct uex_dlq_letters *letters,
                                              struct uex_fault *fault);
void uex_dlq_letters_clear(struct uex_dlq_letters *letters);

/* The group id that is the dead letter's key, NULL if that is none. */
const char *uex_dlq_group(const struct uex_record *record);

/* ---- send.c: replaying and discarding, in transactions of a bounded size */

/* A dead letter to be replayed or discarded. */
struct uex_dlq_item {
    struct uex_record *record;           /* owned */
    struct uex_buffer value;             /* the value under a new id; empty: its own value */
    char command_id[UEX_UUID_TEXT_SIZE]; /* the one that it runs under; "" if it has none */
    size_t row;                          /* the caller's */
    rd_kafka_resp_err_t refused;         /* Kafka refuses it */
};

#define UEX_DLQ_CHUNK_MAX 500
#define UEX_DLQ_CHUNK_BYTES ((size_t)8 << 20)

struct uex_dlq_sender;
/* Fences every other replay and discard of this kafka.group.id. UEX_CANCELLED, UEX_KAFKA_UNAVAILABLE, UEX_KAFKA: also
 * if another one has fenced this one. */
UEX_MUST_CHECK enum uex_error uex_dlq_sender_open(const struct uex_config *config, enum uex_dlq_action action,
                                                  const char *by, const char *reason, struct uex_dlq_sender **out,
                                                  struct uex_fault *fault);
/* One transaction: commands (to replay) and marks of the items; all of them but those with `refused` set, or, on an
 * error, none. UEX_CANCELLED: aborted; UEX_TIMEOUT: outcome of the transaction unknown; UEX_KAFKA: fenced by another
 * one, or what the fault says. */
UEX_MUST_CHECK enum uex_error uex_dlq_sender_send(struct uex_dlq_sender *sender, struct uex_dlq_item *items,
                                                  size_t count, struct uex_fault *fault);
void uex_dlq_sender_close(struct uex_dlq_sender *sender);
#endif
