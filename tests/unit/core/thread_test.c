/* SPDX-License-Identifier: Apache-2.0 */
#include "export/clock.h"
#include "export/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void *ask_mask(void *mask)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

static void thread_start__any__takes_no_signals_and_leaves_the_caller_as_it_was(void **state)
{
    static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1};
    sigset_t of_thread, of_caller;
    pthread_t thread;

    (void)state;
    assert_true(uex_thread_start(&thread, ask_mask, &of_thread));
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)ask_mask(&of_caller);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        assert_int_equal(sigismember(&of_thread, ours[i]), 1);
        assert_int_equal(sigismember(&of_caller, ours[i]), 0);
    }
}

static void cond_wait_until__nobody_signals__returns_false_and_not_early(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    const int64_t until_ms = uex_monotonic_ms() + 20;

    (void)state;
    uex_cond_init(&condition);
    pthread_mutex_lock(&mutex);
    while (uex_cond_wait_until(&condition, &mutex, until_ms))
        continue;
    assert_true(uex_monotonic_ms() >= until_ms);
    assert_false(uex_cond_wait_until(&condition, &mutex, 0)); /* long past */
    pthread_mutex_unlock(&mutex);
    (void)pthread_cond_destroy(&condition);
}

struct meeting {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    bool came;
};

static void *come(void *argument)
{
    struct meeting *meeting = argument;

    pthread_mutex_lock(&meeting->mutex);
    meeting->came = true;
    pthread_cond_signal(&meeting->condition);
    pthread_mutex_unlock(&meeting->mutex);
    return NULL;
}

static void cond_wait_until__signalled__returns_true(void **state)
{
    struct meeting meeting = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;

    (void)state;
    uex_cond_init(&meeting.condition);
    pthread_mutex_lock(&meeting.mutex);
    assert_true(uex_thread_start(&thread, come, &meeting));
    while (!meeting.came)
        assert_true(uex_cond_wait_until(&meeting.condition, &meeting.mutex, uex_monotonic_ms() + 60000));
    pthread_mutex_unlock(&meeting.mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_cond_destroy(&meeting.condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_start__any__takes_no_signals_and_leaves_the_caller_as_it_was),
        cmocka_unit_test(cond_wait_until__nobody_signals__returns_false_and_not_early),
        cmocka_unit_test(cond_wait_until__signalled__returns_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
