/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/result.h — the message for FlairBit: one JSON object of exactly six fields. */
#ifndef EXPORT_RESULT_H
#define EXPORT_RESULT_H

#include "export/buffer.h"

/* The value for a file: groupId, filePath, fileName, contentType, domainId; usernames null. fileName is the last
 * segment of `file_path` as it stands. */
void uex_result_write_file(const char *group_id, const char *domain_id, const char *file_path, const char *content_type,
                           struct uex_buffer *out);

/* The value for usernames, in three pieces so that a list can be streamed: head, then names joined by ',', then tail.
 * Each name is a JSON string by uex_buffer_append_json_bytes(). */
void uex_result_write_list_head(const char *group_id, const char *domain_id, struct uex_buffer *out);
void uex_result_write_list_tail(struct uex_buffer *out);
#endif
