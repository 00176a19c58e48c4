/* SPDX-License-Identifier: Apache-2.0 */
#include "export/thread.h"

#include <signal.h>
#include <stddef.h>

/* A new thread inherits the mask of the one that starts it. */
bool uex_thread_start(pthread_t *thread, void *(*body)(void *argument), void *argument)
{
    sigset_t all, before;
    bool is_started = false;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    is_started = pthread_create(thread, NULL, body, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}
