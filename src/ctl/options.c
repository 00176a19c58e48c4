/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <errno.h>
#include <stdlib.h>

struct uex_ctl_options uex_ctl_options;

enum uex_error uex_option_number(const char *name, const char *text, long least, long most, long otherwise, long *out)
{
    char *end = NULL;

    *out = otherwise;
    if (text == NULL)
        return UEX_OK;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == 0 && *out >= least && *out <= most && text[0] != ' ')
        return UEX_OK;
    uex_output_complain("%s: allowed are whole numbers from %ld to %ld", name, least, most);
    return UEX_CONFIG;
}
