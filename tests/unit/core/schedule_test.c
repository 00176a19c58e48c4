/* SPDX-License-Identifier: Apache-2.0 */
#include "export/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t instant(const char *text)
{
    int64_t wall_ms = 0;

    assert_true(uex_time_parse(text, strlen(text), &wall_ms));
    return wall_ms;
}

static void assert_run(const char *now, const char *at, const char *zone, const char *expected)
{
    struct uex_fault fault = {0};
    char out[11] = "";

    assert_int_equal(uex_schedule_run_id(instant(now), at, zone, out, &fault), UEX_OK);
    assert_string_equal(out, expected);
}

static void run_id__kolkata__is_the_night_that_began_last(void **state)
{
    static const char *const VECTORS[][2] = {
        {"2026-11-22T12:00:00+05:30", "2026-11-21"}, {"2026-11-22T23:09:59.999+05:30", "2026-11-21"},
        {"2026-11-22T23:10:00+05:30", "2026-11-22"}, {"2026-11-22T23:20:00+05:30", "2026-11-22"},
        {"2026-11-23T00:10:00+05:30", "2026-11-22"}, {"2026-11-23T12:00:00+05:30", "2026-11-22"},
        {"2026-11-23T23:09:00+05:30", "2026-11-22"}, {"2027-01-01T00:10:00+05:30", "2026-12-31"},
        {"2028-03-01T03:00:00+05:30", "2028-02-29"}, {"2026-11-22T17:40:00Z", "2026-11-22"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++)
        assert_run(VECTORS[i][0], "23:20", "Asia/Kolkata", VECTORS[i][1]);
}

static void run_id__just_after_or_before_midnight__has_the_date_of_its_time(void **state)
{
    (void)state;
    assert_run("2026-11-22T23:50:00Z", "00:00", "UTC", "2026-11-23");
    assert_run("2026-11-22T23:49:59Z", "00:00", "UTC", "2026-11-22");
    assert_run("2026-11-22T23:55:00Z", "00:05", "UTC", "2026-11-23");
    assert_run("2026-11-23T00:00:00Z", "23:59", "UTC", "2026-11-22");
    assert_run("2026-11-22T23:49:00Z", "23:59", "UTC", "2026-11-22");
}

static void run_id__days_on_which_clocks_change__follow_local_time(void **state)
{
    (void)state;
    /* New York: 02:00 is 03:00 on 2026-03-08, and 02:00 is 01:00 on 2026-11-01 */
    assert_run("2026-03-08T03:09:00Z", "23:20", "America/New_York", "2026-03-06");
    assert_run("2026-03-08T04:10:00Z", "23:20", "America/New_York", "2026-03-07");
    assert_run("2026-03-09T03:09:59Z", "23:20", "America/New_York", "2026-03-07");
    assert_run("2026-03-09T03:10:00Z", "23:20", "America/New_York", "2026-03-08");
    assert_run("2026-11-02T04:09:59Z", "23:20", "America/New_York", "2026-10-31");
    assert_run("2026-11-02T04:10:00Z", "23:20", "America/New_York", "2026-11-01");
    /* 02:30 does not exist on the 8th: it counts on from before the gap, 03:30 EDT */
    assert_run("2026-03-08T07:19:59Z", "02:30", "America/New_York", "2026-03-07");
    assert_run("2026-03-08T07:20:00Z", "02:30", "America/New_York", "2026-03-08");
    /* 01:30 comes twice on the 1st: the first time counts, the second starts nothing new */
    assert_run("2026-11-01T05:19:59Z", "01:30", "America/New_York", "2026-10-31");
    assert_run("2026-11-01T05:20:00Z", "01:30", "America/New_York", "2026-11-01");
    assert_run("2026-11-01T06:25:00Z", "01:30", "America/New_York", "2026-11-01");
    /* beyond the table of the file, by its rule; south of the equator too */
    assert_run("2060-07-01T03:10:00Z", "23:20", "America/New_York", "2060-06-30");
    assert_run("2060-12-01T04:09:00Z", "23:20", "America/New_York", "2060-11-29");
    assert_run("2060-01-15T12:10:00Z", "23:20", "Australia/Sydney", "2060-01-15");
    assert_run("2060-01-15T12:09:00Z", "23:20", "Australia/Sydney", "2060-01-14");
}

static void run_id__every_hour_of_a_year__changes_once_a_day_and_never_goes_back(void **state)
{
    static const char *const ZONES[] = {"America/New_York", "Europe/Dublin", "Australia/Lord_Howe"};

    (void)state;
    for (size_t i = 0; i < sizeof(ZONES) / sizeof(ZONES[0]); i++) {
        int64_t begin_ms = instant("2026-01-01T12:00:00Z");
        char last[11] = "", out[11] = "";
        int change_count = 0;

        for (int64_t hour = 0; hour < 365 * 24; hour++) {
            assert_int_equal(uex_schedule_run_id(begin_ms + hour * 3600000, "01:30", ZONES[i], out, NULL), UEX_OK);
            assert_true(strcmp(out, last) >= 0);
            change_count += last[0] != '\0' && strcmp(out, last) != 0 ? 1 : 0;
            memcpy(last, out, sizeof(last));
        }
        assert_in_range(change_count, 364, 365);
    }
}

static void run_id__bad_time_or_zone__is_a_configuration_error(void **state)
{
    static const char *const TIMES[] = {"",      "24:00",  "23:60", "9:00",   "23:2",
                                        "23.20", "23:20 ", "-1:20", "23:200", "ab:cd"};
    struct uex_fault fault = {0};
    char out[11];

    (void)state;
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
        assert_int_equal(uex_schedule_run_id(0, TIMES[i], "UTC", out, &fault), UEX_CONFIG);
        assert_string_equal(out, "");
        assert_non_null(strstr(fault.text, "HH:MM"));
    }
    assert_int_equal(uex_schedule_run_id(0, NULL, "UTC", out, &fault), UEX_CONFIG);
    assert_int_equal(uex_schedule_run_id(0, "23:20", "Asia/Atlantis", out, &fault), UEX_CONFIG);
    assert_non_null(strstr(fault.text, "Asia/Atlantis"));
    assert_int_equal(uex_schedule_run_id(INT64_MIN, "23:20", "UTC", out, &fault), UEX_CONFIG);
    assert_int_equal(uex_schedule_run_id(INT64_MAX, "23:20", "UTC", out, &fault), UEX_CONFIG);
}

