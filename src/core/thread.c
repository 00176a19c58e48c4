/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/thread.c — see include/export/thread.h. */
#include "export/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

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

void uex_cond_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

bool uex_cond_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000L};

    return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}

#define SLICE_MS 50
#define LAST_WAIT_MS 500

/* Calls that go on without their caller. */
static atomic_int abandoned_count;
static pthread_once_t leave_once = PTHREAD_ONCE_INIT;

/* At exit libraries take their locks and tables down; a thread that is still inside of one (libpq over Kerberos, say)
 * would trip over them. Then the process ends without that. */
static void leave(int status, void *unused)
{
    (void)unused;
    for (int64_t waited_ms = 0; atomic_load(&abandoned_count) > 0 && waited_ms < LAST_WAIT_MS; waited_ms += SLICE_MS)
        (void)uex_sleep_ms(SLICE_MS, NULL);
    if (atomic_load(&abandoned_count) == 0)
        return;
    (void)fflush(NULL);
    _exit(status);
}

static void register_leave(void)
{
    (void)on_exit(leave, NULL);
}

/* Shared by the caller and the thread; the one that leaves last frees it. */
struct call {
    void (*run)(void *context);
    void (*drop)(void *context);
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool done;      /* the thread has finished run() */
    bool abandoned; /* the caller has left */
};

static void call_free(struct call *call)
{
    pthread_cond_destroy(&call->ended);
    pthread_mutex_destroy(&call->mutex);
    free(call);
}

static void *call_thread(void *argument)
{
    struct call *call = argument;
    bool abandoned;

    call->run(call->context);
    pthread_mutex_lock(&call->mutex);
    call->done = true;
    abandoned = call->abandoned;
    pthread_cond_signal(&call->ended);
    pthread_mutex_unlock(&call->mutex);
    if (abandoned) {
        call->drop(call->context);
        call_free(call);
        (void)atomic_fetch_sub(&abandoned_count, 1);
    }
    return NULL;
}

static struct call *call_new(void (*run)(void *context), void (*drop)(void *context), void *context)
{
    struct call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return NULL;
    call->run = run;
    call->drop = drop;
    call->context = context;
    pthread_mutex_init(&call->mutex, NULL);
    uex_cond_init(&call->ended);
    return call;
}

enum uex_error uex_background_call(void (*run)(void *context), void (*drop)(void *context), void *context,
                                   int64_t wait_ms, const struct uex_cancel *cancel)
{
    int64_t deadline_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error err = UEX_OK;
    struct call *call = call_new(run, drop, context);
    pthread_t thread;

    if (call == NULL)
        return UEX_NO_MEMORY;
    if (!uex_thread_start(&thread, call_thread, call)) {
        call_free(call);
        return UEX_NO_MEMORY;
    }
    pthread_mutex_lock(&call->mutex);
    while (!call->done && err == UEX_OK) {
        if (uex_cancel_requested(cancel))
            err = UEX_CANCELLED;
        else if (uex_monotonic_ms() >= deadline_ms)
            err = UEX_TIMEOUT;
        else
            (void)uex_cond_wait_until(&call->ended, &call->mutex, uex_monotonic_ms() + SLICE_MS);
    }
    if (err != UEX_OK && call->done) /* it ended in the last moment */
        err = UEX_OK;
    call->abandoned = err != UEX_OK;
    if (call->abandoned)
        (void)atomic_fetch_add(&abandoned_count, 1);
    pthread_mutex_unlock(&call->mutex);
    if (err != UEX_OK) {
        (void)pthread_once(&leave_once, register_leave);
        pthread_detach(thread);
        return err;
    }
    pthread_join(thread, NULL);
    call_free(call);
    return UEX_OK;
}
