/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json_scan.h"

#include <math.h>
#include <stdlib.h>

#include "core/json_plain.h"
#include "export/text.h"
#include "model/json.h"

#define DIGITS_MAX 15 /* so many digits are below 2^53 */

/* Nothing here looks whether the text ends: it has been checked, so every value does before it. `end` is there for what
 * reads more than a byte at once. */

static char *skip_space(char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
        at++;
    return at;
}

/* Behind the closing quote. */
static char *skip_string(char *at, const char *end)
{
    for (at++;; at += 2) {
        at = (char *)(uintptr_t)uex_json_skip_plain((const uint8_t *)at, (const uint8_t *)end);
        if (*at != '\\')
            return at + 1;
    }
}

/* Behind an object or array. */
static char *skip_container(char *at, const char *end)
{
    size_t depth = 0;

    for (;;) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
        if (depth == 0)
            return at;
    }
}

static char *skip_word(char *at)
{
    while (*at != ',' && *at != '}' && *at != ']' && *at != ' ' && *at != '\t' && *at != '\n' && *at != '\r' &&
           *at != 0)
        at++;
    return at;
}

static enum uex_json_kind kind_of(int first)
{
    switch (first) {
    case '"':
        return UEX_JSON_STRING;
    case '{':
        return UEX_JSON_OBJECT;
    case '[':
        return UEX_JSON_ARRAY;
    case 'n':
        return UEX_JSON_ABSENT;
    case 't':
    case 'f':
        return UEX_JSON_BOOLEAN;
    default:
        return UEX_JSON_NUMBER;
    }
}

static struct uex_json_value value_at(char *at, char *end)
{
    struct uex_json_value value = {.kind = kind_of(*at), .start = at};

    if (value.kind == UEX_JSON_STRING)
        end = skip_string(at, end);
    else if (value.kind == UEX_JSON_OBJECT || value.kind == UEX_JSON_ARRAY)
        end = skip_container(at, end);
    else
        end = skip_word(at);
    value.size_bytes = (size_t)(end - at);
    return value;
}

static int hex4(const char *at)
{
    int unit = 0;

    for (int i = 0; i < 4; i++)
        unit = unit * 16 + uex_hex_digit(at[i]);
    return unit;
}

static char *put_utf8(char *out, int code_point)
{
    if (code_point < 0x80) {
        *out++ = (char)code_point;
    } else if (code_point < 0x800) {
        *out++ = (char)(0xC0 | code_point >> 6);
        *out++ = (char)(0x80 | (code_point & 0x3F));
    } else if (code_point < 0x10000) {
        *out++ = (char)(0xE0 | code_point >> 12);
        *out++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code_point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code_point >> 18);
        *out++ = (char)(0x80 | (code_point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code_point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code_point & 0x3F));
    }
    return out;
}

/* `*at` is behind the backslash. What an escape stands for is never longer than the escape. */
static char *put_escape(char *out, const char **at)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int unit = 0;

    if (**at != 'u') {
        *out++ = meanings[strchr(names, **at) - names];
        (*at)++;
        return out;
    }
    unit = hex4(*at + 1);
    *at += 5;
    if (unit >= 0xD800 && unit <= 0xDBFF) { /* the low surrogate follows: that was checked */
        unit = 0x10000 + ((unit - 0xD800) << 10) + (hex4(*at + 2) - 0xDC00);
        *at += 6;
    }
    return put_utf8(out, unit);
}

/* From behind the opening quote to the closing one, into `out`, which may be the same place. Returns its end. */
static char *decode(const char *at, char *out)
{
    while (*at != '"') {
        if (*at == '\\') {
            at++;
            out = put_escape(out, &at);
        } else {
            *out++ = *at++;
        }
    }
    return out;
}

/* The place of a name among the known ones; `name_count` if it is none of them. Members mostly stand in the order of
 * the names, so the search begins at `likely`. */
static size_t place_of(struct uex_bytes name, const char *const *names, size_t name_count, size_t likely)
{
    const char *text = (const char *)name.data + 1; /* behind the quote */
    size_t length = name.size_bytes - 2, place = likely < name_count ? likely : 0;
    char decoded[128];

    if (memchr(text, '\\', length) != NULL) {
        if (length > sizeof(decoded))
            return name_count; /* six bytes for a character at most: longer than any known name */
        length = (size_t)(decode(text, decoded) - decoded);
        text = decoded;
    }
    for (size_t tried = 0; tried < name_count; tried++) {
        if (names[place][0] == text[0] && strncmp(names[place], text, length) == 0 && names[place][length] == 0)
            return place;
        place = place + 1 < name_count ? place + 1 : 0;
    }
    return name_count;
}

enum uex_error uex_json_members(const struct uex_json_value *object, const char *const *names, size_t name_count,
                                struct uex_json_value *values, struct uex_fault *fault)
{
    uint64_t seen = 0;
    size_t place = 0;
    char *at = skip_space(object->start + 1), *end = object->start + object->size_bytes;

