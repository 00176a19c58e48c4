/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/session.c — see session.h. */
#include "postgres/session.h"

#include "postgres/connect.h"
#include "postgres/snapshot.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTLE_MS 2000
/* More results than any of our messages asks for. */
#define ANSWERS_MAX 32

struct uex_postgres *uex_postgres_new(const struct uex_config *config, const char *application_name)
{
    struct uex_postgres *postgres = calloc(1, sizeof(*postgres));

    if (postgres == NULL)
        return NULL;
    postgres->config = config;
    (void)snprintf(postgres->application_name, sizeof(postgres->application_name), "%s", application_name);
    return postgres;
}

void uex_postgres_set_cancel(struct uex_postgres *postgres, const struct uex_cancel *cancel)
{
    postgres->cancel = cancel;
}

void uex_pg_close(struct uex_postgres *postgres)
{
    if (postgres->conn != NULL)
        PQfinish(postgres->conn);
    postgres->conn = NULL;
    postgres->is_connected = false;
}

void uex_postgres_free(struct uex_postgres *postgres)
{
    if (postgres == NULL)
        return;
    uex_pg_settle(postgres);
    uex_pg_close(postgres);
    free(postgres);
}

/* A server sends nothing to an idle connection, except that it ends or that a setting changed. */
static bool is_quiet(PGconn *conn)
{
    struct pollfd entry = {.fd = PQsocket(conn), .events = POLLIN};

    return PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_IDLE &&
           !uex_pg_has_decrypted(conn) && poll(&entry, 1, 0) == 0;
}

static enum uex_error wait_fault(enum uex_error err, struct uex_fault *fault)
{
    switch (err) {
    case UEX_OK:
        return UEX_OK;
    case UEX_CANCELLED:
        return uex_fail(fault, err, "database: the query was cancelled");
    case UEX_TIMEOUT:
        return uex_fail(fault, UEX_DB_STALLED, "database: no progress within postgres.stall_timeout");
    case UEX_LIMIT:
        return uex_fail(fault, UEX_DB_STALLED, "database: the server keeps sending, but neither a result nor a row");
    default:
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection broke");
    }
}

static enum uex_error wait_read(struct uex_postgres *postgres, uint64_t max_bytes)
{
    const struct uex_pg_wait_limits limits = {.wait_ms = postgres->config->postgres_stall_timeout_ms,
                                              .max_bytes = max_bytes,
                                              .bytes_extend = true,
                                              .cancel = postgres->cancel};

    return uex_pg_wait(&postgres->wait, postgres->conn, false, &limits);
}

enum uex_error uex_pg_wait_input(struct uex_postgres *postgres, struct uex_fault *fault)
{
    return wait_fault(wait_read(postgres, UEX_PG_ANSWER_MAX_BYTES), fault);
}

enum uex_error uex_pg_wait_row(struct uex_postgres *postgres, uint64_t max_bytes, struct uex_fault *fault)
{
    enum uex_error err = wait_read(postgres, max_bytes);

    return err == UEX_LIMIT ? err : wait_fault(err, fault);
}

/* Send all that libpq holds; the server may want to be read meanwhile (documentation of PQflush). */
static enum uex_error flush(PGconn *conn, int64_t wait_ms, const struct uex_cancel *cancel)
{
    const struct uex_pg_wait_limits limits = {
        .wait_ms = wait_ms, .max_bytes = UEX_PG_ANSWER_MAX_BYTES, .cancel = cancel};
    struct uex_pg_wait wait = {0};
    int rc;

    while ((rc = PQflush(conn)) == 1) {
        enum uex_error err = uex_pg_wait(&wait, conn, true, &limits);

        if (err != UEX_OK)
            return err;
    }
    return rc == 0 ? UEX_OK : UEX_DB_UNAVAILABLE;
}

enum uex_error uex_pg_send(struct uex_postgres *postgres, const char *sql, int value_count, const char *const *values,
                           struct uex_fault *fault)
{
    int sent = value_count == 0 ? PQsendQuery(postgres->conn, sql)
                                : PQsendQueryParams(postgres->conn, sql, value_count, NULL, values, NULL, NULL, 0);

    if (sent == 0)
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection broke");
    postgres->answers = 0;
    uex_pg_wait_progress(&postgres->wait);
    return wait_fault(flush(postgres->conn, postgres->config->postgres_stall_timeout_ms, postgres->cancel), fault);
}

/* postgres.dsn or PGAPPNAME may give another name than ours. */
static enum uex_error result_fault(const struct uex_postgres *postgres, const PGresult *result, struct uex_fault *fault)
{
    PQconninfoOption *options = PQconninfo(postgres->conn);
    const char *name = postgres->application_name;
    enum uex_error err = UEX_OK;

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "application_name") == 0 && option->val != NULL && option->val[0] != '\0')
            name = option->val;
    }
    err = uex_pg_result_fault(result, postgres->layout, name, fault);
    PQconninfoFree(options);
    return err;
}

