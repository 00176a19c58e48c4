/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/thread.h — how every thread but the main one is started. */
#ifndef EXPORT_THREAD_H
#define EXPORT_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Start a thread that takes no signals: SIGTERM, SIGINT and SIGHUP belong to the main thread, whose waits they end.
 * False: it cannot be started. Any thread; the caller joins or detaches it. */
__attribute__((warn_unused_result)) bool uex_thread_start(pthread_t *thread, void *(*body)(void *argument),
                                                          void *argument);
#endif
