/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/tally.h — what the records of the state topic say of a run: which of its groups have ended, and how. One
 * thread.
 *
 * A group has ended for the run when the newest outcome of its state is of this run and final (exported, skipped,
 * dead-lettered), or when one of `recent` is. A retry is no end. run/rule.h says which are of the run. */
#ifndef EXPORT_RUN_TALLY_H
#define EXPORT_RUN_TALLY_H

#include "run/members.h"
#include "run/rule.h"

/* How far the run is. */
struct uex_run_counts {
    uint64_t groups; /* the sum of the next four */
    uint64_t exported, skipped, dead_lettered, unfinished;
    uint64_t retrying;    /* of the unfinished ones: they wait for their next attempt */
    uint64_t rows, bytes; /* of the exported ones, as far as states tell them */
};

struct uex_run_tally {
    struct uex_run_rule rule;        /* its name is borrowed */
    struct uex_buffer quoted;        /* the name as it stands in JSON */
    uint64_t group_count;            /* of the run's record; UEX_UNKNOWN: as many as there are members */
    struct uex_run_members *members; /* borrowed; changed */
    struct uex_run_counts counts;    /* `groups` and `unfinished` are those of uex_run_tally_counts() only */
};

/* Begin; what the members say already counts. Where `group_count` says more than there are members, groups whose state
 * names the run become members: their commands are gone from topics.command. UEX_NO_MEMORY. The caller clears `tally`
 * in any case. */
UEX_MUST_CHECK enum uex_error uex_run_tally_begin(struct uex_run_tally *tally, const struct uex_run_rule *rule,
                                                  uint64_t group_count, struct uex_run_members *members);
void uex_run_tally_clear(struct uex_run_tally *tally);
/* Take in a record of topics.state. One that cannot be read, or has no value, says nothing. UEX_NO_MEMORY, UEX_LIMIT.
 */
UEX_MUST_CHECK enum uex_error uex_run_tally_take(struct uex_run_tally *tally, const rd_kafka_message_t *message);
struct uex_run_counts uex_run_tally_counts(const struct uex_run_tally *tally);
#endif
