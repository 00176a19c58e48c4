/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/calendar.h — days of the Gregorian calendar, counted from 1970-01-01. Any thread. */
#ifndef EXPORT_CORE_CALENDAR_H
#define EXPORT_CORE_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define UEX_SECONDS_PER_DAY INT64_C(86400)

struct uex_date {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

int64_t uex_days_of_date(struct uex_date date);
struct uex_date uex_date_of_days(int64_t days);
int uex_days_in_month(int64_t year, int month);
bool uex_is_leap_year(int64_t year);
/* Division that rounds down, also below zero. */
int64_t uex_floor_div(int64_t value, int64_t divisor);
#endif
