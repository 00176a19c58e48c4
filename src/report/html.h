/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/html.h — pieces of HTML, appended to a buffer. Text from outside goes through uex_html_text() or
 * uex_html_name(); nothing else of this module writes any. One thread. */
#ifndef EXPORT_REPORT_HTML_H
#define EXPORT_REPORT_HTML_H

#include "export/buffer.h"

/* Escaped for element content and for quoted attributes. Control characters become spaces, bytes that are no UTF-8
 * U+FFFD. NULL is "". */
void uex_html_text(struct uex_buffer *out, const char *text);
/* A name that somebody else chose (group, run), in <bdi>: its direction of writing does not reach its surroundings. */
void uex_html_name(struct uex_buffer *out, const char *name);
/* "12,345", "3 min 20 s", "3.4 MiB"; a dash for what is not known. */
void uex_html_count(struct uex_buffer *out, uint64_t count);
void uex_html_duration(struct uex_buffer *out, int64_t duration_ms);
void uex_html_size(struct uex_buffer *out, uint64_t size_bytes);
/* <time> with "2026-11-22 23:20:04 IST": the process's time zone (TZ), UTC for programs in the attribute. A dash for
 * UEX_NO_TIME. */
void uex_html_time(struct uex_buffer *out, int64_t at_ms);
/* "1 group", "12,345 groups". */
void uex_html_groups(struct uex_buffer *out, uint64_t count);
/* A word of a shell's command line, not escaped for HTML yet: as it stands where it is harmless, else in quotes. */
void uex_html_shell_word(struct uex_buffer *out, const char *word);
/* A command that can be copied, on a line of its own. */
void uex_html_command(struct uex_buffer *out, const char *command);
#endif
