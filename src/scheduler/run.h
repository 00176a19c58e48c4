/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/run.h — a run: its name, one command for each of its groups, all of them sent in one Kafka transaction.
 */
#ifndef EXPORT_SCHEDULER_RUN_H
#define EXPORT_SCHEDULER_RUN_H

#include "export/command.h"
#include "export/config.h"
#include "export/group_list.h"
#include "export/run_record.h"
#include "kafka/client.h"

#define UEX_REQUESTED_BY "export-scheduler"

/* Is this a valid name of a run? 1 to 64 characters of UTF-8, no control characters. */
bool uex_run_id_valid(struct uex_bytes run_id);

/* What the commands of a run have in common. */
struct uex_run {
    const char *run_id;
    const char *domain_id;
    int64_t requested_at_ms;
};
/* Append the value of the group's command: its id is the UUIDv5 of run and group. */
void uex_run_command(const struct uex_run *run, const char *group_id, struct uex_buffer *value);

/* transaction.timeout.ms. If the scheduler dies, readers of the command topic are held back for so long, or until the
 * next scheduler starts. */
#define UEX_SEND_TRANSACTION_MS 120000

struct uex_send_result {
    uint64_t sent;
    bool fenced;                 /* another scheduler took over; nothing was sent from here */
    bool was_there;              /* the run was started before; nothing was sent */
    bool started_again;          /* the run was started before, and is now started again */
    struct uex_run_record found; /* of that run */
    int64_t duration_ms;
};

/* Send the commands of all groups of `list` to topics.command, each to the partition that murmur2 of its key says. The
 * transactional id is "<kafka.group.id>-scheduler", so of two schedulers the one that started last wins. With `started`
 * (may be NULL) the run's record goes in the same transaction, and nothing is sent where the run was started before,
 * unless `again`. The caller clears `result->found` in any case. A transaction that must be aborted is repeated, three
 * times in all. UEX_OK also when fenced; UEX_CANCELLED: aborted because of
 * `cancel`; UEX_KAFKA_UNAVAILABLE within `startup.timeout` before anything was sent; UEX_TIMEOUT: the outcome is
 * unknown (the same run can be sent again). */
UEX_MUST_CHECK enum uex_error uex_send_commands(const struct uex_config *config, const struct uex_run *run,
                                                const struct uex_group_list *list, const struct uex_run_record *started,
                                                bool again, const struct uex_cancel *cancel,
                                                struct uex_send_result *result, struct uex_fault *fault);
#endif
