/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/engine.h — inside the exactly-once engine: what intake, lanes and committer share. Others see api.h.
 *
 * A command is processed by these files, in this order:
 *   intake.c     one thread: polls the consumer, keeps windows and pauses, hands records to the dispatcher
 *   rebalance.c  revokes and assignments: does a list stand, what are its committed offsets (on the intake thread)
 *   epoch.c      a new epoch: input partitions at their committed offsets; adoption and cancellation (likewise)
 *   restore.c    reads the state topic's partitions that came with an assignment (on the intake thread)
 *   dispatch.c   the queues: one lane for each group at a time
 *   handover.c   lanes take commands here and bring back what came out
 *   reset.c      logs that were cut, or deleted and created again
 *   classify.c   what a record is: a command of this partition, one to be moved, or none at all
 *   starts.c     crash markers: what may have been started
 *   exclusive.c  suspects: commands that may have killed a worker run by themselves
 *   breaker.c    outages of the database and the store
 *   shortage.c   lanes that get no database connection while others have theirs
 *   policy.c     from the facts of a job to the command's outcome
 *   committer.c  one thread: batches of outcomes, each batch one Kafka transaction
 *   batch.c      the records of an outcome
 *   settle.c     what follows from the end of a transaction
 *   numbers.c    what health and metrics see
 *   synced.c     the lock, the phases, what ends the program
 *
 * Kafka is reached through consumer.h and transaction.h only; phases and which may follow which: lifecycle.h.
 *
 * One mutex guards `struct uex_synced`. It is taken by uex_engine_lock() only, and never held over I/O: a log line of a
 * thread that holds it is written when the lock is given up.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "engine/api.h"
#include "engine/consumer.h"
#include "engine/group_table.h"
#include "engine/transaction.h"
#include "export/config.h"
#include "kafka/offset_window.h"

#define UEX_INPUT_TOPICS_MAX (1 + 2 * UEX_RETRY_TIERS_MAX)
#define UEX_PLACE_BUCKETS 4096 /* a power of two, about twice the commands that there are at most */

/* A topic that commands are read from: [0] is the command topic, then the retry tiers. */
struct uex_input_topic {
    char *topic;
};

/* Why a record that was read waits outside of the queue. */
enum uex_backpressure {
    UEX_BACKPRESSURE_NONE,
    UEX_BACKPRESSURE_WINDOW,
    UEX_BACKPRESSURE_DUE,
    UEX_BACKPRESSURE_ROUTE,
    UEX_BACKPRESSURE_GROWN,
    UEX_BACKPRESSURE_NO_MEMORY
};

/* The last records that were read of an input partition are known by a hash, at offset % UEX_KNOWN_RECORDS; see
 * reset.c. */
#define UEX_KNOWN_RECORDS 64
struct uex_known_record {
    int64_t offset; /* UEX_OFFSET_NONE: none */
    uint64_t print;
};

/* One partition of one source. */
struct uex_input {
    struct uex_window window;
    int64_t committed_base; /* what the broker has; UEX_OFFSET_NONE: nothing */
    int64_t read_next;      /* nothing of this assignment was read beyond it; UEX_OFFSET_NONE: nothing was read yet */
    struct uex_known_record known[UEX_KNOWN_RECORDS];
    bool checking;       /* records are read again and compared, none is taken */
    int64_t same_until;  /* while checking: the log is the same up to here; UEX_OFFSET_NONE: that is not known */
    int64_t seek_to;     /* where the consumer has to go, what comes before is dropped; UEX_OFFSET_NONE: nowhere */
    uint64_t log_number; /* rises when the log is cut or re-created: older transactions say nothing of it */
    int64_t end_offset;  /* the last end of the partition that was reported, UEX_OFFSET_NONE before */
    struct uex_inflight *first_backpressured,
        *last_backpressured;            /* read, but cannot be taken yet; the input partition is paused meanwhile */
    enum uex_backpressure backpressure; /* why the first of them waits */
    int64_t backpressured_until_ms;     /* wall: when to look again */
    struct uex_markers markers;         /* starts that are to be committed; see starts.c */
    int64_t committed_until; /* commands below it may be started; UEX_OFFSET_NONE: the broker has no open crash marker
                                of this epoch */
    int64_t started_until;   /* one more than the highest offset that was started; UEX_OFFSET_NONE: nothing */
    int64_t refused_from;    /* the lowest offset that waits for a crash marker; UEX_OFFSET_NONE: none */
    bool closed;             /* the open crash marker was taken back */
    int64_t suspect_until;   /* unfinished commands below it were perhaps under way when their worker left */
    bool starts_dirty;       /* crash markers have changed since the last commit */
    bool assigned;
    bool paused; /* told to librdkafka */
};

