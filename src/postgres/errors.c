/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/errors.c — what the worker does about each SQLSTATE, and about what PgBouncer refuses.
 *
 * Source: PostgreSQL documentation, Appendix A, "PostgreSQL Error Codes". The server's own texts (message, detail,
 * context) quote values of the data, so none of them leaves this module.
 */
#include "postgres/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/clock.h"

/* A class (two characters) or a whole code; the longest match counts. */
static const struct {
    const char *prefix;
    enum uex_error error;
    const char *sentence;
} uex_pg_states[] = {
    {"08", UEX_DB_UNAVAILABLE, "the connection broke"},
    {"22", UEX_DB_DATA, "a value in the data cannot be read or converted"},
    {"25P03", UEX_DB_TRANSIENT, "the server ended an idle transaction"},
    {"25P04", UEX_DB_TRANSIENT, "the server ended a transaction that ran too long"},
    {"28", UEX_DB_AUTH, "the server refuses the credentials"},
    {"3D000", UEX_DB_SCHEMA, "the database does not exist"},
    {"3F000", UEX_DB_SCHEMA, "the schema does not exist"},
    {"40", UEX_DB_TRANSIENT, "the transaction was rolled back by the server"},
    {"42501", UEX_DB_DENIED, "the role has no right to read it"},
    {"42703", UEX_DB_SCHEMA, "a column is missing"},
    {"42P01", UEX_DB_SCHEMA, "a view is missing"},
    {"53", UEX_DB_TRANSIENT, "the server is short of resources"},
    {"53300", UEX_DB_CONNECTIONS, "the server, the database or the role has no free connection"},
    {"55P03", UEX_DB_TRANSIENT, "a lock was not available in time"},
    {"57014", UEX_DB_TRANSIENT, "the query was cancelled on the server"},
    {"57P01", UEX_DB_UNAVAILABLE, "the server is being shut down"},
    {"57P02", UEX_DB_UNAVAILABLE, "the server crashed"},
    {"57P03", UEX_DB_UNAVAILABLE, "the server accepts no connections at the moment"},
    {"57P04", UEX_DB_SCHEMA, "the database was dropped"},
    {"57P05", UEX_DB_UNAVAILABLE, "the server ended an idle connection"},
    {"58", UEX_DB_TRANSIENT, "the server had a system error"},
    {"72000", UEX_DB_TRANSIENT, "the snapshot is too old"},
    {"", UEX_DB_QUERY, "the server refused the query"},
};

enum uex_error uex_pg_sqlstate_error(const char *sqlstate, const char **sentence)
{
    size_t best = sizeof(uex_pg_states) / sizeof(uex_pg_states[0]) - 1;

    for (size_t i = 0; i < sizeof(uex_pg_states) / sizeof(uex_pg_states[0]); i++) {
        size_t length = strlen(uex_pg_states[i].prefix);

        if (length > strlen(uex_pg_states[best].prefix) && strncmp(sqlstate, uex_pg_states[i].prefix, length) == 0)
            best = i;
    }
    *sentence = uex_pg_states[best].sentence;
    return uex_pg_states[best].error;
}

static bool is_formula_mark(const PGresult *result, const char *sqlstate)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    return strcmp(sqlstate, "42704") == 0 && message != NULL && strstr(message, UEX_PG_FORMULA_MARK) != NULL;
}

/* The column whose date or time is out of range, NULL if it is not that. */
static const struct uex_layout_column *marked_column(const PGresult *result, const struct uex_layout *layout,
                                                     const char *sqlstate)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *mark = strcmp(sqlstate, "42704") == 0 && message != NULL ? strstr(message, UEX_PG_RANGE_MARK) : NULL;
    size_t index;

    if (mark == NULL || layout == NULL)
        return NULL;
    index = strtoul(mark + strlen(UEX_PG_RANGE_MARK), NULL, 10);
    return index < layout->column_count ? &layout->columns[index] : NULL;
}

static bool is_number(const struct uex_layout_column *column)
{
    const enum uex_column_type type = column->kind.type;

    return type == UEX_COLUMN_REAL || type == UEX_COLUMN_DOUBLE || type == UEX_COLUMN_NUMERIC;
}

