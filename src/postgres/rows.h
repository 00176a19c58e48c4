/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/rows.h — what every stream of rows begins with, also those of a shared group. */
#ifndef EXPORT_POSTGRES_ROWS_H
#define EXPORT_POSTGRES_ROWS_H

#include "postgres/share_plan.h"
#include "postgres/snapshot.h"

/* Bind the pads of the mask's key in the open transaction. */
UEX_MUST_CHECK enum uex_error uex_pg_bind_pads(struct uex_postgres *postgres, const char *key, struct uex_fault *fault);
/* A stream over a connection whose transaction has begun; it ends with the transaction. NULL: no memory. */
UEX_MUST_CHECK struct uex_rows *uex_pg_rows_new(struct uex_postgres *postgres, struct uex_row_shares *shares);
#endif