/* One partition number of all input topics and of the state topic. */
struct uex_partition {
    struct uex_input *inputs; /* one for each of the input_topic_count input topics */
    bool assigned;            /* worked: held in every source */
    bool restored;            /* the groups' memories are complete */
    bool state_spread;        /* groups of this partition have their newest state in another one: the topic grew */
    bool full_scan;           /* its restore reads every partition of the state topic */
    int64_t state_next;       /* the state partition is read up to here */
    struct uex_inflight *first_waiting, *last_waiting; /* until the restore is done (linked by next_in_group) */
};

/* Lanes that were refused a database connection and have not had one since. */
struct uex_shortage {
    _Atomic size_t lane_count;   /* written under the lock, read by any thread */
    int64_t since_ms, logged_ms; /* monotonic: when the first of them was refused; when it was last reported */
    int64_t try_at_ms;           /* monotonic: one of them may try again */
    unsigned step;               /* of the pauses */
};

/* What the intake thread alone knows of its membership in the consumer group. */
struct uex_membership {
    rd_kafka_topic_partition_list_t *pending; /* an assignment whose committed offsets are not known yet; NULL: none */
    rd_kafka_consumer_group_metadata_t *pending_metadata;
    int64_t pending_since_ms, pending_logged_ms; /* monotonic */
    int32_t coordinator;                         /* the broker that was last asked for the members; -1: none */
    int passed_over_count;                       /* assignments in a row that were out of date */
    int64_t resubscribe_at_ms;                   /* monotonic; 0: no need. The topics have grown, a partition number was
                                                  * not held in every source, or an assignment was passed over */
    struct uex_restore *restore;                 /* NULL: no restore is running */
    bool backpressured;                          /* every input partition is paused */
};

/* Commands that were read and have no committed outcome yet. */
struct uex_in_flight {
    struct uex_group_table groups;
    struct uex_group_entry *first_ready, *last_ready;
    struct uex_inflight *first;                       /* all of them */
    struct uex_inflight *by_place[UEX_PLACE_BUCKETS]; /* the same, by source, partition and offset */
    size_t count, bytes;
    size_t running_count;
};

/* Suspected poison pills, in the order of their partitions (linked by next_in_group). */
struct uex_poison {
    struct uex_inflight *first_suspect, *last_suspect;
    struct uex_inflight *exclusive; /* has the process to itself until its outcome is committed */
};

/* Outcomes that wait for the committer. */
struct uex_outbox {
    struct uex_inflight *first, *last;
    size_t count;
    bool transaction_open; /* from before begin until its end is known */
    bool can_commit;       /* the transactional producer was ready once: Kafka takes its settings */
};

/* Guarded by `lock`. Functions that need it held end in _synced; others must be called without it. */
struct uex_synced {
    pthread_mutex_t lock;
    pthread_cond_t work_changed;     /* lanes wait here */
    pthread_cond_t outcomes_changed; /* the committer waits here */
    pthread_cond_t between;          /* a transaction has ended; the revoke waits here */

    enum uex_lifecycle lifecycle;
    enum uex_failure failure; /* set with UEX_LIFECYCLE_LEAVING */
    const char *starved; /* what no memory was left for, the first time; NULL: nothing. Then the engine is broken */

