/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/worker.h — the worker's life: start-up checks, threads, shutdown. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "worker/secrets.h"

/* Run until SIGTERM or SIGINT (uex_program_catch_signals() was called). `secrets` are watched meanwhile. Returns the
 * exit code. Main thread. */
int uex_worker_run(const struct uex_config *config, struct uex_secrets *secrets);
#endif
