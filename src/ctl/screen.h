/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/screen.h — the terminal that stdout is, if it is one: colours, width, time zone; and texts that fit it. Where
 * stdout is a file or a pipe, texts stay whole, without colours, and times are UTC. Main thread. */
#ifndef EXPORT_CTL_SCREEN_H
#define EXPORT_CTL_SCREEN_H

#include "export/buffer.h"
#include "export/clock.h"

#define UEX_ELLIPSIS "…"

struct uex_screen {
    bool is_terminal; /* stdout is a terminal: tables fit it, times are local */
    bool is_coloured; /* stdout gets colours */
    bool may_move;    /* escape sequences may be sent to a terminal: for what is redrawn in place */
    size_t width;     /* columns that a line may take; 0: no limit */
};

/* What is in force. Before uex_screen_setup(): a pipe. */
const struct uex_screen *uex_screen(void);
/* Work it out once, after the options were read. `color` is the value of --color (NULL: auto). auto: colours and
 * movements on a terminal whose TERM is not `dumb`, without NO_COLOR in the environment (https://no-color.org: set and
 * not empty). never: nowhere. always: colours also in a pipe. `wide`: no limit of width. UEX_CONFIG: another value of
 * --color, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_screen_setup(const char *color, bool wide);
/* For unit tests. */
void uex_screen_set(const struct uex_screen *screen);

/* How many columns a cleaned text takes. On a terminal wide characters take two and combining ones none (wcwidth(3));
 * elsewhere each character counts as one. */
size_t uex_text_width(const char *text);
/* The first character of a text of at least one byte: how many bytes it has, and in `*width` how many columns it
 * takes. */
size_t uex_text_step(const char *text, size_t size_bytes, size_t *width);
/* Append text from outside so that a terminal does not act on it: '?' for each control character; on a terminal also
 * for bytes that are not UTF-8 and for characters that change the direction of text. */
void uex_output_append_clean(struct uex_buffer *out, const char *text);
/* The same, cut in the middle with "…" where it takes more than `width` columns. 0: whole. */
void uex_output_append_cut(struct uex_buffer *out, const char *text, size_t width);
/* A name in a line of prose, cleaned: on a terminal at most a third of its width, but not less than 16 columns. */
void uex_output_append_name(struct uex_buffer *out, const char *name);

#define UEX_OUTPUT_TIME_SIZE 48
/* A time for people: "2026-11-22 23:20:50 IST" on a terminal, else as uex_time_format(). `out` has UEX_OUTPUT_TIME_SIZE
 * bytes; "" for UEX_NO_TIME. */
void uex_output_time(int64_t wall_ms, char *out);
/* The same in two texts, date and time, and zone, for a table whose title has the zone. `zone` has
 * UEX_OUTPUT_ZONE_SIZE bytes. */
#define UEX_OUTPUT_ZONE_SIZE 16
void uex_output_local_time(int64_t wall_ms, char *out, char *zone);
#endif
