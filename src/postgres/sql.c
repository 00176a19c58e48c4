/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/sql.c — see sql.h. */
#include "postgres/sql.h"

#include "export/digest.h"
#include "export/text.h"

#include <stdlib.h>

#define HMAC_BLOCK_BYTES 64

/* Characters with which a spreadsheet takes a field for a formula (OWASP, "CSV Injection"): = + - @, tab, carriage
 * return, line feed, and the full-width forms of the first four. */
#define GUARDED "'=', '+', '-', '@', E'\\t', E'\\r', E'\\n'"
#define WIDE_UTF8 "'\xEF\xBC\x9D', '\xEF\xBC\x8B', '\xEF\xBC\x8D', '\xEF\xBC\xA0'"
#define WIDE_BYTES "decode('efbc9d', 'hex'), decode('efbc8b', 'hex'), decode('efbc8d', 'hex'), decode('efbca0', 'hex')"

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

/* Infinity and years that are not 0001 to 9999 have no ISO date of ten characters: they end the query as a formula
 * does, here with the column's name in the mark. `value` is what other dates become, as SQL. */
static void append_date(const struct uex_column *column, const char *quoted, const char *value, const char *type,
                        struct uex_buffer *sql)
{
    uex_buffer_append_format(sql,
                             "CASE WHEN %s BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN %s "
                             "WHEN %s IS NOT NULL THEN current_setting('" UEX_PG_DATE_MARK "%s')::%s END",
                             quoted, value, quoted, column->sql_name, type);
}

static void append_field(const struct uex_column *column, const char *quoted, enum uex_mask_action action,
                         const struct uex_row_plan *plan, const char *encoding, struct uex_buffer *sql)
{
    struct uex_buffer year = {0};

    switch (action) {
    case UEX_MASK_NULL:
        uex_buffer_append_text(sql, "NULL::text");
        return;
    case UEX_MASK_REDACT:
        uex_buffer_append_format(sql, "CASE WHEN %s IS NOT NULL THEN '***' END", quoted);
        return;
    case UEX_MASK_HASH:
        append_hash(quoted, sql);
        return;
    case UEX_MASK_YEAR:
        uex_buffer_append_format(&year, "to_char(%s, 'YYYY')", quoted);
        append_date(column, quoted, uex_buffer_text(&year), "text", sql);
        sql->failed = sql->failed || uex_buffer_failed(&year);
        uex_buffer_clear(&year);
        return;
    case UEX_MASK_NONE:
        break;
    }
    switch (column->type) {
    case UEX_COLUMN_TEXT:
        append_guarded(quoted, plan->guard, encoding, sql);
        break;
    case UEX_COLUMN_BOOLEAN:
        uex_buffer_append_format(sql, "%s::text", quoted); /* true or false; COPY itself writes t or f */
        break;
    case UEX_COLUMN_DATE:
        append_date(column, quoted, quoted, "date", sql);
        break;
    case UEX_COLUMN_INTEGER:
        uex_buffer_append_text(sql, quoted); /* COPY writes the text of the cast, and without its cost */
        break;
    }
}

static enum uex_error append_column(struct uex_postgres *postgres, size_t index, const struct uex_row_plan *plan,
                                    struct uex_buffer *sql, struct uex_fault *fault)
{
    enum uex_mask_action action = plan->masks == NULL ? UEX_MASK_NONE : plan->masks->actions[index];
    const struct uex_column *column = &uex_columns[index];
    struct uex_buffer quoted = {0};
    enum uex_error err = uex_pg_append_identifier(postgres, column->sql_name, strlen(column->sql_name), &quoted, fault);

    if (err == UEX_OK)
        append_field(column, uex_buffer_text(&quoted), action, plan,
                     PQparameterStatus(postgres->conn, "server_encoding"), sql);
    sql->failed = sql->failed || uex_buffer_failed(&quoted);
    uex_buffer_clear(&quoted);
    return err;
}

static bool is_username(const struct uex_column *column)
{
    return strcmp(column->sql_name, "username") == 0;
}

enum uex_error uex_pg_append_rows(struct uex_postgres *postgres, const char *group_id, const struct uex_row_plan *plan,
                                  struct uex_buffer *sql, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;
    const char *separator = "SELECT ";

    for (size_t i = 0; err == UEX_OK && i < UEX_COLUMN_COUNT; i++) {
        if (plan->usernames_only && !is_username(&uex_columns[i]))
            continue;
        uex_buffer_append_text(sql, separator);
        err = append_column(postgres, i, plan, sql, fault);
        separator = ", ";
    }
    if (err == UEX_OK && plan->version == UEX_VERSION_COLUMN && !plan->usernames_only)
        uex_buffer_append_text(sql, ", '" UEX_EXPORT_VERSION "'");
    return err == UEX_OK ? uex_pg_append_from(postgres, group_id, sql, fault) : err;
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
    uex_buffer_append_text(sql, " AND sent_to_matching_service = false");
    return err;
}

enum uex_error uex_pg_append_access_check(struct uex_postgres *postgres, struct uex_buffer *sql,
                                          struct uex_fault *fault)
{
    uex_buffer_append_text(sql, "SELECT ");
    for (size_t i = 0; i < UEX_COLUMN_COUNT; i++)
        uex_buffer_append_format(sql, "%s, ", uex_columns[i].sql_name);
    uex_buffer_append_text(sql, "sent_to_matching_service FROM ");
    return uex_pg_append_name(postgres, postgres->config->postgres_user_view, sql, fault);
}

bool uex_pg_plan_hashes(const struct uex_row_plan *plan)
{
    for (size_t i = 0; plan->masks != NULL && i < UEX_COLUMN_COUNT; i++) {
        if (plan->masks->actions[i] == UEX_MASK_HASH && (!plan->usernames_only || is_username(&uex_columns[i])))
            return true;
    }
    return false;
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
