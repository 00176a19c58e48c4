/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/thread.h — threads and conditions, as all parts of the programs make them. Any thread. */
#ifndef EXPORT_THREAD_H
#define EXPORT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

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
#endif
