/* SPDX-License-Identifier: Apache-2.0 */
#include "export/layout.h"

#include <stdlib.h>

#include "export/digest.h"
#include "export/format.h"
#include "export/text.h"
#include "model/mask.h"

#define NAME_MAX_BYTES 63 /* of PostgreSQL's identifiers */

static const char *const type_names[] = {
    [UEX_COLUMN_UNKNOWN] = "unknown",
    [UEX_COLUMN_TEXT] = "text",
    [UEX_COLUMN_UUID] = "uuid",
    [UEX_COLUMN_BOOLEAN] = "boolean",
    [UEX_COLUMN_SMALLINT] = "smallint",
    [UEX_COLUMN_INTEGER] = "integer",
    [UEX_COLUMN_BIGINT] = "bigint",
    [UEX_COLUMN_REAL] = "real",
    [UEX_COLUMN_DOUBLE] = "double precision",
    [UEX_COLUMN_NUMERIC] = "numeric",
    [UEX_COLUMN_DATE] = "date",
    [UEX_COLUMN_TIMESTAMP] = "timestamp",
    [UEX_COLUMN_TIMESTAMPTZ] = "timestamptz",
    [UEX_COLUMN_JSON] = "json",
    [UEX_COLUMN_JSONB] = "jsonb",
};

const char *uex_column_type_name(enum uex_column_type type)
{
    return type_names[type];
}

static const char *text_or(const char *text, const char *otherwise)
{
    return text == NULL ? otherwise : text;
}

/* ---- export.columns */

/* The columns of the default that are not text. */
static enum uex_column_type default_type(const char *name)
{
    static const struct {
        const char *name;
        enum uex_column_type type;
    } types[] = {
        {"dateOfBirth", UEX_COLUMN_DATE},
        {"smokes", UEX_COLUMN_BOOLEAN},
        {"drinks", UEX_COLUMN_BOOLEAN},
        {"wantsKids", UEX_COLUMN_BOOLEAN},
        {"preferredMinAge", UEX_COLUMN_INTEGER},
        {"preferredMaxAge", UEX_COLUMN_INTEGER},
        {"openToLongDistance", UEX_COLUMN_BOOLEAN},
        {"readyForMatching", UEX_COLUMN_BOOLEAN},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    }
    return UEX_COLUMN_TEXT;
}

/* A name as the file or the view has it: what divides the settings' lists is not in it. */
static bool is_name(struct uex_bytes name)
{
    if (name.size_bytes == 0 || name.size_bytes > NAME_MAX_BYTES || !uex_utf8_valid(name))
        return false;
    for (size_t i = 0; i < name.size_bytes; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7F || strchr(",=:\"*", name.data[i]) != NULL)
            return false;
    }
    return true;
}

static bool has_column(const struct uex_layout *layout, struct uex_bytes name)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        if (strlen(layout->columns[i].name) == name.size_bytes &&
            memcmp(layout->columns[i].name, name.data, name.size_bytes) == 0)
            return true;
    }
    return false;
}

static enum uex_error add_column(struct uex_layout *layout, struct uex_bytes name, struct uex_bytes view_name,
                                 const struct uex_column_kind *kind, struct uex_fault *fault)
{
    struct uex_layout_column *column = &layout->columns[layout->column_count];

    column->name = uex_text_copy(name);
    column->view_name = uex_text_copy(view_name);
    column->kind = *kind;
    layout->column_count++;
    return column->name != NULL && column->view_name != NULL
               ? UEX_OK
               : uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of an export");
}

/* One "name" or "name=view_column". */
static enum uex_error read_column(struct uex_layout *layout, struct uex_bytes item, struct uex_fault *fault)
{
    const uint8_t *equals = item.size_bytes == 0 ? NULL : memchr(item.data, '=', item.size_bytes);
    const size_t name_bytes = equals == NULL ? item.size_bytes : (size_t)(equals - item.data);
    struct uex_bytes name = uex_text_trim(uex_bytes_of(item.data, name_bytes), " "), view_name = name;
    struct uex_column_kind kind = {.typmod = -1};

