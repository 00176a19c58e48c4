/* SPDX-License-Identifier: Apache-2.0 */
/* Times: whatever is read is written in the one form and read back as the same instant. */
#include <stdlib.h>

#include "export/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    int64_t first_ms, second_ms;
    char text[UEX_TIME_TEXT_SIZE];

    if (!uex_time_parse((const char *)data, size_bytes, &first_ms))
        return 0;
    uex_time_format(first_ms, text);
    if (!uex_time_parse(text, strlen(text), &second_ms) || first_ms != second_ms)
        abort();
    return 0;
}
