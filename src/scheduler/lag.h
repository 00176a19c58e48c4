/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/lag.h — the lag gate: a run begins when the readers of the results have caught up. */
#ifndef EXPORT_SCHEDULER_LAG_H
#define EXPORT_SCHEDULER_LAG_H

#include "kafka/client.h"

/* Wait while schedule.lag_group lags more than schedule.lag_max on topics.result. UEX_OK at once when the gate is off;
 * UEX_TIMEOUT after schedule.lag_wait; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_lag_wait(const struct uex_config *config, const struct uex_cancel *cancel,
                                           struct uex_fault *fault);
#endif
