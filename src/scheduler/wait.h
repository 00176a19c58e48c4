/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/wait.h — the scheduler stays until every group of its run has ended, and writes the run's end. */
#ifndef EXPORT_SCHEDULER_WAIT_H
#define EXPORT_SCHEDULER_WAIT_H

#include "export/object_store.h"
#include "export/run_record.h"
#include "run/members.h"

/* How long a run is still waited for, at this time. One that this process has just started: schedule.wait. One that
 * was known (`is_known`): until schedule.wait after its start, but for startup.timeout at least, so that a late start
 * reads the states; never longer than schedule.wait. Any thread. */
int64_t uex_wait_left_ms(const struct uex_config *config, const struct uex_run_record *started, bool is_known,
                         int64_t wall_ms);

/* Wait for as long as uex_wait_left_ms() says, and write `completed` or `incomplete` in the place of `started`, the
 * run's record, which may also be `incomplete`: a later end counts. One that would say the same as that is not written.
 * `members` are the run's groups; empty: they are read from topics.command. With `service` (NULL: none) the manifest is
 * created before `completed`; where that fails until schedule.wait is over, the run is `incomplete`. Once a minute it
 * logs how far the run is, or that Kafka is away. Returns the exit code: 0 all ended, 1 some as dead letters, or the
 * waiting was stopped or failed, 3 Kafka was away at the end, 4 some have not ended, or there is no manifest. Where
 * another process wrote the end, that counts. */
int uex_wait_for_run(const struct uex_config *config, struct uex_store_service *service,
                     const struct uex_run_record *started, bool is_known, struct uex_run_members *members,
                     const struct uex_cancel *cancel);

/* Write the end of a run without groups, with an empty manifest where there is a `service`. Returns the exit code. */
int uex_end_empty_run(const struct uex_config *config, struct uex_store_service *service,
                      const struct uex_run_record *started, const struct uex_cancel *cancel);

/* With schedule.report and a `service`: put the page of a run that has ended beside its manifest, unless it is there.
 * What goes wrong is logged. */
void uex_publish_page(const struct uex_config *config, struct uex_store_service *service,
                      const struct uex_run_record *ended, const struct uex_cancel *cancel);

/* The exit code for a run that has ended: 0 completed, 1 with dead letters, 4 incomplete. */
int uex_exit_of_end(const struct uex_run_record *record);
#endif
