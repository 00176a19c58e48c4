/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/snapshot.h — the transaction that an export reads in, and the time of its data. */
#ifndef EXPORT_POSTGRES_SNAPSHOT_H
#define EXPORT_POSTGRES_SNAPSHOT_H

#include "postgres/session.h"

#define UEX_PG_BEGIN_SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* The settings of a transaction that reads rows: uex_pg_append_limits(), and dates come as ISO has them. */
void uex_pg_append_settings(const struct uex_postgres *postgres, struct uex_buffer *sql);

/* Append what begins a snapshot, all in one message: the question for its time, BEGIN, and the settings. Of the
 * answers the first with rows is the time's; they begin with those of a transaction that ends with ROLLBACK. */
void uex_pg_append_snapshot(const struct uex_postgres *postgres, struct uex_buffer *sql);

/* The answer to that question. `at_ms`: whatever was committed by then is in the snapshot; on a replica this is the
 * replica's last replayed commit where it is behind. UEX_DB_LAGGING: the replica is further behind than
 * postgres.max_lag, or cannot tell. UEX_DB_TRANSIENT: it is another server than the one that was connected to, and to
 * be connected to again. UEX_DB_QUERY: it is no such answer. */
UEX_MUST_CHECK enum uex_error uex_pg_snapshot_read(struct uex_postgres *postgres, const PGresult *result,
                                                   int64_t *at_ms, struct uex_fault *fault);

/* Begin a snapshot on a connection that is open, with the statements `more` behind (may be ""); `last` is their last
 * result, for the caller to PQclear() (NULL: not wanted). After an error the connection is for the caller to settle. */
UEX_MUST_CHECK enum uex_error uex_pg_begin_snapshot(struct uex_postgres *postgres, const char *more, int64_t *at_ms,
                                                    PGresult **last, struct uex_fault *fault);

/* Ask a replica, once for a connection, whether it tells how far it is behind. What is not PostgreSQL's own replica
 * may refuse, and then the snapshot's time is the server's clock. */
void uex_pg_examine_replica(struct uex_postgres *postgres);
#endif
