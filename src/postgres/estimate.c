/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/estimate.h"

#include <stdlib.h>

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
