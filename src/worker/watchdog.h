/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/watchdog.h — ends the process when a shutdown takes longer than its bound. */
#ifndef WORKER_WATCHDOG_H
#define WORKER_WATCHDOG_H

#include "export/clock.h"
#include "export/thread.h"

/* Zero-initialised. It refers to nothing else: the worker is taken down while it runs. */
struct uex_watchdog {
    pthread_t thread;
    bool is_started;
    int64_t bound_ms;
    struct uex_cancel stop;
    _Atomic int exit_code; /* of the process; may change until the end */
};

/* From now on the process has `bound_ms` to end. After that it is left with `exit_code`, without a cleanup. Without
 * memory for a thread there is no bound but that of the sender of the signal. The watchdog's owner calls. */
void uex_watchdog_start(struct uex_watchdog *watchdog, int64_t bound_ms);

/* The end came in time. Does nothing where it was not started. The watchdog's owner calls. */
void uex_watchdog_stop(struct uex_watchdog *watchdog);

#endif
