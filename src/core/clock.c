/* SPDX-License-Identifier: Apache-2.0 */
#include "export/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 25 /* how long a sleep may not see that it was cancelled */
#define MINUTES_PER_DAY (24 * 60)
#define LEAST_WALL_MS (INT64_C(-62135596800) * 1000)      /* 0001-01-01T00:00:00Z */
#define MOST_WALL_MS (INT64_C(253402300799) * 1000 + 999) /* 9999-12-31T23:59:59.999Z */

int64_t uex_wall_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t uex_monotonic_us(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t uex_monotonic_ms(void)
{
    return uex_monotonic_us() / 1000;
}

/* So many digits and what follows them. printf() takes ten times as long, and a manifest has a million times. */
static char *put_number(char *out, int value, int digits, char next)
{
    for (int i = digits; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
    out[digits] = next;
    return out + digits + 1;
}

void uex_time_format(int64_t wall_ms, char *out)
{
    out[0] = '\0';
    if (wall_ms < LEAST_WALL_MS || wall_ms > MOST_WALL_MS)
        return;
    int ms = (int)(wall_ms % 1000);
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    if (gmtime_r(&seconds, &utc) == NULL)
        return;
    out = put_number(out, utc.tm_year + 1900, 4, '-');
    out = put_number(out, utc.tm_mon + 1, 2, '-');
    out = put_number(out, utc.tm_mday, 2, 'T');
    out = put_number(out, utc.tm_hour, 2, ':');
    out = put_number(out, utc.tm_min, 2, ':');
    out = put_number(out, utc.tm_sec, 2, '.');
    out = put_number(out, ms, 3, 'Z');
    *out = '\0';
}

struct reader {
    const char *at;
    const char *end;
};

/* Exactly `count` digits with a value of `least` to `most`. */
static bool read_number(struct reader *reader, int count, int least, int most, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, reader->at++) {
        if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
            return false;
        *value = *value * 10 + (*reader->at - '0');
    }
    return *value >= least && *value <= most;
}

static bool read_any_of(struct reader *reader, const char *characters, char *found)
{
    if (reader->at == reader->end || *reader->at == '\0' || strchr(characters, *reader->at) == NULL)
        return false;
    *found = *reader->at++;
    return true;
}

/* "." and digits; the first three count. False for a point without digits. */
static bool read_fraction(struct reader *reader, int *value_ms)
{
    int place_ms = 100;
    const char *first;
    char found;

    *value_ms = 0;
    if (!read_any_of(reader, ".", &found))
        return true;
    for (first = reader->at; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        *value_ms += (*reader->at - '0') * place_ms;
        place_ms /= 10;
    }
    return reader->at > first;
}

static bool read_offset(struct reader *reader, int *offset_minutes)
{
    int hours, minutes;
    char sign, colon;

    *offset_minutes = 0;
    if (!read_any_of(reader, "Zz+-", &sign))
        return false;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (!read_number(reader, 2, 0, 23, &hours) || !read_any_of(reader, ":", &colon) ||
        !read_number(reader, 2, 0, 59, &minutes))
        return false;
    *offset_minutes = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return true;
}

bool uex_time_parse(const char *text, size_t size_bytes, int64_t *wall_ms)
{
    int year, month, day, hour, minute, second, fraction_ms, offset_minutes;
    char found;

    if (text == NULL)
        return false;
    struct reader reader = {.at = text, .end = text + size_bytes};
    if (!read_number(&reader, 4, 1, 9999, &year) || !read_any_of(&reader, "-", &found) ||
        !read_number(&reader, 2, 1, 12, &month) || !read_any_of(&reader, "-", &found) ||
        !read_number(&reader, 2, 1, 31, &day) || !read_any_of(&reader, "Tt ", &found) ||
        !read_number(&reader, 2, 0, 23, &hour) || !read_any_of(&reader, ":", &found) ||
        !read_number(&reader, 2, 0, 59, &minute) || !read_any_of(&reader, ":", &found) ||
        !read_number(&reader, 2, 0, 60, &second) || !read_fraction(&reader, &fraction_ms) ||
        !read_offset(&reader, &offset_minutes) || reader.at != reader.end)
        return false;

    struct tm utc = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    int64_t minutes = timegm(&utc) / 60 - offset_minutes;
    if (utc.tm_mday != day) /* timegm() takes February 30 for the first or second of March */
        return false;
    if (second == 60) {
        /* Leap seconds are in the last minute of a day in UTC, nowhere else (RFC 3339, section 5.7). */
        if ((hour * 60 + minute - offset_minutes + MINUTES_PER_DAY) % MINUTES_PER_DAY != MINUTES_PER_DAY - 1)
            return false;
        second = 59;
    }
    int64_t value_ms = (minutes * 60 + second) * 1000 + fraction_ms;
    if (value_ms < LEAST_WALL_MS || value_ms > MOST_WALL_MS)
        return false;
    *wall_ms = value_ms;
    return true;
}

void uex_cancel_request(struct uex_cancel *cancel)
{
    __atomic_store_n(&cancel->requested, 1, __ATOMIC_RELEASE);
}

bool uex_cancel_requested(const struct uex_cancel *cancel)
{
    return cancel != NULL && __atomic_load_n(&cancel->requested, __ATOMIC_ACQUIRE) != 0;
}

bool uex_sleep_ms(int64_t delay_ms, const struct uex_cancel *cancel)
{
    /* Counted down instead of compared with a clock, so that the sleep ends whatever happens to clocks. */
    while (delay_ms > 0) {
        int64_t slice_ms = delay_ms < SLICE_MS ? delay_ms : SLICE_MS;
        struct timespec left = {.tv_nsec = (long)slice_ms * 1000000};

        if (uex_cancel_requested(cancel))
            return false;
        while (nanosleep(&left, &left) != 0 && errno == EINTR) {
            if (uex_cancel_requested(cancel))
                return false;
        }
        delay_ms -= slice_ms;
    }
    return !uex_cancel_requested(cancel);
}

#define ZONE_DIR "/usr/share/zoneinfo"
#define NAME_MAX_BYTES 255
#define DAY_S INT64_C(86400)
#define EARLY_MS INT64_C(600000) /* clocks differ: a run may start so long before its time */

static bool is_zone_name(const char *name)
{
    size_t size_bytes = name == NULL ? 0 : strnlen(name, NAME_MAX_BYTES + 1);

    if (size_bytes == 0 || size_bytes > NAME_MAX_BYTES || name[0] == '/' || name[size_bytes - 1] == '/')
        return false;
    for (size_t at = 0; at < size_bytes; at++) {
        char c = name[at];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
              c == '-' || (c == '/' && name[at + 1] != '/')))
            return false; /* no point either, so no ".." and no file beside the zones such as zone.tab */
    }
    return strncmp(name, "right/", 6) != 0; /* counts leap seconds, which the system's clock does not */
}

