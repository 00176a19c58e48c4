/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/connect.c — from postgres.dsn to a connection, and the end of one.
 *
 * Connecting runs in the background: libpq looks names up without a bound, and only its blocking calls go on to the
 * next host when one does not answer (documentation of PQconnectPoll: connect_timeout is ignored).
 */
#include "postgres/connect.h"

#include "export/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* For one address, where the DSN sets no connect_timeout; libpq's minimum is 2 s. */
#define CONNECT_TIMEOUT_S 5
#define CANCEL_WAIT_MS 2000
/* A greeting takes less than 1 KiB, certificates some KiB more. */
#define GREETING_MAX_BYTES ((uint64_t)64 << 10)

struct attempt {
    char *dsn;
    char application_name[64];
    char timeout_s[16];
    int64_t address_timeout_ms;
    PGconn *conn;
};

static void attempt_drop(void *context)
{
    struct attempt *attempt = context;

    if (attempt->conn != NULL)
        PQfinish(attempt->conn);
    free(attempt->dsn);
    free(attempt);
}

/* Notices quote data as errors do; their code is enough. */
static void notice_received(void *context, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    (void)context;
    uex_log(UEX_LOG_DEBUG, UEX_EVENT_DATABASE_NOTICE, "notice from the database",
            UEX_STR("sqlstate", sqlstate != NULL && uex_pg_is_sqlstate(sqlstate) ? sqlstate : "unknown"));
}

static void notice_dropped(void *context, const char *message)
{
    (void)context;
    (void)message;
    uex_log(UEX_LOG_DEBUG, UEX_EVENT_DATABASE_NOTICE, "notice from libpq");
}

/* What stands before dbname is a default, what stands after it overrides the DSN (documentation of
 * PQconnectdbParams, expand_dbname). */
static PGconn *start(const struct attempt *attempt)
{
    const char *const names[] = {"fallback_application_name", "connect_timeout", "dbname", "client_encoding", NULL};
    const char *const values[] = {attempt->application_name, attempt->timeout_s, attempt->dsn, "UTF8", NULL};
    PGconn *conn = PQconnectStartParams(names, values, 1);

    if (conn == NULL)
        return NULL;
    PQsetNoticeReceiver(conn, notice_received, NULL);
    PQsetNoticeProcessor(conn, notice_dropped, NULL);
    /* Code and text together: a pooler's reason is in the text only. uex_pg_connect_fault() lets no text of a server
     * out. */
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    return conn;
}

/* False: the time is over. */
static bool poll_connection(PGconn *conn, int64_t deadline_ms)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        struct pollfd entry = {.fd = PQsocket(conn), .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left_ms = deadline_ms - uex_monotonic_ms();

        if (left_ms <= 0)
            return false;
        if (uex_pg_received(conn, UEX_PG_AT_LEAST) > GREETING_MAX_BYTES)
            return true; /* no greeting takes so much: the connection stays unfinished, and is a failed one */
        if (uex_pg_has_decrypted(conn) || poll(&entry, 1, (int)left_ms) > 0)
            status = PQconnectPoll(conn);
    }
    return true;
}

static void attempt_run(void *context)
{
    struct attempt *attempt = context;

    attempt->conn = start(attempt);
    if (attempt->conn == NULL || PQstatus(attempt->conn) == CONNECTION_BAD)
        return;
    /* A silent host: once more by the blocking way, which goes on to the next host after connect_timeout. */
    if (!poll_connection(attempt->conn, uex_monotonic_ms() + attempt->address_timeout_ms))
        PQreset(attempt->conn);
}

