/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/kafka_watch.h"

#define AT INT64_C(1795369800500)

static enum uex_kafka_word ask(struct uex_kafka_watch *watch, bool answered, uint64_t failures, int64_t now_ms)
{
    return uex_kafka_watch_take(watch, answered, failures, now_ms, AT + now_ms);
}

static void due__all_is_well__is_every_ten_seconds(void **state)
{
    struct uex_kafka_watch watch = {0};

    (void)state;
    assert_true(uex_kafka_watch_is_due(&watch, 0, 1));
    assert_int_equal(ask(&watch, true, 0, 1), UEX_KAFKA_WORD_NONE);
    assert_false(uex_kafka_watch_is_due(&watch, 0, 10000));
    assert_true(uex_kafka_watch_is_due(&watch, 0, 10001));
}

static void due__a_connection_failed_or_a_question_was_not_answered__is_at_once(void **state)
{
    struct uex_kafka_watch watch = {0};

    (void)state;
    assert_int_equal(ask(&watch, true, 7, 1), UEX_KAFKA_WORD_NONE);
    assert_false(uex_kafka_watch_is_due(&watch, 7, 2));
    assert_true(uex_kafka_watch_is_due(&watch, 8, 2));
    assert_int_equal(ask(&watch, false, 8, 2), UEX_KAFKA_WORD_NONE);
    assert_true(uex_kafka_watch_is_due(&watch, 8, 3));
}

static void take__nobody_answers__is_said_once_and_then_each_minute_until_it_is_back(void **state)
{
    struct uex_kafka_watch watch = {0};

    (void)state;
    assert_int_equal(ask(&watch, true, 0, 1000), UEX_KAFKA_WORD_NONE);
    for (int64_t now_ms = 2000; now_ms < 6000; now_ms += 1000)
        assert_int_equal(ask(&watch, false, 9, now_ms), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 12, 6000), UEX_KAFKA_WORD_AWAY);
    assert_int_equal(watch.since_ms, 2000);
    assert_int_equal(watch.since_at_ms, AT + 2000);
    assert_int_equal(ask(&watch, false, 12, 65999), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 12, 66000), UEX_KAFKA_WORD_AWAY);
    assert_int_equal(watch.since_ms, 2000);
    assert_int_equal(ask(&watch, true, 20, 70000), UEX_KAFKA_WORD_BACK);
    assert_int_equal(ask(&watch, true, 20, 80000), UEX_KAFKA_WORD_NONE);
}

/* A broker that is restarted in the middle of a question. */
static void take__a_few_questions_without_an_answer__are_no_outage(void **state)
{
    struct uex_kafka_watch watch = {0};

    (void)state;
    assert_int_equal(ask(&watch, true, 0, 1000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 1, 2000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 1, 3000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, true, 1, 4000), UEX_KAFKA_WORD_NONE);
    /* a second row begins anew */
    assert_int_equal(ask(&watch, false, 2, 5000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 2, 6500), UEX_KAFKA_WORD_NONE);
    assert_int_equal(watch.since_ms, 5000);
    /* however long one question took, it takes three */
    watch = (struct uex_kafka_watch){0};
    assert_int_equal(ask(&watch, false, 2, 7000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 2, 60000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, false, 2, 60001), UEX_KAFKA_WORD_AWAY);
}

static void take__connections_fail_while_a_broker_answers__is_said_once_a_minute(void **state)
{
    struct uex_kafka_watch watch = {0};

    (void)state;
    assert_int_equal(ask(&watch, true, 3, 1000), UEX_KAFKA_WORD_NONE); /* of the start */
    assert_int_equal(ask(&watch, true, 5, 30000), UEX_KAFKA_WORD_NONE);
    assert_int_equal(ask(&watch, true, 5, 61000), UEX_KAFKA_WORD_SOME);
    assert_int_equal(ask(&watch, true, 5, 200000), UEX_KAFKA_WORD_NONE); /* no others since */
    assert_int_equal(ask(&watch, true, 6, 200001), UEX_KAFKA_WORD_SOME);
    assert_int_equal(ask(&watch, true, 7, 200002), UEX_KAFKA_WORD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due__all_is_well__is_every_ten_seconds),
        cmocka_unit_test(due__a_connection_failed_or_a_question_was_not_answered__is_at_once),
        cmocka_unit_test(take__nobody_answers__is_said_once_and_then_each_minute_until_it_is_back),
        cmocka_unit_test(take__a_few_questions_without_an_answer__are_no_outage),
        cmocka_unit_test(take__connections_fail_while_a_broker_answers__is_said_once_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