    enum uex_assignment assignment;
    uint64_t epoch;                                     /* number of the assignment; 0: none yet */
    rd_kafka_consumer_group_metadata_t *group_metadata; /* of this epoch, captured in its assign callback */
    rd_kafka_consumer_group_metadata_t
        *retired_metadata[8]; /* of older epochs, while a transaction may still use them */
    struct uex_partition *partitions;
    int32_t partition_count;
    int partial_count; /* assignments in a row that did not hold a partition number in every source */
    bool wants_rejoin; /* a suspect found that the topics have grown */

    struct uex_in_flight in_flight;
    struct uex_poison poison;
    struct uex_outbox outbox;
    struct uex_breaker breakers[UEX_DEPENDENCY_COUNT];
    struct uex_shortage shortage;
    struct uex_inflight
        *gone; /* over: freed when the lock is given up, since the end of a spool's file takes its time */

    int32_t asked_count; /* partitions of the command topic, when last asked */
    int64_t asked_count_ms;
    uint64_t rebalance_count;
    uint64_t rebuild_count; /* of the transactional producer */
};

struct uex_engine {
    /* Fixed after uex_engine_open(); cluster_id after uex_engine_join(). Sources are added under the lock. */
    const struct uex_config *config;
    struct uex_engine_observer observer;
    char *cluster_id;
    struct uex_consumer consumer;
    struct uex_consumer_handles *handles; /* behind `consumer` */
    struct uex_transaction transaction;   /* the committer's thread */
    struct uex_input_topic input_topics[UEX_INPUT_TOPICS_MAX];
    size_t input_topic_count;
    size_t tier_count;   /* tiers that new retries go to: the first ones of input_topics[1…] */
    size_t outcomes_max; /* outcomes that wait for the committer; with more no lane takes work */
    size_t queue_max;    /* commands at most */
    size_t queue_max_bytes;

    struct uex_membership membership; /* the intake thread's own */
    struct uex_synced synced;

    /* For health and metrics; any thread, not locked. When the threads last came round (monotonic), 0 before they run;
     * since when the oldest command that is backpressured waits (wall), UEX_NO_TIME: none is. */
    _Atomic int64_t intake_heartbeat_ms, committer_heartbeat_ms;
    _Atomic int64_t oldest_backpressured_ms;

    pthread_t intake, committer; /* the main thread's */
    bool intake_started, committer_started;
};

/* ---- engine.c: life */
/* Everything but the Kafka side: an engine without input topics and partitions. */
void uex_engine_init(struct uex_engine *engine, const struct uex_config *config);
/* Make the handles; nothing is reached yet. Close it in any case. */
UEX_MUST_CHECK enum uex_error uex_engine_open(struct uex_engine *engine, const struct uex_config *config,
                                              const struct uex_engine_observer *observer, struct uex_fault *fault);
void uex_engine_close(struct uex_engine *engine);
/* No memory for `what` (static text), without which an outcome would be wrong or a command forgotten: the
 * engine is broken, nothing more is started, and the worker logs it. What is not committed is taken again by the next
 * owner. */
void uex_engine_out_of_memory_synced(struct uex_engine *engine, const char *what);
/* Take and give up the lock; log lines of between are written, and commands that are over freed, after it. The lock
 * is not recursive. */
void uex_engine_lock(struct uex_engine *engine);
void uex_engine_unlock(struct uex_engine *engine);
/* Wait for one of the engine's conditions, until `until_ms` (of uex_monotonic_ms(); UEX_NO_TIME: without a bound). Log
 * lines that were put off are written first, without the lock: it may return early, as pthread_cond_wait() may. False:
 * `until_ms` has passed. */
bool uex_engine_wait_synced(struct uex_engine *engine, pthread_cond_t *condition, int64_t until_ms);
/* Go on to a later phase and wake who waits; an earlier one changes nothing. Any thread. */
void uex_engine_advance(struct uex_engine *engine, enum uex_lifecycle to);
/* An input partition; NULL if the number is out of range. The intake thread, others with the lock. */
struct uex_input *uex_engine_input(struct uex_engine *engine, size_t input_topic, int32_t partition);

