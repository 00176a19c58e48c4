/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/roff.h — manual pages: what man(1) reads of the three programs and of the file of settings, made from the
 * tables that the programs themselves read. Sources: man(7), groff_man(7). Any thread. */
#ifndef EXPORT_CONFIG_ROFF_H
#define EXPORT_CONFIG_ROFF_H

#include "export/program.h"

#define UEX_MANUAL_FILE_PAGE "users-export.ini" /* section 5: the settings */

/* Text as roff prints it: no escapes, a '-' that can be copied to a shell, no line that looks like a request. */
void uex_roff_text(struct uex_buffer *out, const char *text);
/* The head of a page: "export-worker", "8", and what it is in one line. */
void uex_roff_head(struct uex_buffer *out, const char *name, const char *section, const char *summary);
/* An entry of a list: a bold term, its value (NULL: none), and what it means. */
void uex_roff_term(struct uex_buffer *out, const char *term, const char *value, const char *meaning);
/* What all programs have: --config, settings as flags, --help, --version; and the exit codes, as a section. */
void uex_roff_common_options(struct uex_buffer *out);
void uex_roff_exit_codes(struct uex_buffer *out);

/* The whole page of a program, section 8. */
void uex_roff_program(const struct uex_program *program, struct uex_buffer *out);
/* The whole page of the file of settings. */
void uex_roff_file(struct uex_buffer *out);
#endif
