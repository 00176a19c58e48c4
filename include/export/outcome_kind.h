/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/outcome_kind.h — how a command record can end, with the names used outside. */
#ifndef EXPORT_OUTCOME_KIND_H
#define EXPORT_OUTCOME_KIND_H

#include <stdbool.h>

/* X(NAME, text) */
#define UEX_OUTCOMES(X)                                                                                                \
    X(EXPORTED, "exported")                                                                                            \
    X(SKIPPED, "skipped")                                                                                              \
    X(RETRIED, "retried")                                                                                              \
    X(DEAD_LETTERED, "dead-lettered")                                                                                  \
    X(REROUTED, "rerouted")

enum uex_outcome_kind {
#define UEX_OUTCOME_ENUM(name, text) UEX_OUTCOME_##name,
    UEX_OUTCOMES(UEX_OUTCOME_ENUM)
#undef UEX_OUTCOME_ENUM
        UEX_OUTCOME_COUNT
};

/* Why a command was skipped; the text is the outcome's reason outside. A dead letter's reason is its error's code. */
#define UEX_SKIPS(X)                                                                                                   \
    X(EMPTY, "empty")                                                                                                  \
    X(INVALID_GROUP_TYPE, "invalid-group-type")                                                                        \
    X(INACTIVE, "inactive")                                                                                            \
    X(UNKNOWN_GROUP, "unknown-group")                                                                                  \
    X(DUPLICATE, "duplicate")

enum uex_skip_reason {
    UEX_SKIP_NONE,
#define UEX_SKIP_ENUM(name, text) UEX_SKIP_##name,
    UEX_SKIPS(UEX_SKIP_ENUM)
#undef UEX_SKIP_ENUM
        UEX_SKIP_COUNT
};

const char *uex_outcome_text(enum uex_outcome_kind kind);
bool uex_outcome_from_text(const char *text, enum uex_outcome_kind *out);
const char *uex_skip_text(enum uex_skip_reason reason); /* "" for UEX_SKIP_NONE */
#endif
