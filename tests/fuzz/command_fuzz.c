/* SPDX-License-Identifier: Apache-2.0 */
/* Commands. The first line is the record's key (without a newline there is none), the rest its value. What is taken is
 * written in both forms and read back the same. */
#include <stdlib.h>

#include "export/command.h"

static void assert_same(const struct uex_command *command, const struct uex_buffer *written)
{
    struct uex_command again = {0};
    struct uex_bytes no_key = {0};

    if (uex_buffer_failed(written) || uex_command_parse(no_key, uex_buffer_bytes(written), &again, NULL) != UEX_OK ||
        strcmp(command->group_id, again.group_id) != 0 || strcmp(command->command_id, again.command_id) != 0 ||
        strcmp(command->run_id, again.run_id) != 0 || strcmp(command->domain_id, again.domain_id) != 0 ||
        strcmp(command->requested_by, again.requested_by) != 0 || strcmp(command->reason, again.reason) != 0 ||
        command->requested_at_ms != again.requested_at_ms)
        abort();
    uex_command_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_command command = {0};
    struct uex_fault fault = {0};
    struct uex_buffer written = {0};
    struct uex_bytes key = {0}, value = uex_bytes_of(data, size_bytes);
    const uint8_t *newline = size_bytes == 0 ? NULL : memchr(data, '\n', size_bytes);

    if (newline != NULL) {
        key = uex_bytes_of(data, (size_t)(newline - data));
        value = uex_bytes_of(newline + 1, size_bytes - key.size_bytes - 1);
    }
    enum uex_error error = uex_command_parse(key, value, &command, &fault);
    if (error == UEX_OK) {
        uex_command_write_json(&command, &written);
        assert_same(&command, &written);
        uex_buffer_reset(&written);
        if (uex_command_write_avro(&command, &written) == UEX_OK)
            assert_same(&command, &written);
    } else if (error != UEX_MALFORMED || fault.text[0] == '\0') {
        abort();
    }
    uex_buffer_clear(&written);
    uex_command_clear(&command);
    return 0;
}
