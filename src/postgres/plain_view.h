/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/plain_view.h — is the user view nothing but columns of one table, so that its rows can be told apart by
 * the table's ctid? */
#ifndef EXPORT_POSTGRES_PLAIN_VIEW_H
#define EXPORT_POSTGRES_PLAIN_VIEW_H

#include "postgres/session.h"

/* The name under which the ctid is added. */
#define UEX_PG_CTID "uex_ctid"

/* A view's definition as pg_get_viewdef() writes it, with the table's ctid added to its columns: SQL that can stand in
 * the place of the view. False: it is anything else than `SELECT column [AS name], … FROM table [alias];`. */
UEX_MUST_CHECK bool uex_pg_view_with_ctid(const char *definition, struct uex_buffer *out);

struct uex_pg_plain_view {
    struct uex_buffer from; /* what to read from instead of the view; owned */
    uint64_t block_count;   /* of the table */
};

/* The user view as a plain one. UEX_NOT_FOUND, and `fault` with the reason: it is none, or this role or version of the
 * server cannot read it that way. Asks the catalogue, which everybody may read. The caller clears `out->from` in any
 * case. */
UEX_MUST_CHECK enum uex_error uex_pg_plain_view(struct uex_postgres *postgres, struct uex_pg_plain_view *out,
                                                struct uex_fault *fault);
#endif
