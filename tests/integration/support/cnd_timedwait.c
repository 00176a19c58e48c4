/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded beside libfaketime. It translates the deadlines of pthread_cond_timedwait(), but not those of C11's
 * cnd_timedwait(), with which librdkafka waits: without this every wait would be over at once. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *deadline)
{
    /* In glibc both kinds are the same objects. */
    int rc = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, deadline);

    if (rc == 0)
        return thrd_success;
    return rc == ETIMEDOUT ? thrd_timedout : thrd_error;
}
