/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/options.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/table.h"
#include "export/text.h"

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
    uex_output_error("%s: must be a whole number from %ld to %ld", name, least, most);
    return UEX_CONFIG;
}

enum uex_error uex_option_duration(const char *name, const char *text, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (text == NULL || (uex_duration_parse(text, out) && *out > 0))
        return UEX_OK;
    uex_output_error("%s: must be a duration (units ms, s, m, h), for example 90s", name);
    return UEX_CONFIG;
}

enum uex_error uex_option_wait(int64_t *timeout_ms)
{
    const struct uex_ctl_options *given = &uex_ctl_options;

    if (uex_option_duration("--timeout", given->timeout, UEX_NO_TIME, timeout_ms) != UEX_OK)
        return UEX_CONFIG;
    if (given->timeout != NULL && !given->wait)
        uex_output_error("--timeout needs --wait");
    else if (given->dry_run && given->wait)
        uex_output_error("--dry-run sends nothing, so there is nothing to --wait for");
    else
        return UEX_OK;
    return UEX_CONFIG;
}

enum uex_error uex_option_text(const char *name, const char *text, size_t most)
{
    size_t character_count = 0;
    bool is_clean = text == NULL || uex_utf8_valid(uex_bytes_of_text(text));

    for (const char *at = text; is_clean && at != NULL && *at != 0; at++) {
        /* C1 control characters are C2 80 to C2 9F in UTF-8. */
        is_clean =
            (unsigned char)*at >= 0x20 && *at != 0x7f && !((unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0);
        character_count += ((unsigned char)*at & 0xc0) != 0x80;
    }
    if (text == NULL || (is_clean && character_count >= 1 && character_count <= most))
        return UEX_OK;
    uex_output_error("%s: must be 1 to %zu characters of UTF-8 without control characters", name, most);
    return UEX_CONFIG;
}

enum uex_error uex_operands_are_groups(int operand_count, char *const *operands)
{
    for (int i = 0; i < operand_count; i++) {
        if (uex_group_id_valid(uex_bytes_of_text(operands[i])))
            continue;
        uex_output_error(
            "GROUP number %d is not a group id: it must be 1 to 255 bytes of UTF-8 without control characters", i + 1);
        return UEX_CONFIG;
    }
    return UEX_OK;
}

void uex_option_by(char out[UEX_WHO_SIZE])
{
    const struct passwd *user = getpwuid(geteuid());
    char host[256] = "";

    if (uex_ctl_options.by != NULL) {
        snprintf(out, UEX_WHO_SIZE, "%s", uex_ctl_options.by);
        return;
    }
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = 0;
    if (user == NULL)
        snprintf(out, UEX_WHO_SIZE, "uid %u%s%.200s", (unsigned)geteuid(), host[0] == 0 ? "" : "@", host);
    else
        snprintf(out, UEX_WHO_SIZE, "%.50s%s%.200s", user->pw_name, host[0] == 0 ? "" : "@", host);
    if (!uex_utf8_valid(uex_bytes_of_text(out)))
        out[0] = 0;
}
