/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/log.h — log lines on stderr: one JSON object per line, or text for people.
 *
 * Every line has time, level, message, event, then the fields in the order given. The event is the line's stable code
 * (event.h); a program that matches log lines matches the code and the fields, never the message. Field names are the
 * ids used everywhere: command, group, run, topic, partition, offset, error, … A line of up to PIPE_BUF bytes is
 * written with one write(2), a longer one with several, all under a lock: lines of threads do not mix; text that is not
 * UTF-8 is replaced (U+FFFD), control characters are escaped. Never log usernames, rows or secrets. Any thread.
 */
#ifndef EXPORT_LOG_H
#define EXPORT_LOG_H

#include "export/error.h"
#include "export/event.h"

enum uex_log_level { UEX_LOG_DEBUG, UEX_LOG_INFO, UEX_LOG_WARN, UEX_LOG_ERROR };
enum uex_log_format { UEX_LOG_JSON, UEX_LOG_TEXT };

enum uex_log_kind { UEX_LOG_NONE, UEX_LOG_STRING, UEX_LOG_INTEGER, UEX_LOG_UNSIGNED, UEX_LOG_BOOLEAN, UEX_LOG_TIME };

struct uex_log_field {
    const char *name;
    enum uex_log_kind kind;
    const char *text;
    int64_t integer;
    uint64_t number;
};

/* A field that is left out of the line: NULL or "" text, UEX_UNKNOWN, UEX_NO_TIME. */
#define UEX_STR(name_, value_) ((struct uex_log_field){.name = (name_), .kind = UEX_LOG_STRING, .text = (value_)})
#define UEX_INT(name_, value_)                                                                                         \
    ((struct uex_log_field){.name = (name_), .kind = UEX_LOG_INTEGER, .integer = (int64_t)(value_)})
#define UEX_NUM(name_, value_)                                                                                         \
    ((struct uex_log_field){.name = (name_), .kind = UEX_LOG_UNSIGNED, .number = (uint64_t)(value_)})
#define UEX_BOOL(name_, value_)                                                                                        \
    ((struct uex_log_field){.name = (name_), .kind = UEX_LOG_BOOLEAN, .integer = (value_) ? 1 : 0})
#define UEX_TIME(name_, value_) ((struct uex_log_field){.name = (name_), .kind = UEX_LOG_TIME, .integer = (value_)})

/* uex_log(UEX_LOG_INFO, UEX_EVENT_STATE_RESTORED, "states read", UEX_NUM("groups", group_count)); */
#define uex_log(level_, event_, message_, ...)                                                                         \
    uex_log_write((level_), (event_), (message_), (const struct uex_log_field[]){{0}, ##__VA_ARGS__, {0}},             \
                  sizeof((const struct uex_log_field[]){{0}, ##__VA_ARGS__, {0}}) / sizeof(struct uex_log_field))

/* The same for what is logged at any log.level: who changed what, and outcomes of commands. */
#define uex_log_audit(level_, event_, message_, ...)                                                                   \
    uex_log_audit_write((level_), (event_), (message_), (const struct uex_log_field[]){{0}, ##__VA_ARGS__, {0}},       \
                        sizeof((const struct uex_log_field[]){{0}, ##__VA_ARGS__, {0}}) /                              \
                            sizeof(struct uex_log_field))

/* Set up once at start, before other threads. `program` goes into each line as field "program". */
void uex_log_setup(const char *program, enum uex_log_level least, enum uex_log_format format);
bool uex_log_enabled(enum uex_log_level level);
/* Behind uex_log(); fields of kind UEX_LOG_NONE are skipped. */
void uex_log_write(enum uex_log_level level, enum uex_event event, const char *message,
                   const struct uex_log_field *fields, size_t field_count);
/* Behind uex_log_audit(). */
void uex_log_audit_write(enum uex_log_level level, enum uex_event event, const char *message,
                         const struct uex_log_field *fields, size_t field_count);
/* Between the two the calling thread writes no line: lines are built at once, with the time of then, and written by
 * uex_log_release(). For a thread that holds a lock which others wait for; a reader of stderr may hold a write up for
 * seconds. Calls nest. What is more than 1 MiB is lost, and reported as lost. Release after the lock is given up. */
void uex_log_hold(void);
void uex_log_release(void);
/* Would uex_log_release() write something now? */
bool uex_log_is_waiting(void);
/* uex_log() with printf, for lines without ids. */
void uex_log_format(enum uex_log_level level, enum uex_event event, const char *format, ...) UEX_PRINTF(3, 4);

/* No memory for `what` at a place that cannot return an error and whose result must not be wrong: log it if that is
 * still possible, and end the process with UEX_EXIT_FAILED at once, as a kill would. Any thread. */
_Noreturn void uex_out_of_memory(const char *what);
#endif
