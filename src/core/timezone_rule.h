/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/timezone_rule.h — the POSIX TZ rule that a TZif file ends with, for times after its table: POSIX.1-2017,
 * section 8.3, with the hours of RFC 8536, section 3.3.1. Any thread. */
#ifndef EXPORT_CORE_TIMEZONE_RULE_H
#define EXPORT_CORE_TIMEZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum uex_rule_day { UEX_RULE_JULIAN, UEX_RULE_DAY_OF_YEAR, UEX_RULE_WEEKDAY };

struct uex_rule_date {
    enum uex_rule_day kind;
    int day;         /* JULIAN 1 to 365 without leap days, DAY_OF_YEAR 0 to 365, WEEKDAY 0 (Sunday) to 6 */
    int month, week; /* WEEKDAY: 1 to 12; 1 to 5, 5 is the last */
    int64_t time_s;  /* after midnight, local */
};

struct uex_timezone_rule {
    int64_t standard_s; /* seconds east of UTC */
    int64_t daylight_s;
    bool has_daylight;
    struct uex_rule_date start, end;
};

bool uex_timezone_rule_parse(const char *text, size_t size_bytes, struct uex_timezone_rule *out);
int64_t uex_timezone_rule_offset_s(const struct uex_timezone_rule *rule, int64_t utc_s);
#endif
