/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/json_plain.h — past the bytes of a JSON string that need no more than a look: most of any record. */
#ifndef EXPORT_CORE_JSON_PLAIN_H
#define EXPORT_CORE_JSON_PLAIN_H

#include <endian.h>

#include "export/bytes.h"

#define UEX_EACH_BYTE(byte_) (UINT64_C(0x0101010101010101) * (byte_))

/* Has one of the eight bytes this value? Source: "Bit Twiddling Hacks", "Determine if a word has a zero byte". */
static inline uint64_t uex_has_byte(uint64_t word, uint8_t byte)
{
    uint64_t zeroed = word ^ UEX_EACH_BYTE(byte);

    return (zeroed - UEX_EACH_BYTE(1)) & ~zeroed & UEX_EACH_BYTE(0x80);
}

/* The first byte from `at` on that is a quote, a backslash or a control character; `end` if there is none. */
static inline const uint8_t *uex_json_skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= (ptrdiff_t)sizeof(uint64_t)) {
        uint64_t word, found;

        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        found = ((word - UEX_EACH_BYTE(0x20)) & ~word & UEX_EACH_BYTE(0x80)) | uex_has_byte(word, '"') |
                uex_has_byte(word, '\\');
        if (found != 0) /* a borrow may mark a byte that is none, but only behind one that is */
            return at + __builtin_ctzll(found) / 8;
        at += sizeof(word);
    }
    while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}
#endif
