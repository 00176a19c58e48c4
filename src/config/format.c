/* SPDX-License-Identifier: Apache-2.0 */
#include "export/format.h"

#include <string.h>

static const struct {
    const char *name, *ending, *content_type;
    bool has_fields;
} formats[] = {
    [UEX_FORMAT_CSV] = {"csv", ".csv.gz", "application/gzip", false},
    [UEX_FORMAT_JSONL] = {"jsonl", ".jsonl.gz", "application/gzip", true},
    [UEX_FORMAT_PARQUET] = {"parquet", ".parquet", "application/vnd.apache.parquet", true},
};

const char *uex_format_name(enum uex_format format)
{
    return formats[format].name;
}

const char *uex_format_ending(enum uex_format format)
{
    return formats[format].ending;
}

const char *uex_format_content_type(enum uex_format format)
{
    return formats[format].content_type;
}

bool uex_format_has_fields(enum uex_format format)
{
    return formats[format].has_fields;
}

bool uex_format_of_name(const char *name, enum uex_format *out)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const size_t length = strlen(name), ending = strlen(formats[i].ending);

        if (length > ending && strcmp(name + length - ending, formats[i].ending) == 0) {
            *out = (enum uex_format)i;
            return true;
        }
    }
    return false;
}
