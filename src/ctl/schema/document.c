/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/schema/document.h"

#include "ctl/table.h"
#include "export/format.h"

/* What a value is in each document: members of a JSON object. The JSON of a type is what src/postgres/sql.c writes. */
struct form {
    const char *table, *json;
};

#define BOUNDS(least, most) "\"minimum\": " least ", \"maximum\": " most
#define INTEGER(least, most)                                                                                           \
    {                                                                                                                  \
        "\"type\": \"integer\", \"constraints\": {" BOUNDS(least, most) "}",                                           \
            "\"type\": [\"integer\", \"null\"], " BOUNDS(least, most)                                                  \
    }
#define NUMBER                                                                                                         \
    {                                                                                                                  \
        "\"type\": \"number\"", "\"type\": [\"number\", \"null\"]"                                                     \
    }
#define STRING(more_table, more_json)                                                                                  \
    {                                                                                                                  \
        "\"type\": \"string\"" more_table, "\"type\": [\"string\", \"null\"]" more_json                                \
    }
#define DAY "[0-9]{4}-[0-9]{2}-[0-9]{2}"
#define TIME DAY "T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{6})?"
#define JSON_PATTERN(pattern) ", \"pattern\": \"^" pattern "$\""
/* Patterns of a Table Schema are those of XML Schema, which match the whole value. */
#define TABLE_PATTERN(pattern) ", \"constraints\": {\"pattern\": \"" pattern "\"}"

static const struct form forms_of_types[] = {
    [UEX_COLUMN_UNKNOWN] = STRING("", ""),
    [UEX_COLUMN_TEXT] = STRING("", ""),
    [UEX_COLUMN_UUID] = STRING(", \"format\": \"uuid\"", ", \"format\": \"uuid\""),
    [UEX_COLUMN_BOOLEAN] = {"\"type\": \"boolean\"", "\"type\": [\"boolean\", \"null\"]"},
    [UEX_COLUMN_SMALLINT] = INTEGER("-32768", "32767"),
    [UEX_COLUMN_INTEGER] = INTEGER("-2147483648", "2147483647"),
    [UEX_COLUMN_BIGINT] = INTEGER("-9223372036854775808", "9223372036854775807"),
    [UEX_COLUMN_REAL] = NUMBER,
    [UEX_COLUMN_DOUBLE] = NUMBER,
    [UEX_COLUMN_NUMERIC] = NUMBER,
    [UEX_COLUMN_DATE] = {"\"type\": \"date\"",
                         "\"type\": [\"string\", \"null\"], \"format\": \"date\"" JSON_PATTERN(DAY)},
    [UEX_COLUMN_TIMESTAMP] = {"\"type\": \"datetime\"", "\"type\": [\"string\", \"null\"]" JSON_PATTERN(TIME)},
    [UEX_COLUMN_TIMESTAMPTZ] = {"\"type\": \"datetime\"",
                                "\"type\": [\"string\", \"null\"], \"format\": \"date-time\"" JSON_PATTERN(TIME "Z")},
    [UEX_COLUMN_JSON] = {"\"type\": \"any\"", ""},
    [UEX_COLUMN_JSONB] = {"\"type\": \"any\"", ""},
};

static const struct form forms_of_masks[] = {
    [UEX_MASK_NULL] = {"\"type\": \"string\"", "\"type\": \"null\""},
    [UEX_MASK_REDACT] = {"\"type\": \"string\", \"constraints\": {\"enum\": [\"***\"]}", "\"enum\": [\"***\", null]"},
    [UEX_MASK_HASH] = STRING(TABLE_PATTERN("[0-9a-f]{64}"), JSON_PATTERN("[0-9a-f]{64}")),
    [UEX_MASK_YEAR] = STRING(TABLE_PATTERN("[0-9]{4}"), JSON_PATTERN("[0-9]{4}")),
};

static const struct form *form_of(const struct uex_layout_column *column)
{
    return column->mask == UEX_MASK_NONE ? &forms_of_types[column->kind.type] : &forms_of_masks[column->mask];
}

static bool has_version_column(const struct uex_layout *layout)
{
    return layout->config->export_version_field == UEX_VERSION_COLUMN;
}