/* The DSN's own connect_timeout, else the default that attempt_new() set. */
static void read_timeout(struct attempt *attempt)
{
    PQconninfoOption *options = PQconninfoParse(attempt->dsn, NULL);
    long timeout_s = CONNECT_TIMEOUT_S;

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "connect_timeout") == 0 && option->val != NULL)
            timeout_s = strtol(option->val, NULL, 10);
    }
    PQconninfoFree(options);
    if (timeout_s <= 0 || timeout_s > 3600)
        timeout_s = 3600; /* 0 is "no limit" there; here postgres.stall_timeout holds */
    if (timeout_s < 2)
        timeout_s = 2;
    attempt->address_timeout_ms = timeout_s * 1000;
    (void)snprintf(attempt->timeout_s, sizeof(attempt->timeout_s), "%d", CONNECT_TIMEOUT_S);
}

static struct attempt *attempt_new(const char *dsn, const char *application_name)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));

    if (attempt == NULL)
        return NULL;
    attempt->dsn = strdup(dsn);
    if (attempt->dsn == NULL) {
        free(attempt);
        return NULL;
    }
    (void)snprintf(attempt->application_name, sizeof(attempt->application_name), "%s", application_name);
    read_timeout(attempt);
    return attempt;
}

enum uex_error uex_pg_connect(const char *dsn, const char *application_name, int64_t wait_ms,
                              const struct uex_cancel *cancel, PGconn **out, struct uex_fault *fault)
{
    struct attempt *attempt = attempt_new(dsn, application_name);
    enum uex_error err;

    if (attempt == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory to connect");
    err = uex_background_call(attempt_run, attempt_drop, attempt, wait_ms, cancel);
    if (err == UEX_CANCELLED)
        return uex_fail(fault, err, "database: connecting was cancelled");
    if (err == UEX_TIMEOUT)
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: cannot connect: no answer within postgres.stall_timeout");
    if (err != UEX_OK || attempt->conn == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory to connect");
    else if (PQstatus(attempt->conn) != CONNECTION_OK)
        err = uex_pg_connect_fault(PQerrorMessage(attempt->conn), PQconnectionNeedsPassword(attempt->conn) != 0, fault);
    else if (PQsetnonblocking(attempt->conn, 1) != 0)
        err = uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection broke");
    if (err == UEX_OK) {
        PQsetErrorVerbosity(attempt->conn, PQERRORS_SQLSTATE);
        *out = attempt->conn;
        attempt->conn = NULL;
    }
    attempt_drop(attempt);
    return err;
}

static void cancel_run(void *context)
{
    char reason[256];

    (void)PQcancel(context, reason, sizeof(reason));
}

static void cancel_drop(void *context)
{
    PQfreeCancel(context);
}

void uex_pg_cancel_query(PGconn *conn)
{
    PGcancel *request = PQgetCancel(conn);
    enum uex_error err;

    if (request == NULL)
        return;
    err = uex_background_call(cancel_run, cancel_drop, request, CANCEL_WAIT_MS, NULL);
    if (err == UEX_OK || err == UEX_NO_MEMORY)
        PQfreeCancel(request);
}

/* libpq quotes what it cannot read, which may be a piece of a password. */
static void hide_quoted(char *reason)
{
    char *first = strstr(reason, "after \""); /* missing "=" after "…" */
    char *last = strrchr(reason, '"');

    first = first == NULL ? strchr(reason, '"') : strchr(first, '"');
    if (first != NULL && last > first)
        memmove(first + 1, last, strlen(last) + 1);
    reason[strcspn(reason, "\n")] = '\0';
}

enum uex_error uex_postgres_check_dsn(const char *dsn, struct uex_fault *fault)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &reason);
    enum uex_error err = UEX_OK;

    if (options == NULL) {
        if (reason != NULL)
            hide_quoted(reason);
        /* libpq reports it in this text only, and the programs set no locale. */
        if (reason == NULL || strstr(reason, "out of memory") != NULL)
            err = uex_fail(fault, UEX_NO_MEMORY, "not enough memory to read postgres.dsn");
        else
            err = uex_fail(fault, UEX_CONFIG, "postgres.dsn is not a connection string or URI of libpq: %s", reason);
    }
    PQfreemem(reason);
    PQconninfoFree(options);
    return err;
}
