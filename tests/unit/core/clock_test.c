/* SPDX-License-Identifier: Apache-2.0 */
#include "export/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

static void format__known_instants__are_rfc_3339_with_three_digits(void **state)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } VECTORS[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795369800123, "2026-11-22T17:50:00.123Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {-62135596800000, "0001-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };
    char out[UEX_TIME_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        uex_time_format(VECTORS[i].wall_ms, out);
        assert_string_equal(out, VECTORS[i].text);
    }
}

static void format__no_time_or_out_of_range__is_empty(void **state)
{
    static const int64_t TIMES_MS[] = {UEX_NO_TIME, INT64_MAX, -62135596800001, 253402300800000};
    char out[UEX_TIME_TEXT_SIZE] = "x";

    (void)state;
    for (size_t i = 0; i < sizeof(TIMES_MS) / sizeof(TIMES_MS[0]); i++) {
        uex_time_format(TIMES_MS[i], out);
        assert_string_equal(out, "");
    }
}

static void parse__what_format_writes__is_read_back(void **state)
{
    char out[UEX_TIME_TEXT_SIZE];

    (void)state;
    /* all years; the step is a prime number of ms */
    for (int64_t wall_ms = -62135596800000; wall_ms < 253402300800000; wall_ms += 10000000019) {
        int64_t read_ms = 0;

        uex_time_format(wall_ms, out);
        assert_true(uex_time_parse(out, strlen(out), &read_ms));
        assert_true(read_ms == wall_ms);
    }
}

static void parse__valid_forms__give_the_instant(void **state)
{
    static const struct {
        const char *text;
        int64_t wall_ms;
    } VECTORS[] = {
        {"1985-04-12T23:20:50.52Z", 482196050520},        /* RFC 3339, section 5.8 */
        {"1996-12-19T16:39:57-08:00", 851042397000},      /* the same */
        {"1990-12-31T23:59:60Z", 662687999000},           /* leap second */
        {"1990-12-31T15:59:60-08:00", 662687999000},      /* the same one */
        {"1937-01-01T12:00:27.87+00:20", -1041337172130}, /* RFC 3339, section 5.8 */
        {"2026-11-22t23:20:00+05:30", 1795369800000},
        {"2026-11-22 17:50:00z", 1795369800000},
        {"2026-11-22T17:50:00-00:00", 1795369800000},
        {"2026-11-22T17:50:00.1Z", 1795369800100},
        {"2026-11-22T17:50:00.123999999999999999999999999999Z", 1795369800123},
        {"2026-11-22T17:50:00.0009+00:00", 1795369800000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"2026-11-22T00:00:00+23:59", 1795219260000},
        {"2026-11-22T00:00:00-23:59", 1795391940000},
        {"1969-12-31T23:59:59.999Z", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        int64_t wall_ms = 0;

        if (!uex_time_parse(VECTORS[i].text, strlen(VECTORS[i].text), &wall_ms) || wall_ms != VECTORS[i].wall_ms)
            fail_msg("%s gives %lld", VECTORS[i].text, (long long)wall_ms);
    }
}

static void parse__invalid_forms__are_false_and_leave_the_time_alone(void **state)
{
    static const char *const TEXTS[] = {
        "",
        " ",
        "now",
        "2026-11-22",
        "17:50:00Z",
        "2026-11-22T17:50:00",
        "2026-11-22T17:50Z",
        "2026-11-22T17Z",
        "2026-11-22T17:50:00.Z",
        "2026-11-22T17:50:00,5Z",
        "2026-11-22T17:50:00.5",
        "2026-11-22T17:50:00.-5Z",
        "2026-11-22T17:50:00ZZ",
        "2026-11-22T17:50:00Z ",
        " 2026-11-22T17:50:00Z",
        "2026-11-22T17:50:00 Z",
        "2026-11-22  17:50:00Z",
        "2026-11-22_17:50:00Z",
        "2026-11-22T17:50:00+05",
        "2026-11-22T17:50:00+0530",
        "2026-11-22T17:50:00+5:30",
        "2026-11-22T17:50:00+05:3",
        "2026-11-22T17:50:00+24:00",
        "2026-11-22T17:50:00+05:60",
        "2026-11-22T17:50:00+05:30Z",
        "2026-11-22T17:50:00\xE2\x88\x92"
        "05:30",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:60:00Z",
        "2026-11-22T23:59:61Z",
        "2026-11-22T17:50:60Z",
        "2026-11-22T23:59:60+05:30",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "-2026-11-22T17:50:00Z",
        "+2026-11-22T17:50:00Z",
        "26-11-22T17:50:00Z",
        "2026-1-22T17:50:00Z",
        "2026-11-2T17:50:00Z",
        "2026-11-22T7:50:00Z",
        "2026/11/22T17:50:00Z",
        "20261122T175000Z",
        "2026-W47-7T17:50:00Z",
        "2026-326T17:50:00Z",
        "2026-11-22T17.50.00Z",
        "2026-11-22T+7:50:00Z",
        "2026-11-22T 7:50:00Z",
        "2026-11-22T17:50:0xZ",
        "\xEF\xBB\xBF"
        "2026-11-22T17:50:00Z",
        "2026-11-22T17:50:00\xC2\xA0Z",
        "\xE0\xA5\xA8\xE0\xA5\xA6\xE0\xA5\xA8\xE0\xA5\xAC-11-22T17:50:00Z",
        "Sun, 22 Nov 2026 17:50:00 GMT",
        "1795369800000",
    };
    int64_t wall_ms = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (uex_time_parse(TEXTS[i], strlen(TEXTS[i]), &wall_ms))
            fail_msg("%s is taken", TEXTS[i]);
    }
    assert_false(uex_time_parse("2026-11-22T17:50:00\0Z", 21, &wall_ms));
    assert_false(uex_time_parse("2026-11-22\0T17:50:00Z", 21, &wall_ms));
    assert_false(uex_time_parse(NULL, 0, &wall_ms));
    assert_int_equal(wall_ms, 42);
}

