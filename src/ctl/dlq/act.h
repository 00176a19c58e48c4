/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/dlq/act.h — replaying and discarding: one pass over the letters, and what became of each. Main thread. */
#ifndef EXPORT_CTL_DLQ_ACT_H
#define EXPORT_CTL_DLQ_ACT_H

#include "ctl/dlq/dlq.h"
#include "ctl/state_reader.h"

/* X(name, code in JSON, words in tables) */
#define UEX_DLQ_RESULTS(X)                                                                                             \
    X(REPLAYED, "replayed", "replayed")                                                                                \
    X(DISCARDED, "discarded", "discarded")                                                                             \
    X(WOULD_REPLAY, "would-replay", "would be replayed")                                                               \
    X(WOULD_DISCARD, "would-discard", "would be discarded")                                                            \
    X(LEFT_REPLAYED, "left-replayed", "left: was replayed before")                                                     \
    X(LEFT_DISCARDED, "left-discarded", "left: was discarded before")                                                  \
    X(LEFT_ENDED, "left-ended", "left: this command was exported or skipped meanwhile")                                \
    X(NO_VALUE, "no-value", "cannot be replayed: its value was too large for the dead letters")                        \
    X(NO_NEW_ID, "no-new-id", "cannot be replayed again: its id is written in a way that cannot be replaced")          \
    X(REFUSED, "refused", "refused by Kafka")                                                                          \
    X(NOT_DONE, "not-done", "not done")

enum uex_dlq_result {
#define UEX_DLQ_RESULT_ENUM(name, code, words) UEX_DLQ_##name##_RESULT,
    UEX_DLQ_RESULTS(UEX_DLQ_RESULT_ENUM)
#undef UEX_DLQ_RESULT_ENUM
        UEX_DLQ_RESULT_COUNT
};

/* One letter that fits. */
struct uex_dlq_row {
    int32_t partition;
    int64_t offset;
    char *group_id;                      /* owned; NULL: it has none */
    char command_id[UEX_UUID_TEXT_SIZE]; /* the letter's own */
    char new_id[UEX_UUID_TEXT_SIZE];     /* the one that it runs under now, where that is another; "" */
    enum uex_dlq_result result;
};

#define UEX_DLQ_ROWS_MAX 100000 /* that are told one by one; beyond they are only counted */

struct uex_dlq_report {
    struct uex_dlq_row *rows;
    size_t row_count, row_capacity;
    size_t counts[UEX_DLQ_RESULT_COUNT];
};
void uex_dlq_report_clear(struct uex_dlq_report *report);
/* Print it; false when stdout failed. */
UEX_MUST_CHECK bool uex_dlq_report_print(const struct uex_dlq_report *report, enum uex_dlq_action action, bool dry_run,
                                         enum uex_output format);

/* What is asked for. */
struct uex_dlq_order {
    const struct uex_config *config;
    enum uex_dlq_action action;
    struct uex_dlq_filter *filter;
    const char *by, *reason; /* never NULL */
    bool again, dry_run;
};
/* Do it. The report tells what was done in any case; letters of a transaction that was not committed are in it as
 * "not done". Errors as of uex_dlq_read() and uex_dlq_sender_…(). */
UEX_MUST_CHECK enum uex_error uex_dlq_act(const struct uex_dlq_order *order, struct uex_dlq_report *report,
                                          struct uex_fault *fault);
#endif
