/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/watchdog.h"

#include <unistd.h>

#include "export/log.h"

/* A client library does not return. What the worker had not committed belongs to the next owner. */
static void *watch(void *argument)
{
    struct uex_watchdog *watchdog = argument;

    if (!uex_sleep_ms(watchdog->bound_ms, &watchdog->stop))
        return NULL;
    uex_log(UEX_LOG_WARN, UEX_EVENT_LEAVES_AT_ONCE, "leaving the consumer group takes too long; the process ends");
    _exit(watchdog->exit_code);
}

void uex_watchdog_start(struct uex_watchdog *watchdog, int64_t bound_ms)
{
    watchdog->bound_ms = bound_ms;
    watchdog->is_started = uex_thread_start(&watchdog->thread, watch, watchdog);
}

void uex_watchdog_stop(struct uex_watchdog *watchdog)
{
    uex_cancel_request(&watchdog->stop);
    if (watchdog->is_started)
        (void)pthread_join(watchdog->thread, NULL);
    watchdog->is_started = false;
}
