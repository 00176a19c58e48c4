/* SPDX-License-Identifier: Apache-2.0 */
#include "export/outcome_kind.h"

#include <string.h>

static const char *const outcome_texts[UEX_OUTCOME_COUNT] = {
#define OUTCOME_TEXT(name, text) [UEX_OUTCOME_##name] = text,
    UEX_OUTCOMES(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

static const char *const skip_texts[UEX_SKIP_COUNT] = {[UEX_SKIP_NONE] = "",
#define SKIP_TEXT(name, text) [UEX_SKIP_##name] = text,
                                                       UEX_SKIPS(SKIP_TEXT)
#undef SKIP_TEXT
};

const char *uex_outcome_text(enum uex_outcome_kind kind)
{
    return (unsigned)kind < UEX_OUTCOME_COUNT ? outcome_texts[kind] : "";
}

bool uex_outcome_from_text(const char *text, enum uex_outcome_kind *out)
{
    for (unsigned kind = 0; text != NULL && kind < UEX_OUTCOME_COUNT; kind++) {
        if (strcmp(text, outcome_texts[kind]) == 0) {
            *out = (enum uex_outcome_kind)kind;
            return true;
        }
    }
    return false;
}

const char *uex_skip_text(enum uex_skip_reason reason)
{
    return (unsigned)reason < UEX_SKIP_COUNT ? skip_texts[reason] : "";
}
