/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/group_type.c — what a group becomes, by its group_type. */
#include "export/catalogue.h"
#include "export/text.h"

static const char *file_types(const struct uex_config *config)
{
    return config->export_file_types == NULL ? UEX_DEFAULT_FILE_TYPES : config->export_file_types;
}

static const char *list_types(const struct uex_config *config)
{
    return config->export_list_types == NULL ? UEX_DEFAULT_LIST_TYPES : config->export_list_types;
}

/* The next value of one of the settings, where an empty text has none. */
static bool next_type(const char **rest, struct uex_bytes *type)
{
    return uex_list_next(rest, type) && type->size_bytes > 0;
}

static bool has_type(const char *types, struct uex_bytes wanted)
{
    struct uex_bytes type;

    while (next_type(&types, &type)) {
        if (type.size_bytes == wanted.size_bytes && memcmp(type.data, wanted.data, wanted.size_bytes) == 0)
            return true;
    }
    return false;
}

enum uex_group_type uex_group_type_of(const struct uex_config *config, const char *text)
{
    struct uex_bytes type;

    if (text == NULL)
        return UEX_GROUP_INVALID;
    type = uex_bytes_of_text(text);
    if (has_type(file_types(config), type))
        return UEX_GROUP_FILE;
    return has_type(list_types(config), type) ? UEX_GROUP_LIST : UEX_GROUP_INVALID;
}

void uex_group_types_write(const struct uex_config *config, const char *separator, struct uex_buffer *out)
{
    const char *lists[] = {file_types(config), list_types(config)};
    struct uex_bytes type;
    bool is_first = true;

    for (size_t i = 0; i < 2; i++) {
        while (next_type(&lists[i], &type)) {
            uex_buffer_append_text(out, is_first ? "" : separator);
            uex_buffer_append(out, type.data, type.size_bytes);
            is_first = false;
        }
    }
}

struct uex_bytes uex_group_file_type(const struct uex_config *config)
{
    const char *types = file_types(config);
    struct uex_bytes type;

    return next_type(&types, &type) ? type : uex_bytes_of_text(UEX_DEFAULT_FILE_TYPES);
}
