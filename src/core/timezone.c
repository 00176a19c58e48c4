/* SPDX-License-Identifier: Apache-2.0 */
#include "core/timezone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/timezone_rule.h"
#include "export/clock.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define FILE_CAP_BYTES ((size_t)256 << 10) /* the largest of the tz database has 4 KiB */
#define HEADER_SIZE 44
#define TYPE_SIZE 6
#define NAME_MAX_BYTES 255

struct uex_timezone {
    uint8_t *file; /* owned */
    size_t size_bytes;
    const uint8_t *times; /* transition times, time_size_bytes each, big-endian */
    size_t time_size_bytes;
    const uint8_t *indices; /* the type that begins at each */
    const uint8_t *types;   /* TYPE_SIZE each */
    size_t time_count, type_count;
    bool has_rule;
    struct uex_timezone_rule rule;
};

struct block {
    size_t utc_count, standard_count, leap_count, time_count, type_count, name_bytes;
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_time(const uint8_t *at, size_t size_bytes)
{
    if (size_bytes == 4)
        return (int32_t)read_u32(at);
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

static bool is_name(const char *name)
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
    return true;
}

/* `out` has FILE_CAP_BYTES. */
static bool read_file(const char *path, uint8_t *out, size_t *size_bytes)
{
    struct stat facts;
    size_t got = 0;
    bool is_read = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return false;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size <= 0 ||
        (uint64_t)facts.st_size > FILE_CAP_BYTES)
        goto done;
    while (got < (size_t)facts.st_size) {
        ssize_t more = read(fd, out + got, (size_t)facts.st_size - got);

        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            goto done;
        got += (size_t)more;
    }
    *size_bytes = got;
    is_read = true;
done:
    (void)close(fd);
    return is_read;
}

static bool read_header(const struct uex_timezone *zone, size_t at, struct block *block)
{
    const uint8_t *header = zone->file + at;

    if (zone->size_bytes < at || zone->size_bytes - at < HEADER_SIZE || memcmp(header, "TZif", 4) != 0)
        return false;
    block->utc_count = read_u32(header + 20);
    block->standard_count = read_u32(header + 24);
    block->leap_count = read_u32(header + 28);
    block->time_count = read_u32(header + 32);
    block->type_count = read_u32(header + 36);
    block->name_bytes = read_u32(header + 40);
    return block->utc_count <= FILE_CAP_BYTES && block->standard_count <= FILE_CAP_BYTES &&
           block->leap_count <= FILE_CAP_BYTES && block->time_count <= FILE_CAP_BYTES &&
           block->type_count <= FILE_CAP_BYTES && block->name_bytes <= FILE_CAP_BYTES;
}

static size_t block_size(const struct block *block, size_t time_size_bytes)
{
    return block->time_count * (time_size_bytes + 1) + block->type_count * TYPE_SIZE + block->name_bytes +
           block->leap_count * (time_size_bytes + 4) + block->standard_count + block->utc_count;
}

/* The rule between the two newlines at the end; an empty one means that the table's last type holds. */
static bool read_footer(struct uex_timezone *zone, size_t at)
{
    const uint8_t *end;

    if (at >= zone->size_bytes || zone->file[at] != '\n')
        return false;
    at++;
    end = memchr(zone->file + at, '\n', zone->size_bytes - at);
    if (end == NULL)
        return false;
    size_t size_bytes = (size_t)(end - (zone->file + at));
    if (size_bytes == 0)
        return true;
    zone->has_rule = uex_timezone_rule_parse((const char *)zone->file + at, size_bytes, &zone->rule);
    return zone->has_rule;
}

/* RFC 8536, section 3: a block with 32-bit times, and from version 2 on one with 64-bit times and a footer, which then
 * is the one to read. Zones that count leap seconds ("right/…") are refused: the system's clock does not. */
