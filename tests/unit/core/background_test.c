/* SPDX-License-Identifier: Apache-2.0 */
#include "export/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct slow_call {
    int64_t duration_ms;
    int result;
};

static _Atomic int dropped;

static void sleep_then_answer(void *context)
{
    struct slow_call *call = context;

    (void)uex_sleep_ms(call->duration_ms, NULL);
    call->result = 42;
}

static void drop_call(void *context)
{
    free(context);
    dropped++;
}

static struct slow_call *slow_call_new(int64_t duration_ms)
{
    struct slow_call *call = calloc(1, sizeof(*call));

    assert_non_null(call);
    call->duration_ms = duration_ms;
    dropped = 0;
    return call;
}

static void wait_until_dropped(void)
{
    for (int i = 0; i < 200 && dropped == 0; i++)
        (void)uex_sleep_ms(20, NULL);
    assert_int_equal(dropped, 1);
}

static void background_call__quick__gives_the_result_back(void **state)
{
    struct slow_call *call = slow_call_new(0);

    (void)state;
    assert_int_equal(uex_background_call(sleep_then_answer, drop_call, call, 5000, NULL), UEX_OK);
    assert_int_equal(call->result, 42);
    assert_int_equal(dropped, 0);
    free(call);
}

static void background_call__longer_than_the_wait__returns_in_time_and_drops_later(void **state)
{
    int64_t start_ms = uex_monotonic_ms();

    (void)state;
    assert_int_equal(uex_background_call(sleep_then_answer, drop_call, slow_call_new(400), 100, NULL), UEX_TIMEOUT);
    assert_true(uex_monotonic_ms() - start_ms < 350);
    wait_until_dropped();
}

static void background_call__cancelled__returns_at_once(void **state)
{
    struct uex_cancel cancel = {0};

    (void)state;
    uex_cancel_request(&cancel);
    assert_int_equal(uex_background_call(sleep_then_answer, drop_call, slow_call_new(200), 5000, &cancel),
                     UEX_CANCELLED);
    wait_until_dropped();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(background_call__quick__gives_the_result_back),
        cmocka_unit_test(background_call__longer_than_the_wait__returns_in_time_and_drops_later),
        cmocka_unit_test(background_call__cancelled__returns_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