    memset(values, 0, name_count * sizeof(*values));
    while (*at != '}') {
        struct uex_json_value name = value_at(at, end), value;

        place = place_of(uex_bytes_of(name.start, name.size_bytes), names, name_count, place + 1);
        at = skip_space(at + name.size_bytes);
        value = value_at(skip_space(at + 1), end); /* behind the colon */
        if (place < name_count && (seen >> place & 1) != 0)
            return uex_fail(fault, UEX_MALFORMED, "a JSON object has two members of the same name");
        if (place < name_count) {
            seen |= UINT64_C(1) << place;
            values[place] = value;
        }
        at = skip_space(value.start + value.size_bytes);
        if (*at == ',')
            at = skip_space(at + 1);
    }
    return UEX_OK;
}

/* What the check has found of the outermost object. */
struct opening {
    const char *const *names;
    size_t name_count;
    struct uex_json_value *values;
    uint64_t seen;
    size_t place; /* of the member before */
    bool is_double;
};

static void note_member(void *context, struct uex_bytes name, struct uex_bytes value)
{
    struct opening *opening = context;
    size_t place = place_of(name, opening->names, opening->name_count, opening->place + 1);

    opening->place = place;
    if (place == opening->name_count)
        return;
    opening->is_double = opening->is_double || (opening->seen >> place & 1) != 0;
    opening->seen |= UINT64_C(1) << place;
    opening->values[place] = (struct uex_json_value){
        .kind = kind_of(*value.data), .start = (char *)(uintptr_t)value.data, .size_bytes = value.size_bytes};
}

enum uex_error uex_json_open(char *text, size_t size_bytes, const char *const *names, size_t name_count,
                             struct uex_json_value *values, struct uex_fault *fault)
{
    struct opening opening = {.names = names, .name_count = name_count, .place = name_count, .values = values};
    const struct uex_json_visitor visitor = {.member = note_member, .context = &opening};
    size_t offset_bytes = 0;
    const char *problem = NULL;

    memset(values, 0, name_count * sizeof(*values));
    problem = uex_json_visit(uex_bytes_of(text, size_bytes), &visitor, &offset_bytes);
    if (problem != NULL)
        return uex_fail(fault, UEX_MALFORMED, "not JSON as expected: %s, at byte %zu", problem, offset_bytes);
    if (*skip_space(text) != '{')
        return uex_fail(fault, UEX_MALFORMED, "the JSON value is not an object");
    if (opening.is_double)
        return uex_fail(fault, UEX_MALFORMED, "a JSON object has two members of the same name");
    return UEX_OK;
}

bool uex_json_next(struct uex_json_value *rest, struct uex_json_value *element)
{
    char *end = rest->start + rest->size_bytes;
    char *at = skip_space(rest->start + 1); /* behind '[' or ',' */

    if (*at == ']' || at >= end)
        return false;
    *element = value_at(at, end);
    rest->start = skip_space(at + element->size_bytes);
    rest->size_bytes = (size_t)(end - rest->start);
    return true;
}

enum uex_error uex_json_string(const struct uex_json_value *value, const char *name, struct uex_bytes *out,
                               struct uex_fault *fault)
{
    char *text = NULL, *end = NULL;

    *out = (struct uex_bytes){0};
    if (value->kind == UEX_JSON_ABSENT)
        return UEX_OK;
    if (value->kind != UEX_JSON_STRING)
        return uex_fail(fault, UEX_MALFORMED, "%s is not a string", name);
    text = value->start + 1;
    if (memchr(text, '\\', value->size_bytes - 2) == NULL)
        end = text + value->size_bytes - 2;
    else
        end = decode(text, text);
    *end = 0;
    *out = uex_bytes_of(text, (size_t)(end - text));
    return UEX_OK;
}

/* Of plain digits, as every count is written. */
static bool read_digits(const struct uex_json_value *value, uint64_t *out)
{
    if (value->size_bytes > DIGITS_MAX)
        return false;
    *out = 0;
    for (size_t at = 0; at < value->size_bytes; at++) {
        if (value->start[at] < '0' || value->start[at] > '9')
            return false;
        *out = *out * 10 + (uint64_t)(value->start[at] - '0');
    }
    return true;
}

enum uex_error uex_json_count(const struct uex_json_value *value, const char *name, uint64_t *out,
                              struct uex_fault *fault)
{
    double number = 0;

    *out = UEX_UNKNOWN;
    if (value->kind == UEX_JSON_ABSENT || (value->kind == UEX_JSON_NUMBER && read_digits(value, out)))
        return UEX_OK;
    *out = UEX_UNKNOWN;
    if (value->kind == UEX_JSON_NUMBER)
        number = strtod(value->start, NULL);
    if (value->kind != UEX_JSON_NUMBER || number < 0 || number > (double)UEX_COUNT_MAX || number != floor(number))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a count", name);
    *out = (uint64_t)number;
    return UEX_OK;
}