static bool parse(struct uex_timezone *zone)
{
    struct block block;
    size_t at = HEADER_SIZE;

    zone->time_size_bytes = 4;
    if (!read_header(zone, 0, &block))
        return false;
    bool has_second = zone->file[4] >= '2';
    if (has_second) {
        at += block_size(&block, 4);
        if (!read_header(zone, at, &block))
            return false;
        at += HEADER_SIZE;
        zone->time_size_bytes = 8;
    }
    size_t size_bytes = block_size(&block, zone->time_size_bytes);
    if (at > zone->size_bytes || size_bytes > zone->size_bytes - at || block.type_count == 0 || block.leap_count != 0)
        return false;
    zone->time_count = block.time_count;
    zone->type_count = block.type_count;
    zone->times = zone->file + at;
    zone->indices = zone->times + block.time_count * zone->time_size_bytes;
    zone->types = zone->indices + block.time_count;
    for (size_t i = 0; i < zone->time_count; i++) {
        if (zone->indices[i] >= zone->type_count)
            return false;
    }
    return !has_second || read_footer(zone, at + size_bytes);
}

/* Into the caller's `file` of FILE_CAP_BYTES, so that "there is no such zone" never means that memory was short. */
static enum uex_error read_zone(const char *name, uint8_t *file, struct uex_timezone *out, struct uex_fault *fault)
{
    char path[PATH_MAX];
    const char *dir = secure_getenv("TZDIR");

    if (!is_name(name))
        return uex_fail(fault, UEX_CONFIG, "not the name of a time zone (such as Asia/Kolkata)");
    if (dir == NULL || dir[0] == '\0')
        dir = ZONE_DIR;
    int length = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (length < 0 || (size_t)length >= sizeof(path))
        return uex_fail(fault, UEX_CONFIG, "the path of time zone %s is too long", name);
    *out = (struct uex_timezone){.file = file};
    if (!read_file(path, file, &out->size_bytes))
        return uex_fail(fault, UEX_CONFIG, "there is no time zone %s in %s (Debian packages tzdata, tzdata-legacy)",
                        name, dir);
    if (!parse(out))
        return uex_fail(fault, UEX_CONFIG, "%s is not a time zone file that can be used", path);
    return UEX_OK;
}

enum uex_error uex_timezone_load(const char *name, struct uex_timezone **out, struct uex_fault *fault)
{
    uint8_t file[FILE_CAP_BYTES];
    struct uex_timezone on_stack, *zone = NULL;
    enum uex_error error = read_zone(name, file, &on_stack, fault);

    *out = NULL;
    if (error != UEX_OK)
        return error;
    zone = calloc(1, sizeof(*zone));
    if (zone != NULL)
        zone->file = malloc(on_stack.size_bytes);
    if (zone == NULL || zone->file == NULL) {
        uex_timezone_free(zone);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for time zone %s", name);
    }
    memcpy(zone->file, file, on_stack.size_bytes);
    zone->size_bytes = on_stack.size_bytes;
    if (!parse(zone)) { /* the same bytes were read before */
        uex_timezone_free(zone);
        return uex_fail(fault, UEX_INTERNAL, "time zone %s cannot be read twice", name);
    }
    *out = zone;
    return UEX_OK;
}

void uex_timezone_free(struct uex_timezone *zone)
{
    if (zone == NULL)
        return;
    free(zone->file);
    free(zone);
}

int64_t uex_timezone_offset_s(const struct uex_timezone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->time_count; /* the number of transitions up to utc_s lies between them */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (read_time(zone->times + middle * zone->time_size_bytes, zone->time_size_bytes) <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->time_count && zone->has_rule)
        return uex_timezone_rule_offset_s(&zone->rule, utc_s);
    size_t type = low == 0 ? 0 : zone->indices[low - 1];
    return (int32_t)read_u32(zone->types + type * TYPE_SIZE);
}

int64_t uex_timezone_to_utc_s(const struct uex_timezone *zone, int64_t local_s)
{
    int64_t before_s = uex_timezone_offset_s(zone, local_s - 86400);
    int64_t after_s = uex_timezone_offset_s(zone, local_s + 86400);

    if (uex_timezone_offset_s(zone, local_s - before_s) == before_s)
        return local_s - before_s;
    if (uex_timezone_offset_s(zone, local_s - after_s) == after_s)
        return local_s - after_s;
    return local_s - before_s;
}

bool uex_timezone_exists(const char *timezone)
{
    uint8_t file[FILE_CAP_BYTES];
    struct uex_timezone zone;

    return read_zone(timezone, file, &zone, NULL) == UEX_OK;
}
