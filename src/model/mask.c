/* SPDX-License-Identifier: Apache-2.0 */
#include "model/mask.h"

#include "export/text.h"

#define SHOWN_BYTES 40 /* of a part that is quoted in an error */

static const struct mask_rule {
    const char *name, *type_text;
} rules[] = {
    [UEX_MASK_NONE] = {"", "any"},      [UEX_MASK_NULL] = {"null", "any"},  [UEX_MASK_REDACT] = {"redact", "text"},
    [UEX_MASK_HASH] = {"hash", "text"}, [UEX_MASK_YEAR] = {"year", "date"},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

const char *uex_mask_name(enum uex_mask_action mask)
{
    return rules[mask].name;
}

const char *uex_mask_type_text(enum uex_mask_action mask)
{
    return rules[mask].type_text;
}

bool uex_mask_fits(enum uex_mask_action mask, enum uex_column_type type)
{
    switch (mask) {
    case UEX_MASK_REDACT:
    case UEX_MASK_HASH:
        return type == UEX_COLUMN_TEXT || type == UEX_COLUMN_UUID;
    case UEX_MASK_YEAR:
        return type == UEX_COLUMN_DATE;
    case UEX_MASK_NONE:
    case UEX_MASK_NULL:
        break;
    }
    return true;
}

static struct uex_bytes trim(struct uex_bytes text)
{
    return uex_text_trim(text, " \t");
}

static bool same_text(struct uex_bytes text, const char *name)
{
    return text.size_bytes == strlen(name) && memcmp(text.data, name, text.size_bytes) == 0;
}

static enum uex_error fail_column(const struct uex_layout *layout, struct uex_bytes name, struct uex_fault *fault)
{
    char names[256] = "";
    size_t size = 0;

    for (size_t i = 0; i < layout->column_count; i++) {
        size_t length = strlen(layout->columns[i].name);

        if (size + length + 2 > sizeof(names))
            break;
        if (size > 0)
            names[size++] = ',';
        memcpy(names + size, layout->columns[i].name, length + 1);
        size += length;
    }
    return uex_fail(fault, UEX_CONFIG, "no column '%.*s'; columns: %s",
                    (int)(name.size_bytes < SHOWN_BYTES ? name.size_bytes : SHOWN_BYTES), (const char *)name.data,
                    names);
}

static struct uex_layout_column *find_column(struct uex_layout *layout, struct uex_bytes name)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        if (same_text(name, layout->columns[i].name))
            return &layout->columns[i];
    }
    return NULL;
}

static enum uex_mask_action find_action(struct uex_bytes name)
{
    for (size_t i = UEX_MASK_NONE + 1; i < RULE_COUNT; i++) {
        if (same_text(name, rules[i].name))
            return (enum uex_mask_action)i;
    }
    return UEX_MASK_NONE;
}

/* One "column:action". */
static enum uex_error read_part(struct uex_bytes part, bool has_key, struct uex_layout *layout, struct uex_fault *fault)
{
    int shown = (int)(part.size_bytes < SHOWN_BYTES ? part.size_bytes : SHOWN_BYTES);
    const uint8_t *colon = part.size_bytes == 0 ? NULL : memchr(part.data, ':', part.size_bytes);
    struct uex_layout_column *column = NULL;
    enum uex_mask_action action;

    if (colon == NULL)
        return uex_fail(fault, UEX_CONFIG, "'%.*s' is not column:action", shown,
                        part.size_bytes == 0 ? "" : (const char *)part.data);
    struct uex_bytes name = trim(uex_bytes_of(part.data, (size_t)(colon - part.data)));

    action = find_action(trim(uex_bytes_of(colon + 1, (size_t)(part.data + part.size_bytes - (colon + 1)))));
    column = find_column(layout, name);
    if (column == NULL)
        return fail_column(layout, name, fault);
    if (action == UEX_MASK_NONE)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': unknown action; allowed are null, redact, hash, year", shown,
                        (const char *)part.data);
    if (column->kind.type != UEX_COLUMN_UNKNOWN && !uex_mask_fits(action, column->kind.type))
        return uex_fail(fault, UEX_CONFIG, "'%.*s': %s is for %s columns only", shown, (const char *)part.data,
                        uex_mask_name(action), uex_mask_type_text(action));
    if (action == UEX_MASK_HASH && !has_key)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': hash needs export.mask_key", shown, (const char *)part.data);
    if (column->mask != UEX_MASK_NONE)
        return uex_fail(fault, UEX_CONFIG, "'%.*s': the column has an action already", shown, (const char *)part.data);
    column->mask = action;
    return UEX_OK;
}

enum uex_error uex_masks_read(const char *text, bool has_key, struct uex_layout *layout, struct uex_fault *fault)
{
    struct uex_bytes part;
    enum uex_error err = UEX_OK;

    if (trim(uex_bytes_of_text(text)).size_bytes == 0)
        return UEX_OK;
    while (err == UEX_OK && uex_list_next(&text, &part))
        err = read_part(trim(part), has_key, layout, fault);
    return err;
}
