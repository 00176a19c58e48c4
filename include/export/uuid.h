/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/uuid.h — UUIDs as text (RFC 9562). Any thread. */
#ifndef EXPORT_UUID_H
#define EXPORT_UUID_H

#include "export/error.h"

#define UEX_UUID_TEXT_SIZE 37 /* 36 characters and the zero */

/* 8-4-4-4-12 hex digits in any letter case, written to `out` in lower case. False for anything else. */
UEX_MUST_CHECK bool uex_uuid_parse(const char *text, size_t size_bytes, char *out);
/* UUIDv5 (section 5.5) of `name` in the project's namespace 10731def-ce10-4a86-a579-f4438f52a638. */
void uex_uuid_named(const char *name, size_t size_bytes, char *out);
/* UUIDv4 from the system's random source. */
void uex_uuid_random(char *out);
/* 16 bytes to text and back; text must be valid. */
void uex_uuid_to_bytes(const char *text, uint8_t out[16]);
void uex_uuid_from_bytes(const uint8_t bytes[16], char *out);
#endif
