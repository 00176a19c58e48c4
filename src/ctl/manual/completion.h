/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/manual/completion.h — what the scripts for the shells have in common. Any thread. */
#ifndef EXPORT_CTL_MANUAL_COMPLETION_H
#define EXPORT_CTL_MANUAL_COMPLETION_H

#include "ctl/manual/manual.h"

/* Lists the ids of runs, newest first, one a line; nothing where Kafka does not answer at once. exportctl stands before
 * it. */
#define UEX_COMPLETION_RUNS                                                                                            \
    " run list --wait-for 1s --color never 2>/dev/null </dev/null | awk 'NR > 1 && NF > 1 { print $1 }'"

/* What stands behind an option. */
enum uex_value_kind {
    UEX_VALUE_NONE, /* the option takes none */
    UEX_VALUE_ANY,  /* cannot be guessed */
    UEX_VALUE_FILE,
    UEX_VALUE_CHOICES, /* uex_completion_choices() */
    UEX_VALUE_ERROR,   /* an error code */
    UEX_VALUE_RUN      /* the id of a run */
};
enum uex_value_kind uex_completion_kind(const struct uex_option *option);
/* "table json" of "table|json". */
void uex_completion_choices(const char *value_name, struct uex_buffer *out);
/* The codes of errors that a dead letter can have, with blanks between them. */
void uex_completion_errors(struct uex_buffer *out);
/* The names of all options that take a value, in any subcommand, each once, with `separator` between them. */
void uex_completion_valued(const struct uex_subcommand *subcommands, const char *separator, struct uex_buffer *out);

/* A setting: its name as an option, what may stand behind it ("a b"; "": anything), and its help. */
struct uex_completion_setting {
    char option[128]; /* "--export.lanes" */
    char choices[160];
    const char *help;
};
/* The setting of this index; false: there is none any more. */
bool uex_completion_setting(size_t index, struct uex_completion_setting *out);
#endif
