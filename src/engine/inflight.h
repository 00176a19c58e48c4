/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/inflight.h — one command record on its way from the consumer to its committed outcome.
 *
 *   QUEUED ──► RUNNING ──► ENDED ──► COMMITTING ──► gone
 *     │           │          ▲  ◄────────┘ (the transaction did not happen)
 *     └───────────┴──────────┘ outcomes that need no job, or are known before one starts
 *
 * An in-flight command is owned by the engine and changed under its lock, except that a running one's `command`,
 * `progress` and job belong to its lane, and a committing one's outcome to the committer.
 */
#ifndef ENGINE_INFLIGHT_H
#define ENGINE_INFLIGHT_H

#include "export/command.h"
#include "export/group_state.h"
#include "export/job.h"
#include "kafka/headers.h"
#include "kafka/record.h"

enum uex_inflight_state { UEX_INFLIGHT_QUEUED, UEX_INFLIGHT_RUNNING, UEX_INFLIGHT_ENDED, UEX_INFLIGHT_COMMITTING };

/* What a fresh assignment found out about an outcome whose transaction was still under way. */
enum uex_verdict { UEX_VERDICT_NONE, UEX_VERDICT_DONE, UEX_VERDICT_REDO, UEX_VERDICT_LOST };

/* The outcome of a command: what is to be said of it. */
struct uex_outcome {
    enum uex_outcome_kind kind;
    enum uex_skip_reason skip;
    struct uex_fault fault;          /* of RETRIED and DEAD_LETTERED */
    size_t tier;                     /* of RETRIED: the tier it goes to */
    int64_t due_at_ms;               /* of RETRIED: not before */
    int32_t to_partition;            /* of REROUTED */
    bool keeps_no_state;             /* malformed, rerouted, duplicate: no state record */
    bool headers_refused;            /* nor its headers: it goes with ours alone */
    bool value_refused;              /* even the dead-letter topic refuses the value: it goes without */
    int64_t at_ms;                   /* when it was made */
    struct uex_job_outcome job;      /* facts of what was exported */
    struct uex_group_memory *memory; /* the group's memory with this outcome in it; taken over when committed */
};

struct uex_inflight {
    struct uex_record *record; /* as it was read: forwarded unchanged */
    struct uex_command command;
    struct uex_origin origin;
    size_t input_topic; /* index into the engine's topics */
    int32_t partition;
    int64_t offset;
    uint64_t epoch;   /* the assignment it belongs to */
    unsigned attempt; /* which attempt this is, from 1 */
    enum uex_inflight_state state;
    enum uex_verdict verdict;
    bool announced;        /* the observer has heard of its commit */
    bool spool_failed;     /* its list cannot be read back */
    int64_t not_before_ms; /* monotonic: it is refused again and again and lets others go first */
    bool commit_by_itself; /* a transaction with it was refused: find out who it was */
    unsigned timed_out;    /* transactions of it that the coordinator ended for their age; the committer's thread */
    unsigned too_slow;     /* the last of them in a row in which its list, and nothing else, was too slow */
    int64_t warned_ms;     /* monotonic: when that was last said */
    bool given_up;         /* its list cannot be sent within a transaction's time */
    int refused_code;      /* librdkafka's code if a record of it was refused; the committer's thread */
    char *refused_topic;   /* where; owned */
    bool has_own_id;       /* the value carries the id; else it is its record's, and travels in a header */
    bool holds_group;      /* it is its group's running command */
    bool suspect;          /* may have killed its worker: runs exclusively, its start committed before it is parsed */
    bool below_marker;    /* a suspect for an open crash marker; else it was running at several openings of a breaker */
    uint64_t start_epoch; /* of a suspect: its start was counted in this epoch's crash markers; 0: not yet */
    int64_t start_count;  /* which start it is */
    bool start_committed;
    unsigned openings; /* how often in a row it was running when a breaker opened */
    unsigned breaks;   /* how often it failed and was given back, other than for want of a connection from the start */
    struct uex_cancel cancel;
    struct uex_job_progress progress;
    int64_t taken_at_ms; /* wall: when it was read */
    int64_t since_ms;    /* wall: the timestamp of the command's record in the command topic; fixed when it is read */
    struct uex_outcome outcome;
    struct uex_inflight *next_in_group;   /* waiting behind the same group */
    struct uex_inflight *next_outcome;    /* waiting for the committer */
    struct uex_inflight *next_at_place;   /* in the same bucket of the index by source, partition and offset */
    struct uex_inflight *next, *previous; /* all commands */
};

/* Takes the record over; NULL when memory ends (then the caller keeps it). */
UEX_MUST_CHECK struct uex_inflight *uex_inflight_new(struct uex_record *record, size_t input_topic);
void uex_inflight_free(struct uex_inflight *inflight);
/* The same of a list that is linked by `next`. */
void uex_inflight_free_all(struct uex_inflight *first);

/* Queues that are linked by next_in_group: behind a group, a restore, a backpressured record, the suspects. Put one at
 * the end, or at the front. */
void uex_inflight_append(struct uex_inflight **first, struct uex_inflight **last, struct uex_inflight *inflight);
void uex_inflight_prepend(struct uex_inflight **first, struct uex_inflight **last, struct uex_inflight *inflight);

/* Forget an outcome, so that another can be made (a transaction refused one of its records). The group's memory copy
 * goes too. */
void uex_outcome_clear(struct uex_outcome *outcome);

/* The sentence of a retry or dead letter: the same in the state, the headers and the log. Never NULL nor "". */
const char *uex_outcome_error_text(const struct uex_outcome *outcome);

/* Bytes of memory that it holds, for the intake's bound. */
size_t uex_inflight_size_bytes(const struct uex_inflight *inflight);
#endif
