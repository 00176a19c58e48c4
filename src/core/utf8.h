/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/utf8.h — one step through UTF-8 text (RFC 3629), for checks, replacement and cutting. Any thread. */
#ifndef EXPORT_CORE_UTF8_H
#define EXPORT_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uex_utf8_char {
    size_t size_bytes; /* how far to go on; at least 1. Of an invalid sequence: its longest prefix that could have
                          become a character, as Unicode 15, section 3.9 wants it replaced */
    bool valid;
    bool truncated;  /* not valid only because the text ends here */
    bool is_control; /* C0, DEL, C1 */
};

/* The character at the start of `text`, which has at least one byte. */
struct uex_utf8_char uex_utf8_next(const uint8_t *text, size_t size_bytes);
#endif
