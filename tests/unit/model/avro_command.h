/* SPDX-License-Identifier: Apache-2.0 */
/* A command in Avro single-object encoding, as another program would write it. */
#ifndef TESTS_UNIT_MODEL_AVRO_COMMAND_H
#define TESTS_UNIT_MODEL_AVRO_COMMAND_H

#include "export/command.h"

static void append_avro_long(struct uex_buffer *out, int64_t value)
{
    uint64_t bits = (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);

    for (;; bits >>= 7) {
        uint8_t byte = (uint8_t)((bits & 0x7F) | (bits > 0x7F ? 0x80 : 0));

        uex_buffer_append(out, &byte, 1);
        if (bits <= 0x7F)
            return;
    }
}

/* A nullable string; "" counts as none. */
static void append_avro_text(struct uex_buffer *out, const char *text)
{
    bool is_set = text != NULL && text[0] != '\0';

    append_avro_long(out, is_set ? 1 : 0);
    if (!is_set)
        return;
    append_avro_long(out, (int64_t)strlen(text));
    uex_buffer_append_text(out, text);
}

static inline void append_avro_command(struct uex_buffer *out, const struct uex_command *command)
{
    uex_buffer_append(out, "\xC3\x01\xC4\xA4\x1D\x0D\x14\x4A\x0C\xC0", 10);
    append_avro_text(out, command->group_id);
    append_avro_text(out, command->command_id);
    append_avro_text(out, command->run_id);
    append_avro_text(out, command->domain_id);
    append_avro_long(out, command->requested_at_ms != UEX_NO_TIME ? 1 : 0);
    if (command->requested_at_ms != UEX_NO_TIME)
        append_avro_long(out, command->requested_at_ms);
    append_avro_text(out, command->requested_by);
    append_avro_text(out, command->reason);
}
#endif