enum uex_error uex_pg_next_result(struct uex_postgres *postgres, PGresult **out, struct uex_fault *fault)
{
    enum uex_error err;
    PGresult *result;

    while (PQisBusy(postgres->conn)) {
        err = uex_pg_wait_input(postgres, fault);
        if (err != UEX_OK)
            return err;
    }
    uex_pg_drop_notifications(postgres->conn);
    result = PQgetResult(postgres->conn);
    if (result == NULL)
        return UEX_END;
    uex_pg_wait_progress(&postgres->wait);
    if (PQresultStatus(result) != PGRES_SINGLE_TUPLE && ++postgres->answers > ANSWERS_MAX) {
        PQclear(result);
        return uex_fail(fault, UEX_DB_QUERY, "database: unexpected extra results");
    }
    switch (PQresultStatus(result)) {
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
        err = result_fault(postgres, result, fault);
        postgres->answered = true;
        PQclear(result);
        return err;
    default:
        *out = result;
        return UEX_OK;
    }
}

/* Read what is left of an answer and throw it away. */
static bool drain(PGconn *conn)
{
    const struct uex_pg_wait_limits limits = {.wait_ms = SETTLE_MS, .max_bytes = UEX_PG_ANSWER_MAX_BYTES};
    struct uex_pg_wait wait = {0};

    for (;;) {
        PGresult *result;

        while (PQisBusy(conn)) {
            if (uex_pg_wait(&wait, conn, false, &limits) != UEX_OK)
                return false;
        }
        result = PQgetResult(conn);
        if (result == NULL)
            return PQstatus(conn) == CONNECTION_OK;
        /* A stream or a broken connection would give results for ever. */
        if (PQresultStatus(result) == PGRES_COPY_OUT || PQstatus(conn) != CONNECTION_OK) {
            PQclear(result);
            return false;
        }
        PQclear(result);
    }
}

static bool roll_back(PGconn *conn)
{
    return PQsendQuery(conn, "ROLLBACK") != 0 && flush(conn, SETTLE_MS, NULL) == UEX_OK && drain(conn) &&
           PQtransactionStatus(conn) == PQTRANS_IDLE;
}

void uex_pg_settle(struct uex_postgres *postgres)
{
    PGconn *conn = postgres->conn;
    bool answered = postgres->answered;

    postgres->answered = false;
    if (conn == NULL)
        return;
    if (PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_ACTIVE && !(answered && drain(conn)))
        uex_pg_cancel_query(conn);
    switch (PQtransactionStatus(conn)) {
    case PQTRANS_IDLE:
        return;
    case PQTRANS_INTRANS:
    case PQTRANS_INERROR:
        if (roll_back(conn))
            return;
        break;
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN:
        break;
    }
    uex_pg_close(postgres);
}

/* Which settings the session has; the second one is tried out, because a system without poll(2) for hang-ups refuses
 * it. Before PostgreSQL 14 it is not there; a value that somebody has chosen stays. */
#define EXAMINE_SESSION                                                                                                \
    "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "                                             \
    "SELECT count(CASE WHEN name <> 'client_connection_check_interval' AND reset_val <> '0' THEN 1 END), "             \
    "count(CASE WHEN name = 'client_connection_check_interval' AND setting = '0' "                                     \
    "THEN pg_catalog.set_config(name, '5s', true) END), "                                                              \
    "pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_settings WHERE name IN "                                        \
    "('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout', "             \
    "'client_connection_check_interval')"

/* The first question on a connection. A server that took it answers at once, unless it hangs; a pooler lets it wait
 * until a connection to the server is free. Which of them it is cannot be seen from here. */
static enum uex_error first_fault(enum uex_error err, struct uex_fault *fault)
{
    return err != UEX_DB_STALLED
               ? err
               : uex_fail(fault, UEX_DB_SILENT,
                          "database: connected, but the first query was not answered within postgres.stall_timeout: "
                          "the server hangs, or the pooler is paused or has no free connection to the server");
}

/* A server that refuses the question (a role that may not see settings) is used as it is. */
static enum uex_error examine_session(struct uex_postgres *postgres, struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = uex_pg_ask(postgres, EXAMINE_SESSION, 0, NULL, &result, fault);
    bool is_replica = postgres->met_replica;

    postgres->has_timeouts = postgres->can_watch = postgres->asks_lag = postgres->hides_lag = false;
    if (err == UEX_OK && PQntuples(result) == 1 && PQnfields(result) == 3) {
        postgres->has_timeouts = strcmp(PQgetvalue(result, 0, 0), "0") != 0;
        postgres->can_watch = strcmp(PQgetvalue(result, 0, 1), "1") == 0;
        is_replica |= strcmp(PQgetvalue(result, 0, 2), "t") == 0;
    }
    PQclear(result);
    uex_pg_settle(postgres);
    if (is_replica && postgres->conn != NULL)
        uex_pg_examine_replica(postgres);
    if (postgres->conn != NULL)
        return UEX_OK;
    return err == UEX_OK ? wait_fault(UEX_DB_UNAVAILABLE, fault) : first_fault(err, fault);
}