/* "numeric(12,3)" */
static void append_kind(const struct uex_column_kind *kind, struct uex_buffer *out)
{
    uex_buffer_append_text(out, uex_column_type_name(kind->type));
    if (kind->type == UEX_COLUMN_NUMERIC && kind->precision > 0)
        uex_buffer_append_format(out, "(%d,%d)", kind->precision, kind->scale);
}

/* ---- for people */

static void add_row(struct uex_table *table, const struct uex_layout_column *column)
{
    struct uex_buffer kind = {0};
    const char *type;

    append_kind(&column->kind, &kind);
    type = uex_buffer_text(&kind);
    table->cells.failed = table->cells.failed || uex_buffer_failed(&kind);
    uex_table_add(table, (const char *const[]){
                             column->name, column->mask == UEX_MASK_NONE ? type : uex_column_type_name(UEX_COLUMN_TEXT),
                             "yes", uex_cell_text(uex_mask_name(column->mask)), column->view_name, type});
    uex_buffer_clear(&kind);
}

void uex_schema_write_table(const struct uex_layout *layout, struct uex_buffer *out)
{
    static const struct uex_column_of_table columns[] = {
        {"column", "COLUMN", UEX_CELL_TEXT},          {"type", "TYPE", UEX_CELL_TEXT},
        {"nullable", "NULLABLE", UEX_CELL_TEXT},      {"mask", "MASK", UEX_CELL_TEXT},
        {"viewColumn", "VIEW COLUMN", UEX_CELL_TEXT}, {"viewType", "VIEW TYPE", UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};

    for (size_t i = 0; i < layout->column_count; i++)
        add_row(&table, &layout->columns[i]);
    if (has_version_column(layout))
        uex_table_add(&table, (const char *const[]){UEX_VERSION_COLUMN_NAME, uex_column_type_name(UEX_COLUMN_TEXT),
                                                    "no", NULL, NULL, NULL});
    uex_table_write(&table, UEX_OUTPUT_TABLE, out);
    uex_buffer_append_format(out, "\nlayout %s, format %s, version %s; a list holds %s\n", layout->id,
                             uex_format_name(layout->config->export_format), layout->version,
                             uex_layout_list_column(layout)->name);
    uex_table_clear(&table);
}

/* ---- for programs */

static bool may_be_infinite(enum uex_column_type type)
{
    return type == UEX_COLUMN_REAL || type == UEX_COLUMN_DOUBLE || type == UEX_COLUMN_NUMERIC;
}

/* A column's description: where it comes from, and what its type does not say. `is_table`: what CSV adds to that. */
static void append_description(const struct uex_layout_column *column, bool is_table, struct uex_buffer *out)
{
    struct uex_buffer text = {0};

    uex_buffer_append_format(&text, "Column %s of the view, ", column->view_name);
    append_kind(&column->kind, &text);
    if (column->mask == UEX_MASK_NULL)
        uex_buffer_append_text(&text, "; always NULL (export.mask)");
    else if (column->mask != UEX_MASK_NONE)
        uex_buffer_append_format(&text, "; masked by %s (export.mask)", uex_mask_name(column->mask));
    else if (column->kind.type == UEX_COLUMN_TIMESTAMP)
        uex_buffer_append_text(&text, "; ISO 8601 without a time zone");
    else if (column->kind.type == UEX_COLUMN_TIMESTAMPTZ)
        uex_buffer_append_text(&text, "; RFC 3339 in UTC");
    else if (column->kind.type == UEX_COLUMN_JSON || column->kind.type == UEX_COLUMN_JSONB)
        uex_buffer_append_text(&text, is_table ? "; the text of any JSON value" : "; any JSON value");
    else if (is_table && may_be_infinite(column->kind.type))
        uex_buffer_append_text(&text, "; may be NaN, Infinity or -Infinity");
    uex_buffer_append_text(out, ", \"description\": ");
    uex_buffer_append_json(out, uex_buffer_text(&text));
    out->failed = out->failed || uex_buffer_failed(&text);
    uex_buffer_clear(&text);
}

static void append_file_description(const struct uex_layout *layout, struct uex_buffer *out)
{
    const struct uex_config *config = layout->config;

    if (config->export_format != UEX_FORMAT_CSV) {
        uex_buffer_append_format(out, "The files are %s (export.format); types and names are the same in CSV.",
                                 uex_format_name(config->export_format));
        return;
    }
    uex_buffer_append_text(out, "CSV after RFC 4180 in one gzip member, UTF-8, line ends \\\\n. An empty field without "
                                "quotes is NULL; two quotes with nothing between them are an empty text. A reader that "
                                "does not tell them apart takes both for missing.");
    if (config->export_version_field == UEX_VERSION_COMMENT)
        uex_buffer_append_text(out, " The line before the header line begins with #.");
    if (config->export_formula_guard == UEX_GUARD_PREFIX)
        uex_buffer_append_text(out, " A text that a spreadsheet would run begins with an apostrophe.");
}

void uex_schema_write_table_schema(const struct uex_layout *layout, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "{\n  \"$schema\": \"https://datapackage.org/profiles/2.0/tableschema.json\",\n"
                                "  \"description\": \"");
    append_file_description(layout, out);
    uex_buffer_append_format(out,
                             "\",\n  \"exportLayout\": \"%s\",\n  \"exportFormat\": \"%s\",\n"
                             "  \"exportVersion\": \"%s\",\n  \"missingValues\": [\"\"],\n  \"fields\": [",
                             layout->id, uex_format_name(layout->config->export_format), layout->version);
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct uex_layout_column *column = &layout->columns[i];

        uex_buffer_append_text(out, i == 0 ? "\n    {\"name\": " : ",\n    {\"name\": ");
        uex_buffer_append_json(out, column->name);
        uex_buffer_append_format(out, ", %s", form_of(column)->table);
        append_description(column, true, out);
        uex_buffer_append_text(out, "}");
    }
    if (has_version_column(layout))
        uex_buffer_append_format(out,
                                 ",\n    {\"name\": \"" UEX_VERSION_COLUMN_NAME
                                 "\", \"type\": \"string\", \"constraints\": {\"required\": true, \"enum\": [\"%s\"]}, "
                                 "\"description\": \"export.version\"}",
                                 layout->version);
    uex_buffer_append_text(out, "\n  ]\n}\n");
}

