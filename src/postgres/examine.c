/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/examine.c — the server and the role as they are, for people who look for what is wrong. */
#include <stdio.h>
#include <stdlib.h>

#include "postgres/sql.h"

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
    (void)snprintf(out, size, "%s", text);
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
        err = uex_fail(fault, UEX_DB_QUERY, "database: the server does not describe itself");
    if (err == UEX_OK) {
        out->local_at_ms = asked_at_ms + (uex_wall_ms() - asked_at_ms) / 2;
        copy_plain(PQgetvalue(result, 0, 0), out->version, sizeof(out->version));
        copy_plain(PQgetvalue(result, 0, 1), out->role, sizeof(out->role));
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

static enum uex_error count_groups(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                   struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err;

    uex_buffer_append_text(&sql, "SELECT count(*), count(*) FILTER (WHERE group_type IS NULL OR group_type::text NOT "
                                 "IN ('COST_BASED', 'NON_COST_BASED')) FROM ");
    err = uex_pg_append_name(postgres, postgres->config->postgres_group_view, &sql, fault);
    uex_buffer_append_text(&sql, " WHERE active");
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for a query");
    if (err == UEX_OK)
        err = uex_pg_long_query(postgres, uex_buffer_text(&sql), 0, NULL, &result, fault);
    if (err == UEX_OK && PQntuples(result) == 1) {
        out->active_groups = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        out->odd_groups = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    }
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}

enum uex_error uex_postgres_examine(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                    struct uex_fault *fault)
{
    enum uex_error err;

    *out = (struct uex_postgres_facts){.active_groups = UEX_UNKNOWN, .odd_groups = UEX_UNKNOWN};
    err = ask_server(postgres, out, fault);
    return err == UEX_OK ? count_groups(postgres, out, fault) : err;
}
