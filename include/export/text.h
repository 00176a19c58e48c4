/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/text.h — checks and forms of text that several modules share. Any thread. */
#ifndef EXPORT_TEXT_H
#define EXPORT_TEXT_H

#include "export/buffer.h"

/* By byte: the value of a hex digit, -1 where it is none. */
extern const int8_t uex_hex_values[256];

/* Valid UTF-8 by RFC 3629 (no surrogates, no overlong forms). */
bool uex_utf8_valid(struct uex_bytes text);
/* A group id: 1 to 255 bytes of UTF-8 without control characters (C0, DEL, C1). */
bool uex_group_id_valid(struct uex_bytes text);
/* Percent-encode all but the unreserved characters of RFC 3986, section 2.3; the names "." and ".." wholly. */
void uex_percent_encode(struct uex_buffer *out, struct uex_bytes text);
/* The same, but dots need no escape, and the characters of `keep` stay as they are. */
void uex_percent_encode_keeping(struct uex_buffer *out, struct uex_bytes text, const char *keep);
/* Percent-decode (RFC 3986, section 2.1) into a C string, which the caller frees; wiping its memory wipes all copies.
 * UEX_MALFORMED: a bad escape, or one of a zero byte; UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_percent_decode(struct uex_bytes text, char **out);
/* The value of a hex digit of either case; -1: it is none. */
static inline int uex_hex_digit(int character)
{
    return (unsigned)character < 256 ? uex_hex_values[character] : -1;
}
/* strdup of bytes; NULL when memory ends. */
UEX_MUST_CHECK char *uex_text_copy(struct uex_bytes text);
/* Levenshtein's distance of two texts whose bytes are compared as `fold` returns them. SIZE_MAX: one of them has more
 * than 255 bytes. */
size_t uex_text_distance(struct uex_bytes left, struct uex_bytes right, char (*fold)(char c));
/* The text without the bytes of `blanks` around it. */
struct uex_bytes uex_text_trim(struct uex_bytes text, const char *blanks);
/* The next item of a list with commas, without the blanks around it; `*rest` moves behind it and is NULL after the last
 * one. False: there is none. An empty text has one item, which is empty, "a," has two. */
bool uex_list_next(const char **rest, struct uex_bytes *item);
/* Overwrite a secret before its memory is freed; accepts NULL. */
void uex_secret_free(char *secret);
#endif
