/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/groups.h"

#include "export/text.h"

bool uex_run_id_valid(struct uex_bytes run_id)
{
    size_t character_count = 0;

    for (size_t i = 0; i < run_id.size_bytes; i++)
        character_count += (run_id.data[i] & 0xc0) != 0x80;
    /* The rule for group ids but for the length. */
    return uex_group_id_valid(run_id) && character_count <= UEX_RUN_ID_MAX_CHARACTERS;
}

void uex_run_command(const struct uex_run *run, const char *group_id, struct uex_buffer *value)
{
    struct uex_command command = {.group_id = (char *)(uintptr_t)group_id,
                                  .run_id = (char *)(uintptr_t)run->run_id,
                                  .requested_at_ms = run->requested_at_ms,
                                  .requested_by = (char *)(uintptr_t)UEX_REQUESTED_BY,
                                  .reason = (char *)(uintptr_t) ""};

    memcpy(command.domain_id, run->domain_id, strlen(run->domain_id) + 1); /* checked: a UUID or "" */
    uex_command_id_of_schedule(run->run_id, group_id, command.command_id);
    uex_command_write_json(&command, value);
}
