/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/shares.c — the snapshot that readers share. The leader exports it (pg_export_snapshot(), readable while
 * the leader's transaction lasts), the others take it with SET TRANSACTION SNAPSHOT as their first statement. */
#include "postgres/rows.h"

#include <stdio.h>
#include <stdlib.h>

/* A host name, or a balancer behind one, may lead to another server with each connection. */
#define SERVER "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint"

static enum uex_error ask_and_clear(struct uex_postgres *postgres, struct uex_buffer *sql, PGresult **result,
                                    struct uex_fault *fault)
{
    enum uex_error err = uex_buffer_failed(sql)
                             ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query")
                             : uex_pg_ask(postgres, uex_buffer_text(sql), 0, NULL, result, fault);

    uex_buffer_clear(sql);
    return err;
}

/* It goes into a statement as it stands. */
static bool is_name(const char *snapshot)
{
    return snapshot[0] != '\0' && snapshot[strspn(snapshot, "0123456789abcdefABCDEF-")] == '\0';
}

static enum uex_error begin_snapshot(struct uex_row_shares *shares, struct uex_fault *fault)
{
    struct uex_postgres *postgres = shares->leader;
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);

    if (err != UEX_OK)
        return err;
    postgres->reading = true;
    postgres->layout = shares->plan.layout;
    err = uex_pg_begin_snapshot(postgres, "SELECT pg_export_snapshot(), " SERVER, &shares->snapshot_at_ms, &result,
                                fault);
    if (err == UEX_OK && (PQntuples(result) != 1 || PQnfields(result) != 2 || !is_name(PQgetvalue(result, 0, 0))))
        err = uex_fail(fault, UEX_DB_QUERY, "database: the snapshot's name is missing");
    if (err == UEX_OK) {
        (void)snprintf(shares->snapshot, sizeof(shares->snapshot), "%s", PQgetvalue(result, 0, 0));
        (void)snprintf(shares->server, sizeof(shares->server), "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    if (err == UEX_OK && uex_layout_hashes(shares->plan.layout, shares->plan.list_only))
        err = uex_pg_bind_pads(postgres, shares->plan.mask_key, fault);
    return err;
}

void uex_row_shares_free(struct uex_row_shares *shares)
{
    if (shares == NULL)
        return;
    if (shares->leader->reading) {
        uex_pg_settle(shares->leader);
        if (shares->is_leader_wide)
            uex_pg_close(shares->leader);
        shares->leader->reading = false;
    }
    uex_buffer_clear(&shares->key);
    uex_buffer_clear(&shares->hash);
    free(shares->group_id);
    free(shares);
}

/* Errors of the way to share, not of the database: the rows can still be read by one connection. */
static bool only_sharing_fails(enum uex_error err)
{
    return err == UEX_DB_QUERY || err == UEX_DB_SCHEMA || err == UEX_DB_DENIED || err == UEX_DB_DATA;
}

enum uex_error uex_postgres_shares_begin(struct uex_postgres *postgres, const char *group_id,
                                         const struct uex_row_plan *plan, unsigned reader_count,
                                         struct uex_row_shares **out, struct uex_fault *fault)
{
    struct uex_row_shares *shares = calloc(1, sizeof(*shares));
    enum uex_error err;

    if (postgres->reading) {
        free(shares);
        return uex_fail(fault, UEX_INTERNAL, "internal error: the database connection is in use");
    }
    if (shares == NULL || (shares->group_id = strdup(group_id)) == NULL) {
        free(shares);
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a stream of rows");
    }
    shares->leader = postgres;
    shares->plan = *plan;
    err = begin_snapshot(shares, fault);
    if (err == UEX_OK)
        err = uex_pg_share_plan(shares, reader_count, fault);
    if (err == UEX_OK) {
        *out = shares;
        return UEX_OK;
    }
    if (only_sharing_fails(err)) {
        struct uex_fault copy = fault == NULL ? (struct uex_fault){0} : *fault;

        err = uex_fail(fault, UEX_NOT_FOUND, "%s", copy.text);
    }
    uex_row_shares_free(shares);
    return err;
}

int64_t uex_row_shares_snapshot_at_ms(const struct uex_row_shares *shares)
{
    return shares->snapshot_at_ms;
}

static enum uex_error join_snapshot(const struct uex_row_shares *shares, struct uex_postgres *postgres,
                                    struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);

    if (err != UEX_OK)
        return err;
    uex_buffer_append_format(&sql, UEX_PG_BEGIN_SNAPSHOT "; SET TRANSACTION SNAPSHOT '%s'; ", shares->snapshot);
    uex_pg_append_settings(postgres, &sql);
    uex_buffer_append_text(&sql, "SELECT " SERVER);
    err = ask_and_clear(postgres, &sql, &result, fault);
    if (err == UEX_OK && (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), shares->server) != 0))
        err = uex_fail(fault, UEX_NOT_FOUND, "database: this connection reached another server than the first one");
    PQclear(result);
    if (err == UEX_OK && uex_layout_hashes(shares->plan.layout, shares->plan.list_only))
        err = uex_pg_bind_pads(postgres, shares->plan.mask_key, fault);
    if (err != UEX_OK)
        uex_pg_settle(postgres);
    return err;
}

void uex_row_shares_yield(struct uex_row_shares *shares)
{
    atomic_store(&shares->yielding, true);
}

enum uex_error uex_row_shares_rows(struct uex_row_shares *shares, struct uex_postgres *postgres, struct uex_rows **out,
                                   struct uex_fault *fault)
{
    struct uex_rows *rows = uex_pg_rows_new(postgres, shares);
    enum uex_error err = UEX_OK;

    if (rows == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a stream of rows");
    if (postgres != shares->leader)
        err = join_snapshot(shares, postgres, fault);
    if (err != UEX_OK) {
        free(rows);
        return err;
    }
    postgres->reading = true;
    *out = rows;
    return UEX_OK;
}