/* Subscribe to the input topics as they are now; existing tiers beyond the configured ones are looked for again. */
UEX_MUST_CHECK enum uex_error uex_engine_subscribe(struct uex_engine *engine, struct uex_fault *fault);

/* ---- intake.c */
struct uex_intake {
    int64_t served_ms; /* monotonic: when the input partitions were last looked at */
    bool restoring;
};
/* One round of the intake: at most one record, rebalances, restores, pauses. Zero-initialised `intake`. */
void uex_intake_step(struct uex_engine *engine, struct uex_intake *intake);
/* The thread's body; leaves the consumer group and returns in phase UEX_LIFECYCLE_LEAVING. */
void *uex_intake_run(void *engine);

/* ---- dispatch.c */
/* Put a command into the list of all; counts. */
void uex_dispatch_add_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* A readable command: behind its group, or behind the restore of its partition. */
void uex_dispatch_enqueue_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* The partition's memories are complete: let its commands go on. */
void uex_dispatch_restored_synced(struct uex_engine *engine, struct uex_partition *partition);
/* The next command that may run now, in state RUNNING; NULL: there is none. */
struct uex_inflight *uex_dispatch_next_synced(struct uex_engine *engine);
/* Back to the front of where it was taken from. */
void uex_dispatch_put_back_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* Hand an outcome that is complete to the committer. */
void uex_dispatch_submit_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* Take an outcome out of the committer's queue. */
void uex_dispatch_withdraw_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* The command is over (committed, lost or dropped): unlock its group; uex_engine_unlock() frees it. */
void uex_dispatch_release_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* Drop what has not started: it is read again by the next owner of the partition. */
void uex_dispatch_drop_queued_synced(struct uex_engine *engine);
/* What was read from there and is not over; NULL: nothing, or only what is given up. */
struct uex_inflight *uex_dispatch_find_synced(const struct uex_engine *engine, size_t input_topic, int32_t partition,
                                              int64_t offset);

/* ---- classify.c */
/* Find out what a record is: a command of this partition (no outcome yet), or one that ends at once (*ended). Not
 * locked. UEX_BACKPRESSURE_NO_MEMORY: it could not be read, nothing is known of it; the engine is broken. */
enum uex_backpressure uex_classify(struct uex_engine *engine, struct uex_inflight *inflight, bool *ended);
/* Give the command the id that its record stands for, if it has none. */
void uex_classify_name(const struct uex_engine *engine, struct uex_inflight *inflight);

/* ---- starts.c: commands that kill their worker.
 *
 * Before an epoch starts anything its offsets are committed with an open crash marker: an offset below which commands
 * may be started; a clean revoke takes the crash marker back. Whoever finds a crash marker knows that the owner before
 * died, and runs every unfinished command below it alone, with its start committed first. A command that was started so
 * retry.crashes times without an end is a dead letter. */
/* A fresh assignment whose committed offset says `markers`: is it as this process left it in an epoch before? Then
 * nobody crashed: the process lost its membership. Asked before the next call. */
bool uex_starts_are_own_synced(const struct uex_input *input, int64_t known_base, const struct uex_markers *markers);
/* A fresh assignment: what its committed offset says. */
void uex_starts_restore_synced(struct uex_input *input, const struct uex_markers *markers);
/* The log was cut: what stands from `offset` on was never started. */
void uex_starts_cut_synced(struct uex_input *input, int64_t offset);
/* The end of the partition was reported: what comes later was not there when the owner before died. */
void uex_starts_see_end_synced(struct uex_engine *engine, struct uex_input *input, int64_t end_offset);
bool uex_starts_is_suspect_synced(const struct uex_input *input, int64_t offset);
/* May it be started now? If not, the committer is asked to commit a crash marker that allows it. */
bool uex_starts_allowed_synced(struct uex_engine *engine, struct uex_input *input, int64_t offset);
/* Has this input partition to be committed for its crash markers alone? */
bool uex_starts_need_commit_synced(const struct uex_engine *engine, const struct uex_input *input);
/* The crash markers that go with a commit of this input partition now, and what has become of them when it is done. */
void uex_starts_to_commit_synced(const struct uex_engine *engine, const struct uex_input *input,
                                 struct uex_markers *out);
