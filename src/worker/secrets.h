/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/secrets.h — secrets that change while the worker runs: those of the store and of Redis are read again on
 * SIGHUP, and when one of the files changes that EXPORT_…_FILE names (a mounted Secret that is renewed; looked at every
 * 10 s). Kafka's and the database's belong to connections that only a new process makes again. Main thread. */
#ifndef EXPORT_WORKER_SECRETS_H
#define EXPORT_WORKER_SECRETS_H

#include "export/job.h"

struct uex_secrets {
    int argument_count; /* of the command line, after the program's name; borrowed */
    char *const *arguments;
    char *const *environment;
    uint64_t stamp;  /* of the files, as they were last read */
    int64_t look_ms; /* monotonic: when they are looked at next */
};

void uex_secrets_init(struct uex_secrets *secrets, int argument_count, char *const *arguments,
                      char *const *environment);
/* Read again what has changed, and give it to `services`; `asked`: in any case. Logs what was done. */
void uex_secrets_watch(struct uex_secrets *secrets, struct uex_job_services *services, bool asked);
#endif
