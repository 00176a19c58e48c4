/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/views.c — are the two views there, with the columns and types that exports need? */
#include "postgres/sql.h"

#include <stdio.h>
#include <stdlib.h>

/* Source: src/include/catalog/pg_type.dat of PostgreSQL; object ids of built-in types never change. */
static const struct {
    unsigned oid;
    enum uex_column_type type;
} known_types[] = {
    {16, UEX_COLUMN_BOOLEAN},     {20, UEX_COLUMN_BIGINT},        {21, UEX_COLUMN_SMALLINT},  {23, UEX_COLUMN_INTEGER},
    {114, UEX_COLUMN_JSON},       {700, UEX_COLUMN_REAL},         {701, UEX_COLUMN_DOUBLE},   {1082, UEX_COLUMN_DATE},
    {1114, UEX_COLUMN_TIMESTAMP}, {1184, UEX_COLUMN_TIMESTAMPTZ}, {1700, UEX_COLUMN_NUMERIC}, {2950, UEX_COLUMN_UUID},
    {3802, UEX_COLUMN_JSONB},
};

/* The columns of a view in their order: name, the type below all domains, its category, its name, and the modifier of
 * the first domain that has one. */
#define COLUMNS_QUERY                                                                                                  \
    "SELECT a.attname::text, b.oid, b.typcategory::text, format_type(a.atttypid, NULL), b.typmod "                     \
    "FROM pg_catalog.pg_attribute a, LATERAL (WITH RECURSIVE base AS ("                                                \
    "SELECT oid, typbasetype, typcategory, CASE WHEN typbasetype = 0 OR a.atttypmod <> -1 THEN a.atttypmod "           \
    "ELSE typtypmod END AS typmod FROM pg_catalog.pg_type WHERE oid = a.atttypid UNION ALL "                           \
    "SELECT t.oid, t.typbasetype, t.typcategory, CASE WHEN base.typmod <> -1 THEN base.typmod ELSE t.typtypmod END "   \
    "FROM pg_catalog.pg_type t JOIN base ON t.oid = base.typbasetype) "                                                \
    "SELECT oid, typcategory, typmod FROM base WHERE typbasetype = 0) b "                                              \
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"

struct view_columns {
    const char *view; /* as configured, for texts */
    PGresult *result;
};

/* Text is what belongs to the string types (text, varchar, char, citext) or is an enum. */
static enum uex_column_type type_of(unsigned oid, char category)
{
    for (size_t i = 0; i < sizeof(known_types) / sizeof(known_types[0]); i++) {
        if (known_types[i].oid == oid)
            return known_types[i].type;
    }
    return category == 'S' || category == 'E' ? UEX_COLUMN_TEXT : UEX_COLUMN_UNKNOWN;
}

/* The name of a type as the server has it, for texts: not if it is anything else than a plain name. */
static const char *type_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ .()[]");

    return length > 0 && length <= 63 && name[length] == '\0' ? name : "of another type";
}

/* Source: numeric.c of PostgreSQL: precision in the upper 16 bits, scale in the lower 11, with its sign. */
static void read_modifier(int typmod, struct uex_column_kind *out)
{
    out->typmod = typmod;
    if (out->type != UEX_COLUMN_NUMERIC || typmod < 4)
        return;
    out->precision = ((typmod - 4) >> 16) & 0xFFFF;
    out->scale = (((typmod - 4) & 0x7FF) ^ 1024) - 1024;
}

static void read_column(const struct view_columns *columns, int row, struct uex_view_column *out)
{
    const char *category = PQgetvalue(columns->result, row, 2);

    *out = (struct uex_view_column){.name = PQgetvalue(columns->result, row, 0),
                                    .type_text = type_name(PQgetvalue(columns->result, row, 3))};
    out->kind.oid = (unsigned)strtoul(PQgetvalue(columns->result, row, 1), NULL, 10);
    out->kind.type = type_of(out->kind.oid, category[0]);
    read_modifier((int)strtol(PQgetvalue(columns->result, row, 4), NULL, 10), &out->kind);
}

/* A column that the program itself needs must be there, and of its type. */
static enum uex_error check_column(const struct view_columns *columns, const char *name, enum uex_column_type wanted,
                                   struct uex_fault *fault)
{
    const char *title = uex_column_type_name(wanted);

    for (int row = 0; row < PQntuples(columns->result); row++) {
        struct uex_view_column found;

        read_column(columns, row, &found);
        if (strcmp(found.name, name) != 0)
            continue;
        if (found.kind.type == wanted || (wanted == UEX_COLUMN_TEXT && found.kind.type == UEX_COLUMN_UUID))
            return UEX_OK;
        return uex_fail(fault, UEX_DB_SCHEMA, "database: column %s of view %s is %s, not %s", name, columns->view,
                        found.type_text, title);
    }
    return uex_fail(fault, UEX_DB_SCHEMA, "database: view %s has no column %s (%s)", columns->view, name, title);
}

