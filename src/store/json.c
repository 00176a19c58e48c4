/* SPDX-License-Identifier: Apache-2.0 */
#include "store/json.h"

#include <stdlib.h>

#define PROBE_FACTOR 64 /* more than cJSON's tree takes for each byte of text */

/* cJSON does not say which it was, and what no retry can mend must not come of a lack of memory. So: again, and then a
 * look whether there is memory. */
enum uex_error uex_store_json_parse(struct uex_bytes text, cJSON **out)
{
    void *probe = NULL;

    *out = NULL;
    for (int tries = 0; tries < 2 && *out == NULL; tries++)
        *out = cJSON_ParseWithLength((const char *)text.data, text.size_bytes);
    if (*out != NULL)
        return UEX_OK;
    probe = malloc(PROBE_FACTOR * (text.size_bytes + 1));
    free(probe);
    return probe == NULL ? UEX_NO_MEMORY : UEX_MALFORMED;
}
