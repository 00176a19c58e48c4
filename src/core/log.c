/* SPDX-License-Identifier: Apache-2.0 */
#include "export/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/utf8.h"
#include "export/buffer.h"
#include "export/clock.h"

#define VALUE_MAX_BYTES ((size_t)4096) /* of one text; the rest is cut */
#define LINE_CAP_BYTES ((size_t)512 << 10)
#define DEFERRED_CAP_BYTES ((size_t)1 << 20) /* of the lines that a thread holds back */
#define AGAIN_MAX 100                        /* how often a descriptor may be ready and then not accept a byte */
#define STALL_MS 5000 /* how long a reader of stderr may hold the program up before lines are dropped */

static struct {
    char program[32];
    enum uex_log_level least;
    enum uex_log_format format;
    pthread_mutex_t lock; /* a write of more than PIPE_BUF bytes may be split by other writers */
    uint64_t lost_count;  /* lines dropped since the last one that was written */
    bool is_torn;         /* only the beginning of the last line was written */
} LOG = {.least = UEX_LOG_INFO, .lock = PTHREAD_MUTEX_INITIALIZER};

/* What this thread holds back; see uex_log_hold(). */
static _Thread_local struct {
    unsigned depth;
    struct uex_buffer lines;
    uint64_t lost_count;
} DEFERRED;

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
static const char *const LEVELS_TEXT[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

/* A closed standard descriptor would be given to the next file or socket, and log lines would be written into it. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_RDWR); /* takes the lowest free number, which is this one */
    }
}

void uex_log_setup(const char *program, enum uex_log_level least, enum uex_log_format format)
{
    hold_standard_descriptors();
    (void)snprintf(LOG.program, sizeof(LOG.program), "%s", program == NULL ? "" : program);
    LOG.least = least;
    LOG.format = format;
}

bool uex_log_enabled(enum uex_log_level level)
{
    return level >= LOG.least && level <= UEX_LOG_ERROR;
}

/* `text` with control characters as escapes, what is not UTF-8 as U+FFFD, and with `special` characters after a
 * backslash. */
static void append_escaped(struct uex_buffer *line, const char *text, const char *special)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t size_bytes = strnlen(text, VALUE_MAX_BYTES + 1);
    bool is_cut = size_bytes > VALUE_MAX_BYTES;

    if (is_cut)
        size_bytes = VALUE_MAX_BYTES;
    for (size_t at = 0; at < size_bytes;) {
        struct uex_utf8_char next = uex_utf8_next(bytes + at, size_bytes - at);
        char character = text[at];

        if (next.truncated && is_cut)
            break;
        if (!next.valid)
            uex_buffer_append_text(line, "\xEF\xBF\xBD");
        else if (character == '\n' || character == '\t' || character == '\r')
            uex_buffer_append_text(line, character == '\n' ? "\\n" : character == '\t' ? "\\t" : "\\r");
        else if (next.is_control)
            uex_buffer_append_format(line, "\\u%04x", next.size_bytes == 1 ? bytes[at] : bytes[at + 1]);
        else if (strchr(special, character) != NULL)
            uex_buffer_append(line, (char[]){'\\', character}, 2);
        else
            uex_buffer_append(line, bytes + at, next.size_bytes);
        at += next.size_bytes;
    }
    if (is_cut)
        uex_buffer_append_text(line, "\xE2\x80\xA6");
}

static void append_quoted(struct uex_buffer *line, const char *text)
{
    uex_buffer_append(line, "\"", 1);
    append_escaped(line, text, "\"\\");
    uex_buffer_append(line, "\"", 1);
}

static bool is_left_out(const struct uex_log_field *field)
{
    switch (field->kind) {
    case UEX_LOG_STRING:
        return field->text == NULL || field->text[0] == '\0';
    case UEX_LOG_INTEGER:
    case UEX_LOG_TIME:
        return field->integer == UEX_NO_TIME;
    case UEX_LOG_UNSIGNED:
        return field->number == UEX_UNKNOWN;
    case UEX_LOG_BOOLEAN:
        return false;
    case UEX_LOG_NONE:
    default:
        return true;
    }
}

