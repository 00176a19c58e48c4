/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/presence.h"

#define AT INT64_C(1795369800500)

static void describe__numbers_of_the_engine__become_a_record(void **state)
{
    struct uex_engine_numbers numbers = {.running = 3, .queued = 17};
    struct uex_worker_record record = {0};

    (void)state;
    uex_presence_describe(&numbers, false, AT, &record);
    assert_int_equal(record.running, 3);
    assert_int_equal(record.queued, 17);
    assert_int_equal(record.at_ms, AT);
    assert_int_equal(record.breaker_count, 0);
    assert_false(record.stopping);
    numbers.breakers[UEX_DEPENDENCY_STORE] =
        (struct uex_breaker){.open = true, .error = UEX_STORE_AUTH, .opened_ms = 5, .opened_at_ms = AT - 5000};
    uex_presence_describe(&numbers, true, AT, &record);
    assert_int_equal(record.breaker_count, 1);
    assert_string_equal(record.breakers[0].dependency, "store");
    assert_string_equal(record.breakers[0].code, "store-authentication");
    assert_int_equal(record.breakers[0].since_ms, AT - 5000);
    assert_true(record.stopping);
}

/* No code and no name is cut. */
static void describe__every_error_and_dependency__fits(void **state)
{
    struct uex_worker_record record = {0};

    (void)state;
    for (int error = 0; error < UEX_ERROR_COUNT; error++)
        assert_true(strlen(uex_error_code((enum uex_error)error)) < sizeof(record.breakers[0].code));
    for (int dependency = 0; dependency < UEX_DEPENDENCY_COUNT; dependency++)
        assert_true(strlen(uex_breaker_text((enum uex_dependency)dependency)) < sizeof(record.breakers[0].dependency));
}

static void due__nothing_changes__is_every_ten_seconds(void **state)
{
    struct uex_presence presence = {0};
    struct uex_worker_record record = {.running = 1, .at_ms = AT};

    (void)state;
    assert_true(uex_presence_is_due(&presence, &record, 1000));
    for (int64_t now_ms = 1001; now_ms < 11000; now_ms += 999) {
        record.at_ms = AT + now_ms;
        assert_false(uex_presence_is_due(&presence, &record, now_ms));
    }
    assert_true(uex_presence_is_due(&presence, &record, 11000));
    assert_false(uex_presence_is_due(&presence, &record, 20999));
}

static void due__a_change__is_at_once(void **state)
{
    struct uex_presence presence = {0};
    struct uex_worker_record record = {.running = 1};

    (void)state;
    assert_true(uex_presence_is_due(&presence, &record, 1000));
    record.running = 2;
    assert_true(uex_presence_is_due(&presence, &record, 1001));
    record.stopping = true;
    assert_true(uex_presence_is_due(&presence, &record, 1002));
    assert_false(uex_presence_is_due(&presence, &record, 1003));
    /* the ten seconds begin at the last record, not at the first */
    assert_false(uex_presence_is_due(&presence, &record, 11001));
    assert_true(uex_presence_is_due(&presence, &record, 11002));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describe__numbers_of_the_engine__become_a_record),
        cmocka_unit_test(describe__every_error_and_dependency__fits),
        cmocka_unit_test(due__nothing_changes__is_every_ten_seconds),
        cmocka_unit_test(due__a_change__is_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
