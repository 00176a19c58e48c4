/* SPDX-License-Identifier: Apache-2.0 */
#include "model/json.h"

#include <math.h>
#include <stdlib.h>

#include "export/clock.h"

#define COUNT_DIGITS 16 /* of UEX_COUNT_MAX */

static int compare_names(const void *left, const void *right)
{
    const char *const *left_name = left, *const *right_name = right;

    return strcmp(*left_name, *right_name);
}

/* Has this object two members of the same name? */
static enum uex_error check_names(const cJSON *object)
{
    enum uex_error error = UEX_OK;
    const cJSON *member;
    const char **names = NULL;
    size_t count = 0;

    cJSON_ArrayForEach(member, object) count++;
    if (count < 2)
        return UEX_OK;
    names = calloc(count, sizeof *names);
    if (names == NULL)
        return UEX_NO_MEMORY;
    count = 0;
    cJSON_ArrayForEach(member, object) names[count++] = member->string;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count && error == UEX_OK; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            error = UEX_MALFORMED;
    free(names);
    return error;
}

/* The same for every object inside; the depth is bounded by uex_json_check(). */
static enum uex_error check_all_names(const cJSON *value)
{
    enum uex_error error = cJSON_IsObject(value) ? check_names(value) : UEX_OK;
    const cJSON *child;

    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return UEX_OK;
    cJSON_ArrayForEach(child, value)
    {
        if (error != UEX_OK)
            break;
        error = check_all_names(child);
    }
    return error;
}

enum uex_error uex_json_object_parse(struct uex_bytes text, cJSON **out, struct uex_fault *fault)
{
    enum uex_error error;
    size_t offset_bytes = 0;
    const char *problem = uex_json_check(text, &offset_bytes);
    cJSON *value = NULL;

    *out = NULL;
    if (problem != NULL)
        return uex_fail(fault, UEX_MALFORMED, "not JSON as expected: %s, at byte %zu", problem, offset_bytes);
    /* What passed the check is within cJSON's grammar, so only memory can be short now. */
    value = cJSON_ParseWithLength((const char *)text.data, text.size_bytes);
    if (value == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "reading JSON of %zu bytes", text.size_bytes);
    if (!cJSON_IsObject(value)) {
        error = uex_fail(fault, UEX_MALFORMED, "the JSON value is not an object");
        goto done;
    }
    error = check_all_names(value);
    if (error != UEX_OK) {
        error = uex_fail(fault, error,
                         error == UEX_MALFORMED ? "a JSON object has two members of the same name"
                                                : "reading JSON of names");
        goto done;
    }
    *out = value;
    value = NULL;
done:
    cJSON_Delete(value);
    return error;
}

enum uex_error uex_json_text(const cJSON *object, const char *name, struct uex_bytes *out, struct uex_fault *fault)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    *out = (struct uex_bytes){0};
    if (member == NULL || cJSON_IsNull(member))
        return UEX_OK;
    if (!cJSON_IsString(member))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a string", name);
    *out = uex_bytes_of_text(member->valuestring);
    return UEX_OK;
}

enum uex_error uex_json_get_count(const cJSON *object, const char *name, uint64_t *out, struct uex_fault *fault)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(number) || number->valuedouble < 0 || number->valuedouble > (double)UEX_COUNT_MAX ||
        number->valuedouble != floor(number->valuedouble))
        return uex_fail(fault, UEX_MALFORMED, "%s is not a count", name);
    *out = (uint64_t)number->valuedouble;
    return UEX_OK;
}

enum uex_error uex_json_get_time(const cJSON *object, const char *name, int64_t *out, struct uex_fault *fault)
{
    struct uex_bytes text = {0};
    enum uex_error error = uex_json_text(object, name, &text, fault);

    if (error == UEX_OK && (text.data == NULL || !uex_time_parse((const char *)text.data, text.size_bytes, out)))
        error = uex_fail(fault, UEX_MALFORMED, "%s is not an RFC 3339 time", name);
    return error;
}

size_t uex_character_count(struct uex_bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size_bytes; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}

void uex_json_append_name(struct uex_buffer *out, const char *name)
{
    uex_buffer_append(out, ",\"", 2);
    uex_buffer_append_text(out, name);
    uex_buffer_append(out, "\":", 2);
}

void uex_json_append_text(struct uex_buffer *out, const char *name, const char *text)
{
    uex_json_append_name(out, name);
    uex_buffer_append_json(out, text == NULL || text[0] == '\0' ? NULL : text);
}

void uex_json_append_count(struct uex_buffer *out, const char *name, uint64_t count)
{
    char digits[COUNT_DIGITS];
    size_t at = sizeof(digits);

    if (count > UEX_COUNT_MAX) {
        uex_json_append_text(out, name, NULL);
        return;
    }
    do {
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    uex_json_append_name(out, name);
    uex_buffer_append(out, digits + at, sizeof(digits) - at);
}

void uex_json_append_time(struct uex_buffer *out, const char *name, int64_t wall_ms)
{
    char text[UEX_TIME_TEXT_SIZE];

    uex_time_format(wall_ms, text);
    uex_json_append_text(out, name, text);
}
