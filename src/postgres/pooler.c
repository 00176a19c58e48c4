/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/pooler.c — why PgBouncer refused.
 *
 * PgBouncer answers nearly every refusal with SQLSTATE 08P01, so the reason is in its text alone. The text may quote
 * the server's own (server_login_retry, "cached error"), so it is compared with what is known and never handed on.
 * Source: pgbouncer/pgbouncer, disconnect_client() in src/client.c, src/objects.c and src/janitor.c, versions 1.18
 * to 1.25.
 */
#include "postgres/session.h"

/* The first one whose words are both in the text counts. */
static const struct {
    const char *words[2];
    enum uex_error error;
    const char *sentence;
} uex_pg_pooler_reasons[] = {
    {{"no more connections allowed", ""}, UEX_DB_CONNECTIONS, "the pooler takes no more clients (max_client_conn)"},
    {{"client connections exceeded", ""},
     UEX_DB_CONNECTIONS,
     "the pooler takes no more clients of this user or database"},
    {{"query_wait_timeout", ""},
     UEX_DB_CONNECTIONS,
     "the pooler had no connection to the server in time (query_wait_timeout)"},
    {{"too many ", ""}, UEX_DB_CONNECTIONS, "the server behind the pooler has no free connection"},
    {{"connection slots are reserved", ""}, UEX_DB_CONNECTIONS, "the server behind the pooler has no free connection"},
    {{"no such database", ""}, UEX_DB_SCHEMA, "the pooler knows no such database"},
    {{"no such user", ""}, UEX_DB_AUTH, "the pooler knows no such user"},
    {{"role \"", "does not exist"}, UEX_DB_AUTH, "the server behind the pooler knows no such role"},
    {{"database \"", "does not exist"}, UEX_DB_SCHEMA, "the server behind the pooler has no such database"},
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
    {{"no username supplied", ""}, UEX_DB_AUTH, "the pooler was told no user"},
    {{"password returned by client", ""}, UEX_DB_AUTH, "the pooler was told an empty password"},
    {{"SCRAM authentication", ""}, UEX_DB_AUTH, "the pooler cannot log in with the kind of password that it has"},
    {{"unsupported", "startup parameter"},
     UEX_DB_UNAVAILABLE,
     "the pooler refuses a parameter of the connection (options in postgres.dsn; its ignore_startup_parameters)"},
    {{"SSL required", ""}, UEX_DB_UNAVAILABLE, "the pooler wants TLS (sslmode in postgres.dsn)"},
    {{"server login has been failing", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot log in to the server behind it"},
    {{"server down", ""}, UEX_DB_UNAVAILABLE, "the server behind the pooler is down"},
    {{"cannot connect", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot connect to the server behind it"},
    {{"connect timeout", ""}, UEX_DB_UNAVAILABLE, "the server behind the pooler does not answer it"},
    {{"DNS lookup failed", ""}, UEX_DB_UNAVAILABLE, "the pooler cannot resolve the name of the server behind it"},
    {{"client_login_timeout", ""}, UEX_DB_UNAVAILABLE, "the pooler gave up the login (client_login_timeout)"},
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
