/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "export/command.h"

#define UUID_CHARACTERS (UEX_UUID_TEXT_SIZE - 1)

/* Is `text` a command with this id? UEX_NOT_FOUND: no. UEX_NO_MEMORY. */
static enum uex_error has_id(struct uex_bytes key, const struct uex_buffer *text, const char *command_id,
                             struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(key, uex_buffer_bytes(text), &command, fault);

    if (err != UEX_NO_MEMORY)
        err = err == UEX_OK && strcmp(command.command_id, command_id) == 0 ? UEX_OK : UEX_NOT_FOUND;
    uex_command_clear(&command);
    return err;
}

/* An id has the same length in JSON and Avro wherever it stands. The same id may stand in other fields too, so each
 * place is tried; which one is the command's own, reading it again tells. */
enum uex_error uex_command_reissue(struct uex_bytes key, struct uex_bytes value, const char *command_id,
                                   struct uex_buffer *out, struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(key, value, &command, fault);
    char old_id[UEX_UUID_TEXT_SIZE], kept[UUID_CHARACTERS];

    memcpy(old_id, command.command_id, sizeof(old_id));
    uex_command_clear(&command);
    if (err != UEX_OK)
        return err;
    if (old_id[0] == 0)
        return uex_fail(fault, UEX_NOT_FOUND, "the command's value has no id");
    uex_buffer_append(out, value.data, value.size_bytes);
    if (uex_buffer_failed(out))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a command");
    for (size_t at = 0; at + UUID_CHARACTERS <= out->size_bytes; at++) {
        if (strncasecmp((const char *)out->data + at, old_id, UUID_CHARACTERS) != 0)
            continue;
        memcpy(kept, out->data + at, UUID_CHARACTERS);
        memcpy(out->data + at, command_id, UUID_CHARACTERS);
        err = has_id(key, out, command_id, fault);
        if (err != UEX_NOT_FOUND)
            return err;
        memcpy(out->data + at, kept, UUID_CHARACTERS);
    }
    return uex_fail(fault, UEX_MALFORMED, "the command's id is written with escapes and cannot be replaced");
}