    if (equals != NULL)
        view_name = uex_text_trim(uex_bytes_of(equals + 1, item.size_bytes - name_bytes - 1), " ");
    if (!is_name(name) || !is_name(view_name))
        return uex_fail(fault, UEX_CONFIG,
                        "export.columns: '%.*s' is not name or name=view_column (1 to %d bytes each, without , = : \" "
                        "*)",
                        (int)(item.size_bytes < NAME_MAX_BYTES ? item.size_bytes : NAME_MAX_BYTES),
                        (const char *)item.data, NAME_MAX_BYTES);
    if (has_column(layout, name))
        return uex_fail(fault, UEX_CONFIG, "export.columns: '%.*s' is there twice", (int)name.size_bytes,
                        (const char *)name.data);
    if (layout->column_count == UEX_LAYOUT_COLUMNS_MAX)
        return uex_fail(fault, UEX_CONFIG, "export.columns: more than %d columns", UEX_LAYOUT_COLUMNS_MAX);
    return add_column(layout, name, view_name, &kind, fault);
}

static enum uex_error read_columns(struct uex_layout *layout, const char *text, struct uex_fault *fault)
{
    struct uex_bytes item;
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && uex_list_next(&text, &item))
        err = read_column(layout, item, fault);
    return err;
}

const char *uex_layout_pending_column(const struct uex_config *config)
{
    return text_or(config->export_pending_column, UEX_DEFAULT_PENDING_COLUMN);
}

/* What `*` leaves out. */
static bool is_technical(const struct uex_config *config, const char *view_name)
{
    return strcmp(view_name, "group_id") == 0 || strcmp(view_name, uex_layout_pending_column(config)) == 0;
}

/* ---- a layout */

const char *uex_layout_version(const struct uex_config *config)
{
    return text_or(config->export_version, UEX_DEFAULT_VERSION);
}

static bool has_mask_key(const struct uex_config *config)
{
    return config->export_mask_key != NULL && config->export_mask_key[0] != '\0';
}

static struct uex_layout *allocate(const struct uex_config *config)
{
    struct uex_layout *layout = calloc(1, sizeof(*layout));

    if (layout == NULL)
        return NULL;
    layout->config = config;
    layout->version = uex_layout_version(config);
    layout->columns = calloc(UEX_LAYOUT_COLUMNS_MAX, sizeof(*layout->columns));
    if (layout->columns != NULL)
        return layout;
    free(layout);
    return NULL;
}

void uex_layout_free(struct uex_layout *layout)
{
    if (layout == NULL)
        return;
    for (size_t i = 0; i < layout->column_count; i++) {
        free(layout->columns[i].name);
        free(layout->columns[i].view_name);
    }
    free(layout->columns);
    free(layout);
}

/* A name of export.columns. */
static enum uex_error find_name(const struct uex_layout *layout, const char *key, const char *name, size_t *out,
                                struct uex_fault *fault)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        if (strcmp(layout->columns[i].name, name) == 0) {
            *out = i;
            return UEX_OK;
        }
    }
    return uex_fail(fault, UEX_CONFIG, "%s: '%s' is no name of export.columns", key, name);
}

/* What needs the names. */
static enum uex_error finish_names(struct uex_layout *layout, struct uex_fault *fault)
{
    const struct uex_config *config = layout->config;
    const char *list_column = text_or(config->export_list_column, UEX_DEFAULT_LIST_COLUMN);
    const char *row_key = text_or(config->export_row_key, "");
    struct uex_fault of_masks = {0};
    size_t ignored;
    enum uex_error err = find_name(layout, "export.list_column", list_column, &layout->list_index, fault);