static enum uex_error read_columns(struct uex_postgres *postgres, const char *view, struct view_columns *out,
                                   struct uex_fault *fault)
{
    struct uex_buffer quoted = {0};
    const char *name;
    enum uex_error err = uex_pg_open(postgres, fault);

    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, view, &quoted, fault);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&quoted, fault);
    name = uex_buffer_text(&quoted);
    if (err == UEX_OK)
        err = uex_pg_query(postgres, COLUMNS_QUERY, 1, &name, &out->result, fault);
    uex_buffer_clear(&quoted);
    out->view = view;
    if (err == UEX_OK && PQntuples(out->result) == 0)
        err = uex_fail(fault, UEX_DB_SCHEMA, "database: view %s does not exist", view);
    return err;
}

/* Reading nothing shows the rights, which the catalogue's tables do not. */
static enum uex_error check_access(struct uex_postgres *postgres, const struct uex_layout *users, const char *view,
                                   struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err;

    if (users != NULL) {
        err = uex_pg_append_access_check(postgres, users, &sql, fault);
    } else {
        uex_buffer_append_text(&sql, "SELECT group_id, group_type, active FROM ");
        err = uex_pg_append_name(postgres, view, &sql, fault);
    }
    uex_buffer_append_text(&sql, " LIMIT 0");
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, fault);
    if (err == UEX_OK)
        err = uex_pg_query(postgres, uex_buffer_text(&sql), 0, NULL, &result, fault);
    if (err == UEX_DB_DENIED)
        err =
            uex_fail(fault, err,
                     "database: SQLSTATE 42501 (insufficient_privilege): the role has no right to read view %s", view);
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}

static enum uex_error check_groups(struct uex_postgres *postgres, struct uex_fault *fault)
{
    struct view_columns columns = {0};
    const char *view = postgres->config->postgres_group_view;
    enum uex_error err = read_columns(postgres, view, &columns, fault);

    if (err == UEX_OK)
        err = check_column(&columns, "group_id", UEX_COLUMN_TEXT, fault);
    if (err == UEX_OK)
        err = check_column(&columns, "group_type", UEX_COLUMN_TEXT, fault);
    if (err == UEX_OK)
        err = check_column(&columns, "active", UEX_COLUMN_BOOLEAN, fault);
    PQclear(columns.result);
    return err == UEX_OK ? check_access(postgres, NULL, view, fault) : err;
}

/* The layout with the view's types. One that has them already stays: the view must still fit it. */
static enum uex_error resolve(const struct view_columns *columns, const struct uex_layout *layout,
                              struct uex_layout **out, struct uex_fault *fault)
{
    const int count = PQntuples(columns->result);
    struct uex_view_column *found = calloc((size_t)count, sizeof(*found));
    enum uex_error err;

    *out = NULL;
    if (found == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for the columns of a view");
    for (int row = 0; row < count; row++)
        read_column(columns, row, &found[row]);
    err = uex_layout_resolve(layout, columns->view, found, (size_t)count, out, fault);
    if (err == UEX_OK && uex_layout_is_resolved(layout))
        err = uex_layout_compare(layout, *out, columns->view, fault);
    free(found);
    return err;
}

static enum uex_error check_users(struct uex_postgres *postgres, const struct uex_layout *layout,
                                  struct uex_layout **resolved, struct uex_fault *fault)
{
    struct view_columns columns = {0};
    const char *view = postgres->config->postgres_user_view;
    const char *pending = uex_layout_pending_column(postgres->config);
    enum uex_error err = read_columns(postgres, view, &columns, fault);

    if (err == UEX_OK)
        err = resolve(&columns, layout, resolved, fault);
    if (err == UEX_OK)
        err = check_column(&columns, "group_id", UEX_COLUMN_TEXT, fault);
    if (err == UEX_OK && pending[0] != '\0')
        err = check_column(&columns, pending, UEX_COLUMN_BOOLEAN, fault);
    PQclear(columns.result);
    return err == UEX_OK ? check_access(postgres, *resolved, view, fault) : err;
}

enum uex_error uex_postgres_check_views(struct uex_postgres *postgres, const struct uex_layout *layout,
                                        struct uex_layout **resolved, struct uex_fault *fault)
{
    struct uex_layout *found = NULL;
    enum uex_error err = check_groups(postgres, fault);