bool uex_pg_is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++) {
        if (!isdigit((unsigned char)text[i]) && !(text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    }
    return text[5] == '\0' || text[5] == '\n' || text[5] == ':';
}

/* A column as a server names it: shown only if it is one of the views'. */
static bool is_our_column(const char *name, const struct uex_layout *layout)
{
    static const char *const others[] = {"group_id", "group_type", "active", UEX_DEFAULT_PENDING_COLUMN};

    for (size_t i = 0; layout != NULL && i < layout->column_count; i++) {
        if (strcmp(name, layout->columns[i].view_name) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(name, others[i]) == 0)
            return true;
    }
    return false;
}

/* "SQLSTATE 22012 (division_by_zero)" */
static void name_sqlstate(const char *sqlstate, char *out, size_t size)
{
    const char *condition = uex_pg_condition(sqlstate);

    if (condition == NULL)
        (void)snprintf(out, size, "SQLSTATE %.5s", sqlstate);
    else
        (void)snprintf(out, size, "SQLSTATE %.5s (%s)", sqlstate, condition);
}

/* The server's own words are in its log only: when, and what the connection is called there. */
static void append_where(const char *application_name, struct uex_fault *fault)
{
    char now[UEX_TIME_TEXT_SIZE];

    if (fault == NULL)
        return;
    uex_time_format(uex_wall_ms(), now);
    (void)uex_fail(fault, fault->error, "%s; the server's log at %.5s UTC (application_name %.63s) says more",
                   fault->text, now + strlen("2026-11-22T"), application_name);
}

enum uex_error uex_pg_result_fault(const PGresult *result, const struct uex_layout *layout,
                                   const char *application_name, struct uex_fault *fault)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const struct uex_layout_column *marked;
    const char *sentence = "";
    char named[96];
    enum uex_error err;

    /* libpq makes results without a code itself when the connection ends under it. */
    if (sqlstate == NULL)
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection ended during a query");
    if (!uex_pg_is_sqlstate(sqlstate) || strlen(sqlstate) != 5)
        return uex_fail(fault, UEX_DB_QUERY, "database: SQLSTATE unknown: the server refused the query");
    if (is_formula_mark(result, sqlstate))
        return uex_fail(fault, UEX_FORMULA_REJECTED, "a field begins like a spreadsheet formula");
    marked = marked_column(result, layout, sqlstate);
    if (marked != NULL)
        return uex_fail(fault, UEX_DB_DATA, "database: column %s (%s) holds %s", marked->view_name, marked->name,
                        is_number(marked) ? "NaN or infinity, which JSON cannot say"
                                          : "infinity or a date outside of the years 0001 to 9999");
    err = message == NULL ? UEX_OK : uex_pg_pooler_error(sqlstate, message, strlen(message), &sentence);
    if (err != UEX_OK) /* its code says nothing, and the server's log neither */
        return uex_fail(fault, err, "database: SQLSTATE %s: %s", sqlstate, sentence);
    err = uex_pg_sqlstate_error(sqlstate, &sentence);
    name_sqlstate(sqlstate, named, sizeof(named));
    if (column != NULL && is_our_column(column, layout))
        (void)uex_fail(fault, err, "database: %s, column %s: %s", named, column, sentence);
    else
        (void)uex_fail(fault, err, "database: %s: %s", named, sentence);
    append_where(application_name, fault);
    return err;
}

