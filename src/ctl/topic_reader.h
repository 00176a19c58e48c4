/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/topic_reader.h — reads topics from where one likes to their ends, and on from there: read_committed, without
 * a consumer group, committing nothing. One thread. */
#ifndef EXPORT_CTL_TOPIC_READER_H
#define EXPORT_CTL_TOPIC_READER_H

#include "ctl/connect.h"

#define UEX_READ_TOPICS_MAX 4

enum uex_read_from {
    UEX_READ_ALL,  /* what there is, then what comes */
    UEX_READ_NEW,  /* what comes */
    UEX_READ_SINCE /* what has a timestamp not before since_ms, then what comes */
};

struct uex_read_topic {
    const char *name; /* borrowed while the reader lives */
    enum uex_read_from from;
    int64_t since_ms;
    bool whole; /* its ends are the high watermarks of when the reader was opened: transactions that are open below them
                   are waited for. Otherwise the end is where the first open one begins */
};

struct uex_topic_reader;

/* A reader of these topics; waits until Kafka answers, at most startup.timeout. UEX_KAFKA_UNAVAILABLE,
 * UEX_KAFKA_TOPICS (a topic is not there, with the command that makes it), UEX_CANCELLED by uex_program_cancel.
 * `*out` is NULL then. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_open(const struct uex_config *config,
                                                    const struct uex_read_topic *topics, size_t topic_count,
                                                    struct uex_topic_reader **out, struct uex_fault *fault);
void uex_topic_reader_close(struct uex_topic_reader *reader);

/* The next record. UEX_OK: `*out` is the caller's, to be given to rd_kafka_message_destroy(). UEX_END: every partition
 * has been read to its end for the first time; that is said once, whatever follows is new. UEX_TIMEOUT: none came
 * within `timeout_ms`. UEX_CANCELLED: uex_program_cancel. UEX_KAFKA: the brokers refuse to hand a topic out. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_next(struct uex_topic_reader *reader, int64_t timeout_ms,
                                                    rd_kafka_message_t **out, struct uex_fault *fault);
/* Give every record up to the ends to `take`, which borrows it; an error of it ends the reading. UEX_KAFKA_UNAVAILABLE:
 * nothing came for startup.timeout though there is more. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_drain(struct uex_topic_reader *reader,
                                                     enum uex_error (*take)(void *context,
                                                                            const rd_kafka_message_t *message),
                                                     void *context, struct uex_fault *fault);
/* Is Kafka away: nothing has come for 10 s, and no broker answered when asked (every 10 s of silence, which waits for a
 * second at most)? Nothing also comes while there is nothing. `*is_new`: this call has found it out. */
bool uex_topic_reader_is_away(struct uex_topic_reader *reader, bool *is_new);
#endif
