/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "export/clock.h"
#include "store/task_thread.h"

struct job {
    int64_t delay_ms;
    int count; /* not guarded: the task thread's while it runs, the owner's before and after */
    int order;
    int *next_order;
    bool signals_blocked;
};

static void run(void *context)
{
    struct job *job = context;
    sigset_t mask;

    uex_sleep_ms(job->delay_ms, NULL);
    job->count++;
    if (job->next_order != NULL)
        job->order = ++*job->next_order;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    job->signals_blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT);
}

static void may_become__every_pair__allows_only_the_circle(void **state)
{
    (void)state;
    for (int from = UEX_TASK_IDLE; from <= UEX_TASK_DONE; from++)
        for (int to = UEX_TASK_IDLE; to <= UEX_TASK_DONE; to++)
            assert_int_equal(uex_task_state_may_become((enum uex_task_state)from, (enum uex_task_state)to),
                             to == (from + 1) % 4);
}

static void wait__a_task_handed_over_again_and_again__runs_each_time(void **state)
{
    struct uex_task_thread *thread = uex_task_thread_new();
    struct job job = {0};
    struct uex_task task = {.run = run, .context = &job};

    (void)state;
    for (int i = 0; i < 200; i++) {
        job.count += 1000;
        assert_int_equal(uex_task_thread_submit(thread, &task), UEX_OK);
        assert_true(uex_task_thread_wait(thread, &task, 10000));
        assert_int_equal(job.count, (i + 1) * 1001);
    }
    assert_true(job.signals_blocked);
    uex_task_thread_free(thread);
}

static void wait__a_slow_task__gives_up_after_the_time_and_can_wait_again(void **state)
{
    struct uex_task_thread *thread = uex_task_thread_new();
    struct job job = {.delay_ms = 300};
    struct uex_task task = {.run = run, .context = &job};

    (void)state;
    assert_true(uex_task_thread_wait(thread, &task, 0));
    assert_int_equal(uex_task_thread_submit(thread, &task), UEX_OK);
    assert_false(uex_task_thread_wait(thread, &task, 20));
    assert_true(uex_task_thread_wait(thread, &task, 10000));
    assert_int_equal(job.count, 1);
    uex_task_thread_free(thread);
}

static void submit__several_tasks__run_in_their_order(void **state)
{
    struct uex_task_thread *thread = uex_task_thread_new();
    int order = 0;
    struct job jobs[3] = {{.delay_ms = 50, .next_order = &order}, {.next_order = &order}, {.next_order = &order}};
    struct uex_task tasks[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        tasks[i] = (struct uex_task){.run = run, .context = &jobs[i]};
        assert_int_equal(uex_task_thread_submit(thread, &tasks[i]), UEX_OK);
    }
    for (size_t i = 3; i-- > 0;)
        assert_true(uex_task_thread_wait(thread, &tasks[i], 10000));
    for (int i = 0; i < 3; i++)
        assert_int_equal(jobs[i].order, i + 1);
    uex_task_thread_free(thread);
}

static void submit__a_task_that_is_not_idle__is_refused(void **state)
{
    struct uex_task_thread *thread = uex_task_thread_new();
    struct job job = {.delay_ms = 50};
    struct uex_task task = {.run = run, .context = &job};

    (void)state;
    assert_int_equal(uex_task_thread_submit(thread, &task), UEX_OK);
    assert_int_equal(uex_task_thread_submit(thread, &task), UEX_INTERNAL);
    assert_true(uex_task_thread_wait(thread, &task, 10000));
    assert_int_equal(job.count, 1);
    uex_task_thread_free(thread);
}

static void free__never_used_or_absent__is_fine(void **state)
{
    (void)state;
    uex_task_thread_free(NULL);
    uex_task_thread_free(uex_task_thread_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(may_become__every_pair__allows_only_the_circle),
        cmocka_unit_test(wait__a_task_handed_over_again_and_again__runs_each_time),
        cmocka_unit_test(wait__a_slow_task__gives_up_after_the_time_and_can_wait_again),
        cmocka_unit_test(submit__several_tasks__run_in_their_order),
        cmocka_unit_test(submit__a_task_that_is_not_idle__is_refused),
        cmocka_unit_test(free__never_used_or_absent__is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
