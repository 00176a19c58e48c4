/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/trace_parent.h"

#include <string.h>

#include "export/text.h"

/* version-traceid-parentid-flags: 2, 32, 16 and 2 hex digits. */
#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define SIZE_BYTES 55
#define FLAG_SAMPLED 1

/* Lower-case hex digits; the standard allows no others. */
static bool is_hex(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    }
    return true;
}

/* An id of nothing but zeros is none. */
static bool is_id(const char *text, size_t size_bytes)
{
    for (size_t i = 0; is_hex(text, size_bytes) && i < size_bytes; i++) {
        if (text[i] != '0')
            return true;
    }
    return false;
}

bool uex_trace_parent_parse(struct uex_bytes text, struct uex_trace_parent *out)
{
    const char *chars = (const char *)text.data;

    *out = (struct uex_trace_parent){0};
    if (chars == NULL || text.size_bytes < SIZE_BYTES || chars[2] != '-' || chars[SPAN_AT - 1] != '-' ||
        chars[FLAGS_AT - 1] != '-' || !is_hex(chars, 2) || memcmp(chars, "ff", 2) == 0 ||
        !is_id(chars + TRACE_AT, UEX_TRACE_ID_SIZE - 1) || !is_id(chars + SPAN_AT, UEX_SPAN_ID_SIZE - 1) ||
        !is_hex(chars + FLAGS_AT, 2))
        return false;
    if (text.size_bytes > SIZE_BYTES && (memcmp(chars, "00", 2) == 0 || chars[SIZE_BYTES] != '-'))
        return false;
    memcpy(out->trace_id, chars + TRACE_AT, UEX_TRACE_ID_SIZE - 1);
    memcpy(out->span_id, chars + SPAN_AT, UEX_SPAN_ID_SIZE - 1);
    out->is_sampled = (uex_hex_digit(chars[FLAGS_AT + 1]) & FLAG_SAMPLED) != 0;
    return true;
}
