/* SPDX-License-Identifier: Apache-2.0 */
#include "export/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct script {
    const enum uex_error *errors;
    unsigned made;
    struct uex_cancel *cancel;
};

static enum uex_error next_of_script(void *context)
{
    struct script *script = context;

    if (script->cancel != NULL)
        uex_cancel_request(script->cancel);
    return script->errors[script->made++];
}

static void backoff__first_repetitions__are_100_300_900_within_a_fifth(void **state)
{
    static const int64_t MIDDLE_MS[] = {100, 300, 900, 2700, 8100, 24300};
    int64_t least_ms = INT64_MAX, most_ms = 0;

    (void)state;
    for (unsigned repetition = 1; repetition <= 6; repetition++) {
        for (int i = 0; i < 200; i++) {
            int64_t delay_ms = uex_backoff_ms(repetition);

            assert_true(delay_ms >= MIDDLE_MS[repetition - 1] * 8 / 10);
            assert_true(delay_ms <= MIDDLE_MS[repetition - 1] * 12 / 10);
            if (repetition == 1) {
                least_ms = delay_ms < least_ms ? delay_ms : least_ms;
                most_ms = delay_ms > most_ms ? delay_ms : most_ms;
            }
        }
    }
    assert_true(most_ms - least_ms >= 15); /* spread: 41 values, 200 draws */
}

static void backoff__many_repetitions__never_exceeds_30_seconds(void **state)
{
    static const unsigned REPETITIONS[] = {7, 8, 100, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(REPETITIONS) / sizeof(REPETITIONS[0]); i++) {
        assert_true(uex_backoff_ms(REPETITIONS[i]) <= 30000);
        assert_true(uex_backoff_ms(REPETITIONS[i]) >= 24000);
    }
    assert_true(uex_backoff_ms(0) <= 120);
}

static void step_retry__transient_then_fine__is_fine(void **state)
{
    static const enum uex_error ERRORS[] = {UEX_DB_UNAVAILABLE, UEX_OK};
    struct script script = {.errors = ERRORS};
    int64_t begin_ms = uex_monotonic_ms();

    (void)state;
    assert_int_equal(uex_step_retry(next_of_script, &script, 3, NULL), UEX_OK);
    assert_int_equal(script.made, 2);
    assert_true(uex_monotonic_ms() - begin_ms >= 79);
}

static void step_retry__repetitions_used_up__returns_the_last_error(void **state)
{
    static const enum uex_error ERRORS[] = {UEX_TIMEOUT, UEX_STORE_UNAVAILABLE, UEX_OK};
    struct script script = {.errors = ERRORS};

    (void)state;
    assert_int_equal(uex_step_retry(next_of_script, &script, 1, NULL), UEX_STORE_UNAVAILABLE);
    assert_int_equal(script.made, 2);
}

static void step_retry__no_repetitions__tries_once(void **state)
{
    static const enum uex_error ERRORS[] = {UEX_TIMEOUT, UEX_OK};
    struct script script = {.errors = ERRORS};

    (void)state;
    assert_int_equal(uex_step_retry(next_of_script, &script, 0, NULL), UEX_TIMEOUT);
    assert_int_equal(script.made, 1);
}

static void step_retry__other_dispositions__are_not_repeated(void **state)
{
    static const enum uex_error ERRORS[] = {UEX_DB_DATA, UEX_DB_AUTH, UEX_SPOOL, UEX_OBJECT_EXISTS};

    (void)state;
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        struct script script = {.errors = ERRORS + i};

        assert_int_equal(uex_step_retry(next_of_script, &script, 3, NULL), ERRORS[i]);
        assert_int_equal(script.made, 1);
    }
}

static void step_retry__cancelled__is_not_tried_again(void **state)
{
    static const enum uex_error ERRORS[] = {UEX_TIMEOUT, UEX_OK};
    struct uex_cancel cancel = {0};
    struct script script = {.errors = ERRORS, .cancel = &cancel};

    (void)state;
    assert_int_equal(uex_step_retry(next_of_script, &script, 3, &cancel), UEX_CANCELLED);
    assert_int_equal(script.made, 1);
    assert_int_equal(uex_step_retry(next_of_script, &script, 3, &cancel), UEX_CANCELLED);
    assert_int_equal(script.made, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff__first_repetitions__are_100_300_900_within_a_fifth),
        cmocka_unit_test(backoff__many_repetitions__never_exceeds_30_seconds),
        cmocka_unit_test(step_retry__transient_then_fine__is_fine),
        cmocka_unit_test(step_retry__repetitions_used_up__returns_the_last_error),
        cmocka_unit_test(step_retry__no_repetitions__tries_once),
        cmocka_unit_test(step_retry__other_dispositions__are_not_repeated),
        cmocka_unit_test(step_retry__cancelled__is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
