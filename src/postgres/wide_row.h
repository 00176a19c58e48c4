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

bool uex_pg_row_is_wide(const struct uex_postgres *postgres, size_t row_bytes);
/* With so many bytes since the last row, TLS's own among them, the next one must be too wide. */
uint64_t uex_pg_row_sent_max_bytes(const struct uex_postgres *postgres);

/* Give the running query up and fail with UEX_DB_DATA. The text names the group's widest column where the server says
 * in time which it is. `seen`: the row is there. If it is not, and the group has no values that wide, then something
 * else was sent: UEX_DB_STALLED. The transaction is over then. */
enum uex_error uex_pg_fail_wide(struct uex_postgres *postgres, const char *group_id, const struct uex_layout *layout,
                                bool list_only, bool seen, struct uex_fault *fault);
#endif
