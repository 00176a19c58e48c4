/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/timezone.h — one zone of the system's tz database (RFC 8536), read without the C library's global TZ. A
 * loaded zone is not changed any more, so any thread may read it. */
#ifndef EXPORT_CORE_TIMEZONE_H
#define EXPORT_CORE_TIMEZONE_H

#include "export/error.h"

struct uex_timezone;

/* `name` is an IANA name such as "Asia/Kolkata", below TZDIR or /usr/share/zoneinfo. UEX_CONFIG with the reason
 * otherwise. */
UEX_MUST_CHECK enum uex_error uex_timezone_load(const char *name, struct uex_timezone **out, struct uex_fault *fault);
void uex_timezone_free(struct uex_timezone *zone);

/* Seconds east of UTC at an instant (seconds since 1970). */
int64_t uex_timezone_offset_s(const struct uex_timezone *zone, int64_t utc_s);

/* The instant of a local time (seconds since 1970 as its clocks show them). Of a time that comes twice the first one; a
 * time that is skipped counts on from before the gap. */
int64_t uex_timezone_to_utc_s(const struct uex_timezone *zone, int64_t local_s);
#endif
