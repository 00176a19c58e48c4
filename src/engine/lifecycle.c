/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/lifecycle.h"

static const bool lifecycle_table[UEX_LIFECYCLE_COUNT][UEX_LIFECYCLE_COUNT] = {
    [UEX_LIFECYCLE_WORKING] =
        {[UEX_LIFECYCLE_DRAINING] = true, [UEX_LIFECYCLE_LEAVING] = true, [UEX_LIFECYCLE_STOPPING] = true},
    [UEX_LIFECYCLE_DRAINING] = {[UEX_LIFECYCLE_LEAVING] = true, [UEX_LIFECYCLE_STOPPING] = true},
    [UEX_LIFECYCLE_LEAVING] = {[UEX_LIFECYCLE_STOPPING] = true},
};

static const bool assignment_table[UEX_ASSIGNMENT_COUNT][UEX_ASSIGNMENT_COUNT] = {
    [UEX_ASSIGNMENT_NONE] = {[UEX_ASSIGNMENT_HELD] = true, [UEX_ASSIGNMENT_FENCED] = true},
    [UEX_ASSIGNMENT_HELD] =
        {[UEX_ASSIGNMENT_FENCED] = true, [UEX_ASSIGNMENT_CLOSING] = true, [UEX_ASSIGNMENT_ENDING] = true},
    [UEX_ASSIGNMENT_FENCED] = {[UEX_ASSIGNMENT_ENDING] = true},
    [UEX_ASSIGNMENT_CLOSING] = {[UEX_ASSIGNMENT_ENDING] = true},
    [UEX_ASSIGNMENT_ENDING] = {[UEX_ASSIGNMENT_NONE] = true},
};

bool uex_lifecycle_may_follow(enum uex_lifecycle from, enum uex_lifecycle to)
{
    return lifecycle_table[from][to];
}

bool uex_assignment_may_follow(enum uex_assignment from, enum uex_assignment to)
{
    return assignment_table[from][to];
}

bool uex_lifecycle_advance(enum uex_lifecycle *phase, enum uex_lifecycle to)
{
    if (!lifecycle_table[*phase][to])
        return false;
    *phase = to;
    return true;
}

bool uex_assignment_advance(enum uex_assignment *phase, enum uex_assignment to)
{
    if (!assignment_table[*phase][to])
        return false;
    *phase = to;
    return true;
}

bool uex_assignment_may_start(enum uex_assignment phase)
{
    return phase == UEX_ASSIGNMENT_HELD || phase == UEX_ASSIGNMENT_FENCED;
}

bool uex_assignment_may_commit(enum uex_assignment phase)
{
    return phase == UEX_ASSIGNMENT_HELD || phase == UEX_ASSIGNMENT_CLOSING;
}
