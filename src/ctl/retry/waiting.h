/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/retry/waiting.h — the commands that wait in the retry topics: the records of the tiers that have no outcome
 * yet, by the committed offsets and the bitmaps that the workers left there. Main thread. */
#ifndef EXPORT_CTL_RETRY_WAITING_H
#define EXPORT_CTL_RETRY_WAITING_H

#include "kafka/record.h"
#include "kafka/topics.h"

/* Pass each of them to `take`, tier by tier; an error of `take` ends the reading. Record and tier are borrowed. A
 * command that moves to the next tier meanwhile may come twice or not at all. Waits until Kafka answers, at most
 * startup.timeout. UEX_KAFKA_UNAVAILABLE, UEX_KAFKA (a right is missing), UEX_CANCELLED by uex_program_cancel,
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_retries_read(const struct uex_config *config,
                                               enum uex_error (*take)(void *context, const struct uex_record *record,
                                                                      const struct uex_tier *tier),
                                               void *context, struct uex_fault *fault);
#endif
