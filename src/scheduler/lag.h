/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/lag.h — the lag gate: a run begins when the readers of the results have caught up. */
#ifndef EXPORT_SCHEDULER_LAG_H
#define EXPORT_SCHEDULER_LAG_H

#include "kafka/client.h"

/* Consumers of the group that never join it. librdkafka's admin request for a group's offsets is not used: it keeps a
 * demoted coordinator, and aborts the process when it finds one after the request has timed out (its issue 4605). */
struct uex_lag_readers {
    rd_kafka_t *ends;      /* read_committed: how far such a reader can read */
    rd_kafka_t *committed; /* read_uncommitted: returns the offsets of a group that commits in transactions at once */
};

/* How many records of `topic` the group has not committed yet; all of them where it has committed nothing. The end of a
 * partition is the last stable offset. Waits 10 s for each answer. */
UEX_MUST_CHECK enum uex_error uex_lag_of(const struct uex_lag_readers *readers, const char *topic, int64_t *lag,
                                         struct uex_fault *fault);

/* Wait while schedule.lag_group lags more than schedule.lag_max on topics.result. UEX_OK at once when the gate is off;
 * UEX_TIMEOUT after schedule.lag_wait; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_lag_wait(const struct uex_config *config, const struct uex_cancel *cancel,
                                           struct uex_fault *fault);
#endif
