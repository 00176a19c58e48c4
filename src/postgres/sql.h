/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/sql.h — the texts of queries. Every name and literal in them is quoted by libpq. */
#ifndef EXPORT_POSTGRES_SQL_H
#define EXPORT_POSTGRES_SQL_H

#include "postgres/session.h"

/* Append a view's name, quoted. `name` is as SQL has it: name, schema.name, either part in double quotes or not;
 * without them letters keep their case. UEX_CONFIG for anything else. */
UEX_MUST_CHECK enum uex_error uex_pg_append_name(struct uex_postgres *postgres, const char *name,
                                                 struct uex_buffer *sql, struct uex_fault *fault);
/* Append one name, quoted. */
UEX_MUST_CHECK enum uex_error uex_pg_append_identifier(struct uex_postgres *postgres, const char *name,
                                                       size_t size_bytes, struct uex_buffer *sql,
                                                       struct uex_fault *fault);
/* Append what closes `COPY (` and the rows' SELECT with its conditions: in which form the format takes rows. */
void uex_pg_append_copy_end(const struct uex_row_plan *plan, struct uex_buffer *sql);
/* Append the SELECT of a group's rows: the layout's columns and the version column, or the list column alone. More
 * conditions may be appended, each with " AND " before it. */
UEX_MUST_CHECK enum uex_error uex_pg_append_rows(struct uex_postgres *postgres, const char *group_id,
                                                 const struct uex_row_plan *plan, struct uex_buffer *sql,
                                                 struct uex_fault *fault);
/* Append only what stands behind the SELECT's columns. */
UEX_MUST_CHECK enum uex_error uex_pg_append_from(struct uex_postgres *postgres, const char *group_id,
                                                 struct uex_buffer *sql, struct uex_fault *fault);
/* Append `SELECT the columns … LIMIT 0` with everything that the worker ever reads of the user view. */
UEX_MUST_CHECK enum uex_error uex_pg_append_access_check(struct uex_postgres *postgres, const struct uex_layout *layout,
                                                         struct uex_buffer *sql, struct uex_fault *fault);
/* Append `SELECT the layout's columns … LIMIT 0`, whose answer has their types. */
UEX_MUST_CHECK enum uex_error uex_pg_append_types(struct uex_postgres *postgres, const struct uex_layout *layout,
                                                  struct uex_buffer *sql, struct uex_fault *fault);
/* Append the condition on export.pending_column, with " AND " before it; nothing where all rows are exported. */
UEX_MUST_CHECK enum uex_error uex_pg_append_pending(struct uex_postgres *postgres, struct uex_buffer *sql,
                                                    struct uex_fault *fault);

/* UEX_NO_MEMORY if the text of a query is not whole: a query without its end is another query. */
UEX_MUST_CHECK enum uex_error uex_pg_check_sql(const struct uex_buffer *sql, struct uex_fault *fault);

/* The two pads of HMAC-SHA-256 (RFC 2104, section 2) of a key, as hex text. */
#define UEX_PG_PAD_HEX_SIZE 129
void uex_pg_hmac_pads(const char *key, char inner[UEX_PG_PAD_HEX_SIZE], char outer[UEX_PG_PAD_HEX_SIZE]);
#endif
