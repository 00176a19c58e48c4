/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/thread.h — threads and conditions, as all parts of the programs make them. Any thread. */
#ifndef EXPORT_THREAD_H
#define EXPORT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "export/clock.h"

/* Start a thread that takes no signals: SIGTERM, SIGINT and SIGHUP belong to the main thread, whose waits they end.
 * False: it cannot be started. The caller joins or detaches it. */
__attribute__((warn_unused_result)) bool uex_thread_start(pthread_t *thread, void *(*body)(void *argument),
                                                          void *argument);

/* Make a condition whose waits are measured with the monotonic clock, so that setting the time neither ends nor
 * prolongs them. pthread_cond_destroy() frees it. */
void uex_cond_init(pthread_cond_t *condition);
/* With the mutex locked: wait until the condition is signalled, or the monotonic time is `until_ms` (of
 * uex_monotonic_ms()). May return early, as pthread_cond_wait() may. False: `until_ms` has passed. */
bool uex_cond_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms);

/* A call that cannot be bounded, made bounded: name lookups and some calls of client libraries (PQcancel, blocking
 * connects) wait as long as they like.
 *
 * Run `run(context)` on a thread of its own, with all signals blocked there, and wait until it is done, at most
 * `wait_ms`, or until `cancel` (may be NULL) is requested (seen within 50 ms).
 * UEX_OK: it is done and `context` is the caller's again. UEX_TIMEOUT, UEX_CANCELLED: it goes on by itself; `context`
 * is no longer the caller's and `drop(context)` is called on that thread at its end. UEX_NO_MEMORY: nothing was run and
 * `context` is the caller's. Any thread. */
UEX_MUST_CHECK enum uex_error uex_background_call(void (*run)(void *context), void (*drop)(void *context),
                                                  void *context, int64_t wait_ms, const struct uex_cancel *cancel);
#endif
