/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/file.c — INI by hand, a line at a time. How inih cuts lines is decided when it is compiled: a longest
 * line (200 bytes by default), comments after a value (" ;" ends it), continuation lines, sections of 49 bytes. Each of
 * these would silently shorten a password. */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/text.h"

#define PIPE_WAIT_MS 5000
#define SECTION_MAX_BYTES 40
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum uex_error uex_config_read(const char *path, size_t most_bytes, struct uex_buffer *out, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;
    ssize_t got = 0;
    /* Not blocking: a named pipe without a writer must not block the start. */
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (file < 0)
        return uex_fail(fault, UEX_CONFIG, "%s", strerror(errno));
    do {
        struct pollfd ready = {.fd = file, .events = POLLIN};
        uint8_t *room = uex_buffer_reserve(out, 4096);

        if (room == NULL) {
            err = uex_fail(fault, UEX_NO_MEMORY, "not enough memory");
            goto done;
        }
        if (poll(&ready, 1, PIPE_WAIT_MS) == 0) {
            err = uex_fail(fault, UEX_CONFIG, "nothing was received for %d s", PIPE_WAIT_MS / 1000);
            goto done;
        }
        got = read(file, room, 4096);
        if (got > 0)
            out->size_bytes += (size_t)got;
        else if (got < 0 && errno != EAGAIN && errno != EINTR) {
            err = uex_fail(fault, UEX_CONFIG, "%s", strerror(errno));
            goto done;
        }
        if (out->size_bytes > most_bytes) {
            err = uex_fail(fault, UEX_CONFIG, "longer than %zu bytes", most_bytes);
            goto done;
        }
    } while (got != 0);
    uex_buffer_append(out, "", 0);
    if (out->size_bytes > 0 && memchr(out->data, '\0', out->size_bytes) != NULL)
        err = uex_fail(fault, UEX_CONFIG, "it contains a zero byte");
done:
    (void)close(file);
    return err;
}

struct reading {
    struct uex_bytes rest;
    size_t line;
    char section[SECTION_MAX_BYTES + 1];
    bool section_bad; /* keys below a section that cannot be read are not looked at */
    struct uex_config_entries *out;
    void (*report)(void *context, size_t line, const char *what);
    void *context;
};

/* isspace() of the C locale. */
static struct uex_bytes trim(struct uex_bytes text)
{
    return uex_text_trim(text, " \t\n\v\f\r");
}

static struct uex_bytes next_line(struct reading *reading)
{
    const uint8_t *start = reading->rest.data;
    const uint8_t *end = memchr(start, '\n', reading->rest.size_bytes);
    size_t size_bytes = end == NULL ? reading->rest.size_bytes : (size_t)(end - start);
    size_t used_bytes = end == NULL ? size_bytes : size_bytes + 1;

    reading->rest = uex_bytes_of(start + used_bytes, reading->rest.size_bytes - used_bytes);
    reading->line++;
    return trim(uex_bytes_of(start, size_bytes));
}

static bool name_valid(struct uex_bytes name, size_t most_bytes)
{
    if (name.size_bytes == 0 || name.size_bytes > most_bytes)
        return false;
    for (size_t i = 0; i < name.size_bytes; i++) {
        if (name.data[i] == '\0' || strchr(NAME_CHARACTERS, name.data[i]) == NULL)
            return false;
    }
    return true;
}

static void read_section(struct reading *reading, struct uex_bytes line)
{
    struct uex_bytes name = trim(uex_bytes_of(line.data + 1, line.size_bytes - 1));

    if (name.size_bytes > 0 && name.data[name.size_bytes - 1] == ']')
        name.size_bytes--;
    else
        name.size_bytes = 0;
    name = trim(name);
    reading->section_bad = !name_valid(name, SECTION_MAX_BYTES);
    if (reading->section_bad)
        reading->report(reading->context, reading->line, "not a section; write [name] alone on a line");
    else
        (void)snprintf(reading->section, sizeof(reading->section), "%.*s", (int)name.size_bytes,
                       (const char *)name.data);
}

static enum uex_error add_entry(struct reading *reading, struct uex_bytes name, struct uex_bytes value)
{
    struct uex_config_entries *out = reading->out;
    struct uex_config_entry *grown = NULL;
    struct uex_buffer key = {0};
    enum uex_error err = UEX_OK;

    if (out->count == UEX_CONFIG_ENTRIES_MAX) {
        reading->report(reading->context, reading->line, "more than 2000 settings");
        reading->rest.size_bytes = 0;
        return UEX_OK;
    }
    grown = realloc(out->items, (out->count + 1) * sizeof *grown);
    if (grown == NULL)
        return UEX_NO_MEMORY;
    out->items = grown;
    uex_buffer_append_format(&key, "%s%s%.*s", reading->section, reading->section[0] == '\0' ? "" : ".",
                             (int)name.size_bytes, (const char *)name.data);
    grown[out->count] = (struct uex_config_entry){
        .key = uex_text_copy(uex_buffer_bytes(&key)), .value = uex_text_copy(value), .line = reading->line};
    if (uex_buffer_failed(&key) || grown[out->count].key == NULL || grown[out->count].value == NULL)
        err = UEX_NO_MEMORY;
    out->count++;
    uex_buffer_clear(&key);
    return err;
}

static enum uex_error read_pair(struct reading *reading, struct uex_bytes line)
{
    const uint8_t *equals = memchr(line.data, '=', line.size_bytes);
    struct uex_bytes name = {0}, value;

    if (reading->section_bad)
        return UEX_OK;
    if (equals != NULL)
        name = trim(uex_bytes_of(line.data, (size_t)(equals - line.data)));
    if (!name_valid(name, UEX_CONFIG_KEY_MAX_BYTES - SECTION_MAX_BYTES)) {
        reading->report(reading->context, reading->line,
                        "neither a comment nor `[section]` nor `key = value`; values are one line");
        return UEX_OK;
    }
    value = trim(uex_bytes_of(equals + 1, line.size_bytes - (size_t)(equals + 1 - line.data)));
    if (value.size_bytes <= UEX_CONFIG_VALUE_MAX_BYTES)
        return add_entry(reading, name, value);
    reading->report(reading->context, reading->line, "the value is longer than 65536 bytes");
    return UEX_OK;
}

enum uex_error uex_config_entries_read(struct uex_bytes text, struct uex_config_entries *out,
                                       void (*report)(void *context, size_t line, const char *what), void *context)
{
    struct reading reading = {.rest = text, .out = out, .report = report, .context = context};
    enum uex_error err = UEX_OK;

    if (text.size_bytes >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        reading.rest = uex_bytes_of(text.data + 3, text.size_bytes - 3);
    while (reading.rest.size_bytes > 0 && err == UEX_OK) {
        const struct uex_bytes line = next_line(&reading);

        if (line.size_bytes == 0 || line.data[0] == '#' || line.data[0] == ';')
            continue;
        if (line.data[0] == '[')
            read_section(&reading, line);
        else
            err = read_pair(&reading, line);
    }
    return err;
}

void uex_config_entries_clear(struct uex_config_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].key);
        uex_secret_free(entries->items[i].value);
    }
    free(entries->items);
    *entries = (struct uex_config_entries){0};
}
