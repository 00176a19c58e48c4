/* SPDX-License-Identifier: Apache-2.0 */
#include "export/result.h"

#include <string.h>

#include "export/catalogue.h"
#include "export/outcome_kind.h"

static void append_domain(struct uex_buffer *out, const char *domain_id)
{
    uex_buffer_append_text(out, ",\"domainId\":");
    uex_buffer_append_json(out, domain_id != NULL && domain_id[0] != '\0' ? domain_id : NULL);
}

void uex_result_write_file(const char *group_id, const char *domain_id, const char *file_path, const char *content_type,
                           struct uex_buffer *out)
{
    const char *slash = strrchr(file_path, '/');

    uex_buffer_append_text(out, "{\"groupId\":");
    uex_buffer_append_json(out, group_id);
    uex_buffer_append_text(out, ",\"filePath\":");
    uex_buffer_append_json(out, file_path);
    uex_buffer_append_text(out, ",\"fileName\":");
    uex_buffer_append_json(out, slash == NULL ? file_path : slash + 1);
    uex_buffer_append_text(out, ",\"contentType\":");
    uex_buffer_append_json(out, content_type);
    append_domain(out, domain_id);
    uex_buffer_append_text(out, ",\"usernames\":null}");
}

void uex_result_write_list_head(const char *group_id, const char *domain_id, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "{\"groupId\":");
    uex_buffer_append_json(out, group_id);
    uex_buffer_append_text(out, ",\"filePath\":null,\"fileName\":null,\"contentType\":null");
    append_domain(out, domain_id);
    uex_buffer_append_text(out, ",\"usernames\":[");
}

void uex_result_write_list_tail(struct uex_buffer *out)
{
    uex_buffer_append_text(out, "]}");
}

static const char *const outcome_texts[UEX_OUTCOME_COUNT] = {
#define OUTCOME_TEXT(name, text) [UEX_OUTCOME_##name] = text,
    UEX_OUTCOMES(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

static const char *const skip_texts[UEX_SKIP_COUNT] = {[UEX_SKIP_NONE] = "",
#define SKIP_TEXT(name, text) [UEX_SKIP_##name] = text,
                                                       UEX_SKIPS(SKIP_TEXT)
#undef SKIP_TEXT
};

const char *uex_outcome_text(enum uex_outcome_kind kind)
{
    return (unsigned)kind < UEX_OUTCOME_COUNT ? outcome_texts[kind] : "";
}

bool uex_outcome_from_text(const char *text, enum uex_outcome_kind *out)
{
    for (unsigned kind = 0; text != NULL && kind < UEX_OUTCOME_COUNT; kind++) {
        if (strcmp(text, outcome_texts[kind]) == 0) {
            *out = (enum uex_outcome_kind)kind;
            return true;
        }
    }
    return false;
}

const char *uex_skip_text(enum uex_skip_reason reason)
{
    return (unsigned)reason < UEX_SKIP_COUNT ? skip_texts[reason] : "";
}
