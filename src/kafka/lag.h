/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/lag.h — how far a consumer group has come in a topic. One thread for each pair of readers. */
#ifndef EXPORT_KAFKA_LAG_H
#define EXPORT_KAFKA_LAG_H

#include "kafka/client.h"

/* Consumers of the group that never join it. librdkafka's admin request for a group's offsets is not used: it keeps a
 * demoted coordinator, and aborts the process when it finds one after the request has timed out (its issue 4605). */
struct uex_lag_readers {
    rd_kafka_t *ends;      /* read_committed: how far such a reader can read */
    rd_kafka_t *committed; /* read_uncommitted: returns the offsets of a group that commits in transactions at once */
};
/* No broker is asked. UEX_CONFIG, UEX_KAFKA. The caller closes `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_lag_readers_open(const struct uex_config *config, const char *group,
                                                   struct uex_lag_readers *out, struct uex_fault *fault);
/* Accepts a zeroed struct. */
void uex_lag_readers_close(struct uex_lag_readers *readers);

/* A partition as the group sees it. */
struct uex_lag_place {
    int32_t partition;
    bool has_committed;
    int64_t from;              /* the committed offset; where there is none, or it is gone, the first offset there is */
    int64_t end;               /* the last stable offset */
    struct uex_bytes metadata; /* of the committed offset; data NULL: none */
};

/* The partitions of a topic, in their order. A zeroed struct is empty. */
struct uex_lag_places {
    struct uex_lag_place *items;
    int32_t count;
    int64_t lag;                                /* sum of end - from */
    rd_kafka_topic_partition_list_t *committed; /* owned: what the metadata points into */
};
void uex_lag_places_clear(struct uex_lag_places *places);
/* Waits `timeout_ms` for each answer. UEX_NOT_FOUND: there is no such topic; UEX_KAFKA: also if the right to describe
 * topic or group is missing; UEX_KAFKA_UNAVAILABLE, UEX_NO_MEMORY. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_lag_places_read(const struct uex_lag_readers *readers, const char *topic,
                                                  int64_t timeout_ms, struct uex_lag_places *out,
                                                  struct uex_fault *fault);

/* How many records of `topic` the group has not committed yet; all of them where it has committed nothing. Errors as of
 * uex_lag_places_read(). */
UEX_MUST_CHECK enum uex_error uex_lag_of(const struct uex_lag_readers *readers, const char *topic, int64_t timeout_ms,
                                         int64_t *lag, struct uex_fault *fault);
#endif
