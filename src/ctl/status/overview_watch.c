/* SPDX-License-Identifier: Apache-2.0 */
/* An overview that is kept fresh while a subcommand waits. */
#include <stdlib.h>

#include "ctl/output.h"
#include "ctl/status/overview.h"
#include "export/thread.h"

#define STILL_MS 3000 /* nothing moves: look why */
#define AGAIN_MS 5000 /* between two looks */
#define SAY_MS 60000

struct uex_overview_watch {
    const struct uex_config *config; /* fixed */
    struct uex_cancel cancel;
    pthread_t thread;
    bool has_thread;         /* the owner's */
    enum uex_hindrance said; /* the owner's: the reason that was said last, and when */
    int64_t said_ms;

    pthread_mutex_t lock; /* guards what follows */
    struct uex_overview overview;
    int64_t read_ms; /* monotonic; 0: not read yet */
};

static void *keep_reading(void *context)
{
    struct uex_overview_watch *watch = context;
    const struct uex_overview_reading reading = {.config = watch->config, .cancel = &watch->cancel};
    struct uex_overview *overview = malloc(sizeof(*overview));

    while (overview != NULL && !uex_cancel_requested(&watch->cancel)) {
        uex_overview_read(&reading, overview);
        pthread_mutex_lock(&watch->lock);
        watch->overview = *overview;
        watch->read_ms = uex_monotonic_ms();
        pthread_mutex_unlock(&watch->lock);
        (void)uex_sleep_ms(AGAIN_MS, &watch->cancel);
    }
    free(overview);
    return NULL;
}

struct uex_overview_watch *uex_overview_watch_new(const struct uex_config *config)
{
    struct uex_overview_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->config = config;
    pthread_mutex_init(&watch->lock, NULL);
    return watch;
}

void uex_overview_watch_free(struct uex_overview_watch *watch)
{
    if (watch == NULL)
        return;
    uex_cancel_request(&watch->cancel);
    if (watch->has_thread)
        pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

/* When it was read; 0: not yet. */
static int64_t latest(struct uex_overview_watch *watch, struct uex_overview *out)
{
    int64_t read_ms = 0;

    if (!watch->has_thread)
        watch->has_thread = uex_thread_start(&watch->thread, keep_reading, watch);
    pthread_mutex_lock(&watch->lock);
    *out = watch->overview;
    read_ms = watch->read_ms;
    pthread_mutex_unlock(&watch->lock);
    return read_ms;
}

bool uex_overview_watch_latest(struct uex_overview_watch *watch, struct uex_overview *out)
{
    return watch != NULL && latest(watch, out) != 0;
}

enum uex_hindrance uex_overview_watch_why(struct uex_overview_watch *watch, int64_t moved_ms, struct uex_buffer *lines)
{
    struct uex_overview overview;

    if (watch == NULL || uex_monotonic_ms() - moved_ms < STILL_MS || latest(watch, &overview) <= moved_ms)
        return UEX_HINDRANCE_NONE;
    return uex_overview_why(&overview, lines);
}

void uex_overview_watch_say(struct uex_overview_watch *watch, int64_t moved_ms)
{
    struct uex_buffer line = {0};
    enum uex_hindrance why = uex_overview_watch_why(watch, moved_ms, &line);
    const int64_t now_ms = uex_monotonic_ms();

    if (why != UEX_HINDRANCE_NONE && (why != watch->said || now_ms - watch->said_ms >= SAY_MS)) {
        uex_output_error("waiting: %s", uex_buffer_text(&line));
        watch->said = why;
        watch->said_ms = now_ms;
    }
    uex_buffer_clear(&line);
}
