/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/sql.c — see sql.h. */
#include "postgres/sql.h"

#include "export/digest.h"
#include "export/format.h"
#include "export/text.h"

#include <stdlib.h>

#define HMAC_BLOCK_BYTES 64
/* Source: PostgreSQL 14, release notes: infinity for numeric. */
#define NUMERIC_INFINITY_SINCE 140000

/* Characters with which a spreadsheet takes a field for a formula (OWASP, "CSV Injection"): = + - @, tab, carriage
 * return, line feed, and the full-width forms of the first four. */
#define GUARDED "'=', '+', '-', '@', E'\\t', E'\\r', E'\\n'"
#define WIDE_UTF8 "'\xEF\xBC\x9D', '\xEF\xBC\x8B', '\xEF\xBC\x8D', '\xEF\xBC\xA0'"
#define WIDE_BYTES "decode('efbc9d', 'hex'), decode('efbc8b', 'hex'), decode('efbc8d', 'hex'), decode('efbca0', 'hex')"

/* A list is text whatever the format of files. */
static enum uex_format format_of(const struct uex_row_plan *plan)
{
    return plan->list_only ? UEX_FORMAT_CSV : plan->layout->config->export_format;
}

enum uex_error uex_pg_check_sql(const struct uex_buffer *sql, struct uex_fault *fault)
{
    return uex_buffer_failed(sql) ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query") : UEX_OK;
}

/* What libpq has made of `text`, freed here. It makes nothing of text that is not valid, and nothing without memory. */
static enum uex_error append_escaped(struct uex_buffer *sql, char *escaped, struct uex_bytes text,
                                     struct uex_fault *fault)
{
    if (escaped == NULL && uex_utf8_valid(text))
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
    if (escaped == NULL)
        return uex_fail(fault, UEX_DB_DATA, "database: a name or a group id is not valid UTF-8");
    uex_buffer_append_text(sql, escaped);
    PQfreemem(escaped);
    return UEX_OK;
}

enum uex_error uex_pg_append_identifier(struct uex_postgres *postgres, const char *name, size_t size_bytes,
                                        struct uex_buffer *sql, struct uex_fault *fault)
{
    return append_escaped(sql, PQescapeIdentifier(postgres->conn, name, size_bytes), uex_bytes_of(name, size_bytes),
                          fault);
}

/* The length of the part of a name that begins at `name`, 0 if there is none. */
static size_t part_length(const char *name)
{
    size_t at = 1;

    if (name[0] != '"')
        return strcspn(name, ".\"");
    while (name[at] != '\0' && !(name[at] == '"' && name[at + 1] != '"'))
        at += name[at] == '"' ? 2 : 1;
    return name[at] == '"' && at > 1 ? at + 1 : 0;
}

enum uex_error uex_pg_append_name(struct uex_postgres *postgres, const char *name, struct uex_buffer *sql,
                                  struct uex_fault *fault)
{
    const char *at = name;

    for (int parts = 1;; parts++) {
        size_t length = part_length(at);
        enum uex_error err = UEX_OK;

        if (length == 0 || (at[length] != '.' && at[length] != '\0') || parts > 2)
            return uex_fail(fault, UEX_CONFIG, "database: %s is not the name of a view", name);
        if (at[0] == '"') /* quoted already, and closed where it ends */
            uex_buffer_append(sql, at, length);
        else
            err = uex_pg_append_identifier(postgres, at, length, sql, fault);
        if (err != UEX_OK || at[length] == '\0')
            return err;
        uex_buffer_append_text(sql, ".");
        at += length + 1;
    }
}

/* " OR the text begins with a full-width form", the open list before it closed. A literal of these characters is an
 * error in a database that does not have them (LATIN1), so only UTF-8 gets one. Elsewhere (EUC_JP) a first character of
 * several bytes is converted. SQL_ASCII knows no characters, but its bytes are those of the file. */
