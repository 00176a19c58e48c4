/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/waiting.h"

#include <stdio.h>

#include "ctl/options.h"
#include "export/thread.h"

#define SILENT_MS 1000

int64_t uex_wait_for_ms(const struct uex_config *config)
{
    /* main() has put --wait-for into startup.timeout: it holds for later waits too. */
    return uex_ctl_options.wait_for == NULL && uex_output_is_terminal() ? UEX_WAIT_ON_TERMINAL_MS
                                                                        : config->startup_timeout_ms;
}

static void *say(void *context)
{
    struct uex_waiting *waiting = context;
    const int64_t until_ms = uex_monotonic_ms() + SILENT_MS;
    bool has_ended = false;
    char why[200] = "";

    pthread_mutex_lock(&waiting->lock);
    while (!waiting->has_ended && uex_cond_wait_until(&waiting->ended, &waiting->lock, until_ms))
        continue;
    has_ended = waiting->has_ended;
    pthread_mutex_unlock(&waiting->lock);
    if (has_ended)
        return NULL;
    if (waiting->why != NULL)
        waiting->why(why, sizeof(why));
    uex_output_error("%s%s%s", waiting->text, why[0] == 0 ? "" : ": ", why);
    return NULL;
}

void uex_waiting_begin(struct uex_waiting *waiting, const char *what, int64_t limit_ms,
                       void (*why)(char *out, size_t size))
{
    char limit[32];

    *waiting = (struct uex_waiting){.why = why};
    if (limit_ms > 0) {
        uex_output_duration(limit_ms, limit);
        snprintf(waiting->text, sizeof(waiting->text), "waiting for %.180s, at most %s", what, limit);
    } else {
        snprintf(waiting->text, sizeof(waiting->text), "waiting for %.180s", what);
    }
    pthread_mutex_init(&waiting->lock, NULL);
    uex_cond_init(&waiting->ended);
    if (limit_ms == 0 || limit_ms > SILENT_MS) /* else the end says it all */
        waiting->has_thread = uex_thread_start(&waiting->thread, say, waiting);
}

void uex_waiting_end(struct uex_waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    waiting->has_ended = true;
    pthread_cond_signal(&waiting->ended);
    pthread_mutex_unlock(&waiting->lock);
    if (waiting->has_thread)
        pthread_join(waiting->thread, NULL);
    pthread_cond_destroy(&waiting->ended);
    pthread_mutex_destroy(&waiting->lock);
}