void uex_starts_committed_synced(struct uex_engine *engine, size_t input_topic, int32_t partition,
                                 const struct uex_markers *markers);
/* A suspect has ended: the start of the next one can be committed together with its outcome. */
void uex_starts_prepare_next_synced(struct uex_engine *engine);
/* A running command goes on in a new epoch, whose committed offsets have to log_shortage that it is under way. */
void uex_starts_adopt_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* A suspect goes back to its queue: its start does not count. */
void uex_starts_return_synced(struct uex_engine *engine, struct uex_inflight *inflight);
/* Count the start of a suspect, once in each epoch: a new one has the counts that were committed before. */
void uex_starts_count_synced(struct uex_engine *engine, struct uex_inflight *inflight);

/* ---- exclusive.c */
/* A suspect that was taken: commits its start, then finds out what it is. True: it needs a job. */
bool uex_exclusive_begin(struct uex_engine *engine, struct uex_inflight *inflight);

/* ---- breaker.c */
bool uex_breaker_any_open_synced(const struct uex_engine *engine);

/* ---- reset.c (intake thread)
 *
 * Within an assignment the consumer reads forward only. When it goes back, or an offset has another record than the one
 * that was read there before, then the log was cut, or the topic was deleted and created again, or the client has
 * delivered something twice. Nothing is given up for that alone: the consumer goes back to the oldest record that is
 * known, and what it reads is compared. The same up to where it had been: nothing has happened. The same at first: the
 * log was cut behind the last record that is the same. Nothing is the same: it is another log. */
enum uex_step {
    UEX_STEP_ON,    /* take it */
    UEX_STEP_SAME,  /* take it: the check has ended, the log is what it was */
    UEX_STEP_DROP,  /* it is known, or only compared */
    UEX_STEP_CHECK, /* drop it: a check begins */
    UEX_STEP_CUT,   /* drop it: the log was cut at input->seek_to; what stood from there on is cancelled */
    UEX_STEP_ANEW   /* drop it: another log, read from its beginning; all commands are cancelled */
};
/* A record was read at `offset`, or the partition ends there (`record` is NULL). The consumer has to seek where
 * input->seek_to is set. `*read_until`: up to where it had been read. The input partition is assigned. */
UEX_MUST_CHECK enum uex_step uex_reset_notice_synced(struct uex_engine *engine, size_t input_topic, int32_t partition,
                                                     int64_t offset, const struct uex_record *record,
                                                     int64_t *read_until);
/* A fresh assignment: nothing was read yet. */
void uex_reset_begin_synced(struct uex_input *input);
/* Cancel the commands of a partition from an offset on: their records are no more. */
void uex_reset_cancel_synced(struct uex_engine *engine, size_t input_topic, int32_t partition, int64_t from);
/* Free the records that wait outside of the queue. */
void uex_reset_forget_backpressured_synced(struct uex_input *input);

/* ---- rebalance.c (intake thread) */
void uex_rebalance_callback(void *engine, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions);
/* Finish an assignment whose committed offset was not known at once. */
void uex_rebalance_continue(struct uex_engine *engine);
/* The consumer is about to leave: an assignment that waits for its committed offsets is not taken. */
void uex_rebalance_abandon(struct uex_engine *engine);
/* Committed offsets of `list` as the broker has them now, stable ones only; UEX_TIMEOUT: not yet known, ask again.
 * Any thread. */
UEX_MUST_CHECK enum uex_error uex_committed_offsets_read(struct uex_engine *engine,
                                                         rd_kafka_topic_partition_list_t *list, int timeout_ms);

