/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/connect.h — connecting and cancelling, both bounded. */
#ifndef EXPORT_POSTGRES_CONNECT_H
#define EXPORT_POSTGRES_CONNECT_H

#include "postgres/session.h"

/* Connect with what `dsn` says, at most `wait_ms`. Client encoding UTF-8, non-blocking, notices to the debug log. */
UEX_MUST_CHECK enum uex_error uex_pg_connect(const char *dsn, const char *application_name, int64_t wait_ms,
                                             const struct uex_cancel *cancel, PGconn **out, struct uex_fault *fault);
/* Ask the server to give the running query up; returns after 2 s at most. */
void uex_pg_cancel_query(PGconn *conn);
#endif