static void append_wide_test(const char *column, const char *encoding, struct uex_buffer *sql)
{
    if (encoding != NULL && strcmp(encoding, "UTF8") == 0)
        uex_buffer_append_text(sql, ", " WIDE_UTF8 ")");
    else if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0)
        uex_buffer_append_format(sql, ") OR left(%s::text, 3) IN (" WIDE_UTF8 ")", column);
    else
        uex_buffer_append_format(sql,
                                 ") OR CASE WHEN octet_length(left(%s::text, 1)) > 1 THEN "
                                 "convert_to(left(%s::text, 1), 'UTF8') IN (" WIDE_BYTES ") ELSE false END",
                                 column, column);
}

/* A field that begins like a formula gets an apostrophe, or ends the query: unknown setting as the mark, so
 * asking for it is an error (42704) that names nothing but the mark. Errors of casts would quote the data. */
static void append_guarded(const char *column, enum uex_formula_guard guard, const char *encoding,
                           struct uex_buffer *sql)
{
    if (guard == UEX_GUARD_OFF) {
        uex_buffer_append_format(sql, "%s::text", column);
        return;
    }
    uex_buffer_append_format(sql, "CASE WHEN left(%s::text, 1) IN (" GUARDED, column);
    append_wide_test(column, encoding, sql);
    if (guard == UEX_GUARD_PREFIX)
        uex_buffer_append_format(sql, " THEN '''' || %s::text", column);
    else
        uex_buffer_append_text(sql, " THEN current_setting('" UEX_PG_FORMULA_MARK "')");
    uex_buffer_append_format(sql, " ELSE %s::text END", column);
}

/* HMAC = H(outer pad, H(inner pad, text)), RFC 2104, section 2; sha256() is built in since PostgreSQL 11. The pads come
 * from settings of the transaction, read once per query. */
static void append_hash(const char *column, struct uex_buffer *sql)
{
    uex_buffer_append_format(sql,
                             "encode(sha256((SELECT decode(current_setting('uex.mask_outer'), 'hex')) || "
                             "sha256((SELECT decode(current_setting('uex.mask_inner'), 'hex')) || "
                             "convert_to(%s::text, 'UTF8'))), 'hex')",
                             column);
}

/* Infinity and years that are not 0001 to 9999 have no form of ISO 8601 with four digits for the year: they end the
 * query as a formula does, here with the column's place in the mark. `value` is what others become, as SQL. */
static void append_ranged(const char *range, const char *value, size_t index, const char *quoted, const char *type,
                          struct uex_buffer *sql)
{
    uex_buffer_append_format(sql,
                             "CASE WHEN %s THEN %s "
                             "WHEN %s IS NOT NULL THEN current_setting('" UEX_PG_RANGE_MARK "%zu')::%s END",
                             range, value, quoted, index, type);
}

static void append_date(size_t index, const char *quoted, const char *value, const char *type, struct uex_buffer *sql)
{
    struct uex_buffer range = {0};

    uex_buffer_append_format(&range, "%s BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'", quoted);
    append_ranged(uex_buffer_text(&range), value, index, quoted, type, sql);
    sql->failed = sql->failed || uex_buffer_failed(&range);
    uex_buffer_clear(&range);
}

/* RFC 3339, section 5.6, in UTC, with microseconds where they are not zero; without time zone the same without its Z.
 */
static void append_timestamp(size_t index, const char *quoted, bool has_zone, struct uex_buffer *sql)
{
    const char *in_utc = has_zone ? " AT TIME ZONE 'UTC'" : "";
    const char *zone = has_zone ? "\"Z\"" : "";
    struct uex_buffer range = {0}, value = {0};

    uex_buffer_append_format(&range, "(%s%s) >= TIMESTAMP '0001-01-01' AND (%s%s) < TIMESTAMP '10000-01-01'", quoted,
                             in_utc, quoted, in_utc);
    uex_buffer_append_format(&value,
                             "pg_catalog.to_char(%s%s, CASE WHEN pg_catalog.date_trunc('second', %s%s) = (%s%s) "
                             "THEN 'YYYY-MM-DD\"T\"HH24:MI:SS%s' ELSE 'YYYY-MM-DD\"T\"HH24:MI:SS.US%s' END)",
                             quoted, in_utc, quoted, in_utc, quoted, in_utc, zone, zone);
    append_ranged(uex_buffer_text(&range), uex_buffer_text(&value), index, quoted, "text", sql);
    sql->failed = sql->failed || uex_buffer_failed(&range) || uex_buffer_failed(&value);
    uex_buffer_clear(&range);
    uex_buffer_clear(&value);
}

