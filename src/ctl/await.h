/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/await.h — waits for the outcomes of commands that this process has sent: --wait of trigger and of dlq replay.
 * It reads the state topic from where that ended before the commands were sent, until each of them has ended. Main
 * thread. */
#ifndef EXPORT_CTL_AWAIT_H
#define EXPORT_CTL_AWAIT_H

#include "ctl/status/rows.h"

/* One command. */
struct uex_awaited {
    const char *group_id; /* borrowed */
    char command_id[UEX_UUID_TEXT_SIZE];
    /* The time of the outcome that this command had before it was sent once more, as a replayed one has; UEX_NO_TIME:
     * it had none. The same one is not the outcome that is waited for. */
    int64_t known_at_ms;
    bool has_ended;
    struct uex_status_row *outcome; /* owned; the newest, NULL: none yet */
    size_t row;                     /* the caller's */
};

/* Commands that were sent. */
struct uex_awaited_set {
    struct uex_awaited *items; /* by their groups' ids; a group may have several */
    size_t count, ended_count;
    int64_t timeout_ms;     /* of waiting; UEX_NO_TIME: none */
    bool skips_are_fine;    /* nobody asked for these groups in particular */
    enum uex_output format; /* a table: each outcome is a line as soon as it is there */
    /* Prints them all as one document, once the waiting is over; only for JSON. False: stdout cannot be written. */
    bool (*print)(void *context);
    void *context;
};
/* Bring the items into their order. */
void uex_awaited_sort(struct uex_awaited_set *set);
/* Frees items and outcomes. */
void uex_awaited_clear(struct uex_awaited_set *set);

struct uex_await;
/* Before anything is sent: read to the ends of the topics. `*out` is to be closed in any case. UEX_KAFKA_UNAVAILABLE,
 * UEX_KAFKA_TOPICS, UEX_CANCELLED, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_await_open(const struct uex_config *config, struct uex_await **out,
                                             struct uex_fault *fault);
/* After the commands were sent: wait until each was exported, skipped or dead-lettered, and report those that failed.
 * Returns the exit code. */
int uex_await_outcomes(struct uex_await *await, struct uex_awaited_set *set);
/* Accepts NULL. */
void uex_await_close(struct uex_await *await);
#endif
