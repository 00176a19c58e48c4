/* SPDX-License-Identifier: Apache-2.0 */
/* src/scheduler/schedule.h — one run of the scheduler: sends the commands of a run unless it was started before, and
 * waits for its end where schedule.wait says so. */
#ifndef EXPORT_SCHEDULER_SCHEDULE_H
#define EXPORT_SCHEDULER_SCHEDULE_H

#include "export/object_store.h"

struct uex_schedule {
    const struct uex_config *config;
    struct uex_store_service *service; /* for the manifest; NULL: there is to be none */
    const char *run_id;
    bool dry_run; /* print the commands and send nothing; asks no Kafka */
    bool again;   /* send them also if the run was started before */
};

/* Returns the exit code; what went wrong is logged. Ends early with uex_program_cancel. */
int uex_schedule(const struct uex_schedule *schedule);
#endif
