/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/api.h — the exactly-once engine as the worker sees it; all else in this folder is private.
 *
 * new ─► await_kafka ─► join ─► start ─► take … finish ─► drain ─► await_jobs ─► await_commits ─► leave ─► stop ─► free
 *
 * The engine has two threads of its own, the intake and the committer. The worker's threads (lanes) take commands and
 * bring back what came out. Any thread may call what is declared here, unless it says otherwise; none is to be called
 * from an observer.
 */
#ifndef ENGINE_API_H
#define ENGINE_API_H

#include "engine/inflight.h"
#include "engine/lifecycle.h"
#include "export/config.h"

struct uex_engine;

/* What an export depends on beside Kafka. While one of them is unavailable no command is taken or charged. */
enum uex_dependency { UEX_DEPENDENCY_DATABASE, UEX_DEPENDENCY_STORE, UEX_DEPENDENCY_COUNT, UEX_DEPENDENCY_NONE };

struct uex_breaker {
    bool open;
    enum uex_error error; /* that opened it */
    int64_t opened_ms;    /* monotonic */
    int64_t opened_at_ms; /* the same, wall */
    uint64_t open_count;
};

/* Calls out of the engine, on the committer's thread unless said otherwise; members may be NULL. */
struct uex_engine_observer {
    void *context;
    /* An outcome is committed: the audit line. The command is valid for the time of the call. */
    void (*committed)(void *context, const struct uex_inflight *inflight);
    void (*transaction)(void *context, const char *result, int64_t duration_us, size_t outcome_count);
    void (*rebalanced)(void *context, size_t partition_count, size_t adopted, size_t cancelled); /* intake thread */
    void (*taken)(void *context, const struct uex_inflight *inflight);                           /* a lane's thread */
    /* A record was read and taken over, whatever becomes of it; not a suspect, which is parsed when it is taken. Intake
     * thread. */
    void (*read)(void *context, const struct uex_inflight *inflight);
    /* A command of this worker was read and waits for a lane; a suspect is only known when it is taken. Intake thread.
     */
    void (*seen)(void *context, const struct uex_inflight *inflight);
};

/* ---- life; the main thread */

/* Make the engine and its Kafka handles; no broker is asked. `config` is borrowed, the observer copied. UEX_CONFIG: a
 * kafka.* property is refused; UEX_NO_MEMORY. *out is to be freed in any case. */
UEX_MUST_CHECK enum uex_error uex_engine_new(const struct uex_config *config,
                                             const struct uex_engine_observer *observer, struct uex_engine **out,
                                             struct uex_fault *fault);
/* Accepts NULL. No thread of the worker's may use it any more. */
void uex_engine_free(struct uex_engine *engine);
/* Wait until a broker answers. UEX_KAFKA_UNAVAILABLE after `timeout_ms`, UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_engine_await_kafka(struct uex_engine *engine, int64_t timeout_ms,
                                                     const struct uex_cancel *cancel, struct uex_fault *fault);
/* Learn the cluster's id, find the topics, subscribe. UEX_KAFKA_TOPICS: a topic is missing; UEX_KAFKA…. */
UEX_MUST_CHECK enum uex_error uex_engine_join(struct uex_engine *engine, struct uex_fault *fault);
/* Start the intake and the committer. UEX_NO_MEMORY: not both of them run. */
UEX_MUST_CHECK enum uex_error uex_engine_start(struct uex_engine *engine, struct uex_fault *fault);
/* Nothing new is taken; lanes that wait return. */
void uex_engine_drain(struct uex_engine *engine);
/* Wait until no job runs, or until every outcome is committed; false: not within `timeout_ms`. */
bool uex_engine_await_jobs(struct uex_engine *engine, int64_t timeout_ms);
bool uex_engine_await_commits(struct uex_engine *engine, int64_t timeout_ms);
/* Cancel the jobs that run; the next owner of their partitions runs them again. How many there were. */
size_t uex_engine_abandon_jobs(struct uex_engine *engine);
/* Leave the consumer group and wait for the intake's end. A revoke waits UEX_REVOKE_WAIT_MS at most for a running
 * transaction; then its outcome counts as unknown: offsets that the broker has accepted keep the next owner's fetch
 * waiting, others are fenced by the generation. */
#define UEX_REVOKE_WAIT_MS 5000
void uex_engine_leave(struct uex_engine *engine);
/* Wait for the committer's end. */
void uex_engine_stop(struct uex_engine *engine);

/* ---- what ends the program */

