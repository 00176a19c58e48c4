/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/wide_row.h — rows wider than export.max_row.
 *
 * libpq gathers a whole row before it hands it out, so a row's width is known only when its memory is used. What the
 * socket has delivered since the row began is known earlier, at no cost to other rows: the server is not asked, because
 * adding up the widths of a row's columns there takes about an eighth of the time of an export.
 */
#ifndef EXPORT_POSTGRES_WIDE_ROW_H
#define EXPORT_POSTGRES_WIDE_ROW_H

#include "postgres/sql.h"

/* Bytes that were read from the connection's socket since it was made, TLS's own among them; UEX_UNKNOWN where the
 * system does not count them (Unix sockets). */
uint64_t uex_pg_bytes_read(PGconn *conn);

/* The row is wider than the bound, or must be: `received_bytes` have come and its end has not. */
bool uex_pg_row_is_wide(const struct uex_postgres *postgres, size_t row_bytes);
bool uex_pg_row_will_be_wide(const struct uex_postgres *postgres, uint64_t received_bytes);

/* Give the running query up and fail with UEX_DB_DATA. The text names the group's widest column where the server says
 * in time which it is. The transaction is over then. */
enum uex_error uex_pg_fail_wide(struct uex_postgres *postgres, const char *group_id, const struct uex_masks *masks,
                                bool usernames_only, struct uex_fault *fault);
#endif
