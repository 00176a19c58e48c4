/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a scheduled run, and its time zone (export/clock.h). */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "export/clock.h"

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
        return uex_fail(fault, UEX_CONFIG, "the time of a run must be HH:MM, from 00:00 to 23:59");
    uex_time_format(now_ms, time_text);
    if (time_text[0] == '\0')
        return uex_fail(fault, UEX_CONFIG, "the system's clock is out of range");
    if (!uex_timezone_exists(timezone))
        return uex_fail(fault, UEX_CONFIG, "there is no time zone %s (Debian packages tzdata, tzdata-legacy)",
                        timezone == NULL ? "" : timezone);
    if (setenv("TZ", timezone, 1) != 0)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for time zone %s", timezone);
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
