/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/who.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "export/text.h"

void uex_ctl_who(char out[UEX_WHO_SIZE])
{
    const struct passwd *user = getpwuid(geteuid());
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = 0;
    if (user == NULL)
        snprintf(out, UEX_WHO_SIZE, "uid %u%s%.200s", (unsigned)geteuid(), host[0] == 0 ? "" : "@", host);
    else
        snprintf(out, UEX_WHO_SIZE, "%.50s%s%.200s", user->pw_name, host[0] == 0 ? "" : "@", host);
    if (!uex_utf8_valid(uex_bytes_of_text(out)))
        out[0] = 0;
}