/* ---- epoch.c (intake thread) */
/* Room for `count` partitions; a count only rises. False: no memory. */
bool uex_epoch_resize_synced(struct uex_engine *engine, int32_t count);
/* Room in each partition for `count` input topics, before engine->input_topic_count rises to it. False: no memory; what
 * there was stays usable. */
UEX_MUST_CHECK bool uex_epoch_reserve_input_topics_synced(struct uex_engine *engine, size_t count);
/* An assignment that stands: `list` has its committed offsets; those that the consumer has to begin at are left in
 * it, for partition numbers that are held in every source. How many jobs were adopted and cancelled. */
void uex_epoch_begin_synced(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list, size_t *adopted,
                            size_t *cancelled);

/* ---- restore.c (intake thread) */
/* Begin to read the state of all assigned partitions that are not restored. Positions are known. */
void uex_restore_begin(struct uex_engine *engine);
/* Take one message of the state topic. Without memory for it the engine is broken and the restore never
 * ends: a partition whose history has a gap must not be worked. */
void uex_restore_take(struct uex_engine *engine, const rd_kafka_message_t *message);
/* Read for at most `budget_ms`. True while there is more to read. */
bool uex_restore_step(struct uex_engine *engine, int budget_ms);
void uex_restore_cancel(struct uex_engine *engine);

/* ---- policy.c: the only place where an outcome is made */
/* When a record of a retry tier, or one that was moved from there to the command topic, may be taken; UEX_NO_TIME: at
 * once. It is the time in its header, but not later than its tier's delay after it was written or read: the header may
 * come from another program or from a worker with a wrong clock. Any thread. */
int64_t uex_policy_due_ms(const struct uex_engine *engine, const struct uex_inflight *inflight);
/* What became of a command whose job came to `job` (moved). The lane's thread. */
void uex_policy_decide(const struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job);
/* The outcome of a command that failed with `fault` before or outside of a job. */
void uex_policy_dead_letter(struct uex_inflight *inflight, const struct uex_fault *fault);
/* The command's id has an outcome already, in place of whatever it had. */
void uex_policy_duplicate(struct uex_inflight *inflight);
/* The record belongs to another partition. */
void uex_policy_reroute(struct uex_inflight *inflight, int32_t to_partition);
/* One record of the outcome, for `topic` (may be NULL), was refused. The refusal becomes the command's own outcome,
 * step by step down to a dead letter of a few hundred bytes that says where the command stands. False: that is refused
 * too.
 */
bool uex_policy_refused(struct uex_inflight *inflight, const char *topic, const char *error_text);
/* The list of usernames takes longer than a transaction may. */
#define UEX_POLICY_SLOW_LIST_FIX                                                                                       \
    "raise kafka.transaction.timeout.ms or the brokers' quota of this client, or lower commit.max_list"
void uex_policy_list_too_slow(struct uex_inflight *inflight);
/* The outcome cannot be sent because its spool cannot be read: a failure of its own. */
void uex_policy_spool_failed(const struct uex_engine *engine, struct uex_inflight *inflight);
/* The state record of an outcome; strings are borrowed from the command. `sha256_hex` has UEX_SHA256_HEX_SIZE bytes.
 */
void uex_policy_state_record(const struct uex_inflight *inflight, char *sha256_hex, struct uex_state_record *out);

/* ---- committer.c */
struct uex_committer;
/* For uex_transaction_open(): what became of a record of an outcome. */
void uex_committer_note_delivery(void *inflight, const char *topic, rd_kafka_resp_err_t code, int64_t offset);
/* NULL when memory ends. */
struct uex_committer *uex_committer_new(struct uex_engine *engine);
/* One round: at most one transaction, or a bounded wait for something to commit. */
void uex_committer_step_synced(struct uex_committer *committer);
void uex_committer_free(struct uex_committer *committer);
/* The thread's body; ends in phase UEX_LIFECYCLE_STOPPING. */
void *uex_committer_run(void *engine);
#endif
