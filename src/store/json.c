/* SPDX-License-Identifier: Apache-2.0 */
#include "store/json.h"

#include <stdlib.h>

#define PROBE_FACTOR 64 /* more than cJSON's tree takes for each byte of text */

/* cJSON does not tell a wrong text from a lack of memory, and a lack of memory must not become an error that no retry
 * can fix. So it is tried again, and then memory is checked. */
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
