/* SPDX-License-Identifier: Apache-2.0 */
#include "core/timezone_rule.h"

#include "core/calendar.h"

struct reader {
    const char *at;
    const char *end;
};

static bool at_end(const struct reader *reader)
{
    return reader->at == reader->end;
}

static bool skip(struct reader *reader, char expected)
{
    if (at_end(reader) || *reader->at != expected)
        return false;
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader, int most, int *value)
{
    const char *first = reader->at;

    *value = 0;
    while (!at_end(reader) && *reader->at >= '0' && *reader->at <= '9' && reader->at - first < 4)
        *value = *value * 10 + (*reader->at++ - '0');
    return reader->at > first && *value <= most;
}

/* Letters, or "<" letters, digits and signs ">". */
static bool skip_name(struct reader *reader)
{
    bool is_quoted = skip(reader, '<');
    const char *first = reader->at;

    for (; !at_end(reader); reader->at++) {
        char c = *reader->at;
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(is_quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-')))
            break;
    }
    return reader->at - first >= 3 && (!is_quoted || skip(reader, '>'));
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool read_time(struct reader *reader, int most_hours, int64_t *value_s)
{
    int hours, minutes = 0, seconds = 0;
    bool is_negative = skip(reader, '-');

    if (!is_negative)
        (void)skip(reader, '+');
    if (!read_number(reader, most_hours, &hours))
        return false;
    if (skip(reader, ':') && !read_number(reader, 59, &minutes))
        return false;
    if (skip(reader, ':') && !read_number(reader, 59, &seconds))
        return false;
    *value_s = ((int64_t)hours * 60 + minutes) * 60 + seconds;
    if (is_negative)
        *value_s = -*value_s;
    return true;
}

static bool read_date(struct reader *reader, struct uex_rule_date *date)
{
    bool is_read;

    if (skip(reader, 'M')) {
        date->kind = UEX_RULE_WEEKDAY;
        is_read = read_number(reader, 12, &date->month) && date->month >= 1 && skip(reader, '.') &&
                  read_number(reader, 5, &date->week) && date->week >= 1 && skip(reader, '.') &&
                  read_number(reader, 6, &date->day);
    } else if (skip(reader, 'J')) {
        date->kind = UEX_RULE_JULIAN;
        is_read = read_number(reader, 365, &date->day) && date->day >= 1;
    } else {
        date->kind = UEX_RULE_DAY_OF_YEAR;
        is_read = read_number(reader, 365, &date->day);
    }
    date->time_s = 2 * 3600;
    return is_read && (!skip(reader, '/') || read_time(reader, 167, &date->time_s));
}

bool uex_timezone_rule_parse(const char *text, size_t size_bytes, struct uex_timezone_rule *out)
{
    struct reader reader = {.at = text, .end = text + size_bytes};
    struct uex_timezone_rule rule = {0};
    int64_t west_s;

    if (!skip_name(&reader) || !read_time(&reader, 24, &west_s))
        return false;
    rule.standard_s = -west_s;
    if (!at_end(&reader)) {
        rule.has_daylight = true;
        rule.daylight_s = rule.standard_s + 3600;
        if (!skip_name(&reader))
            return false;
        if (!at_end(&reader) && *reader.at != ',') {
            if (!read_time(&reader, 24, &west_s))
                return false;
            rule.daylight_s = -west_s;
        }
        if (!skip(&reader, ',') || !read_date(&reader, &rule.start) || !skip(&reader, ',') ||
            !read_date(&reader, &rule.end) || !at_end(&reader))
            return false;
    }
    *out = rule;
    return true;
}

/* Days since 1970 of the rule's day in `year`. */
static int64_t day_in_year(const struct uex_rule_date *date, int64_t year)
{
    int64_t first = uex_days_of_date((struct uex_date){.year = year, .month = 1, .day = 1});

    if (date->kind == UEX_RULE_DAY_OF_YEAR)
        return first + date->day;
    if (date->kind == UEX_RULE_JULIAN)
        return first + date->day - 1 + (uex_is_leap_year(year) && date->day >= 60 ? 1 : 0);
    int64_t month = uex_days_of_date((struct uex_date){.year = year, .month = date->month, .day = 1});
    int64_t weekday = month + 4 - uex_floor_div(month + 4, 7) * 7; /* 1970-01-01 was a Thursday */
    int64_t day = (date->day - weekday + 7) % 7 + (int64_t)(date->week - 1) * 7;
    if (day >= uex_days_in_month(year, date->month))
        day -= 7;
    return month + day;
}

int64_t uex_timezone_rule_offset_s(const struct uex_timezone_rule *rule, int64_t utc_s)
{
    if (!rule->has_daylight)
        return rule->standard_s;
    int64_t year = uex_date_of_days(uex_floor_div(utc_s + rule->standard_s, UEX_SECONDS_PER_DAY)).year;
    int64_t start_s = day_in_year(&rule->start, year) * UEX_SECONDS_PER_DAY + rule->start.time_s - rule->standard_s;
    int64_t end_s = day_in_year(&rule->end, year) * UEX_SECONDS_PER_DAY + rule->end.time_s - rule->daylight_s;
    /* South of the equator the daylight time of a year is what lies outside of end to start. */
    bool is_daylight = start_s < end_s ? utc_s >= start_s && utc_s < end_s : !(utc_s >= end_s && utc_s < start_s);
    return is_daylight ? rule->daylight_s : rule->standard_s;
}
