/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/session.h — one connection and the waits on it; shared by the files of this module.
 *
 * Nothing waits inside libpq: queries are sent and read without blocking, every wait is ours (poll(2) in slices, so
 * that `cancel` is seen), and the two calls that block, connecting and cancelling, run in the background.
 */
#ifndef EXPORT_POSTGRES_SESSION_H
#define EXPORT_POSTGRES_SESSION_H

#include "export/config.h"
#include "export/postgres.h"
#include "postgres/wait.h"

#include <libpq-fe.h>

struct uex_postgres {
    const struct uex_config *config;
    char application_name[64];
    const struct uex_cancel *cancel;
    PGconn *conn;                    /* NULL: connect on next use */
    _Atomic bool is_connected;       /* and a query was answered; read by any thread */
    uint64_t use_count;              /* how often there was a connection to work with */
    bool reading;                    /* a stream of rows has the connection */
    bool met_replica;                /* what looked like a primary was one, once: a pooler is between */
    const struct uex_layout *layout; /* of what is read, for faults; borrowed; NULL: nothing is */
    bool answered;                   /* the server refused the running query: the rest of its answer is short */

    /* Of the session, as found when it was connected. */
    bool has_timeouts;       /* the role or the database brings timeouts of its own */
    bool can_watch;          /* client_connection_check_interval is there and not set */
    bool asks_lag;           /* a replica, or perhaps one: it is asked how far it is behind */
    bool hides_lag;          /* a replica that does not tell */
    unsigned answers;        /* results since the last query was sent; single rows are not counted */
    struct uex_pg_wait wait; /* for the next result or row */
};

/* Connect unless there is a connection that is idle and well. */
UEX_MUST_CHECK enum uex_error uex_pg_open(struct uex_postgres *postgres, struct uex_fault *fault);
void uex_pg_close(struct uex_postgres *postgres);
/* Leave the connection clean for the next user: a transaction that is still open is rolled back; a query that still
 * runs is cancelled and the connection closed. Bounded, whatever the server does. */
void uex_pg_settle(struct uex_postgres *postgres);

/* Send a query; without parameters it may hold several statements. `values` are bound as text, NULL is NULL. */
UEX_MUST_CHECK enum uex_error uex_pg_send(struct uex_postgres *postgres, const char *sql, int value_count,
                                          const char *const *values, struct uex_fault *fault);
/* Wait for more bytes of the server, for a result. UEX_CANCELLED, UEX_DB_STALLED, UEX_DB_UNAVAILABLE. */
UEX_MUST_CHECK enum uex_error uex_pg_wait_input(struct uex_postgres *postgres, struct uex_fault *fault);
/* The same for a row. UEX_LIMIT, and `fault` as it was: more than `max_bytes` have come since the last row. */
UEX_MUST_CHECK enum uex_error uex_pg_wait_row(struct uex_postgres *postgres, uint64_t max_bytes,
                                              struct uex_fault *fault);
/* The next result of what was sent; the caller PQclear()s it. UEX_END when there are no more. A result that is an error
 * is cleared and returned as one. */
UEX_MUST_CHECK enum uex_error uex_pg_next_result(struct uex_postgres *postgres, PGresult **out,
                                                 struct uex_fault *fault);
/* Send and read to the end: the last result. The connection is taken as it stands, also within a transaction; after an
 * error it is for the caller to settle. */
UEX_MUST_CHECK enum uex_error uex_pg_ask(struct uex_postgres *postgres, const char *sql, int value_count,
                                         const char *const *values, PGresult **out, struct uex_fault *fault);
/* Connect, send and read to the end: the last result. After an error the connection is settled. Where the session has
 * timeouts of its own, they are set aside. */
UEX_MUST_CHECK enum uex_error uex_pg_query(struct uex_postgres *postgres, const char *sql, int value_count,
                                           const char *const *values, PGresult **out, struct uex_fault *fault);
/* The same, for a query that may take long: the server gives it up when this process has died. Two round trips more. */
UEX_MUST_CHECK enum uex_error uex_pg_long_query(struct uex_postgres *postgres, const char *sql, int value_count,
                                                const char *const *values, PGresult **out, struct uex_fault *fault);

/* Append the statements that a transaction begins with: timeouts that the role or the database brings along are off
 * (postgres.stall_timeout bounds the transaction), and the server looks after its client. All of it ends with the
 * transaction, so nothing stays behind on the connection of a pooler. */
void uex_pg_append_limits(const struct uex_postgres *postgres, struct uex_buffer *sql);
/* Begin a transaction of a catalogue's query, with these settings; uex_pg_commit() ends it. */
UEX_MUST_CHECK enum uex_error uex_pg_begin(struct uex_postgres *postgres, struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_pg_commit(struct uex_postgres *postgres, struct uex_fault *fault);

/* The name of a setting that does not exist: a query that meets a formula fails by reading it (src/postgres/sql.c). */
#define UEX_PG_FORMULA_MARK "uex.formula_rejected"
/* The same for a date or time that no file can hold; the column's place in the layout stands behind it. */
#define UEX_PG_RANGE_MARK "uex.out_of_range_"

/* What a SQLSTATE means for the worker (src/postgres/errors.c), and its sentence for people. */
enum uex_error uex_pg_sqlstate_error(const char *sqlstate, const char **sentence);
/* A well-formed SQLSTATE: five of 0-9 and A-Z, and then the text ends, or the line or what a colon ends. What a server
 * sends as one is checked before it goes into a log. */
bool uex_pg_is_sqlstate(const char *text);
/* Why PgBouncer refused from its text of `length` bytes. UEX_OK: the text is not known. */
enum uex_error uex_pg_pooler_error(const char *sqlstate, const char *text, size_t length, const char **sentence);
/* The condition that a SQLSTATE of five characters stands for ("division_by_zero"), that of its class where it is none
 * of PostgreSQL's own, NULL where the class is unknown (src/postgres/conditions.c). */
const char *uex_pg_condition(const char *sqlstate);
/* The whole table; NULL behind its end. For tests. */
const char *uex_pg_condition_at(size_t index, const char **sqlstate);
/* The fault of a failed result: SQLSTATE and its condition, column, our own sentence, and where the server's words are:
 * in its log of now, at this application_name. UEX_FORMULA_REJECTED for the mark. `layout` is what was read, NULL if
 * nothing was: columns are named where they are the layout's. */
UEX_MUST_CHECK enum uex_error uex_pg_result_fault(const PGresult *result, const struct uex_layout *layout,
                                                  const char *application_name, struct uex_fault *fault);
/* The fault of a connection that did not come about, from libpq's text with PQERRORS_VERBOSE. */
UEX_MUST_CHECK enum uex_error uex_pg_connect_fault(const char *message, bool password_missing, struct uex_fault *fault);
#endif
