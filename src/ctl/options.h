/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/options.h — the values of exportctl's options. One process runs one subcommand, so one struct holds
 * them. */
#ifndef EXPORT_CTL_OPTIONS_H
#define EXPORT_CTL_OPTIONS_H

#include "ctl/output.h"
#include "export/command.h"

struct uex_ctl_options {
    const char *output;
    const char *partitions;
    const char *replication_factor;
    const char *run;                           /* --run ID */
    const char *reason;                        /* --reason TEXT */
    const char *by;                            /* --by TEXT: see uex_option_by() */
    const char *timeout;                       /* --timeout D */
    const char *limit;                         /* --limit N */
    const char *html;                          /* --html FILE|- */
    const char *format;                        /* --format FORMAT, of export */
    const char *for_program;                   /* --for PROGRAM: of config check */
    const char *group, *error, *since, *until; /* which dead letters */
    const char *wait_for;                      /* --wait-for D, of every subcommand: see uex_wait_for_ms() */
    const char *color;                         /* --color, of every subcommand: see uex_screen_setup() */
    bool all, wait, follow, force, open, dry_run, again, wide, history, check, json_schema;
};
extern struct uex_ctl_options uex_ctl_options;

/* A whole number in the range; `text` NULL gives `otherwise`. UEX_CONFIG, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_option_number(const char *name, const char *text, long least, long most,
                                                long otherwise, long *out);
/* A duration as settings have it ("90s"), at least 1 ms; `text` NULL gives `otherwise`. UEX_CONFIG, reported on stderr.
 */
UEX_MUST_CHECK enum uex_error uex_option_duration(const char *name, const char *text, int64_t otherwise, int64_t *out);
/* --wait, --timeout and --dry-run, where a subcommand has them: do they fit together? `*timeout_ms` is UEX_NO_TIME
 * without --timeout. UEX_CONFIG, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_option_wait(int64_t *timeout_ms);
/* Free text for a command's audit fields, or a run's name: UTF-8 without control characters, 1 to `most` characters;
 * NULL is fine. UEX_CONFIG, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_option_text(const char *name, const char *text, size_t most);
#define UEX_WHO_SIZE (4 * UEX_FREE_TEXT_MAX_CHARACTERS + 1)
/* Who asks, for the audit: --by, else "login@host"; what is unknown is left out. --by
 * was checked with uex_option_text(). Main thread. */
void uex_option_by(char out[UEX_WHO_SIZE]);
/* Every operand is a group id. UEX_CONFIG, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_operands_are_groups(int operand_count, char *const *operands);
#endif
