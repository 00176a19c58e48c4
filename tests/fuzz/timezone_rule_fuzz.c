/* SPDX-License-Identifier: Apache-2.0 */
/* The rule at the end of a time zone file: no offset is more than the widest rule allows. */
#include <stdlib.h>

#include "core/timezone_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_timezone_rule rule;

    if (!uex_timezone_rule_parse((const char *)data, size_bytes, &rule))
        return 0;
    for (int64_t utc_s = INT64_C(-62135596800); utc_s < INT64_C(253402300800); utc_s += INT64_C(3155760001)) {
        if (llabs(uex_timezone_rule_offset_s(&rule, utc_s)) > 26 * 3600)
            abort();
    }
    return 0;
}
