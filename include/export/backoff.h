/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/backoff.h — pauses between repetitions of one step: 100, 300, 900 ms, times 3 each, each times 0.8
 * to 1.2. */
#ifndef EXPORT_BACKOFF_H
#define EXPORT_BACKOFF_H

#include "export/clock.h"

/* The pause before repetition `repetition` (1 is the first), with its random factor; at most 30,000 ms. Any thread. */
int64_t uex_backoff_ms(unsigned repetition);

/* One step with its repetitions: calls `step` until it returns something that is not UEX_DISPOSITION_RETRY_STEP,
 * `repetitions` more times at most, or `cancel` is requested (then UEX_CANCELLED). Returns what the last call returned.
 */
UEX_MUST_CHECK enum uex_error uex_step_retry(enum uex_error (*step)(void *context), void *context, unsigned repetitions,
                                             const struct uex_cancel *cancel);
#endif
