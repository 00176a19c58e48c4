/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/count.c — how many rows a query has: counted, for people who wait for them, and expected. */
#include "postgres/sql.h"

#include <stdlib.h>

#include "postgres/count.h"

enum uex_error uex_postgres_count_rows(struct uex_postgres *postgres, const char *group_id, uint64_t *out,
                                       struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);

    *out = UEX_UNKNOWN;
    uex_buffer_append_text(&sql, "SELECT count(*) FROM ");
    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, &sql, fault);
    uex_buffer_append_text(&sql, " WHERE group_id = $1");
    if (err == UEX_OK)
        err = uex_pg_append_pending(postgres, &sql, fault);
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, fault);
    if (err == UEX_OK)
        err = uex_pg_long_query(postgres, uex_buffer_text(&sql), 1, &group_id, &result, fault);
    if (err == UEX_OK && PQntuples(result) == 1)
        *out = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}

/* The number behind `name`; false: there is none. */
static bool number_behind(const char *line, const char *name, double *out)
{
    const char *at = strstr(line, name);
    char *end = NULL;

    if (at == NULL)
        return false;
    at += strlen(name);
    *out = strtod(at, &end);
    return end != at && *out >= 0;
}

bool uex_pg_estimate_read(const char *line, struct uex_pg_estimate *out)
{
    /* What stands before may be the name of a table with anything in it. */
    for (const char *next = line; (next = strstr(next, "(cost=")) != NULL; next++)
        line = next;
    return number_behind(line, "..", &out->cost) && number_behind(line, " rows=", &out->row_count);
}

enum uex_error uex_pg_estimate(struct uex_postgres *postgres, const char *sql, struct uex_pg_estimate *out,
                               struct uex_fault *fault)
{
    struct uex_buffer text = {0};
    PGresult *result = NULL;
    enum uex_error err;

    uex_buffer_append_text(&text, UEX_PG_EXPLAIN);
    uex_buffer_append_text(&text, sql);
    err = uex_buffer_failed(&text) ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query")
                                   : uex_pg_ask(postgres, uex_buffer_text(&text), 0, NULL, &result, fault);
    uex_buffer_clear(&text);
    if (err != UEX_OK)
        return err;
    if (PQntuples(result) < 1 || PQnfields(result) != 1 || !uex_pg_estimate_read(PQgetvalue(result, 0, 0), out))
        err = uex_fail(fault, UEX_DB_QUERY, "database: the plan of a query cannot be read");
    PQclear(result);
    return err;
}
