/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/manual/manual.h — what shells and man(1) know of exportctl, made from the table of verbs. Any thread. */
#ifndef EXPORT_CTL_MANUAL_H
#define EXPORT_CTL_MANUAL_H

#include "ctl/verbs.h"

/* A script for bash that completes verbs, their options and the values of these. */
void uex_completion_bash(const struct uex_verb *verbs, struct uex_buffer *out);

/* The manual page of a verb, section 1, as roff with the macros of man(7); `verb` NULL: that of exportctl itself. */
void uex_manual_page(const struct uex_verb *verbs, const struct uex_verb *verb, struct uex_buffer *out);
/* "exportctl-topics-check"; `verb` NULL: "exportctl". */
void uex_manual_name(const struct uex_verb *verb, struct uex_buffer *out);
#endif
