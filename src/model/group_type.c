/* SPDX-License-Identifier: Apache-2.0 */
#include "export/catalogue.h"

enum uex_group_type uex_group_type_of(const char *text)
{
    if (text != NULL && strcmp(text, "COST_BASED") == 0)
        return UEX_GROUP_COST_BASED;
    if (text != NULL && strcmp(text, "NON_COST_BASED") == 0)
        return UEX_GROUP_NON_COST_BASED;
    return UEX_GROUP_INVALID;
}