enum uex_lifecycle uex_engine_lifecycle(struct uex_engine *engine);
enum uex_failure uex_engine_failure(struct uex_engine *engine);
/* What no memory was left for (static text); NULL: there was enough. */
const char *uex_engine_starved(struct uex_engine *engine);
/* The program cannot go on: the intake leaves the group, the worker ends with exit code 1. */
void uex_engine_break(struct uex_engine *engine);
/* A setting is refused by Kafka or does not fit the views, which no repetition changes: exit code 2. `fix` says what a
 * person can do. */
void uex_engine_refuse(struct uex_engine *engine, const char *error_text, const char *fix);

/* ---- commands (handover.c) */

/* The next command for a lane, in state RUNNING; waits; NULL when the engine drains. With `idle` (may be NULL) it also
 * returns NULL, and *idle true, when there was none for UEX_LANE_IDLE_MS, or for UEX_LANE_IDLE_SHORT_MS while a lane
 * waits for a connection: what the lane holds can be given away. */
#define UEX_LANE_IDLE_MS 5000
#define UEX_LANE_IDLE_SHORT_MS 200
struct uex_inflight *uex_engine_take(struct uex_engine *engine, bool *idle);
/* A lane brings its command back; `job` is moved into its outcome. */
void uex_engine_finish(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job);
/* A breaker is open: the command goes back to where it was taken from, nothing is charged, unless it was running at
 * retry.crashes openings in a row. `job` is cleared. */
void uex_engine_return(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job);
/* The lane cannot run the command now, another one may: it goes back to where it was taken from, nothing is charged.
 * What failed on its way (`is_break`) may be the cause: it is charged at the retry.crashes'th time. `job` is cleared.
 */
void uex_engine_give_back(struct uex_engine *engine, struct uex_inflight *inflight, struct uex_job_outcome *job,
                          bool is_break);

/* ---- outages (breaker.c) and connections (shortage.c) */

/* The dependency whose outage an error may be; UEX_DEPENDENCY_NONE: it is the command's own. */
enum uex_dependency uex_breaker_dependency(enum uex_error error);
const char *uex_breaker_text(enum uex_dependency dependency);
/* True: this call opened it, and the caller probes until it closes. */
bool uex_breaker_open(struct uex_engine *engine, enum uex_dependency dependency, const struct uex_fault *fault);
void uex_breaker_close(struct uex_engine *engine, enum uex_dependency dependency);
bool uex_breaker_is_open(struct uex_engine *engine, enum uex_dependency dependency);
/* A lane was refused a database connection, and holds no command. Waits until it may try again; one lane of the process
 * at a time does, at most every 2.7 s (times 0.8 to 1.2) while they are refused. Returns early when the engine drains.
 * `waiting` is the lane's own: is it among those that wait? */
void uex_shortage_wait(struct uex_engine *engine, bool *waiting, const struct uex_fault *fault);
/* The lane has a connection, or needs none now. */
void uex_shortage_end(struct uex_engine *engine, bool *waiting);
/* How many lanes wait; valid as long as the engine. */
const _Atomic size_t *uex_shortage_lane_count(const struct uex_engine *engine);

/* ---- numbers, for health and metrics (numbers.c) */

struct uex_engine_numbers {
    bool is_joined;              /* has an assignment */
    bool can_commit;             /* Kafka has taken the transactional producer */
    bool is_partial;             /* some partition number is not held in all command and retry topics */
    size_t partitions, restored; /* held, and with their groups' states in memory */
    size_t running, queued, uncommitted, bytes, groups;
    size_t waiting_lanes; /* for a database connection */
    uint64_t rebalances, rebuilds;
    int64_t oldest_ms; /* wall: since when the oldest unfinished command waits; UEX_NO_TIME: there is none */
    struct uex_breaker breakers[UEX_DEPENDENCY_COUNT];
};
/* Copied under the lock; asks nothing of the network. */
void uex_engine_numbers(struct uex_engine *engine, struct uex_engine_numbers *out);
/* When the threads last came round (monotonic), 0 before they run. */
int64_t uex_engine_intake_heartbeat_ms(const struct uex_engine *engine);
int64_t uex_engine_committer_heartbeat_ms(const struct uex_engine *engine);
/* Does a broker answer within `timeout_ms`? */
bool uex_engine_kafka_answers(struct uex_engine *engine, int timeout_ms);

/* How far one partition of an input topic is behind. `topic` is valid as long as the engine. */
struct uex_engine_lag {
    const char *topic;
    int32_t partition;
    int64_t messages;
};
/* One entry for each assigned input partition; to be freed with free(). NULL: none, or no memory. Asks nothing of the
 * network. */
struct uex_engine_lag *uex_engine_lags(struct uex_engine *engine, size_t *count);
#endif
