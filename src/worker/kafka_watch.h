/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/kafka_watch.h — says when no broker answers any more, and when one does again (events kafka-away and
 * kafka-back), in place of librdkafka's lines of each handle and connection.
 *
 * A broker is asked every 10 s, and at once when a connection failed. Nothing depends on the answer: intake and
 * committer wait for Kafka by themselves. One thread.
 */
#ifndef WORKER_KAFKA_WATCH_H
#define WORKER_KAFKA_WATCH_H

#include "engine/api.h"

/* A zeroed struct: Kafka is there, nothing was asked yet. */
struct uex_kafka_watch {
    int64_t asked_ms;       /* monotonic; 0: never */
    uint64_t failures;      /* uex_kafka_connection_failures() at the last question */
    uint64_t failures_told; /* the same, at the last line that says of some of them, or after an outage */
    int64_t failures_ms;    /* monotonic: when that was */
    unsigned unanswered;    /* questions in a row */
    int64_t since_ms;       /* monotonic: the first of them */
    int64_t since_at_ms;    /* the same, wall */
    int64_t told_ms;        /* monotonic: the last line of this outage; 0: it was not told yet */
};

enum uex_kafka_word {
    UEX_KAFKA_WORD_NONE,
    UEX_KAFKA_WORD_AWAY, /* for the first time, or again a minute later */
    UEX_KAFKA_WORD_BACK,
    UEX_KAFKA_WORD_SOME /* some connections fail, and a broker answers all the same; once a minute */
};

/* Is it time for a question? `failures` is uex_kafka_connection_failures(). */
bool uex_kafka_watch_is_due(const struct uex_kafka_watch *watch, uint64_t failures, int64_t now_ms);
/* What is to be said now that a question of `now_ms` (monotonic; `at_ms` wall) was answered or not. */
enum uex_kafka_word uex_kafka_watch_take(struct uex_kafka_watch *watch, bool answered, uint64_t failures,
                                         int64_t now_ms, int64_t at_ms);

/* Ask where it is time, for 1 s at most, and log what is to be said. */
void uex_kafka_watch_look(struct uex_kafka_watch *watch, struct uex_engine *engine);
#endif
