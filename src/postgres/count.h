/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/count.h — how many rows: what the planner expects of a query. */
#ifndef EXPORT_POSTGRES_COUNT_H
#define EXPORT_POSTGRES_COUNT_H

#include "postgres/session.h"

struct uex_pg_estimate {
    double cost;      /* of all of it, in the planner's units */
    double row_count; /* of its result */
};

/* Put before a query, it answers with the plan as text; the first line has the figures. */
#define UEX_PG_EXPLAIN "EXPLAIN (FORMAT TEXT) "

/* Read the first line of a plan: "… (cost=0.43..110943.82 rows=2003314 width=261)". False if it is none. */
UEX_MUST_CHECK bool uex_pg_estimate_read(const char *line, struct uex_pg_estimate *out);
/* Ask for the estimate of `sql`. UEX_DB_QUERY: an answer that was not asked for. */
UEX_MUST_CHECK enum uex_error uex_pg_estimate(struct uex_postgres *postgres, const char *sql,
                                              struct uex_pg_estimate *out, struct uex_fault *fault);
#endif