    if (err == UEX_OK && row_key[0] != '\0')
        err = find_name(layout, "export.row_key", row_key, &ignored, fault);
    if (err == UEX_OK && config->export_version_field == UEX_VERSION_COLUMN &&
        has_column(layout, uex_bytes_of_text(UEX_VERSION_COLUMN_NAME)))
        err = uex_fail(fault, UEX_CONFIG,
                       "export.columns: '" UEX_VERSION_COLUMN_NAME "' is the column of export.version_field");
    if (err != UEX_OK)
        return err;
    err = uex_masks_read(text_or(config->export_mask, ""), has_mask_key(config), layout, &of_masks);
    return err == UEX_OK ? UEX_OK : uex_fail(fault, err, "export.mask: %s", of_masks.text);
}

enum uex_error uex_layout_new(const struct uex_config *config, struct uex_layout **out, struct uex_fault *fault)
{
    const char *columns = text_or(config->export_columns, UEX_DEFAULT_COLUMNS);
    struct uex_layout *layout = allocate(config);
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (layout == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of an export");
    layout->takes_all = strcmp(columns, "*") == 0;
    layout->is_default = strcmp(columns, UEX_DEFAULT_COLUMNS) == 0;
    if (!layout->takes_all) {
        err = read_columns(layout, columns, fault);
        for (size_t i = 0; layout->is_default && i < layout->column_count; i++)
            layout->columns[i].kind.type = default_type(layout->columns[i].name);
        if (err == UEX_OK)
            err = finish_names(layout, fault);
    }
    if (err != UEX_OK) {
        uex_layout_free(layout);
        return err;
    }
    *out = layout;
    return UEX_OK;
}

/* ---- with the view's columns */

static bool is_whole_number(enum uex_column_type type)
{
    return type == UEX_COLUMN_SMALLINT || type == UEX_COLUMN_INTEGER || type == UEX_COLUMN_BIGINT;
}

/* A column of the default has the type that its readers know. */
static bool default_fits(enum uex_column_type wanted, enum uex_column_type type)
{
    if (wanted == UEX_COLUMN_TEXT)
        return type == UEX_COLUMN_TEXT || type == UEX_COLUMN_UUID;
    return wanted == UEX_COLUMN_INTEGER ? is_whole_number(type) : type == wanted;
}

/* A setting that cares for the column's type makes another type a mistake of the configuration. */
static enum uex_error fail_type(const struct uex_layout *layout, const struct uex_layout_column *column,
                                const struct uex_view_column *found, const char *view, struct uex_fault *fault)
{
    const char *wanted = uex_column_type_name(column->kind.type);
    const char *setting = NULL;

    if (column->mask != UEX_MASK_NONE && column->mask != UEX_MASK_NULL)
        setting = "export.mask";
    else if (column->kind.type == UEX_COLUMN_TEXT && column->mask == UEX_MASK_NONE &&
             layout->config->export_formula_guard != UEX_GUARD_OFF)
        setting = "export.formula_guard";
    if (setting != NULL)
        return uex_fail(fault, UEX_CONFIG, "%s: column %s of view %s is %s, not %s", setting, column->view_name, view,
                        found->type_text, wanted);
    return uex_fail(fault, UEX_DB_SCHEMA, "database: column %s of view %s is %s, not %s", column->view_name, view,
                    found->type_text, wanted);
}

static enum uex_error resolve_column(const struct uex_layout *layout, struct uex_layout_column *column,
                                     const struct uex_view_column *found, const char *view, struct uex_fault *fault)
{
    const enum uex_column_type type = found->kind.type;

    if (layout->is_default && !default_fits(column->kind.type, type))
        return fail_type(layout, column, found, view, fault);
    if (type == UEX_COLUMN_UNKNOWN)
        return uex_fail(fault, UEX_DB_SCHEMA,
                        "database: column %s of view %s is %s, which no export can hold; cast it in the view, to text "
                        "for instance",
                        column->view_name, view, found->type_text);
    if (!uex_mask_fits(column->mask, type))
        return uex_fail(fault, UEX_CONFIG, "export.mask: column %s of view %s is %s, not %s", column->view_name, view,
                        found->type_text, uex_mask_type_text(column->mask));
    column->kind = found->kind;
    return UEX_OK;
}

static const struct uex_view_column *find_in_view(const struct uex_view_column *columns, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    }
    return NULL;
}

