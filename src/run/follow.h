/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/follow.h — reads the state topic once from its beginning, and then its tail, and notes which groups of a run
 * have ended (run/tally.h). One thread. */
#ifndef EXPORT_RUN_FOLLOW_H
#define EXPORT_RUN_FOLLOW_H

#include "run/tally.h"

/* What is followed. Borrowed while it is followed. */
struct uex_run_follow_setup {
    const struct uex_config *config;
    const struct uex_run_record *run;
    struct uex_run_members *members; /* changed */
    const struct uex_cancel *cancel; /* may be NULL */
};

struct uex_run_follow;

/* Asks no broker; the first reading opens the topic. NULL: no memory. */
UEX_MUST_CHECK struct uex_run_follow *uex_run_follow_new(const struct uex_run_follow_setup *setup);
/* Accepts NULL. */
void uex_run_follow_free(struct uex_run_follow *follow);

/* Read for about `wait_ms`. UEX_END: the topic was read to its end, and every group has ended. UEX_OK: not yet, also
 * while Kafka is away (uex_run_follow_is_away()).
 *
 * With these the next call begins at the topic's beginning again, and what is known of the groups stays:
 * UEX_KAFKA_TOPICS: topics.state is not there, or was made anew, or lost the end of its log: outcomes that were not
 * read are lost with it; UEX_KAFKA_UNAVAILABLE: Kafka does not answer, after 10 s. Not worth another call: UEX_KAFKA
 * (not authorized, or a fatal error of the client), UEX_CONFIG, UEX_CANCELLED, UEX_NO_MEMORY, UEX_LIMIT. */
UEX_MUST_CHECK enum uex_error uex_run_follow_read(struct uex_run_follow *follow, int64_t wait_ms,
                                                  struct uex_fault *fault);
struct uex_run_counts uex_run_follow_counts(const struct uex_run_follow *follow);
/* Was the topic read to its end? Before that the counts only say what was read. */
bool uex_run_follow_is_caught_up(const struct uex_run_follow *follow);
/* Is Kafka away? It did not answer when it was asked last, after 10 s without a record. Waits 1 s at most. */
bool uex_run_follow_is_away(struct uex_run_follow *follow);
#endif