/* Lines of PQERRORS_VERBOSE that stand below the message: "DETAIL:  …", "LOCATION:  …". Their text is a server's. */
static bool is_detail(const char *line)
{
    static const char *const names[] = {"DETAIL:", "HINT:", "QUERY:", "CONTEXT:", "LOCATION:"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

/* libpq has the SQLSTATE of a failed connect in its text only: "… FATAL:  28P01: text" (with PQERRORS_VERBOSE, and
 * the word before the colon is translated). With several hosts the last one counts. `refused`: a server's text is in
 * it. */
static const char *last_sqlstate(const char *message, bool *refused)
{
    const char *sqlstate = NULL, *next;

    for (const char *line = message; line != NULL; line = next == NULL ? NULL : next + 1) {
        const char *at = is_detail(line) ? NULL : strstr(line, ":  ");

        next = strchr(line, '\n');
        if (at == NULL || (next != NULL && at > next))
            continue;
        *refused = true;
        if (uex_pg_is_sqlstate(at + 3))
            sqlstate = at + 3;
    }
    return sqlstate;
}

enum uex_error uex_pg_connect_fault(const char *message, bool password_missing, struct uex_fault *fault)
{
    bool refused = false;
    const char *sqlstate = last_sqlstate(message, &refused), *sentence = "";
    char named[96];
    enum uex_error err;
    size_t length = strlen(message);

    if (sqlstate != NULL) {
        err = uex_pg_pooler_error(sqlstate, sqlstate, strcspn(sqlstate, "\n"), &sentence);
        if (err == UEX_OK) {
            err = uex_pg_sqlstate_error(sqlstate, &sentence);
            name_sqlstate(sqlstate, named, sizeof(named));
        } else { /* the pooler's code says nothing */
            (void)snprintf(named, sizeof(named), "SQLSTATE %.5s", sqlstate);
        }
        /* A limit that was configured: here one of connections; a query meets it with temp_file_limit. */
        if (strncmp(sqlstate, "53400", 5) == 0)
            err = UEX_DB_CONNECTIONS;
        return uex_fail(fault, err, "database: cannot connect: %s: %s", named, sentence);
    }
    if (password_missing)
        return uex_fail(fault, UEX_DB_AUTH,
                        "database: cannot connect: the server asks for a password, and none is set");
    if (refused)
        return uex_fail(fault, UEX_DB_UNAVAILABLE,
                        "database: cannot connect: SQLSTATE unknown: the server refused the connection");
    while (length > 0 && message[length - 1] == '\n')
        length--;
    if (length == 0)
        return uex_fail(fault, UEX_DB_UNAVAILABLE,
                        "database: cannot connect: the server did not complete the handshake");
    return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: cannot connect: %.*s", (int)length, message);
}

/* ---- PgBouncer
 *
 * It answers nearly every refusal with SQLSTATE 08P01, so the reason is in its text alone. The text may quote the
 * server's own (server_login_retry, "cached error"), so it is compared with what is known and never handed on.
 * Source: pgbouncer/pgbouncer, disconnect_client() in src/client.c, src/objects.c and src/janitor.c, versions 1.18
 * to 1.25. */

/* The first one whose words are both in the text counts. */
static const struct {
    const char *words[2];
    enum uex_error error;
    const char *sentence;
} uex_pg_pooler_reasons[] = {
    {{"no more connections allowed", ""}, UEX_DB_CONNECTIONS, "the pooler accepts no more clients (max_client_conn)"},
    {{"client connections exceeded", ""},
     UEX_DB_CONNECTIONS,
     "the pooler accepts no more clients of this user or database"},
    {{"query_wait_timeout", ""},
     UEX_DB_CONNECTIONS,
     "the pooler had no connection to the server in time (query_wait_timeout)"},
    {{"too many ", ""}, UEX_DB_CONNECTIONS, "the server behind the pooler has no free connection"},
    {{"connection slots are reserved", ""}, UEX_DB_CONNECTIONS, "the server behind the pooler has no free connection"},
    {{"no such database", ""}, UEX_DB_SCHEMA, "the database is unknown to the pooler"},
    {{"no such user", ""}, UEX_DB_AUTH, "the user is unknown to the pooler"},
    {{"role \"", "does not exist"}, UEX_DB_AUTH, "the role is unknown to the server behind the pooler"},
    {{"database \"", "does not exist"}, UEX_DB_SCHEMA, "the database does not exist on the server behind the pooler"},
    {{"database ", "does not allow connections"},
     UEX_DB_UNAVAILABLE,
     "the pooler or the server has disabled the database"},
    {{"database ", "is disabled"}, UEX_DB_UNAVAILABLE, "the pooler has disabled the database"},
    {{"authentication failed", ""}, UEX_DB_AUTH, "the pooler or the server behind it refuses the credentials"},
    {{"server login failed", ""}, UEX_DB_AUTH, "the server behind the pooler refuses the pooler's login"},
    {{"wrong password type", ""}, UEX_DB_AUTH, "the pooler cannot log in with the kind of password that it has"},
    {{"login rejected", ""}, UEX_DB_AUTH, "the pooler refuses this client (its auth_hba_file)"},
    {{"no pg_hba.conf entry", ""}, UEX_DB_AUTH, "the server behind the pooler refuses it (pg_hba.conf)"},
    {{"no authentication method", ""}, UEX_DB_AUTH, "the pooler has no way to authenticate this client"},
    {{"no username supplied", ""}, UEX_DB_AUTH, "the connection names no user"},
    {{"password returned by client", ""}, UEX_DB_AUTH, "the connection's password is empty"},
    {{"SCRAM authentication", ""}, UEX_DB_AUTH, "the pooler cannot log in with the kind of password that it has"},
    {{"unsupported", "startup parameter"},
     UEX_DB_UNAVAILABLE,
     "the pooler refuses a parameter of the connection (options in postgres.dsn; its ignore_startup_parameters)"},
    {{"SSL required", ""}, UEX_DB_UNAVAILABLE, "the pooler requires TLS (sslmode in postgres.dsn)"},
    {{"server login has been failing", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot log in to the server behind it"},
    {{"server down", ""}, UEX_DB_UNAVAILABLE, "the server behind the pooler is down"},
    {{"cannot connect", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot connect to the server behind it"},
    {{"connect timeout", ""}, UEX_DB_UNAVAILABLE, "the server behind the pooler does not answer it"},
    {{"DNS lookup failed", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot resolve the name of the server behind it"},
    {{"client_login_timeout", ""}, UEX_DB_UNAVAILABLE, "the login took too long for the pooler (client_login_timeout)"},
    {{"shutting down", ""}, UEX_DB_UNAVAILABLE, "the pooler or the server behind it is being shut down"},
    {{"pause failed", ""}, UEX_DB_UNAVAILABLE, "the pooler is paused"},
    {{"client_idle_timeout", ""}, UEX_DB_UNAVAILABLE, "the pooler ended an idle connection (client_idle_timeout)"},
    {{"idle transaction timeout", ""},
     UEX_DB_TRANSIENT,
     "the pooler ended an idle transaction (idle_transaction_timeout)"},
    {{"transaction timeout", ""}, UEX_DB_TRANSIENT, "the pooler ended a transaction (transaction_timeout)"},
    {{"query timeout", ""}, UEX_DB_TRANSIENT, "the pooler ended a query (query_timeout)"},
    {{"query_timeout", ""}, UEX_DB_TRANSIENT, "the pooler ended a query (query_timeout)"},
    {{"server conn crashed", ""}, UEX_DB_UNAVAILABLE, "the pooler lost the server behind it"},
    {{"server connection closed", ""}, UEX_DB_UNAVAILABLE, "the pooler lost the server behind it"},
    {{"admin forced disconnect", ""}, UEX_DB_UNAVAILABLE, "an operator of the pooler ended the connection"},
    {{"resources exhaustion", ""}, UEX_DB_UNAVAILABLE, "the pooler is out of memory"},
    {{"out of memory", ""}, UEX_DB_UNAVAILABLE, "the pooler is out of memory"},
};

static bool has_word(const char *text, size_t length, const char *word)
{
    return memmem(text, length, word, strlen(word)) != NULL;
}

enum uex_error uex_pg_pooler_error(const char *sqlstate, const char *text, size_t length, const char **sentence)
{
    if (strncmp(sqlstate, "08P01", 5) != 0 && strncmp(sqlstate, "58000", 5) != 0)
        return UEX_OK;
    for (size_t i = 0; i < sizeof(uex_pg_pooler_reasons) / sizeof(uex_pg_pooler_reasons[0]); i++) {
        if (has_word(text, length, uex_pg_pooler_reasons[i].words[0]) &&
            has_word(text, length, uex_pg_pooler_reasons[i].words[1])) {
            *sentence = uex_pg_pooler_reasons[i].sentence;
            return uex_pg_pooler_reasons[i].error;
        }
    }
    return UEX_OK;
}