/* What a function makes of a date: the SQL before it and behind it. */
static void append_date_as(size_t index, const char *quoted, const char *before, const char *behind,
                           struct uex_buffer *sql)
{
    struct uex_buffer value = {0};

    uex_buffer_append_format(&value, "%s%s%s", before, quoted, behind);
    append_date(index, quoted, uex_buffer_text(&value), "text", sql);
    sql->failed = sql->failed || uex_buffer_failed(&value);
    uex_buffer_clear(&value);
}

/* Numbers that JSON does not have. numeric has infinity since PostgreSQL 14. */
static void append_json_number(size_t index, const char *quoted, enum uex_column_type type, bool has_infinity,
                               struct uex_buffer *sql)
{
    uex_buffer_append_format(sql, "CASE WHEN %s = 'NaN'", quoted);
    if (type != UEX_COLUMN_NUMERIC || has_infinity)
        uex_buffer_append_format(sql, " OR %s = 'Infinity' OR %s = '-Infinity'", quoted, quoted);
    uex_buffer_append_format(sql, " THEN current_setting('" UEX_PG_RANGE_MARK "%zu') ELSE %s::text END", index, quoted);
}

/* json keeps its blanks, line ends among them; a line end in a string is escaped, so those that are raw are blanks. */
static void append_json(const char *quoted, struct uex_buffer *sql)
{
    uex_buffer_append_format(sql, "pg_catalog.translate(%s::text, E'\n\r', '  ')", quoted);
}

/* A column without a mask, as the text that JSON has for it; a string has neither its quotes nor its escapes. */
static void append_for_json(const struct uex_layout *layout, size_t index, const char *quoted, bool has_infinity,
                            struct uex_buffer *sql)
{
    const enum uex_column_type type = layout->columns[index].kind.type;

    switch (type) {
    case UEX_COLUMN_DATE:
        append_date_as(index, quoted, "", "::text", sql);
        break;
    case UEX_COLUMN_TIMESTAMP:
        append_timestamp(index, quoted, false, sql);
        break;
    case UEX_COLUMN_TIMESTAMPTZ:
        append_timestamp(index, quoted, true, sql);
        break;
    case UEX_COLUMN_REAL:
    case UEX_COLUMN_DOUBLE:
    case UEX_COLUMN_NUMERIC:
        append_json_number(index, quoted, type, has_infinity, sql);
        break;
    case UEX_COLUMN_JSON:
        append_json(quoted, sql);
        break;
    case UEX_COLUMN_UNKNOWN:
    case UEX_COLUMN_TEXT:
    case UEX_COLUMN_BOOLEAN:
    case UEX_COLUMN_JSONB:
    case UEX_COLUMN_UUID:
    case UEX_COLUMN_SMALLINT:
    case UEX_COLUMN_INTEGER:
    case UEX_COLUMN_BIGINT:
        uex_buffer_append_format(sql, "%s::text", quoted);
        break;
    }
}

/* A column without a mask, as it stands in a file of CSV. */
static void append_for_csv(const struct uex_layout *layout, size_t index, const char *quoted, const char *encoding,
                           struct uex_buffer *sql)
{
    switch (layout->columns[index].kind.type) {
    case UEX_COLUMN_UNKNOWN:
    case UEX_COLUMN_TEXT:
        append_guarded(quoted, layout->config->export_formula_guard, encoding, sql);
        break;
    case UEX_COLUMN_BOOLEAN: /* true or false; COPY itself writes t or f */
    case UEX_COLUMN_JSON:
    case UEX_COLUMN_JSONB:
        uex_buffer_append_format(sql, "%s::text", quoted);
        break;
    case UEX_COLUMN_DATE:
        append_date(index, quoted, quoted, "date", sql);
        break;
    case UEX_COLUMN_TIMESTAMP:
        append_timestamp(index, quoted, false, sql);
        break;
    case UEX_COLUMN_TIMESTAMPTZ:
        append_timestamp(index, quoted, true, sql);
        break;
    case UEX_COLUMN_UUID:
    case UEX_COLUMN_SMALLINT:
    case UEX_COLUMN_INTEGER:
    case UEX_COLUMN_BIGINT:
    case UEX_COLUMN_REAL:
    case UEX_COLUMN_DOUBLE:
    case UEX_COLUMN_NUMERIC:
        uex_buffer_append_text(sql, quoted); /* COPY writes the text of the cast, and without its cost */
        break;
    }
}