    if (err == UEX_OK)
        err = check_users(postgres, layout, &found, fault);
    if (err != UEX_OK || resolved == NULL) {
        uex_layout_free(found);
        return err;
    }
    *resolved = found;
    return UEX_OK;
}

/* One row of text. The views' names are bound: to_regclass() reads them as SQL would. */
#define FACTS_QUERY                                                                                                    \
    "SELECT current_setting('server_version'), current_user::text, pg_is_in_recovery(), "                              \
    "coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false), "                       \
    "coalesce((SELECT bool_or(has_table_privilege(v, 'INSERT') OR has_table_privilege(v, 'UPDATE') OR "                \
    "has_table_privilege(v, 'DELETE')) FROM unnest(ARRAY[to_regclass($1), to_regclass($2)]) v "                        \
    "WHERE v IS NOT NULL), false), (extract(epoch FROM clock_timestamp()) * 1000)::bigint"

static bool is_true(const PGresult *result, int column)
{
    return strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

/* A text of the server, for a terminal: what is not printable ASCII becomes '?'. */
static void copy_plain(const char *text, char *out, size_t size)
{
    (void)snprintf(out, size, "%s", text == NULL ? "" : text);
    for (char *at = out; *at != '\0'; at++) {
        if (*at < 0x20 || *at > 0x7E)
            *at = '?';
    }
}

static enum uex_error ask_server(struct uex_postgres *postgres, struct uex_postgres_facts *out, struct uex_fault *fault)
{
    struct uex_buffer group_view = {0}, user_view = {0};
    const char *views[2];
    PGresult *result = NULL;
    int64_t asked_at_ms = 0;
    enum uex_error err = uex_pg_open(postgres, fault);

    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, postgres->config->postgres_group_view, &group_view, fault);
    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, &user_view, fault);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&group_view, fault);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&user_view, fault);
    views[0] = uex_buffer_text(&group_view);
    views[1] = uex_buffer_text(&user_view);
    asked_at_ms = uex_wall_ms();
    if (err == UEX_OK)
        err = uex_pg_query(postgres, FACTS_QUERY, 2, views, &result, fault);
    if (err == UEX_OK && PQntuples(result) != 1)
        err = uex_fail(fault, UEX_DB_QUERY, "database: the server returned no description of itself");
    if (err == UEX_OK) {
        out->local_at_ms = asked_at_ms + (uex_wall_ms() - asked_at_ms) / 2;
        copy_plain(PQgetvalue(result, 0, 0), out->version, sizeof(out->version));
        copy_plain(PQgetvalue(result, 0, 1), out->role, sizeof(out->role));
        copy_plain(PQhost(postgres->conn), out->host, sizeof(out->host));
        copy_plain(PQport(postgres->conn), out->port, sizeof(out->port));
        copy_plain(PQdb(postgres->conn), out->database, sizeof(out->database));
        out->in_recovery = is_true(result, 2);
        out->is_superuser = is_true(result, 3);
        out->may_write = is_true(result, 4);
        out->server_at_ms = strtoll(PQgetvalue(result, 0, 5), NULL, 10);
    }
    PQclear(result);
    uex_buffer_clear(&group_view);
    uex_buffer_clear(&user_view);
    return err;
}

/* The types that are exported are the value $1, with commas between them. */
#define IS_ODD "(group_type IS NULL OR NOT group_type::text = ANY (pg_catalog.string_to_array($1, ',')))"

/* `SELECT <what> FROM <the group view> WHERE active <more>` */
static enum uex_error ask_groups(struct uex_postgres *postgres, const char *what, const char *more, PGresult **out,
                                 struct uex_fault *fault)
{
    struct uex_buffer sql = {0}, types = {0};
    const char *value;
    enum uex_error err = UEX_OK;

    uex_group_types_write(postgres->config, ",", &types);
    value = uex_buffer_text(&types);
    uex_buffer_append_format(&sql, "SELECT %s FROM ", what);
    err = uex_pg_append_name(postgres, postgres->config->postgres_group_view, &sql, fault);
    uex_buffer_append_format(&sql, " WHERE active%s", more);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, fault);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&types, fault);
    if (err == UEX_OK)
        err = uex_pg_long_query(postgres, uex_buffer_text(&sql), 1, &value, out, fault);
    uex_buffer_clear(&sql);
    uex_buffer_clear(&types);
    return err;
}

static enum uex_error count_groups(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                   struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = ask_groups(postgres, "count(*), count(*) FILTER (WHERE " IS_ODD ")", "", &result, fault);

    if (err == UEX_OK && PQntuples(result) == 1) {
        out->active_groups = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        out->odd_groups = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    }
    PQclear(result);
    return err;
}

/* An id is text from outside: the caller looks at it before it is printed. */
static enum uex_error name_odd_groups(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                      struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = ask_groups(postgres, "left(group_id::text, 63)",
                                    " AND group_id IS NOT NULL AND " IS_ODD " ORDER BY 1 LIMIT 5", &result, fault);

    for (int row = 0; err == UEX_OK && row < PQntuples(result) && row < UEX_ODD_NAMES_MAX; row++) {
        snprintf(out->odd_names[row], sizeof(out->odd_names[row]), "%s", PQgetvalue(result, row, 0));
        out->odd_name_count++;
    }
    PQclear(result);
    return err;
}

enum uex_error uex_postgres_examine(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                    struct uex_fault *fault)
{
    enum uex_error err;

    *out = (struct uex_postgres_facts){.active_groups = UEX_UNKNOWN, .odd_groups = UEX_UNKNOWN};
    err = ask_server(postgres, out, fault);
    if (err == UEX_OK)
        err = count_groups(postgres, out, fault);
    return err == UEX_OK && out->odd_groups > 0 ? name_odd_groups(postgres, out, fault) : err;
}
