/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/ask.h — questions to the person at the terminal. Main thread. */
#ifndef EXPORT_CTL_ASK_H
#define EXPORT_CTL_ASK_H

#include "export/config.h"

/* Is there somebody to answer: are stdin and stderr terminals? */
bool uex_can_ask(void);
/* Print the question and " [y/N] " on stderr and read a line. True for y and yes. */
UEX_MUST_CHECK bool uex_ask(const char *question);

/* The ids that `wanted` was perhaps meant to be: of the same letters in another case, or with a few letters wrong. */
#define UEX_CLOSEST_MAX 3
struct uex_closest {
    const char *wanted;
    char ids[UEX_CLOSEST_MAX][256];
    size_t distances[UEX_CLOSEST_MAX];
    size_t count;
};
/* Consider an id; the closest ones stay, the closest first. */
void uex_closest_take(struct uex_closest *closest, const char *id);

/* Before something is done with groups that an operator has named: does the group view have them? On a terminal, ask
 * about those that it does not have, naming what was perhaps meant. `question` ends the question. False: the answer is
 * no. True also, without a question: with --force, where nobody can be asked (scripts of 1.0 go on), without
 * postgres.dsn, or where the database does not answer within 5 s. */
UEX_MUST_CHECK bool uex_ask_for_unknown_groups(const struct uex_config *config, int group_count, char *const *group_ids,
                                               const char *question);
#endif