/* Plain words need no quotes in the format for people. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7F || strchr("\"\\=", *text) != NULL)
            return false;
    }
    return true;
}

static void append_value(struct uex_buffer *line, const struct uex_log_field *field)
{
    char time_text[UEX_TIME_TEXT_SIZE];

    switch (field->kind) {
    case UEX_LOG_STRING:
        if (LOG.format == UEX_LOG_TEXT && is_plain(field->text))
            append_escaped(line, field->text, "");
        else
            append_quoted(line, field->text);
        break;
    case UEX_LOG_INTEGER:
        uex_buffer_append_format(line, "%" PRId64, field->integer);
        break;
    case UEX_LOG_UNSIGNED:
        uex_buffer_append_format(line, "%" PRIu64, field->number);
        break;
    case UEX_LOG_BOOLEAN:
        uex_buffer_append_text(line, field->integer != 0 ? "true" : "false");
        break;
    case UEX_LOG_TIME:
        uex_time_format(field->integer, time_text);
        if (LOG.format == UEX_LOG_TEXT)
            uex_buffer_append_text(line, time_text);
        else
            append_quoted(line, time_text);
        break;
    case UEX_LOG_NONE:
    default:
        break;
    }
}

static void build_line(struct uex_buffer *line, enum uex_log_level level, enum uex_event event, const char *message,
                       const struct uex_log_field *fields, size_t field_count)
{
    bool is_text = LOG.format == UEX_LOG_TEXT;
    char time_text[UEX_TIME_TEXT_SIZE];

    uex_time_format(uex_wall_ms(), time_text);
    if (is_text) {
        uex_buffer_append_format(line, "%s %s ", time_text, LEVELS_TEXT[level]);
        if (LOG.program[0] != '\0')
            uex_buffer_append_format(line, "%s: ", LOG.program);
        append_escaped(line, message, "");
    } else {
        uex_buffer_append_format(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time_text, LEVELS[level]);
        append_quoted(line, message);
        if (LOG.program[0] != '\0') {
            uex_buffer_append_text(line, ",\"program\":");
            append_quoted(line, LOG.program);
        }
    }
    uex_buffer_append_format(line, is_text ? " event=%s" : ",\"event\":\"%s\"", uex_event_code(event));
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i].name == NULL || is_left_out(&fields[i]))
            continue;
        if (is_text) {
            uex_buffer_append_format(line, " %s=", fields[i].name);
        } else {
            uex_buffer_append_text(line, ",");
            append_quoted(line, fields[i].name);
            uex_buffer_append_text(line, ":");
        }
        append_value(line, &fields[i]);
    }
    uex_buffer_append_text(line, is_text ? "\n" : "}\n");
}

/* All of the line, or as much as stderr takes; `line` becomes the rest. Each wait is bounded; a reader that is gone is
 * no error. */
static bool write_bounded(struct uex_bytes *line, int wait_ms)
{
    int again_count = 0;

    while (line->size_bytes > 0) {
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        int found = poll(&ready, 1, wait_ms);

        if (found < 0 && errno == EINTR)
            continue;
        if (found <= 0)
            return false;
        /* A pipe that is ready takes PIPE_BUF bytes; a longer write would wait for ever for a reader. */
        ssize_t written = write(STDERR_FILENO, line->data, line->size_bytes < PIPE_BUF ? line->size_bytes : PIPE_BUF);
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) {
            if (++again_count > AGAIN_MAX)
                return false;
            continue;
        }
        if (written < 0)
            return true; /* closed or broken: nothing to be held up by */
        line->data += written;
        line->size_bytes -= (size_t)written;
    }
    return true;
}

/* A pipe without a reader is an error of write(): uex_program_start() ignores SIGPIPE. */
static bool write_or_tear(struct uex_bytes line, int wait_ms)
{
    const size_t size_bytes = line.size_bytes;
    const bool is_written = write_bounded(&line, wait_ms);

    if (!is_written && line.size_bytes < size_bytes)
        LOG.is_torn = true;
    return is_written;
}

static void write_line(struct uex_bytes line)
{
    (void)pthread_mutex_lock(&LOG.lock);
    if (LOG.lost_count > 0) {
        struct uex_buffer note = {0};
        const struct uex_log_field lines = UEX_NUM("lines", LOG.lost_count);

        if (LOG.is_torn)
            uex_buffer_append(&note, "\n", 1);
        build_line(&note, UEX_LOG_WARN, UEX_EVENT_LOG_LINES_LOST, "log lines were lost because stderr was full", &lines,
                   1);
        if (!uex_buffer_failed(&note) && write_or_tear(uex_buffer_bytes(&note), 0)) {
            LOG.lost_count = 0;
            LOG.is_torn = false;
        }
        uex_buffer_clear(&note);
    }
    /* While lines get lost, no thread waits for stderr. */
    if (LOG.lost_count > 0 || !write_or_tear(line, STALL_MS))
        LOG.lost_count++;
    (void)pthread_mutex_unlock(&LOG.lock);
}

static void count_lost(uint64_t lost_count)
{
    (void)pthread_mutex_lock(&LOG.lock);
    LOG.lost_count += lost_count;
    (void)pthread_mutex_unlock(&LOG.lock);
}

