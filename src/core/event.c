/* SPDX-License-Identifier: Apache-2.0 */
#include "export/event.h"

static const char *const CODES[UEX_EVENT_COUNT] = {
#define UEX_EVENT_NO_GROUP(title_)
#define UEX_EVENT_CODE(name_, code_, meaning_) [UEX_EVENT_##name_] = (code_),
    UEX_EVENT_TABLE(UEX_EVENT_NO_GROUP, UEX_EVENT_CODE)
#undef UEX_EVENT_NO_GROUP
#undef UEX_EVENT_CODE
};

const char *uex_event_code(enum uex_event event)
{
    return (unsigned)event < UEX_EVENT_COUNT ? CODES[event] : "unknown";
}