/* PostgreSQL 17, release notes: transaction_timeout. */
#define TRANSACTION_TIMEOUT_SINCE 170000

/* A server that computes does not look at its client: without client_connection_check_interval a query of a killed
 * worker would go on, with its snapshot, until its first row. */
void uex_pg_append_limits(const struct uex_postgres *postgres, struct uex_buffer *sql)
{
    uex_buffer_append_text(sql, "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; "
                                "SET LOCAL idle_in_transaction_session_timeout = 0; ");
    if (PQserverVersion(postgres->conn) >= TRANSACTION_TIMEOUT_SINCE)
        uex_buffer_append_text(sql, "SET LOCAL transaction_timeout = 0; ");
    if (postgres->can_watch)
        uex_buffer_append_text(sql, "SET LOCAL client_connection_check_interval = '5s'; ");
}

enum uex_error uex_pg_open(struct uex_postgres *postgres, struct uex_fault *fault)
{
    enum uex_error err;

    if (postgres->reading)
        return uex_fail(fault, UEX_INTERNAL, "internal error: the database connection is in use");
    if (postgres->conn == NULL || !is_quiet(postgres->conn)) {
        uex_pg_close(postgres);
        err = uex_pg_connect(postgres->config->postgres_dsn, postgres->application_name,
                             postgres->config->postgres_stall_timeout_ms, postgres->cancel, &postgres->conn, fault);
        if (err == UEX_OK)
            err = examine_session(postgres, fault);
        if (err != UEX_OK)
            return err;
    }
    postgres->is_connected = true;
    postgres->use_count++;
    return UEX_OK;
}

bool uex_postgres_is_connected(const struct uex_postgres *postgres)
{
    return postgres->is_connected;
}

uint64_t uex_postgres_use_count(const struct uex_postgres *postgres)
{
    return postgres->use_count;
}

enum uex_error uex_postgres_connect(struct uex_postgres *postgres, struct uex_fault *fault)
{
    return uex_pg_open(postgres, fault);
}

void uex_postgres_rest(struct uex_postgres *postgres)
{
    if (postgres->reading)
        return;
    uex_pg_settle(postgres);
    uex_pg_close(postgres);
}

enum uex_error uex_pg_ask(struct uex_postgres *postgres, const char *sql, int value_count, const char *const *values,
                          PGresult **out, struct uex_fault *fault)
{
    PGresult *result = NULL, *last = NULL;
    enum uex_error err = uex_pg_send(postgres, sql, value_count, values, fault);

    while (err == UEX_OK) {
        err = uex_pg_next_result(postgres, &result, fault);
        if (err == UEX_OK) {
            PQclear(last);
            last = result;
        }
    }
    if (err == UEX_END && last != NULL) {
        *out = last;
        return UEX_OK;
    }
    PQclear(last);
    return err != UEX_END ? err : uex_fail(fault, UEX_DB_UNAVAILABLE, "database: a query returned no result");
}

enum uex_error uex_pg_begin(struct uex_postgres *postgres, struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err;

    uex_buffer_append_text(&sql, "BEGIN; ");
    uex_pg_append_limits(postgres, &sql);
    err = uex_buffer_failed(&sql) ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query")
                                  : uex_pg_ask(postgres, uex_buffer_text(&sql), 0, NULL, &result, fault);
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}

enum uex_error uex_pg_commit(struct uex_postgres *postgres, struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = uex_pg_ask(postgres, "COMMIT", 0, NULL, &result, fault);

    PQclear(result);
    return err;
}

static enum uex_error query(struct uex_postgres *postgres, bool is_long, const char *sql, int value_count,
                            const char *const *values, PGresult **out, struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);
    bool in_transaction = err == UEX_OK && (postgres->has_timeouts || (is_long && postgres->can_watch));

    if (in_transaction)
        err = uex_pg_begin(postgres, fault);
    if (err == UEX_OK)
        err = uex_pg_ask(postgres, sql, value_count, values, &result, fault);
    if (err == UEX_OK && in_transaction)
        err = uex_pg_commit(postgres, fault);
    if (err == UEX_OK) {
        *out = result;
        return UEX_OK;
    }
    PQclear(result);
    if (!postgres->reading)
        uex_pg_settle(postgres);
    return err;
}

enum uex_error uex_pg_query(struct uex_postgres *postgres, const char *sql, int value_count, const char *const *values,
                            PGresult **out, struct uex_fault *fault)
{
    return query(postgres, false, sql, value_count, values, out, fault);
}

enum uex_error uex_pg_long_query(struct uex_postgres *postgres, const char *sql, int value_count,
                                 const char *const *values, PGresult **out, struct uex_fault *fault)
{
    return query(postgres, true, sql, value_count, values, out, fault);
}
