/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/dlq/replay.h — what a replay or a discarding is asked for, and the report of what became of each dead letter.
 * Main thread. */
#ifndef EXPORT_CTL_DLQ_REPLAY_H
#define EXPORT_CTL_DLQ_REPLAY_H

#include "ctl/dlq/dlq.h"
#include "ctl/status/rows.h"

/* The request. */
struct uex_replay_order {
    const struct uex_config *config;
    enum uex_dlq_action action;
    struct uex_dlq_filter *filter;
    const char *by, *reason; /* never NULL */
    bool again, dry_run;
    bool wait;          /* for the outcomes of what is replayed */
    int64_t timeout_ms; /* of that; UEX_NO_TIME: none */
};

/* X(name, code in JSON, words in tables) */
#define UEX_REPLAY_RESULTS(X)                                                                                          \
    X(REPLAYED, "replayed", "replayed")                                                                                \
    X(DISCARDED, "discarded", "discarded")                                                                             \
    X(WOULD_REPLAY, "would-replay", "would be replayed")                                                               \
    X(WOULD_DISCARD, "would-discard", "would be discarded")                                                            \
    X(LEFT_REPLAYED, "left-replayed", "left: already replayed")                                                        \
    X(LEFT_DISCARDED, "left-discarded", "left: already discarded")                                                     \
    X(LEFT_ENDED, "left-ended", "left: its command was exported or skipped since")                                     \
    X(NO_VALUE, "no-value", "cannot be replayed: its value was too large to be kept")                                  \
    X(NO_NEW_ID, "no-new-id", "cannot be replayed again: the id in its value cannot be replaced")                      \
    X(REFUSED, "refused", "refused by Kafka")                                                                          \
    X(NOT_DONE, "not-done", "not done")

enum uex_replay_result {
#define UEX_REPLAY_ENUM(name, code, words) UEX_REPLAY_##name,
    UEX_REPLAY_RESULTS(UEX_REPLAY_ENUM)
#undef UEX_REPLAY_ENUM
        UEX_REPLAY_COUNT
};

/* One dead letter that matches. */
struct uex_replay_row {
    int32_t partition;
    int64_t offset;
    char *group_id;                      /* owned; NULL: it has none */
    char command_id[UEX_UUID_TEXT_SIZE]; /* its own */
    char new_id[UEX_UUID_TEXT_SIZE];     /* the one that it runs under now, if that is another; "" */
    int64_t known_at_ms;                 /* of the outcome that its command had before; UEX_NO_TIME: none is known */
    enum uex_replay_result result;
    bool is_malformed;                    /* so its outcome is a dead letter without a state */
    const struct uex_status_row *outcome; /* of a replayed one, once there is one; borrowed */
};

#define UEX_REPLAY_ROWS_MAX 100000 /* listed one by one; further ones are only counted */

struct uex_replay_report {
    struct uex_replay_row *rows;
    size_t row_count, row_capacity;
    size_t counts[UEX_REPLAY_COUNT];
};

/* The results in three numbers. */
struct uex_replay_sums {
    size_t done, left, failed;
};
struct uex_replay_sums uex_replay_sum_up(const struct uex_replay_report *report);

/* Add a row for a dead letter, "not done" so far. UEX_LIMIT: there are UEX_REPLAY_ROWS_MAX rows; it is only counted.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_replay_report_add(struct uex_replay_report *report, const struct uex_record *record,
                                                    struct uex_replay_row **out);
/* Print rows and sums. False when stdout failed. */
UEX_MUST_CHECK bool uex_replay_report_print(const struct uex_replay_report *report,
                                            const struct uex_replay_order *order, enum uex_output format);
void uex_replay_report_clear(struct uex_replay_report *report);
#endif
