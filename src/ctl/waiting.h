/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/waiting.h — how long a subcommand waits for a dependency, and that it says so: nobody should look at a silent
 * prompt for longer than a second. Main thread. */
#ifndef EXPORT_CTL_WAITING_H
#define EXPORT_CTL_WAITING_H

#include <pthread.h>

#include "export/config.h"

#define UEX_WAIT_ON_TERMINAL_MS 5000
#define UEX_WAITING_TEXT_SIZE 256

/* How long to wait until a dependency answers for the first time: --wait-for, else 5 s on a terminal, else
 * startup.timeout. */
int64_t uex_wait_for_ms(const struct uex_config *config);

/* One wait. Between begin and end nothing else may write to stderr on purpose (uex_live_erase() before). */
struct uex_waiting {
    char text[UEX_WAITING_TEXT_SIZE];
    void (*why)(char *out, size_t size);
    pthread_mutex_t lock;
    pthread_cond_t ended;
    pthread_t thread;
    bool has_thread, has_ended;
};
/* From now on, if uex_waiting_end() does not come within 1 s, one line on stderr says for what it waits: "waiting for
 * Kafka (127.0.0.1:9092), at most 5 s: …". `what` is the dependency and where it is, without secrets. `limit_ms` 0: no
 * limit is said; of 1 s or less: nothing is said at all. `why` (NULL: nothing is known) writes why there was no answer
 * yet, "" for nothing; it is called on another thread. Works while the caller is inside a call that blocks. */
void uex_waiting_begin(struct uex_waiting *waiting, const char *what, int64_t limit_ms,
                       void (*why)(char *out, size_t size));
void uex_waiting_end(struct uex_waiting *waiting);
#endif
