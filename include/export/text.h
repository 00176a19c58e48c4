/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/text.h — checks and forms of text that several modules share. Any thread. */
#ifndef EXPORT_TEXT_H
#define EXPORT_TEXT_H

#include "export/buffer.h"

/* Valid UTF-8 by RFC 3629 (no surrogates, no overlong forms). */
bool uex_utf8_valid(struct uex_bytes text);
/* A group id: 1 to 255 bytes of UTF-8 without control characters (C0, DEL, C1). */
bool uex_group_id_valid(struct uex_bytes text);
/* Percent-encode all but the unreserved characters of RFC 3986, section 2.3; the names "." and ".." wholly. */
void uex_percent_encode(struct uex_buffer *out, struct uex_bytes text);
/* strdup of bytes; NULL when memory ends. */
UEX_MUST_CHECK char *uex_text_copy(struct uex_bytes text);
/* Overwrite a secret before its memory is freed; accepts NULL. */
void uex_secret_free(char *secret);
#endif
