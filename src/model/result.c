/* SPDX-License-Identifier: Apache-2.0 */
#include "export/result.h"

static void append_domain(struct uex_buffer *out, const char *domain_id)
{
    uex_buffer_append_text(out, ",\"domainId\":");
    uex_buffer_append_json(out, domain_id != NULL && domain_id[0] != '\0' ? domain_id : NULL);
}

void uex_result_write_file(const char *group_id, const char *domain_id, const char *file_path, struct uex_buffer *out)
{
    const char *slash = strrchr(file_path, '/');

    uex_buffer_append_text(out, "{\"groupId\":");
    uex_buffer_append_json(out, group_id);
    uex_buffer_append_text(out, ",\"filePath\":");
    uex_buffer_append_json(out, file_path);
    uex_buffer_append_text(out, ",\"fileName\":");
    uex_buffer_append_json(out, slash == NULL ? file_path : slash + 1);
    uex_buffer_append_text(out, ",\"contentType\":\"application/gzip\"");
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
