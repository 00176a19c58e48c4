/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json.h"

#include "core/json_plain.h"
#include "export/text.h"

/* Where the check stands in the text. Each scan_ function starts at what it checks and leaves `at` behind it, or sets
 * `problem` and returns false. */
struct scanner {
    const uint8_t *at;
    const uint8_t *end;
    size_t value_count;
    const char *problem;
    const struct uex_json_visitor *visitor; /* NULL: none */
};

static bool fail(struct scanner *scanner, const char *problem)
{
    scanner->problem = problem;
    return false;
}

static int peek(const struct scanner *scanner)
{
    return scanner->at < scanner->end ? *scanner->at : -1;
}

static void skip_space(struct scanner *scanner)
{
    int byte;

    while ((byte = peek(scanner)) == ' ' || byte == '\t' || byte == '\n' || byte == '\r')
        scanner->at++;
}

/* The four digits after "\u"; -1 if there are none. */
static int scan_hex4(struct scanner *scanner)
{
    int unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = uex_hex_digit(peek(scanner));
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
        scanner->at++;
    }
    return unit;
}

/* `at` is behind "\u". A high surrogate must be followed by an escaped low one (RFC 8259, section 7). */
static bool scan_unicode_escape(struct scanner *scanner)
{
    int unit = scan_hex4(scanner);

    if (unit < 0)
        return fail(scanner, "a bad escape in a string");
    if (unit == 0)
        return fail(scanner, "U+0000 in a string");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return fail(scanner, "a lone surrogate in a string");
    if (unit < 0xD800 || unit > 0xDBFF)
        return true;
    if (scanner->end - scanner->at < 2 || scanner->at[0] != '\\' || scanner->at[1] != 'u')
        return fail(scanner, "a lone surrogate in a string");
    scanner->at += 2;
    unit = scan_hex4(scanner);
    if (unit < 0xDC00 || unit > 0xDFFF)
        return fail(scanner, "a lone surrogate in a string");
    return true;
}

static bool scan_string(struct scanner *scanner)
{
    scanner->at++; /* the quote */
    while ((scanner->at = uex_json_skip_plain(scanner->at, scanner->end)) < scanner->end) {
        uint8_t byte = *scanner->at++;
        if (byte == '"')
            return true;
        if (byte < 0x20)
            return fail(scanner, "a control character in a string");
        if (byte != '\\')
            continue;
        int escape = peek(scanner);
        if (escape <= 0 || strchr("\"\\/bfnrtu", escape) == NULL)
            return fail(scanner, "a bad escape in a string");
        scanner->at++;
        if (escape == 'u' && !scan_unicode_escape(scanner))
            return false;
    }
    return fail(scanner, "an unterminated string");
}

static bool scan_digits(struct scanner *scanner)
{
    const uint8_t *start = scanner->at;

    while (peek(scanner) >= '0' && peek(scanner) <= '9')
        scanner->at++;
    return scanner->at > start || fail(scanner, "a bad number");
}

static bool scan_number(struct scanner *scanner)
{
    const uint8_t *start = scanner->at;

    if (peek(scanner) == '-')
        scanner->at++;
    if (peek(scanner) == '0')
        scanner->at++;
    else if (!scan_digits(scanner))
        return false;
    if (peek(scanner) == '.') {
        scanner->at++;
        if (!scan_digits(scanner))
            return false;
    }
    if (peek(scanner) == 'e' || peek(scanner) == 'E') {
        scanner->at++;
        if (peek(scanner) == '+' || peek(scanner) == '-')
            scanner->at++;
        if (!scan_digits(scanner))
            return false;
    }
    return scanner->at - start <= UEX_JSON_MAX_NUMBER_BYTES || fail(scanner, "a number of over 63 characters");
}

static bool scan_word(struct scanner *scanner, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scanner->end - scanner->at) < length || memcmp(scanner->at, word, length) != 0)
        return fail(scanner, "a bad value");
    scanner->at += length;
    return true;
}

static bool scan_value(struct scanner *scanner, int depth);

/* "name" : — up to the member's value. */
static bool scan_name(struct scanner *scanner, size_t *size_bytes)
{
    const uint8_t *start = scanner->at;

    if (peek(scanner) != '"')
        return fail(scanner, "a member without a name");
    if (!scan_string(scanner))
        return false;
    *size_bytes = (size_t)(scanner->at - start);
    skip_space(scanner);
    if (peek(scanner) != ':')
        return fail(scanner, "a name without a colon");
    scanner->at++;
    return true;
}

static bool scan_member(struct scanner *scanner, int depth)
{
    const uint8_t *name = scanner->at, *value = NULL;
    size_t name_bytes = 0;

    if (!scan_name(scanner, &name_bytes))
        return false;
    skip_space(scanner);
    value = scanner->at;
    if (!scan_value(scanner, depth + 1))
        return false;
    if (depth == 1 && scanner->visitor != NULL)
        scanner->visitor->member(scanner->visitor->context, uex_bytes_of(name, name_bytes),
                                 uex_bytes_of(value, (size_t)(scanner->at - value)));
    return true;
}

/* An object or an array. */
static bool scan_container(struct scanner *scanner, int depth)
{
    bool is_object = *scanner->at == '{';
    int close = is_object ? '}' : ']';

    if (depth > UEX_JSON_MAX_DEPTH)
        return fail(scanner, "over 32 levels");
    scanner->at++;
    skip_space(scanner);
    if (peek(scanner) == close) {
        scanner->at++;
        return true;
    }
    for (;;) {
        skip_space(scanner);
        if (!(is_object ? scan_member(scanner, depth) : scan_value(scanner, depth + 1)))
            return false;
        skip_space(scanner);
        if (peek(scanner) == close) {
            scanner->at++;
            return true;
        }
        if (peek(scanner) != ',')
            return fail(scanner, peek(scanner) < 0 ? "the text ends too early" : "neither a comma nor an end");
        scanner->at++;
    }
}

static bool scan_value(struct scanner *scanner, int depth)
{
    if (++scanner->value_count > UEX_JSON_MAX_VALUES)
        return fail(scanner, "over 16384 values");
    skip_space(scanner);
    switch (peek(scanner)) {
    case -1:
        return fail(scanner, "the text ends too early");
    case '{':
    case '[':
        return scan_container(scanner, depth);
    case '"':
        return scan_string(scanner);
    case 't':
        return scan_word(scanner, "true");
    case 'f':
        return scan_word(scanner, "false");
    case 'n':
        return scan_word(scanner, "null");
    case '-':
        return scan_number(scanner);
    default:
        if (*scanner->at >= '0' && *scanner->at <= '9')
            return scan_number(scanner);
        return fail(scanner, "a bad value");
    }
}

const char *uex_json_check(struct uex_bytes text, size_t *offset_bytes)
{
    return uex_json_visit(text, NULL, offset_bytes);
}

const char *uex_json_visit(struct uex_bytes text, const struct uex_json_visitor *visitor, size_t *offset_bytes)
{
    struct scanner scanner = {.at = text.data, .end = text.data + text.size_bytes, .visitor = visitor};

    *offset_bytes = 0;
    if (text.size_bytes == 0)
        return "no text";
    if (text.size_bytes > UEX_JSON_MAX_BYTES)
        return "over 1 MiB";
    if (!uex_utf8_valid(text))
        return "invalid UTF-8";
    if (scan_value(&scanner, 1)) {
        skip_space(&scanner);
        if (scanner.at < scanner.end)
            scanner.problem = "data after the value";
    }
    *offset_bytes = (size_t)(scanner.at - text.data);
    return scanner.problem;
}
