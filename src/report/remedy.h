/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/remedy.h — what to do about a dead letter, by its error code. deploy/runbook.md says more. Any thread. */
#ifndef EXPORT_REPORT_REMEDY_H
#define EXPORT_REPORT_REMEDY_H

#include <stdbool.h>

struct uex_remedy {
    const char *first;   /* one sentence: what to put right before the command helps */
    bool is_new_command; /* the command itself was wrong: send another one, and discard the dead letter */
};

/* Of an error code; one that is not known was written by another release. Never NULL. */
const struct uex_remedy *uex_remedy_of(const char *code);
#endif
