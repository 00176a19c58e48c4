/* SPDX-License-Identifier: Apache-2.0 */
#include "model/command_fields.h"
#include "model/json.h"

enum uex_error uex_command_read_json(struct uex_bytes value, uex_command_take *take, void *context,
                                     struct uex_fault *fault)
{
    struct uex_command_fields fields = {0};
    struct uex_bytes time = {0};
    cJSON *object = NULL;
    enum uex_error error = uex_json_object_parse(value, &object, fault);

    for (size_t i = 0; i < UEX_COMMAND_TEXT_COUNT && error == UEX_OK; i++)
        error = uex_json_text(object, uex_command_text_names[i], &fields.texts[i], fault);
    if (error == UEX_OK)
        error = uex_json_text(object, UEX_COMMAND_TIME_NAME, &time, fault);
    fields.has_requested_at = time.data != NULL;
    if (error == UEX_OK && fields.has_requested_at &&
        !uex_time_parse((const char *)time.data, time.size_bytes, &fields.requested_at_ms))
        error = uex_fail(fault, UEX_MALFORMED, UEX_COMMAND_TIME_NAME " is not an RFC 3339 time");
    if (error == UEX_OK)
        error = take(&fields, context, fault);
    cJSON_Delete(object);
    return error;
}

static void append_field(struct uex_buffer *out, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    if (out->data[out->size_bytes - 1] != '{')
        uex_buffer_append_text(out, ",");
    uex_buffer_append_json(out, name);
    uex_buffer_append_text(out, ":");
    uex_buffer_append_json(out, text);
}

void uex_command_write_json(const struct uex_command *command, struct uex_buffer *out)
{
    char time[UEX_TIME_TEXT_SIZE];

    uex_time_format(command->requested_at_ms, time);
    uex_buffer_append_text(out, "{");
    if (uex_buffer_failed(out))
        return;
    append_field(out, uex_command_text_names[UEX_COMMAND_GROUP_ID], command->group_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_COMMAND_ID], command->command_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_RUN_ID], command->run_id);
    append_field(out, uex_command_text_names[UEX_COMMAND_DOMAIN_ID], command->domain_id);
    append_field(out, UEX_COMMAND_TIME_NAME, time);
    append_field(out, uex_command_text_names[UEX_COMMAND_REQUESTED_BY], command->requested_by);
    append_field(out, uex_command_text_names[UEX_COMMAND_REASON], command->reason);
    uex_buffer_append_text(out, "}");
}
