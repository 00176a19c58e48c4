/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/manual/manual.h — what shells and man(1) know of exportctl, made from the table of subcommands. Any thread.
 */
#ifndef EXPORT_CTL_MANUAL_H
#define EXPORT_CTL_MANUAL_H

#include "ctl/subcommands.h"

/* A script for a shell: it completes subcommands, their options, settings, and the values of all of these. */
struct uex_completion {
    const char *shell; /* "bash" */
    void (*write)(const struct uex_subcommand *subcommands, struct uex_buffer *out);
};
/* Ends with a zeroed row. */
extern const struct uex_completion uex_completions[];
void uex_completion_bash(const struct uex_subcommand *subcommands, struct uex_buffer *out);
void uex_completion_zsh(const struct uex_subcommand *subcommands, struct uex_buffer *out);
void uex_completion_fish(const struct uex_subcommand *subcommands, struct uex_buffer *out);

/* The manual page of a subcommand, section 1, as roff with the macros of man(7); `subcommand` NULL: that of exportctl
 * itself. */
void uex_manual_page(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand,
                     struct uex_buffer *out);
/* "exportctl-topics-check"; `subcommand` NULL: "exportctl". */
void uex_manual_name(const struct uex_subcommand *subcommand, struct uex_buffer *out);
#endif