/* For the C library a zone without a file is UTC, so its file is looked for first. */
bool uex_timezone_exists(const char *timezone)
{
    char path[PATH_MAX], magic[4];
    struct stat facts;
    const char *dir = secure_getenv("TZDIR");

    if (!is_zone_name(timezone))
        return false;
    int length = snprintf(path, sizeof(path), "%s/%s", dir == NULL || dir[0] == '\0' ? ZONE_DIR : dir, timezone);
    if (length < 0 || (size_t)length >= sizeof(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool exists = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                  memcmp(magic, "TZif", sizeof(magic)) == 0; /* RFC 8536, section 3.1 */
    (void)close(fd);
    return exists;
}

/* Seconds east of UTC at an instant, in the zone of TZ. */
static int64_t offset_s(int64_t utc_s)
{
    time_t instant = (time_t)utc_s;
    struct tm local;

    return localtime_r(&instant, &local) == NULL ? 0 : local.tm_gmtoff;
}

/* The instant of a local time (seconds since 1970 as its clocks show them). Not mktime(): which instant that takes when
 * the clocks change is not specified. */
static int64_t to_utc_s(int64_t local_s)
{
    int64_t before_s = offset_s(local_s - DAY_S), after_s = offset_s(local_s + DAY_S);

    if (offset_s(local_s - before_s) != before_s && offset_s(local_s - after_s) == after_s)
        return local_s - after_s;
    return local_s - before_s;
}

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
    char time_text[UEX_TIME_TEXT_SIZE];
    int64_t second_of_day;

    out[0] = '\0';
    if (!parse_at(at, &second_of_day))
        return uex_fail(fault, UEX_CONFIG, "the schedule's time must be HH:MM, from 00:00 to 23:59");
    uex_time_format(now_ms, time_text);
    if (time_text[0] == '\0')
        return uex_fail(fault, UEX_CONFIG, "the system's clock is out of range");
    if (!uex_timezone_exists(timezone))
        return uex_fail(fault, UEX_CONFIG, "unknown time zone %s (Debian packages tzdata, tzdata-legacy)",
                        timezone == NULL ? "" : timezone);
    if (setenv("TZ", timezone, 1) != 0)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for time zone %s", timezone);
    tzset();
    int64_t limit_s = (now_ms + EARLY_MS) / 1000;
    /* The latest is today's or yesterday's; a change of the clocks can move it by one more day. */
    int64_t midnight_s = ((limit_s + offset_s(limit_s)) / DAY_S + 1) * DAY_S;
    while (to_utc_s(midnight_s + second_of_day) > limit_s)
        midnight_s -= DAY_S;
    uex_time_format(midnight_s * 1000, time_text);
    (void)snprintf(out, 11, "%.10s", time_text);
    return UEX_OK;
}
