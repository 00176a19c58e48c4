/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/json.h — JSON from outside, strictly. cJSON reads it, but only after our own check: cJSON 1.7 takes invalid
 * UTF-8, control characters, numbers like 01, U+0000 (which ends its strings early), two members of the same name and
 * 1000 levels. Any thread. */
#ifndef EXPORT_MODEL_JSON_H
#define EXPORT_MODEL_JSON_H

#include <cjson/cJSON.h>

#include "export/buffer.h"

#define UEX_JSON_MAX_BYTES ((size_t)1 << 20)
#define UEX_JSON_MAX_DEPTH 32
/* cJSON takes about 80 bytes for each value, so a text of many tiny ones would take 40 times its size. */
#define UEX_JSON_MAX_VALUES 16384
/* cJSON copies a number to 64 bytes. */
#define UEX_JSON_MAX_NUMBER_BYTES 63

/* Is this one JSON text (RFC 8259) of valid UTF-8 within the bounds above, without U+0000 and lone surrogates in its
 * strings? NULL if so, else what is wrong ("a control character in a string"); `*offset_bytes` then says where. */
const char *uex_json_check(struct uex_bytes text, size_t *offset_bytes);

/* A member of the outermost object, as the check comes by it: its name and its value with their quotes. */
struct uex_json_visitor {
    void (*member)(void *context, struct uex_bytes name, struct uex_bytes value);
    void *context;
};
/* The same check; `visitor` sees the members of the object that the text is, if it is one. What it saw is worth nothing
 * where the check fails. */
const char *uex_json_visit(struct uex_bytes text, const struct uex_json_visitor *visitor, size_t *offset_bytes);

/* Read one JSON object in which no object has two members of the same name. UEX_MALFORMED with a text that names the
 * rule, never the value; UEX_NO_MEMORY. The caller frees `*out` with cJSON_Delete(). */
UEX_MUST_CHECK enum uex_error uex_json_object_parse(struct uex_bytes text, cJSON **out, struct uex_fault *fault);

/* A member that is a string. `*out` is absent (data NULL) where it is missing or null, else borrowed from `object`.
 * UEX_MALFORMED for another type. */
UEX_MUST_CHECK enum uex_error uex_json_text(const cJSON *object, const char *name, struct uex_bytes *out,
                                            struct uex_fault *fault);

/* A member that is a whole number from 0 to 2^53, or an RFC 3339 time. UEX_MALFORMED where it is missing, null or
 * something else. */
UEX_MUST_CHECK enum uex_error uex_json_get_count(const cJSON *object, const char *name, uint64_t *out,
                                                 struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_json_get_time(const cJSON *object, const char *name, int64_t *out,
                                                struct uex_fault *fault);

/* Append a member of an object that has one already, with the comma before it; NULL, "", a count above 2^53
 * (UEX_UNKNOWN too, and readers refuse larger ones) and UEX_NO_TIME are null. */
void uex_json_append_name(struct uex_buffer *out, const char *name); /* its value is to follow */
void uex_json_append_text(struct uex_buffer *out, const char *name, const char *text);
void uex_json_append_count(struct uex_buffer *out, const char *name, uint64_t count);
void uex_json_append_time(struct uex_buffer *out, const char *name, int64_t wall_ms);

/* Unicode code points of valid UTF-8. */
size_t uex_character_count(struct uex_bytes text);
#endif