static void parse__every_prefix_of_a_valid_text__is_false(void **state)
{
    static const char TEXT[] = "2026-11-22T17:50:00.123+05:30";
    int64_t wall_ms;

    (void)state;
    for (size_t size_bytes = 0; size_bytes < strlen(TEXT); size_bytes++)
        assert_false(uex_time_parse(TEXT, size_bytes, &wall_ms));
    assert_true(uex_time_parse(TEXT, strlen(TEXT), &wall_ms));
}

static void wall_and_monotonic__now__are_plausible(void **state)
{
    int64_t first_us = uex_monotonic_us();

    (void)state;
    assert_true(uex_wall_ms() / 1000 >= (int64_t)time(NULL) - 1);
    assert_true(uex_wall_ms() / 1000 <= (int64_t)time(NULL) + 1);
    assert_true(uex_monotonic_us() >= first_us);
    assert_true(uex_monotonic_ms() >= first_us / 1000);
}

static void sleep__not_cancelled__takes_its_time(void **state)
{
    int64_t begin_ms = uex_monotonic_ms();
    struct uex_cancel cancel = {0};

    (void)state;
    assert_true(uex_sleep_ms(60, &cancel));
    assert_true(uex_monotonic_ms() - begin_ms >= 59);
    assert_true(uex_sleep_ms(0, NULL));
    assert_true(uex_sleep_ms(-5, NULL));
}

static void sleep__cancelled__returns_at_once(void **state)
{
    int64_t begin_ms = uex_monotonic_ms();
    struct uex_cancel cancel = {0};

    (void)state;
    assert_false(uex_cancel_requested(NULL));
    assert_false(uex_cancel_requested(&cancel));
    uex_cancel_request(&cancel);
    assert_true(uex_cancel_requested(&cancel));
    assert_false(uex_sleep_ms(10000, &cancel));
    assert_false(uex_sleep_ms(0, &cancel));
    assert_true(uex_monotonic_ms() - begin_ms < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format__known_instants__are_rfc_3339_with_three_digits),
        cmocka_unit_test(format__no_time_or_out_of_range__is_empty),
        cmocka_unit_test(parse__what_format_writes__is_read_back),
        cmocka_unit_test(parse__valid_forms__give_the_instant),
        cmocka_unit_test(parse__invalid_forms__are_false_and_leave_the_time_alone),
        cmocka_unit_test(parse__every_prefix_of_a_valid_text__is_false),
        cmocka_unit_test(wall_and_monotonic__now__are_plausible),
        cmocka_unit_test(sleep__not_cancelled__takes_its_time),
        cmocka_unit_test(sleep__cancelled__returns_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
