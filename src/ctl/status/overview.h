/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/status/overview.h — what waits, who works and what hinders it: the first line of status, and the reason why
 * nothing moves for subcommands that wait.
 *
 * Each figure is read by itself and bounded in time. One that cannot be had (a right is missing, a topic is not there,
 * a broker does not answer) is unknown, with the reason; the others are shown all the same.
 */
#ifndef EXPORT_CTL_OVERVIEW_H
#define EXPORT_CTL_OVERVIEW_H

#include "ctl/status/running.h"
#include "export/worker_record.h"

#define UEX_OVERVIEW_BREAKERS_MAX 8
#define UEX_OVERVIEW_WHY_SIZE 240

struct uex_overview_figure {
    uint64_t count;                      /* UEX_UNKNOWN: see why_not */
    char why_not[UEX_OVERVIEW_WHY_SIZE]; /* "" if it is known */
};

/* A circuit breaker that one or more workers have open. */
struct uex_overview_breaker {
    char dependency[16], code[32]; /* as in struct uex_worker_breaker */
    int64_t since_ms;              /* wall; of the worker that opened it first */
    size_t worker_count;
};

struct uex_overview {
    struct uex_overview_figure workers;      /* members of the consumer group */
    struct uex_overview_figure waiting;      /* commands of the command topic without an outcome that do not run */
    struct uex_overview_figure retrying;     /* commands of the retry topics without an outcome */
    struct uex_overview_figure open_letters; /* dead letters that were neither replayed nor discarded */
    struct uex_overview_figure breakers;     /* open ones; they stand below */
    bool waiting_is_exact;                   /* else it is the lag, which counts markers of transactions too */
    int64_t next_retry_ms;                   /* wall: when the next retry is due; UEX_NO_TIME: none, or unknown */
    struct uex_overview_breaker breaker[UEX_OVERVIEW_BREAKERS_MAX];
};

/* What is asked for, and who is told of what on the way. All members may be NULL but the configuration. */
struct uex_overview_reading {
    const struct uex_config *config;
    const struct uex_cancel *cancel;
    /* A command of the command topic without an outcome, as it is found. With it all of them are read, not only a
     * few. An error ends this part of the reading. Called on the reading thread. */
    enum uex_error (*waiting)(void *context, const struct uex_command *command, bool is_running);
    void *context;
    struct uex_running *running; /* gets the running exports */
};
/* All of it unknown, for this reason. */
void uex_overview_init(struct uex_overview *overview, const char *why_not);
/* Takes up to 5 s for a figure that does not come (30 s with `waiting`), mostly well below one for all. Any thread. */
void uex_overview_read(const struct uex_overview_reading *reading, struct uex_overview *out);

/* "3 workers; 12 waiting; 2 retrying, next at …; 1 open dead letter; no open breaker", without a line end. */
void uex_overview_write(const struct uex_overview *overview, struct uex_buffer *out);
/* The same as a JSON object. */
void uex_overview_write_json(const struct uex_overview *overview, struct uex_buffer *out);

/* ---- why a wait does not move */

enum uex_hindrance {
    UEX_HINDRANCE_NONE, /* or nothing is known */
    UEX_HINDRANCE_NO_WORKER,
    UEX_HINDRANCE_BREAKER,
    UEX_HINDRANCE_QUEUE,
    UEX_HINDRANCE_RETRY
};
/* Append one sentence that says why nothing moves, without a line end: "no worker runs; 5 commands wait". */
enum uex_hindrance uex_overview_why(const struct uex_overview *overview, struct uex_buffer *out);

/* Keeps an overview fresh on a thread of its own, for a loop that waits. The thread begins when nothing has moved for
 * 3 s, so that a short wait costs nothing. Of one thread, but for its own. */
struct uex_overview_watch;
/* NULL when memory ends; the functions below accept it and say nothing. */
struct uex_overview_watch *uex_overview_watch_new(const struct uex_config *config);
void uex_overview_watch_free(struct uex_overview_watch *watch);
/* What was read last, at once; the first call starts the thread. False: nothing yet. */
bool uex_overview_watch_latest(struct uex_overview_watch *watch, struct uex_overview *out);
/* The loop comes round; `moved_ms` is the monotonic time of the last outcome or progress. Appends the sentence to
 * `lines` where nothing has moved for 3 s and the reason is known; else nothing. */
enum uex_hindrance uex_overview_watch_why(struct uex_overview_watch *watch, int64_t moved_ms, struct uex_buffer *lines);
/* The same for a loop that draws nothing: a line on stderr when the reason is a new one, and once a minute. */
void uex_overview_watch_say(struct uex_overview_watch *watch, int64_t moved_ms);
#endif
