/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/end.h — writes the end of a run, once, however many wait for it. One thread. */
#ifndef EXPORT_RUN_END_H
#define EXPORT_RUN_END_H

#include "export/run_record.h"
#include "kafka/client.h"
#include "run/tally.h"

/* The record of an end: that of the start with these counts, `completed` if all groups have ended, at this moment,
 * without a manifest. Its strings are those of `started`. */
struct uex_run_record uex_run_end_of(const struct uex_run_record *started, const struct uex_run_counts *counts);

/* Write `end` to topics.run in the place of `expected`, which is the newest record of this run as far as the caller
 * knows. The transactional id is "<kafka.group.id>-run": who begins with it ends what another left open, and fences it;
 * then the run's record is read again, and if it is not `expected` any more, nothing is written. So of several that
 * wait for the same run one writes its end, however often they are killed.
 *
 * `*written`: this call has written it. `found` (may be NULL; cleared by the caller in any case): the run's record
 * afterwards, which is still `expected` where another process took over and has not written yet; then call again after
 * a pause of random length. UEX_OK also when nothing was written; UEX_NOT_FOUND: the run's record is gone; UEX_TIMEOUT:
 * it is unknown whether it was written (the same call again finds out); UEX_CANCELLED before the commit;
 * UEX_KAFKA_UNAVAILABLE within `wait_ms`; UEX_KAFKA_TOPICS, UEX_KAFKA, UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_run_end(const struct uex_config *config, const struct uex_run_record *expected,
                                          const struct uex_run_record *end, int64_t wait_ms,
                                          const struct uex_cancel *cancel, bool *written, struct uex_run_record *found,
                                          struct uex_fault *fault);
#endif
