/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/config_file.c — INI by inih, made safe for values.
 *
 * How inih cuts lines is decided when it is compiled: a longest line (200 bytes by default), comments after a value
 * (" ;" ends it), continuation lines, sections of 49 bytes. Each of these would silently shorten a password. So inih
 * gets every line in a form that none of them touches, `name=-`, and calls back with the name and its section while
 * the value is still at hand.
 */
#include "config_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
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
    /* Not blocking: a named pipe that nobody writes must not hold the start up. */
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
            err = uex_fail(fault, UEX_CONFIG, "nothing could be read for %d s", PIPE_WAIT_MS / 1000);
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
        err = uex_fail(fault, UEX_CONFIG, "it holds a zero byte");
done:
    (void)close(file);
    return err;
}

/* What the reader has for inih, and what comes back. */
struct reading {
    struct uex_bytes rest;
    size_t line;
    struct uex_bytes value; /* of the line that inih has now */
    struct uex_config_entries *out;
    void (*complain)(void *context, size_t line, const char *what);
    void *context;
    bool section_bad; /* keys below a section that cannot be read are not looked at */
    bool no_memory;
};

static struct uex_bytes trim(struct uex_bytes text)
{
    while (text.size_bytes > 0 && isspace(text.data[0]))
        text = uex_bytes_of(text.data + 1, text.size_bytes - 1);
    while (text.size_bytes > 0 && isspace(text.data[text.size_bytes - 1]))
        text.size_bytes--;
    return text;
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

static void write_section(struct reading *reading, struct uex_bytes line, char *out, size_t size_bytes)
{
    struct uex_bytes name = trim(uex_bytes_of(line.data + 1, line.size_bytes - 1));

    if (name.size_bytes > 0 && name.data[name.size_bytes - 1] == ']')
        name.size_bytes--;
    else
        name.size_bytes = 0;
    name = trim(name);
    reading->section_bad = !name_valid(name, SECTION_MAX_BYTES);
    if (reading->section_bad)
        reading->complain(reading->context, reading->line, "not a section; [name] stands alone on its line");
    else
        (void)snprintf(out, size_bytes, "[%.*s]\n", (int)name.size_bytes, (const char *)name.data);
}

static void write_pair(struct reading *reading, struct uex_bytes line, char *out, size_t size_bytes)
{
    const uint8_t *equals = memchr(line.data, '=', line.size_bytes);
    struct uex_bytes name = {0};

    if (reading->section_bad)
        return;
    if (equals != NULL)
        name = trim(uex_bytes_of(line.data, (size_t)(equals - line.data)));
    if (!name_valid(name, UEX_CONFIG_KEY_MAX_BYTES - SECTION_MAX_BYTES)) {
        reading->complain(reading->context, reading->line,
                          "neither a comment nor `[section]` nor `key = value`; values are one line");
        return;
    }
    reading->value = trim(uex_bytes_of(equals + 1, line.size_bytes - (size_t)(equals + 1 - line.data)));
    if (reading->value.size_bytes > UEX_CONFIG_VALUE_MAX_BYTES)
        reading->complain(reading->context, reading->line, "the value is longer than 65536 bytes");
    else
        (void)snprintf(out, size_bytes, "%.*s=-\n", (int)name.size_bytes, (const char *)name.data);
}

/* An ini_reader: one line of the file, in the form that inih cannot cut. */
static char *read_for_inih(char *out, int size_bytes, void *stream)
{
    struct reading *reading = stream;
    struct uex_bytes line = {0};

    if (reading->rest.size_bytes == 0 || reading->no_memory || size_bytes < UEX_CONFIG_KEY_MAX_BYTES)
        return NULL;
    (void)snprintf(out, (size_t)size_bytes, "\n");
    line = next_line(reading);
    if (line.size_bytes == 0 || line.data[0] == '#' || line.data[0] == ';')
        return out;
    if (line.data[0] == '[')
        write_section(reading, line, out, (size_t)size_bytes);
    else
        write_pair(reading, line, out, (size_t)size_bytes);
    return out;
}

/* An ini_handler: 1 is success. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct uex_config_entries *out = reading->out;
    struct uex_config_entry *grown = NULL;
    struct uex_buffer key = {0};

    (void)value; /* a placeholder; the reader is always at the line that is handled */
    if (out->count == UEX_CONFIG_ENTRIES_MAX) {
        reading->complain(reading->context, reading->line, "more than 2000 settings");
        reading->rest.size_bytes = 0;
        return 0;
    }
    grown = realloc(out->items, (out->count + 1) * sizeof *grown);
    if (grown == NULL) {
        reading->no_memory = true;
        return 0;
    }
    out->items = grown;
    uex_buffer_append_format(&key, "%s%s%s", section, *section == '\0' ? "" : ".", name);
    grown[out->count] = (struct uex_config_entry){
        .key = uex_text_copy(uex_buffer_bytes(&key)), .value = uex_text_copy(reading->value), .line = reading->line};
    reading->no_memory = uex_buffer_failed(&key) || grown[out->count].key == NULL || grown[out->count].value == NULL;
    out->count++;
    uex_buffer_clear(&key);
    return reading->no_memory ? 0 : 1;
}

enum uex_error uex_config_entries_read(struct uex_bytes text, struct uex_config_entries *out,
                                       void (*complain)(void *context, size_t line, const char *what), void *context)
{
    struct reading reading = {.rest = text, .out = out, .complain = complain, .context = context};

    if (text.size_bytes >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        reading.rest = uex_bytes_of(text.data + 3, text.size_bytes - 3);
    /* Whatever was wrong has been told already, by line. */
    (void)ini_parse_stream(read_for_inih, &reading, take_pair, &reading);
    if (!reading.no_memory && reading.rest.size_bytes > 0)
        return UEX_INTERNAL;
    return reading.no_memory ? UEX_NO_MEMORY : UEX_OK;
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