/* `*`: what the view has. */
static enum uex_error take_all(struct uex_layout *layout, const struct uex_view_column *columns, size_t count,
                               const char *view, struct uex_fault *fault)
{
    const struct uex_column_kind unknown = {.typmod = -1};
    enum uex_error err = UEX_OK;

    for (size_t i = 0; err == UEX_OK && i < count; i++) {
        struct uex_bytes name = uex_bytes_of_text(columns[i].name);

        if (is_technical(layout->config, columns[i].name))
            continue;
        if (layout->column_count == UEX_LAYOUT_COLUMNS_MAX)
            err = uex_fail(fault, UEX_CONFIG, "export.columns: view %s has more than %d columns", view,
                           UEX_LAYOUT_COLUMNS_MAX);
        else
            err = add_column(layout, name, name, &unknown, fault);
    }
    return err == UEX_OK ? finish_names(layout, fault) : err;
}

static enum uex_error copy_columns(const struct uex_layout *from, struct uex_layout *to, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    to->is_default = from->is_default;
    to->takes_all = from->takes_all;
    to->list_index = from->list_index;
    for (size_t i = 0; err == UEX_OK && i < from->column_count; i++) {
        const struct uex_layout_column *column = &from->columns[i];

        err =
            add_column(to, uex_bytes_of_text(column->name), uex_bytes_of_text(column->view_name), &column->kind, fault);
        to->columns[i].mask = column->mask;
    }
    return err;
}

/* 32 bits of a digest of the key's digest tell keys apart; of the id only a digest of that, among all else, is seen. */
static void append_key_id(const struct uex_layout *layout, struct uex_buffer *text)
{
    uint8_t sha256[UEX_SHA256_SIZE];
    char hex[UEX_SHA256_HEX_SIZE];

    if (!uex_layout_hashes(layout, false) || !has_mask_key(layout->config))
        return;
    uex_sha256(uex_bytes_of_text(layout->config->export_mask_key), sha256);
    uex_sha256(uex_bytes_of(sha256, sizeof(sha256)), sha256);
    uex_hex(sha256, sizeof(sha256), hex);
    uex_buffer_append_format(text, "key %.8s\n", hex);
}

static enum uex_error make_id(struct uex_layout *layout, struct uex_fault *fault)
{
    static const char *const version_fields[] = {"column", "comment", "none"};
    static const char *const guards[] = {"off", "prefix", "reject"};
    uint8_t sha256[UEX_SHA256_SIZE];
    char hex[UEX_SHA256_HEX_SIZE];
    struct uex_buffer text = {0};

    uex_buffer_append_format(&text, "format %s\nversion %s %s\nguard %s\n",
                             uex_format_name(layout->config->export_format),
                             version_fields[layout->config->export_version_field], layout->version,
                             guards[layout->config->export_formula_guard]);
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct uex_layout_column *column = &layout->columns[i];

        uex_buffer_append_format(&text, "column %s,%s,%d,%d,%s\n", column->name,
                                 uex_column_type_name(column->kind.type), column->kind.precision, column->kind.scale,
                                 uex_mask_name(column->mask));
    }
    append_key_id(layout, &text);
    if (uex_buffer_failed(&text)) {
        uex_buffer_clear(&text);
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of an export");
    }
    uex_sha256(uex_buffer_bytes(&text), sha256);
    uex_hex(sha256, sizeof(sha256), hex);
    memcpy(layout->id, hex, UEX_LAYOUT_ID_SIZE - 1);
    uex_buffer_clear(&text);
    return UEX_OK;
}

static enum uex_error resolve_columns(struct uex_layout *layout, const char *view,
                                      const struct uex_view_column *columns, size_t count, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; err == UEX_OK && i < layout->column_count; i++) {
        struct uex_layout_column *column = &layout->columns[i];
        const struct uex_view_column *found = find_in_view(columns, count, column->view_name);

        if (found != NULL)
            err = resolve_column(layout, column, found, view, fault);
        else if (layout->is_default)
            err = uex_fail(fault, UEX_DB_SCHEMA, "database: view %s has no column %s (%s)", view, column->view_name,
                           uex_column_type_name(column->kind.type));
        else
            err = uex_fail(fault, UEX_DB_SCHEMA, "database: view %s has no column %s (export.columns)", view,
                           column->view_name);
    }
    return err;
}

