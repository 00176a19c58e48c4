/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/output.h — how subcommands print: to stdout, and errors to stderr. Main thread only. */
#ifndef EXPORT_CTL_OUTPUT_H
#define EXPORT_CTL_OUTPUT_H

#include "ctl/screen.h"
#include "ctl/table.h"
#include "export/program.h"

/* The row of --output in a subcommand's options; its value goes through uex_output_format(). */
#define UEX_OPTION_OUTPUT(value_)                                                                                      \
    {                                                                                                                  \
        "--output", "table|json", "a table (default), or one JSON document", (value_), NULL                            \
    }

/* NULL: table. UEX_CONFIG for anything else than table and json, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_output_format(const char *text, enum uex_output *out);

/* Is stdout a terminal? See also uex_screen(). */
bool uex_output_is_terminal(void);
/* "1,234,567"; "" for UEX_UNKNOWN. `out` has 32 bytes. */
void uex_output_count(uint64_t count, char *out);
/* "0.3 s", "12 s", "3 min 20 s", "2 h 5 min". `out` has 32 bytes. */
void uex_output_duration(int64_t duration_ms, char *out);
/* "12 B", "3.4 MiB". `out` has 32 bytes. */
void uex_output_size(uint64_t size_bytes, char *out);

/* Print to stdout; false if that failed (reported on stderr). A reader that has gone (`| head`) is no failure; a
 * subcommand that goes on for long asks uex_output_closed(). */
UEX_MUST_CHECK bool uex_output_print(const struct uex_buffer *text);
bool uex_output_closed(void);
/* "exportctl: …" on stderr, on one line, cleaned as uex_output_append_clean() does. */
void uex_output_error(const char *format, ...) UEX_PRINTF(1, 2);
/* The same for an error with its fault; returns the exit code for it. */
int uex_output_fail(enum uex_error err, const struct uex_fault *fault);
#endif
