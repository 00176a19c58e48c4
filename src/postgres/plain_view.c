/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/plain_view.h"

#include "postgres/sql.h"

#include <stdlib.h>

#define TID_RANGES_SINCE 140000 /* TID range scans and hashtid() */

/* The relation's kind, what its rule depends on beside itself, and the definition; all of it is readable for everybody.
 * Row security, children and partitions would make the table's rows others than the view's. */
#define QUERY                                                                                                          \
    "WITH t AS (SELECT c.oid AS view, c.relkind AS kind, CASE WHEN c.relkind = 'v' THEN (SELECT min(d.refobjid) "      \
    "FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND "              \
    "d.objid = r.oid WHERE r.ev_class = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid "        \
    "HAVING count(DISTINCT d.refobjid) = 1) ELSE c.oid END AS base "                                                   \
    "FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)) "                                                       \
    "SELECT t.kind, CASE WHEN t.kind = 'v' THEN pg_catalog.pg_get_viewdef(t.view) END, "                               \
    "b.relkind = 'r' AND NOT b.relrowsecurity AND NOT b.relhassubclass AND NOT b.relispartition, "                     \
    "has_table_privilege(b.oid, 'SELECT') AND has_schema_privilege(b.relnamespace, 'USAGE'), "                         \
    "pg_catalog.pg_relation_size(b.oid) / "                                                                            \
    "current_setting('block_size')::bigint FROM t JOIN pg_catalog.pg_class b ON b.oid = t.base"

/* ---- the text of a definition */

struct text {
    const char *at;
};

static void skip_space(struct text *text)
{
    while (*text->at == ' ' || *text->at == '\n' || *text->at == '\t')
        text->at++;
}

static bool take(struct text *text, const char *token)
{
    size_t length = strlen(token);

    skip_space(text);
    if (strncmp(text->at, token, length) != 0)
        return false;
    text->at += length;
    return true;
}

/* A name as the server writes it: lower case, or in quotes. So a key word, which it writes in capitals, is none. */
static bool take_name(struct text *text)
{
    const char *at;

    skip_space(text);
    at = text->at;
    if (*at == '"') {
        for (at++; *at != '\0' && !(at[0] == '"' && at[1] != '"'); at++)
            at += *at == '"'; /* a doubled one */
        if (*at == '\0')
            return false;
        text->at = at + 1;
        return true;
    }
    if (!((*at >= 'a' && *at <= 'z') || *at == '_'))
        return false;
    while ((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_' || *at == '$')
        at++;
    text->at = at;
    return true;
}

static bool take_path(struct text *text, unsigned parts_max)
{
    for (unsigned parts = 1; take_name(text); parts++) {
        if (*text->at != '.')
            return true;
        if (parts == parts_max)
            return false;
        text->at++;
    }
    return false;
}

bool uex_pg_view_with_ctid(const char *definition, struct uex_buffer *out)
{
    struct text text = {.at = definition}, table = {0}, name = {0};
    const char *columns_end = NULL;

    if (!take(&text, "SELECT "))
        return false;
    do {
        if (!take_path(&text, 3))
            return false;
        columns_end = text.at;
        if (take(&text, "AS ")) {
            if (!take_name(&text))
                return false;
            columns_end = text.at;
        }
    } while (take(&text, ","));
    if (!take(&text, "FROM "))
        return false;
    skip_space(&text);
    table = name = text;
    if (!take_path(&text, 2))
        return false;
    const char *table_end = text.at;
    skip_space(&text);
    if (*text.at != ';') {
        name = text; /* an alias hides the table's own name */
        if (!take_name(&text))
            return false;
        table_end = text.at;
    }
    const char *name_end = text.at;
    if (!take(&text, ";") || (skip_space(&text), *text.at != '\0'))
        return false;
    uex_buffer_append_text(out, "(");
    uex_buffer_append(out, definition, (size_t)(columns_end - definition));
    uex_buffer_append_text(out, ", ");
    uex_buffer_append(out, name.at, (size_t)(name_end - name.at));
    uex_buffer_append_text(out, ".ctid AS " UEX_PG_CTID " FROM ");
    uex_buffer_append(out, table.at, (size_t)(table_end - table.at));
    uex_buffer_append_text(out, ") uex_users");
    return true;
}

/* ---- the catalogue */

static enum uex_error judge(struct uex_postgres *postgres, const PGresult *result, struct uex_pg_plain_view *out,
                            struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    if (PQserverVersion(postgres->conn) < TID_RANGES_SINCE)
        return uex_fail(fault, UEX_NOT_FOUND, "PostgreSQL reads ranges of ctid since version 14");
    if (PQntuples(result) != 1 || PQnfields(result) != 5 || strcmp(PQgetvalue(result, 0, 2), "t") != 0)
        return uex_fail(fault, UEX_NOT_FOUND, "the user view is not a plain one over one table");
    if (strcmp(PQgetvalue(result, 0, 3), "t") != 0)
        return uex_fail(fault, UEX_NOT_FOUND, "the role has no right to read the table of the user view");
    out->block_count = strtoull(PQgetvalue(result, 0, 4), NULL, 10);
    if (strcmp(PQgetvalue(result, 0, 0), "v") == 0)
        return uex_pg_view_with_ctid(PQgetvalue(result, 0, 1), &out->from)
                   ? UEX_OK
                   : uex_fail(fault, UEX_NOT_FOUND, "the user view is not a plain one over one table");
    uex_buffer_append_text(&out->from, "(SELECT *, ctid AS " UEX_PG_CTID " FROM ");
    err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, &out->from, fault);
    uex_buffer_append_text(&out->from, ") uex_users");
    return err;
}

enum uex_error uex_pg_plain_view(struct uex_postgres *postgres, struct uex_pg_plain_view *out, struct uex_fault *fault)
{
    struct uex_buffer quoted = {0};
    const char *name;
    PGresult *result = NULL;
    enum uex_error err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, &quoted, fault);

    *out = (struct uex_pg_plain_view){0};
    if (err == UEX_OK)
        err = uex_pg_check_sql(&quoted, fault);
    name = uex_buffer_text(&quoted);
    if (err == UEX_OK)
        err = uex_pg_ask(postgres, QUERY, 1, &name, &result, fault);
    if (err == UEX_OK)
        err = judge(postgres, result, out, fault);
    if (err == UEX_OK && uex_buffer_failed(&out->from))
        err = uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
    PQclear(result);
    uex_buffer_clear(&quoted);
    return err;
}
