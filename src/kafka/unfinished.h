/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/unfinished.h — which records of input topics a consumer group of workers has not finished yet.
 *
 * The lag of a partition counts too much: markers of transactions have offsets too, and one long export keeps the
 * committed offset back while the commands behind it are finished. So the records from the committed offset on are
 * read, without those that the offset's metadata calls finished (kafka/offset_window.h). One thread.
 */
#ifndef EXPORT_KAFKA_UNFINISHED_H
#define EXPORT_KAFKA_UNFINISHED_H

#include "kafka/lag.h"

/* A topic, and what was found. */
struct uex_unfinished_topic {
    const char *name;
    uint64_t read_max; /* where more offsets are open than that, they are not read: see is_exact */
    uint64_t count;    /* unfinished records */
    bool is_missing;   /* there is no such topic; count is 0 */
    bool is_exact;     /* all were read; else `count` is of open offsets, and some of them may hold no record */
};

/* How long to wait, and who gets the records. */
struct uex_unfinished_reading {
    int64_t answer_ms; /* for each answer of a broker */
    int64_t until_ms;  /* monotonic: what has not been read by then stays unread */
    const struct uex_cancel *cancel;
    /* An unfinished record of topic number `topic`, borrowed; an error ends the reading. May be NULL. */
    enum uex_error (*take)(void *context, size_t topic, const rd_kafka_message_t *message);
    void *context;
};

/* `readers` are of the workers' group. UEX_OK also if time ran out: see is_exact. UEX_CANCELLED; errors as of
 * uex_lag_places_read(), but for UEX_NOT_FOUND, and those of `take`. */
UEX_MUST_CHECK enum uex_error uex_unfinished_read(const struct uex_lag_readers *readers,
                                                  const struct uex_unfinished_reading *reading,
                                                  struct uex_unfinished_topic *topics, size_t topic_count,
                                                  struct uex_fault *fault);
#endif