static void append_property(const struct uex_layout_column *column, struct uex_buffer *out)
{
    const char *form = form_of(column)->json;
    struct uex_buffer description = {0};

    uex_buffer_append_json(out, column->name);
    append_description(column, false, &description);
    /* It begins with ", ", which has to go where nothing stands before it. */
    uex_buffer_append_format(out, ": {%s%s}", form, uex_buffer_text(&description) + (form[0] == '\0' ? 2 : 0));
    out->failed = out->failed || uex_buffer_failed(&description);
    uex_buffer_clear(&description);
}

void uex_schema_write_json_schema(const struct uex_layout *layout, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                                "  \"title\": \"A row of an exported file (JSON Lines)\",\n");
    if (layout->config->export_format == UEX_FORMAT_JSONL) /* the id is that of the format that is set */
        uex_buffer_append_format(out, "  \"$comment\": \"export-layout %s\",\n", layout->id);
    uex_buffer_append_text(out, "  \"type\": \"object\",\n  \"properties\": {");
    for (size_t i = 0; i < layout->column_count; i++) {
        uex_buffer_append_text(out, i == 0 ? "\n    " : ",\n    ");
        append_property(&layout->columns[i], out);
    }
    if (has_version_column(layout))
        uex_buffer_append_format(
            out, ",\n    \"" UEX_VERSION_COLUMN_NAME "\": {\"const\": \"%s\", \"description\": \"export.version\"}",
            layout->version);
    uex_buffer_append_text(out, "\n  },\n  \"required\": [");
    for (size_t i = 0; i < layout->column_count; i++) {
        uex_buffer_append_text(out, i == 0 ? "" : ", ");
        uex_buffer_append_json(out, layout->columns[i].name);
    }
    if (has_version_column(layout))
        uex_buffer_append_text(out, ", \"" UEX_VERSION_COLUMN_NAME "\"");
    uex_buffer_append_text(out, "],\n  \"additionalProperties\": false\n}\n");
}
