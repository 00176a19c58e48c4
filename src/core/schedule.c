/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a scheduled run (uex_schedule_run_id of export/clock.h). */
#include <stdio.h>

#include "core/calendar.h"
#include "core/timezone.h"
#include "export/clock.h"

#define EARLY_MS INT64_C(600000) /* clocks differ: a run may start so long before its time */

static bool parse_at(const char *at, int64_t *second_of_day)
{
    if (at == NULL || strnlen(at, 6) != 5 || at[2] != ':')
        return false;
    for (int i = 0; i < 5; i++) {
        if (i != 2 && (at[i] < '0' || at[i] > '9'))
            return false;
    }
    int hour = (at[0] - '0') * 10 + at[1] - '0';
    int minute = (at[3] - '0') * 10 + at[4] - '0';
    *second_of_day = (int64_t)hour * 3600 + minute * 60;
    return hour <= 23 && minute <= 59;
}

enum uex_error uex_schedule_run_id(int64_t now_ms, const char *at, const char *timezone, char *out,
                                   struct uex_fault *fault)
{
    char now_text[UEX_TIME_TEXT_SIZE];
    struct uex_timezone *zone = NULL;
    int64_t second_of_day;

    out[0] = '\0';
    if (!parse_at(at, &second_of_day))
        return uex_fail(fault, UEX_CONFIG, "the time of a run must be HH:MM, from 00:00 to 23:59");
    uex_time_format(now_ms, now_text);
    if (now_text[0] == '\0')
        return uex_fail(fault, UEX_CONFIG, "the system's clock is out of range");
    enum uex_error error = uex_timezone_load(timezone, &zone, fault);
    if (error != UEX_OK)
        return error;
    int64_t limit_s = uex_floor_div(now_ms + EARLY_MS, 1000);
    int64_t local_s = limit_s + uex_timezone_offset_s(zone, limit_s);
    /* The latest is today's or yesterday's; a change of the clocks can move it by one more day. */
    int64_t days = uex_floor_div(local_s, UEX_SECONDS_PER_DAY) + 1;
    while (uex_timezone_to_utc_s(zone, days * UEX_SECONDS_PER_DAY + second_of_day) > limit_s)
        days--;
    struct uex_date date = uex_date_of_days(days);
    (void)snprintf(out, 11, "%04u-%02u-%02u", (unsigned)date.year % 10000, (unsigned)date.month % 100,
                   (unsigned)date.day % 100);
    uex_timezone_free(zone);
    return UEX_OK;
}
