/* SPDX-License-Identifier: Apache-2.0 */
#include "export/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/utf8.h"

struct error_entry {
    const char *code;
    const char *sentence;
    enum uex_disposition disposition;
};

static const struct error_entry ERRORS[UEX_ERROR_COUNT] = {
#define UEX_ERROR_ENTRY(name_, code_, disposition_, sentence_)                                                         \
    [UEX_##name_] = {.code = (code_), .sentence = (sentence_), .disposition = UEX_DISPOSITION_##disposition_},
    UEX_ERRORS(UEX_ERROR_ENTRY)
#undef UEX_ERROR_ENTRY
};

static const struct error_entry *entry_of(enum uex_error error)
{
    return (unsigned)error < UEX_ERROR_COUNT ? &ERRORS[error] : &ERRORS[UEX_INTERNAL];
}

const char *uex_error_code(enum uex_error error)
{
    return entry_of(error)->code;
}

const char *uex_error_sentence(enum uex_error error)
{
    return entry_of(error)->sentence;
}

enum uex_disposition uex_error_disposition(enum uex_error error)
{
    return entry_of(error)->disposition;
}

bool uex_error_from_code(const char *code, enum uex_error *out)
{
    if (code == NULL)
        return false;
    for (int i = 0; i < UEX_ERROR_COUNT; i++) {
        if (strcmp(ERRORS[i].code, code) == 0) {
            *out = (enum uex_error)i;
            return true;
        }
    }
    return false;
}

/* One line of valid UTF-8: the text comes from libraries and systems in any encoding, and the cut may split a
 * character. */
static void clean_line(char *text)
{
    size_t size_bytes = strlen(text);
    size_t at = 0;
    size_t last = size_bytes;

    while (at < size_bytes) {
        struct uex_utf8_char next = uex_utf8_next((const uint8_t *)text + at, size_bytes - at);

        if (next.truncated) {
            last = at;
            break;
        }
        if (!next.valid)
            memset(text + at, '?', next.size_bytes);
        else if (next.is_control)
            memset(text + at, ' ', next.size_bytes);
        at += next.size_bytes;
    }
    text[last] = '\0';
}

enum uex_error uex_fail(struct uex_fault *fault, enum uex_error error, const char *format, ...)
{
    va_list arguments;

    if (fault == NULL)
        return error;
    /* Built aside: the arguments may point into the fault itself. */
    struct uex_fault built = {.error = error};
    va_start(arguments, format);
    if (vsnprintf(built.text, sizeof(built.text), format, arguments) < 0)
        built.text[0] = '\0';
    va_end(arguments);
    clean_line(built.text);
    *fault = built;
    return error;
}
