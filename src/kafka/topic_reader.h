/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/topic_reader.h — reads topics from a chosen start to their ends, and new records after that:
 * read_committed, without a consumer group, without commits. One thread. */
#ifndef EXPORT_KAFKA_TOPIC_READER_H
#define EXPORT_KAFKA_TOPIC_READER_H

#include "kafka/client.h"

#define UEX_READ_TOPICS_MAX 4

enum uex_read_from {
    UEX_READ_ALL,  /* existing records, then new ones */
    UEX_READ_NEW,  /* new records */
    UEX_READ_SINCE /* records with a timestamp of since_ms or later, then new ones */
};

struct uex_read_topic {
    const char *name; /* borrowed while the reader lives */
    enum uex_read_from from;
    int64_t since_ms;
    bool whole; /* read to the high watermarks of when the reader was opened, and wait for transactions that are open
                   below them. Otherwise the end is where the first open transaction begins */
};

struct uex_topic_reader;

/* A reader of these topics; waits until Kafka answers, at most `wait_ms`. `cancel` (may be NULL) is borrowed while the
 * reader lives. UEX_KAFKA_UNAVAILABLE, UEX_KAFKA_TOPICS (a topic does not exist; the fault has the command that creates
 * it), UEX_CANCELLED, UEX_NO_MEMORY. `*out` is NULL then. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_open(const struct uex_config *config,
                                                    const struct uex_read_topic *topics, size_t topic_count,
                                                    int64_t wait_ms, const struct uex_cancel *cancel,
                                                    struct uex_topic_reader **out, struct uex_fault *fault);
void uex_topic_reader_close(struct uex_topic_reader *reader);
/* From now on this takes the place of the `wait_ms` of the opening. */
void uex_topic_reader_set_wait(struct uex_topic_reader *reader, int64_t wait_ms);

/* The next record. UEX_OK: `*out` is the caller's, to be given to rd_kafka_message_destroy(). UEX_END: every partition
 * has been read to its end for the first time; returned once, all records after it are new. UEX_TIMEOUT: none came
 * within `timeout_ms`. UEX_CANCELLED. UEX_KAFKA: not authorized for a topic, or a fatal error. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_next(struct uex_topic_reader *reader, int64_t timeout_ms,
                                                    rd_kafka_message_t **out, struct uex_fault *fault);
/* Is a record there that the next call returns without waiting? */
bool uex_topic_reader_is_ready(const struct uex_topic_reader *reader);
/* Pass every record up to the ends to `take`, which borrows it; its error ends the reading. UEX_KAFKA_UNAVAILABLE: no
 * record came for `wait_ms`, though there are more. */
UEX_MUST_CHECK enum uex_error uex_topic_reader_drain(struct uex_topic_reader *reader,
                                                     enum uex_error (*take)(void *context,
                                                                            const rd_kafka_message_t *message),
                                                     void *context, struct uex_fault *fault);
/* Is Kafka unavailable: no record for 10 s, and no broker answers? Asked after every 10 s without a record, which waits
 * 1 s at most; a quiet topic alone does not count. `*is_new`: this call has found it out. */
bool uex_topic_reader_is_away(struct uex_topic_reader *reader, bool *is_new);

enum uex_topic_change {
    UEX_TOPIC_UNCHANGED,
    UEX_TOPIC_GROWN, /* it has partitions that the reader does not read */
    UEX_TOPIC_REMADE /* it is gone, or ends before a record that was read: made anew, or its log was cut */
};
/* What became of the topics since the reader was opened. Asks brokers, and each partition's leader for 1 s at most;
 * what does not answer is unchanged. A reader of a changed topic is to be closed and another one opened. */
enum uex_topic_change uex_topic_reader_change(struct uex_topic_reader *reader);
#endif
