/* SPDX-License-Identifier: Apache-2.0 */
#include "export/memory.h"

#include <unistd.h>

#include "export/log.h"

void uex_out_of_memory(const char *what)
{
    uex_log(UEX_LOG_ERROR, UEX_EVENT_OUT_OF_MEMORY, "not enough memory; the program ends", UEX_STR("for", what));
    _exit(1); /* UEX_EXIT_FAILED of program.h */
}
