/* SPDX-License-Identifier: Apache-2.0 */
#include "export/group_state_head.h"

#include "core/json_plain.h"
#include "export/text.h"
#include "model/command_fields.h"

#define DIGITS_MAX 15 /* so many digits are below 2^53 */

/* What is left of the record. Each take_ function goes past what it takes, or returns false. */
struct rest {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take_bytes(struct rest *rest, const void *bytes, size_t size_bytes)
{
    if ((size_t)(rest->end - rest->at) < size_bytes || memcmp(rest->at, bytes, size_bytes) != 0)
        return false;
    rest->at += size_bytes;
    return true;
}

#define TAKE(rest_, literal_) take_bytes(rest_, literal_, sizeof(literal_) - 1)

/* A string without escapes. */
static bool take_string(struct rest *rest, struct uex_bytes *out)
{
    const uint8_t *start = rest->at + 1;

    if (!TAKE(rest, "\""))
        return false;
    rest->at = uex_json_skip_plain(start, rest->end);
    *out = uex_bytes_of(start, (size_t)(rest->at - start));
    return TAKE(rest, "\"");
}

static bool take_string_or_null(struct rest *rest, struct uex_bytes *out)
{
    *out = (struct uex_bytes){0};
    return TAKE(rest, "null") || take_string(rest, out);
}

/* A string that has as many bytes as it may have characters is short enough; of another one the strict reading knows.
 */
static bool take_short(struct rest *rest, size_t max_characters, struct uex_bytes *out)
{
    return take_string_or_null(rest, out) && out->size_bytes <= max_characters;
}

static bool take_outcome(struct rest *rest, enum uex_outcome_kind *out)
{
    struct uex_bytes text;

    if (!take_string(rest, &text))
        return false;
    for (unsigned kind = 0; kind < UEX_OUTCOME_COUNT; kind++) {
        const struct uex_bytes known = uex_bytes_of_text(uex_outcome_text((enum uex_outcome_kind)kind));

        *out = (enum uex_outcome_kind)kind;
        if (known.size_bytes == text.size_bytes && memcmp(known.data, text.data, text.size_bytes) == 0)
            return true;
    }
    return false;
}

static bool take_id(struct rest *rest)
{
    char id[UEX_UUID_TEXT_SIZE];
    struct uex_bytes text;

    return take_string(rest, &text) && uex_uuid_parse((const char *)text.data, text.size_bytes, id);
}

static bool take_time(struct rest *rest, int64_t *out)
{
    struct uex_bytes text;

    *out = UEX_NO_TIME;
    return take_string_or_null(rest, &text) &&
           (text.data == NULL || uex_time_parse((const char *)text.data, text.size_bytes, out));
}

static bool take_count(struct rest *rest, uint64_t *out)
{
    const uint8_t *start = rest->at;
    size_t digits = 0;

    *out = UEX_UNKNOWN;
    if (TAKE(rest, "null"))
        return true;
    for (*out = 0; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9' && digits <= DIGITS_MAX; digits++)
        *out = *out * 10 + (uint64_t)(*rest->at++ - '0');
    return digits > 0 && digits <= DIGITS_MAX && (digits == 1 || *start != '0');
}

bool uex_group_state_head_read(struct uex_bytes value, struct uex_bytes group_id, struct uex_state_head *out)
{
    struct rest rest = {.at = value.data, .end = value.data + value.size_bytes};
    struct uex_bytes reason;

    if (!TAKE(&rest, "{\"version\":1,\"groupId\":\"") || !take_bytes(&rest, group_id.data, group_id.size_bytes) ||
        !TAKE(&rest, "\",\"outcome\":") || !take_outcome(&rest, &out->outcome) || !TAKE(&rest, ",\"reason\":") ||
        !take_short(&rest, UEX_STATE_REASON_MAX_CHARACTERS, &reason) || !TAKE(&rest, ",\"commandId\":") ||
        !take_id(&rest) || !TAKE(&rest, ",\"runId\":") || !take_short(&rest, UEX_RUN_ID_MAX_CHARACTERS, &out->run_id) ||
        !TAKE(&rest, ",\"at\":") || !take_time(&rest, &out->at_ms) || !TAKE(&rest, ",\"rows\":") ||
        !take_count(&rest, &out->rows) || !TAKE(&rest, ",\"bytes\":") || !take_count(&rest, &out->bytes) ||
        rest.at == rest.end || (*rest.at != ',' && *rest.at != '}'))
        return false;
    return uex_utf8_valid(uex_bytes_of(value.data, (size_t)(rest.at - value.data)));
}
