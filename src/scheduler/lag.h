/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/lag.h — the lag gate: a run begins when those who read the results have kept up. */
#ifndef EXPORT_SCHEDULER_LAG_H
#define EXPORT_SCHEDULER_LAG_H

#include "kafka/client.h"

/* Consumers of the group that never join it. librdkafka's admin request for a group's offsets would go another way to
 * the coordinator, on which it keeps a demoted one, and aborts when one is found after the time (its issue 4605). */
struct uex_lag_readers {
    rd_kafka_t *ends;      /* read_committed: as far as such a reader can come */
    rd_kafka_t *committed; /* read_uncommitted: offsets of a group that commits in transactions are told at once */
};

/* How many records of `topic` the group has not committed yet; where it committed nothing, all that are there. The end
 * of a partition is the last stable offset. Waits 10 s for each answer. */
UEX_MUST_CHECK enum uex_error uex_lag_of(const struct uex_lag_readers *readers, const char *topic, int64_t *lag,
                                         struct uex_fault *fault);

/* Wait while schedule.lag_group lags more than schedule.lag_max on topics.result. UEX_OK at once when the gate is off;
 * UEX_TIMEOUT after schedule.lag_wait; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_lag_wait(const struct uex_config *config, const struct uex_cancel *cancel,
                                           struct uex_fault *fault);
#endif
