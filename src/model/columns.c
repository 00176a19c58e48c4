/* SPDX-License-Identifier: Apache-2.0 */
#include "export/columns.h"

const struct uex_column uex_columns[UEX_COLUMN_COUNT] = {
    {"username", "username", UEX_COLUMN_TEXT},
    {"groupId", "group_id", UEX_COLUMN_TEXT},
    {"displayName", "display_name", UEX_COLUMN_TEXT},
    {"gender", "gender", UEX_COLUMN_TEXT},
    {"dateOfBirth", "date_of_birth", UEX_COLUMN_DATE},
    {"location", "location", UEX_COLUMN_TEXT},
    {"intent", "intent", UEX_COLUMN_TEXT},
    {"bio", "bio", UEX_COLUMN_TEXT},
    {"smokes", "smokes", UEX_COLUMN_BOOLEAN},
    {"drinks", "drinks", UEX_COLUMN_BOOLEAN},
    {"wantsKids", "wants_kids", UEX_COLUMN_BOOLEAN},
    {"education", "education", UEX_COLUMN_TEXT},
    {"religion", "religion", UEX_COLUMN_TEXT},
    {"occupation", "occupation", UEX_COLUMN_TEXT},
    {"preferredGenders", "preferred_genders", UEX_COLUMN_TEXT},
    {"preferredMinAge", "preferred_min_age", UEX_COLUMN_INTEGER},
    {"preferredMaxAge", "preferred_max_age", UEX_COLUMN_INTEGER},
    {"relationshipType", "relationship_type", UEX_COLUMN_TEXT},
    {"openToLongDistance", "open_to_long_distance", UEX_COLUMN_BOOLEAN},
    {"readyForMatching", "ready_for_matching", UEX_COLUMN_BOOLEAN},
};

/* An action and the columns it is for. */
struct action_rule {
    const char *name;
    enum uex_mask_action action;
    bool any_type;
    enum uex_column_type type;
    const char *type_text;
};

static const struct action_rule action_rules[] = {
    {"null", UEX_MASK_NULL, true, UEX_COLUMN_TEXT, "any"},
    {"redact", UEX_MASK_REDACT, false, UEX_COLUMN_TEXT, "text"},
    {"hash", UEX_MASK_HASH, false, UEX_COLUMN_TEXT, "text"},
    {"year", UEX_MASK_YEAR, false, UEX_COLUMN_DATE, "date"},
};

#define ACTION_COUNT (sizeof action_rules / sizeof action_rules[0])
#define SHOWN_BYTES 40 /* of a part that is quoted in an error */

static struct uex_bytes trim(struct uex_bytes text)
{
    while (text.size_bytes > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size_bytes--;
    }
    while (text.size_bytes > 0 && (text.data[text.size_bytes - 1] == ' ' || text.data[text.size_bytes - 1] == '\t'))
        text.size_bytes--;
    return text;
}

static bool same_text(struct uex_bytes text, const char *name)
{
    return text.size_bytes == strlen(name) && memcmp(text.data, name, text.size_bytes) == 0;
}

static enum uex_error fail_column(struct uex_bytes name, struct uex_fault *fault)
{
    char names[256] = "";
    size_t size = 0;

    for (size_t i = 0; i < UEX_COLUMN_COUNT; i++) {
        size_t length = strlen(uex_columns[i].name);
        if (size + length + 2 > sizeof names)
            break;
        if (size > 0)
            names[size++] = ',';
        memcpy(names + size, uex_columns[i].name, length + 1);
        size += length;
    }
    return uex_fail(fault, UEX_CONFIG, "no column '%.*s'; columns: %s",
                    (int)(name.size_bytes < SHOWN_BYTES ? name.size_bytes : SHOWN_BYTES), (const char *)name.data,
                    names);
}

/* One "column:action". */
static enum uex_error parse_part(struct uex_bytes part, bool has_key, struct uex_masks *out, struct uex_fault *fault)
{
    int shown = (int)(part.size_bytes < SHOWN_BYTES ? part.size_bytes : SHOWN_BYTES);
    const uint8_t *colon = part.size_bytes == 0 ? NULL : memchr(part.data, ':', part.size_bytes);
    const struct action_rule *rule = NULL;
    size_t column = 0;

    if (colon == NULL)
        return uex_fail(fault, UEX_CONFIG, "'%.*s' is not column:action", shown,
                        part.size_bytes == 0 ? "" : (const char *)part.data);
    struct uex_bytes name = trim(uex_bytes_of(part.data, (size_t)(colon - part.data)));
    struct uex_bytes action = trim(uex_bytes_of(colon + 1, (size_t)(part.data + part.size_bytes - (colon + 1))));

    while (column < UEX_COLUMN_COUNT && !same_text(name, uex_columns[column].name))
        column++;
    if (column == UEX_COLUMN_COUNT)
        return fail_column(name, fault);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        if (same_text(action, action_rules[i].name))
            rule = &action_rules[i];
    if (rule == NULL)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': unknown action; allowed are null, redact, hash, year", shown,
                        (const char *)part.data);
    if (!rule->any_type && rule->type != uex_columns[column].type)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': %s is for %s columns only", shown, (const char *)part.data,
                        rule->name, rule->type_text);
    if (rule->action == UEX_MASK_HASH && !has_key)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': hash needs export.mask_key", shown, (const char *)part.data);
    if (out->actions[column] != UEX_MASK_NONE)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': the column has an action already", shown, (const char *)part.data);
    out->actions[column] = rule->action;
    return UEX_OK;
}

enum uex_error uex_masks_parse(const char *text, bool has_key, struct uex_masks *out, struct uex_fault *fault)
{
    struct uex_bytes rest = trim(uex_bytes_of_text(text));
    enum uex_error error = UEX_OK;

    memset(out, 0, sizeof *out);
    if (rest.size_bytes == 0)
        return UEX_OK;
    for (;;) {
        const uint8_t *comma = rest.size_bytes == 0 ? NULL : memchr(rest.data, ',', rest.size_bytes);
        size_t size = comma == NULL ? rest.size_bytes : (size_t)(comma - rest.data);
        error = parse_part(trim(uex_bytes_of(rest.data, size)), has_key, out, fault);
        if (error != UEX_OK || comma == NULL)
            break;
        rest.data += size + 1;
        rest.size_bytes -= size + 1;
    }
    if (error != UEX_OK)
        memset(out, 0, sizeof *out);
    return error;
}

void uex_columns_header(enum uex_version_field version, struct uex_buffer *out)
{
    if (version == UEX_VERSION_COMMENT)
        uex_buffer_append_text(out, "# ExportVersion: " UEX_EXPORT_VERSION "\n");
    for (size_t i = 0; i < UEX_COLUMN_COUNT; i++) {
        if (i > 0)
            uex_buffer_append_text(out, ",");
        uex_buffer_append_text(out, uex_columns[i].name);
    }
    uex_buffer_append_text(out, version == UEX_VERSION_COLUMN ? ",exportVersion\n" : "\n");
}