static void exists__names_outside_of_the_database__are_refused(void **state)
{
    static const char *const NAMES[] = {
        "",
        "/",
        "/etc/passwd",
        "../../../etc/passwd",
        "..",
        "Asia/../UTC",
        "./UTC",
        "zone.tab",
        "Asia",
        "Asia/",
        "Asia//Kolkata",
        "UTC\n",
        "Asia/Kol kata",
        "tzdata.zi",
        "right/NoSuch",
        "right/UTC",
        ":UTC",
        "EST5EDT,M3.2.0,M11.1.0",
    };
    char longest[300];

    (void)state;
    assert_true(uex_timezone_exists("Asia/Kolkata"));
    assert_true(uex_timezone_exists("UTC"));
    assert_true(uex_timezone_exists("America/Argentina/Buenos_Aires"));
    assert_true(uex_timezone_exists("Etc/GMT+5"));
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        assert_false(uex_timezone_exists(NAMES[i]));
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_false(uex_timezone_exists(longest));
    assert_false(uex_timezone_exists(NULL));
}

static void exists__what_is_not_a_zone_file__is_refused(void **state)
{
    char dir[] = "/tmp/zone-test-XXXXXX", path[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/Zone", dir);
    assert_int_equal(setenv("TZDIR", dir, 1), 0);
    assert_false(uex_timezone_exists("Zone"));
    for (size_t size_bytes = 0; size_bytes <= 4; size_bytes++) {
        FILE *stream = fopen(path, "wb");

        assert_non_null(stream);
        assert_int_equal(fwrite("TZif", 1, size_bytes, stream), size_bytes);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(uex_timezone_exists("Zone"), size_bytes == 4);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(uex_timezone_exists("Zone"));
    assert_int_equal(unsetenv("TZDIR"), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_id__kolkata__is_the_night_that_began_last),
        cmocka_unit_test(run_id__just_after_or_before_midnight__has_the_date_of_its_time),
        cmocka_unit_test(run_id__days_on_which_clocks_change__follow_local_time),
        cmocka_unit_test(run_id__every_hour_of_a_year__changes_once_a_day_and_never_goes_back),
        cmocka_unit_test(run_id__bad_time_or_zone__is_a_configuration_error),
        cmocka_unit_test(exists__names_outside_of_the_database__are_refused),
        cmocka_unit_test(exists__what_is_not_a_zone_file__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
