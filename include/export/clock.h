/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/clock.h — time. Wall time is milliseconds since 1970-01-01T00:00:00Z; monotonic time has no origin.
 * Any thread. */
#ifndef EXPORT_CLOCK_H
#define EXPORT_CLOCK_H

#include "export/error.h"

#define UEX_TIME_TEXT_SIZE 32 /* room for any text of uex_time_format() */

int64_t uex_wall_ms(void);
int64_t uex_monotonic_ms(void);
int64_t uex_monotonic_us(void);

/* "2026-11-22T17:50:00.123Z" (RFC 3339, UTC, always three digits). `out` has UEX_TIME_TEXT_SIZE bytes. UEX_NO_TIME
 * gives "". */
void uex_time_format(int64_t wall_ms, char *out);

/* Read an RFC 3339 date-time (section 5.6): any offset, fraction of any length (cut to ms), "T"/"t"/" " between,
 * "Z"/"z". Leap second 60 is taken as 59. False for anything else, also for days that do not exist and years
 * outside 1..9999. */
UEX_MUST_CHECK bool uex_time_parse(const char *text, size_t size_bytes, int64_t *wall_ms);

/* The local date and the run's name: the date (YYYY-MM-DD, 11 bytes with zero) in IANA zone `timezone` of the latest
 * `at` ("HH:MM") that is not later than 10 minutes after `now_ms`. UEX_CONFIG for an unknown zone or a bad time. Of a
 * local time that comes twice the first one counts; one that is skipped counts on from before the gap. Sets TZ for the
 * whole process: call it before there are threads. */
UEX_MUST_CHECK enum uex_error uex_schedule_run_id(int64_t now_ms, const char *at, const char *timezone, char *out,
                                                  struct uex_fault *fault);

/* Is there a file of this IANA name ("Asia/Kolkata") in the system's tz database (TZDIR or /usr/share/zoneinfo)? */
bool uex_timezone_exists(const char *timezone);

/* A flag that ends waiting and long work early; set once from any thread (also a signal handler), read by many. */
struct uex_cancel {
    volatile int requested; /* use the functions */
};
void uex_cancel_request(struct uex_cancel *cancel);
bool uex_cancel_requested(const struct uex_cancel *cancel); /* NULL: never */

/* Sleep; returns false early when `cancel` (may be NULL) is requested (seen within 50 ms). */
bool uex_sleep_ms(int64_t delay_ms, const struct uex_cancel *cancel);
#endif