/* A column without a mask. In binary form it goes as it is; text is what all its types have in common. */
static void append_plain(const struct uex_postgres *postgres, const struct uex_row_plan *plan, size_t index,
                         const char *quoted, struct uex_buffer *sql)
{
    const struct uex_layout *layout = plan->layout;
    const bool is_text = layout->columns[index].kind.type == UEX_COLUMN_TEXT;

    switch (format_of(plan)) {
    case UEX_FORMAT_CSV:
        append_for_csv(layout, index, quoted, PQparameterStatus(postgres->conn, "server_encoding"), sql);
        break;
    case UEX_FORMAT_JSONL:
        append_for_json(layout, index, quoted, PQserverVersion(postgres->conn) >= NUMERIC_INFINITY_SINCE, sql);
        break;
    case UEX_FORMAT_PARQUET:
        uex_buffer_append_format(sql, is_text ? "%s::text" : "%s", quoted);
        break;
    }
}

static void append_field(const struct uex_postgres *postgres, const struct uex_row_plan *plan, size_t index,
                         const char *quoted, struct uex_buffer *sql)
{
    switch (plan->layout->columns[index].mask) {
    case UEX_MASK_NULL:
        uex_buffer_append_text(sql, "NULL::text");
        break;
    case UEX_MASK_REDACT:
        uex_buffer_append_format(sql, "CASE WHEN %s IS NOT NULL THEN '***' END", quoted);
        break;
    case UEX_MASK_HASH:
        append_hash(quoted, sql);
        break;
    case UEX_MASK_YEAR:
        append_date_as(index, quoted, "to_char(", ", 'YYYY')", sql);
        break;
    case UEX_MASK_NONE:
        append_plain(postgres, plan, index, quoted, sql);
        break;
    }
}

static enum uex_error append_column(struct uex_postgres *postgres, const struct uex_row_plan *plan, size_t index,
                                    struct uex_buffer *sql, struct uex_fault *fault)
{
    const struct uex_layout_column *column = &plan->layout->columns[index];
    struct uex_buffer quoted = {0};
    enum uex_error err =
        uex_pg_append_identifier(postgres, column->view_name, strlen(column->view_name), &quoted, fault);

    if (err == UEX_OK)
        append_field(postgres, plan, index, uex_buffer_text(&quoted), sql);
    sql->failed = sql->failed || uex_buffer_failed(&quoted);
    uex_buffer_clear(&quoted);
    return err;
}

void uex_pg_append_copy_end(const struct uex_row_plan *plan, struct uex_buffer *sql)
{
    uex_buffer_append_text(sql, uex_format_has_fields(format_of(plan)) ? ") TO STDOUT (FORMAT binary)"
                                                                       : ") TO STDOUT (FORMAT csv)");
}

enum uex_error uex_pg_append_rows(struct uex_postgres *postgres, const char *group_id, const struct uex_row_plan *plan,
                                  struct uex_buffer *sql, struct uex_fault *fault)
{
    const struct uex_layout *layout = plan->layout;
    enum uex_error err = UEX_OK;
    const char *separator = "SELECT ";

    for (size_t i = 0; err == UEX_OK && i < layout->column_count; i++) {
        if (plan->list_only && i != layout->list_index)
            continue;
        uex_buffer_append_text(sql, separator);
        err = append_column(postgres, plan, i, sql, fault);
        separator = ", ";
    }
    /* The version is letters, digits and . _ + - only (export.version). */
    if (err == UEX_OK && layout->config->export_version_field == UEX_VERSION_COLUMN && !plan->list_only)
        uex_buffer_append_format(sql, ", '%s'::text", layout->version);
    return err == UEX_OK ? uex_pg_append_from(postgres, group_id, sql, fault) : err;
}

