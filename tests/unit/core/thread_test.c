/* SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_start__any__takes_no_signals_and_leaves_the_caller_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
