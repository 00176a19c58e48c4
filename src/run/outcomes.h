/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/outcomes.h — what became of the groups of a run, in full: a second pass over the state topic, so that the
 * members need not keep it. One thread. */
#ifndef EXPORT_RUN_OUTCOMES_H
#define EXPORT_RUN_OUTCOMES_H

#include "export/group_state_view.h"
#include "run/members.h"
#include "run/rule.h"

/* What is read. Borrowed. */
struct uex_run_pass {
    const struct uex_config *config;
    const struct uex_run_record *run;
    const struct uex_run_members *members; /* followed to the end of the topic before */
    bool (*wanted)(const struct uex_run_member *member);
    /* Called once for each wanted member: in the order of the topic, then for those whose record is gone, with what the
     * member itself knows. `outcome` and its strings are borrowed for the call; none of them is NULL. An error ends the
     * pass. */
    enum uex_error (*take)(void *context, const struct uex_state_record *outcome);
    void *context;
    int64_t wait_ms; /* for Kafka's answers */
    const struct uex_cancel *cancel;
};

/* Read the records on which the members' outcomes stand, or where compaction has taken one away, the record that has
 * replaced it. Reads from the run's start on, and from the beginning only if something was not found there. Errors as
 * of uex_topic_reader_open() and uex_topic_reader_drain(), those of `take`, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_run_pass_read(const struct uex_run_pass *pass, struct uex_fault *fault);

/* The outcome of a run in a group's state. `record` points into the view and into this struct, which is not to be
 * copied. */
struct uex_run_outcome {
    struct uex_state_record record;
    char command_id[UEX_UUID_TEXT_SIZE];
    char sha256[UEX_SHA256_HEX_SIZE];
};
/* The newest one of this run that is final, also among `recent`, whose entries have no figures; else its retry. False:
 * there is no outcome. */
UEX_MUST_CHECK bool uex_run_outcome_of(const struct uex_group_state_view *view, const struct uex_run_rule *rule,
                                       struct uex_run_outcome *out);
#endif