enum uex_error uex_pg_append_pending(struct uex_postgres *postgres, struct uex_buffer *sql, struct uex_fault *fault)
{
    const char *name = uex_layout_pending_column(postgres->config);
    enum uex_error err;

    if (name[0] == '\0')
        return UEX_OK;
    uex_buffer_append_text(sql, " AND ");
    err = uex_pg_append_identifier(postgres, name, strlen(name), sql, fault);
    uex_buffer_append_text(sql, " = false");
    return err;
}

enum uex_error uex_pg_append_from(struct uex_postgres *postgres, const char *group_id, struct uex_buffer *sql,
                                  struct uex_fault *fault)
{
    enum uex_error err;

    uex_buffer_append_text(sql, " FROM ");
    err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, sql, fault);
    uex_buffer_append_text(sql, " WHERE group_id = ");
    if (err == UEX_OK)
        err = append_escaped(sql, PQescapeLiteral(postgres->conn, group_id, strlen(group_id)),
                             uex_bytes_of_text(group_id), fault);
    return err == UEX_OK ? uex_pg_append_pending(postgres, sql, fault) : err;
}

/* "a", "b" */
static enum uex_error append_names(struct uex_postgres *postgres, const struct uex_layout *layout,
                                   struct uex_buffer *sql, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; err == UEX_OK && i < layout->column_count; i++) {
        const char *name = layout->columns[i].view_name;

        uex_buffer_append_text(sql, i == 0 ? "" : ", ");
        err = uex_pg_append_identifier(postgres, name, strlen(name), sql, fault);
    }
    return err;
}

enum uex_error uex_pg_append_types(struct uex_postgres *postgres, const struct uex_layout *layout,
                                   struct uex_buffer *sql, struct uex_fault *fault)
{
    enum uex_error err;

    uex_buffer_append_text(sql, "SELECT ");
    err = append_names(postgres, layout, sql, fault);
    uex_buffer_append_text(sql, " FROM ");
    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, sql, fault);
    uex_buffer_append_text(sql, " LIMIT 0");
    return err;
}

enum uex_error uex_pg_append_access_check(struct uex_postgres *postgres, const struct uex_layout *layout,
                                          struct uex_buffer *sql, struct uex_fault *fault)
{
    const char *pending = uex_layout_pending_column(postgres->config);
    enum uex_error err = UEX_OK;

    uex_buffer_append_text(sql, "SELECT group_id, ");
    err = append_names(postgres, layout, sql, fault);
    if (err == UEX_OK && pending[0] != '\0') {
        uex_buffer_append_text(sql, ", ");
        err = uex_pg_append_identifier(postgres, pending, strlen(pending), sql, fault);
    }
    uex_buffer_append_text(sql, " FROM ");
    return err == UEX_OK ? uex_pg_append_name(postgres, postgres->config->postgres_user_view, sql, fault) : err;
}

void uex_pg_hmac_pads(const char *key, char inner[UEX_PG_PAD_HEX_SIZE], char outer[UEX_PG_PAD_HEX_SIZE])
{
    uint8_t block[HMAC_BLOCK_BYTES] = {0}, pad[HMAC_BLOCK_BYTES];
    size_t length = strlen(key);

    if (length > sizeof(block))
        uex_sha256(uex_bytes_of(key, length), block);
    else
        memcpy(block, key, length);
    for (size_t i = 0; i < sizeof(block); i++)
        pad[i] = block[i] ^ 0x36;
    uex_hex(pad, sizeof(pad), inner);
    for (size_t i = 0; i < sizeof(block); i++)
        pad[i] = block[i] ^ 0x5c;
    uex_hex(pad, sizeof(pad), outer);
    explicit_bzero(block, sizeof(block));
    explicit_bzero(pad, sizeof(pad));
}
