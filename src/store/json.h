/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/json.h — a small JSON text, where it matters whether the text is wrong or memory was short. Any thread. */
#ifndef EXPORT_STORE_JSON_H
#define EXPORT_STORE_JSON_H

#include <cjson/cJSON.h>

#include "export/error.h"

/* UEX_NO_MEMORY; UEX_MALFORMED. The caller frees `*out` with cJSON_Delete(). */
UEX_MUST_CHECK enum uex_error uex_store_json_parse(struct uex_bytes text, cJSON **out);
#endif