/* No line ends inside: line ends of a text are escaped. */
static void write_lines(struct uex_bytes lines)
{
    while (lines.size_bytes > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.size_bytes);
        const size_t size_bytes = end == NULL ? lines.size_bytes : (size_t)(end - lines.data) + 1;

        write_line(uex_bytes_of(lines.data, size_bytes));
        lines.data += size_bytes;
        lines.size_bytes -= size_bytes;
    }
}

static void hold_line(struct uex_bytes line)
{
    if (DEFERRED.lines.size_bytes + line.size_bytes > DEFERRED_CAP_BYTES ||
        uex_buffer_reserve(&DEFERRED.lines, line.size_bytes) == NULL) {
        DEFERRED.lost_count++;
        return;
    }
    uex_buffer_append(&DEFERRED.lines, line.data, line.size_bytes);
}

void uex_log_hold(void)
{
    DEFERRED.depth++;
}

static bool anything_deferred(void)
{
    return DEFERRED.lines.size_bytes > 0 || DEFERRED.lost_count > 0;
}

bool uex_log_is_waiting(void)
{
    return DEFERRED.depth == 1 && anything_deferred();
}

void uex_log_release(void)
{
    const int saved_errno = errno;

    if (DEFERRED.depth > 0)
        DEFERRED.depth--;
    if (DEFERRED.depth > 0 || !anything_deferred())
        return;
    write_lines(uex_buffer_bytes(&DEFERRED.lines));
    uex_buffer_clear(&DEFERRED.lines);
    if (DEFERRED.lost_count > 0)
        count_lost(DEFERRED.lost_count);
    DEFERRED.lost_count = 0;
    errno = saved_errno;
}

/* The line that stands for one that could not be built. */
static void write_without_memory(void)
{
    char time_text[UEX_TIME_TEXT_SIZE], line[192];

    uex_time_format(uex_wall_ms(), time_text);
    (void)snprintf(line, sizeof(line),
                   LOG.format == UEX_LOG_TEXT
                       ? "%s ERROR %s: a log line was lost: not enough memory event=log-lines-lost\n"
                       : "{\"time\":\"%s\",\"level\":\"error\",\"program\":\"%s\","
                         "\"message\":\"a log line was lost: not enough memory\","
                         "\"event\":\"log-lines-lost\"}\n",
                   time_text, LOG.program);
    write_line(uex_bytes_of_text(line));
}

static void write_always(enum uex_log_level level, enum uex_event event, const char *message,
                         const struct uex_log_field *fields, size_t field_count)
{
    struct uex_buffer line = {.cap_bytes = LINE_CAP_BYTES};
    int saved_errno = errno;

    build_line(&line, level, event, message == NULL ? "" : message, fields, field_count);
    if (DEFERRED.depth > 0 && uex_buffer_failed(&line))
        DEFERRED.lost_count++;
    else if (DEFERRED.depth > 0)
        hold_line(uex_buffer_bytes(&line));
    else if (uex_buffer_failed(&line))
        write_without_memory();
    else
        write_line(uex_buffer_bytes(&line));
    uex_buffer_clear(&line);
    errno = saved_errno;
}

void uex_log_write(enum uex_log_level level, enum uex_event event, const char *message,
                   const struct uex_log_field *fields, size_t field_count)
{
    if (uex_log_enabled(level))
        write_always(level, event, message, fields, field_count);
}

void uex_log_audit_write(enum uex_log_level level, enum uex_event event, const char *message,
                         const struct uex_log_field *fields, size_t field_count)
{
    write_always(level, event, message, fields, field_count);
}

void uex_log_format(enum uex_log_level level, enum uex_event event, const char *format, ...)
{
    char message[VALUE_MAX_BYTES + 2];
    va_list arguments;

    if (!uex_log_enabled(level))
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    uex_log_write(level, event, message, NULL, 0);
}

static const char *const CODES[UEX_EVENT_COUNT] = {
#define UEX_EVENT_NO_GROUP(title_)
#define UEX_EVENT_CODE(name_, code_, meaning_) [UEX_EVENT_##name_] = (code_),
    UEX_EVENT_TABLE(UEX_EVENT_NO_GROUP, UEX_EVENT_CODE)
#undef UEX_EVENT_NO_GROUP
#undef UEX_EVENT_CODE
};

const char *uex_event_code(enum uex_event event)
{
    return (unsigned)event < UEX_EVENT_COUNT ? CODES[event] : "unknown";
}

void uex_out_of_memory(const char *what)
{
    uex_log(UEX_LOG_ERROR, UEX_EVENT_OUT_OF_MEMORY, "not enough memory; ending the program", UEX_STR("for", what));
    _exit(1); /* UEX_EXIT_FAILED of program.h */
}