enum uex_error uex_layout_resolve(const struct uex_layout *layout, const char *view,
                                  const struct uex_view_column *columns, size_t column_count, struct uex_layout **out,
                                  struct uex_fault *fault)
{
    struct uex_layout *resolved = allocate(layout->config);
    enum uex_error err;

    *out = NULL;
    if (resolved == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the columns of an export");
    if (layout->takes_all) {
        resolved->takes_all = true;
        err = take_all(resolved, columns, column_count, view, fault);
    } else {
        err = copy_columns(layout, resolved, fault);
    }
    if (err == UEX_OK)
        err = resolve_columns(resolved, view, columns, column_count, fault);
    if (err == UEX_OK)
        err = make_id(resolved, fault);
    if (err != UEX_OK) {
        uex_layout_free(resolved);
        return err;
    }
    *out = resolved;
    return UEX_OK;
}

bool uex_layout_is_resolved(const struct uex_layout *layout)
{
    return layout->id[0] != '\0';
}

static const struct uex_layout_column *find_view_name(const struct uex_layout *layout, const char *view_name)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        if (strcmp(layout->columns[i].view_name, view_name) == 0)
            return &layout->columns[i];
    }
    return NULL;
}

enum uex_error uex_layout_compare(const struct uex_layout *layout, const struct uex_layout *now, const char *view,
                                  struct uex_fault *fault)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct uex_layout_column *column = &layout->columns[i];
        const struct uex_layout_column *found = find_view_name(now, column->view_name);

        if (found == NULL)
            return uex_fail(fault, UEX_DB_SCHEMA,
                            "database: view %s has no column %s any more; a restart reads it again", view,
                            column->view_name);
        if (found->kind.type != column->kind.type || found->kind.precision != column->kind.precision ||
            found->kind.scale != column->kind.scale)
            return uex_fail(
                fault, UEX_DB_SCHEMA,
                "database: column %s of view %s was %s at the start and is %s now; a restart reads it again",
                column->view_name, view, uex_column_type_name(column->kind.type),
                uex_column_type_name(found->kind.type));
    }
    return UEX_OK;
}

/* ---- what is asked of it */

const struct uex_layout_column *uex_layout_list_column(const struct uex_layout *layout)
{
    return &layout->columns[layout->list_index];
}

bool uex_layout_hashes(const struct uex_layout *layout, bool list_only)
{
    for (size_t i = 0; i < layout->column_count; i++) {
        if (layout->columns[i].mask == UEX_MASK_HASH && (!list_only || i == layout->list_index))
            return true;
    }
    return false;
}

/* Names from the settings need no quotes, those of a view may (RFC 4180, section 2). */
static void append_header_name(const char *name, struct uex_buffer *out)
{
    if (strpbrk(name, ",\"\r\n") == NULL) {
        uex_buffer_append_text(out, name);
        return;
    }
    uex_buffer_append_text(out, "\"");
    for (; *name != '\0'; name++)
        uex_buffer_append_format(out, *name == '"' ? "\"%c" : "%c", *name);
    uex_buffer_append_text(out, "\"");
}

void uex_layout_write_header(const struct uex_layout *layout, enum uex_version_field field, struct uex_buffer *out)
{
    if (field == UEX_VERSION_COMMENT)
        uex_buffer_append_format(out, UEX_VERSION_COMMENT_START "%s\n", layout->version);
    for (size_t i = 0; i < layout->column_count; i++) {
        uex_buffer_append_text(out, i > 0 ? "," : "");
        append_header_name(layout->columns[i].name, out);
    }
    uex_buffer_append_text(out, field == UEX_VERSION_COLUMN ? "," UEX_VERSION_COLUMN_NAME "\n" : "\n");
}
