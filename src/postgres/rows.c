/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/rows.c — the stream of a group's rows.
 *
 * One message to the server does it all: BEGIN, the snapshot's time, COPY, COMMIT; the answers come in that order. Only
 * the HMAC pads need two messages before, because bound values cannot go into a message of several statements.
 */
#include "postgres/sql.h"

#include <stdlib.h>

/* A row beyond this has made libpq's buffer big for good: the connection is not kept. */
#define KEEP_ROW_BYTES ((size_t)4 << 20)

#define BEGIN_SNAPSHOT "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

enum rows_state {
    ROWS_SENT,  /* waiting for the snapshot's time and the begin of the stream */
    ROWS_COPY,  /* rows come */
    ROWS_ENDED, /* the transaction has ended well */
    ROWS_BROKEN
};

struct pg_rows {
    struct uex_rows rows; /* first: what the caller holds */
    struct uex_postgres *postgres;
    enum rows_state state;
    bool usernames_only, committed;
    char *row; /* libpq's, of the last call */
    size_t widest_bytes;
};

static void row_free(struct pg_rows *self)
{
    PQfreemem(self->row);
    self->row = NULL;
}

static enum uex_error take_result(struct pg_rows *self, PGresult *result, struct uex_fault *fault)
{
    const char *text;
    char *end = NULL;

    switch (PQresultStatus(result)) {
    case PGRES_COPY_OUT:
        self->state = ROWS_COPY;
        return UEX_OK;
    case PGRES_TUPLES_OK:
        text = PQntuples(result) == 1 && PQnfields(result) == 1 ? PQgetvalue(result, 0, 0) : "";
        self->rows.snapshot_at_ms = (int64_t)strtoll(text, &end, 10);
        if (end == text)
            return uex_fail(fault, UEX_DB_QUERY, "database: the snapshot's time is missing");
        return UEX_OK;
    case PGRES_COMMAND_OK:
        /* COMMIT of a transaction that failed answers ROLLBACK. */
        if (strcmp(PQcmdStatus(result), "COMMIT") == 0)
            self->committed = true;
        return UEX_OK;
    default:
        return uex_fail(fault, UEX_DB_QUERY, "database: an answer that was not asked for");
    }
}

/* Results before the stream (until COPY begins) or after it (until there are no more). */
static enum uex_error take_results(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err;
    PGresult *result = NULL;

    do {
        err = uex_pg_next_result(self->postgres, &result, fault);
        if (err == UEX_OK) {
            err = take_result(self, result, fault);
            PQclear(result);
        }
    } while (err == UEX_OK && self->state != ROWS_COPY);
    return err;
}

static enum uex_error finish(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err;

    self->state = ROWS_SENT;
    err = take_results(self, fault);
    if (err != UEX_END)
        return err == UEX_OK ? uex_fail(fault, UEX_DB_QUERY, "database: an answer that was not asked for") : err;
    if (!self->committed)
        return uex_fail(fault, UEX_DB_TRANSIENT, "database: the snapshot's transaction did not end well");
    self->state = ROWS_ENDED;
    return UEX_END;
}

/* The next row as it comes; UEX_END: the stream is over. */
static enum uex_error next_copy_row(struct pg_rows *self, size_t *size_bytes, struct uex_fault *fault)
{
    PGconn *conn = self->postgres->conn;
    enum uex_error err;
    int size;

    if (uex_cancel_requested(self->postgres->cancel))
        return uex_fail(fault, UEX_CANCELLED, "database: the query was given up");
    while ((size = PQgetCopyData(conn, &self->row, 1)) == 0) {
        err = uex_pg_wait_input(self->postgres, fault);
        if (err != UEX_OK)
            return err;
    }
    if (size == -1)
        return finish(self, fault);
    if (size < 0)
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection broke in the middle of the rows");
    *size_bytes = (size_t)size;
    if (*size_bytes > self->widest_bytes)
        self->widest_bytes = *size_bytes;
    return UEX_OK;
}

/* A line of one CSV field to its plain text, in place. False: NULL (nothing, not even quotes). */
static bool unquote(char *row, size_t *size_bytes)
{
    size_t length = *size_bytes, used = 0;

    if (length > 0 && row[length - 1] == '\n')
        length--;
    if (length == 0)
        return false;
    if (row[0] == '"') {
        for (size_t at = 1; at + 1 < length; at++) {
            if (row[at] == '"')
                at++;
            row[used++] = row[at];
        }
        length = used;
    }
    *size_bytes = length;
    return true;
}

static enum uex_error rows_next(struct uex_rows *rows, struct uex_bytes *row, struct uex_fault *fault)
{
    struct pg_rows *self = (struct pg_rows *)rows;
    enum uex_error err = UEX_OK;
    size_t size_bytes = 0;

    row_free(self);
    if (self->state == ROWS_ENDED)
        return UEX_END;
    if (self->state == ROWS_BROKEN)
        return uex_fail(fault, UEX_INTERNAL, "database: the rows have failed already");
    if (self->state == ROWS_SENT) {
        err = take_results(self, fault);
        if (err == UEX_END)
            err = uex_fail(fault, UEX_DB_QUERY, "database: a query had no answer");
    }
    if (err == UEX_OK)
        err = next_copy_row(self, &size_bytes, fault);
    if (err == UEX_OK && self->usernames_only && !unquote(self->row, &size_bytes))
        *row = (struct uex_bytes){0};
    else if (err == UEX_OK)
        *row = uex_bytes_of(self->row, size_bytes);
    if (err != UEX_OK && err != UEX_END)
        self->state = ROWS_BROKEN;
    return err;
}

static void rows_destroy(struct uex_rows *rows)
{
    struct pg_rows *self = (struct pg_rows *)rows;

    row_free(self);
    uex_pg_settle(self->postgres);
    if (self->widest_bytes > KEEP_ROW_BYTES)
        uex_pg_close(self->postgres);
    self->postgres->reading = false;
    free(self);
}

/* The key's pads become settings of the transaction: bound values, in no query text and in no log of queries. */
static enum uex_error bind_pads(struct uex_postgres *postgres, const char *key, struct uex_fault *fault)
{
    char inner[UEX_PG_PAD_HEX_SIZE], outer[UEX_PG_PAD_HEX_SIZE];
    const char *const values[] = {inner, outer};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_query(postgres, BEGIN_SNAPSHOT, 0, NULL, &result, fault);

    if (err != UEX_OK)
        return err;
    PQclear(result);
    uex_pg_hmac_pads(key, inner, outer);
    err = uex_pg_send(postgres,
                      "SELECT set_config('uex.mask_inner', $1, true) || set_config('uex.mask_outer', $2, true) IS NULL",
                      2, values, fault);
    explicit_bzero(inner, sizeof(inner));
    explicit_bzero(outer, sizeof(outer));
    while (err == UEX_OK) {
        err = uex_pg_next_result(postgres, &result, fault);
        if (err == UEX_OK)
            PQclear(result);
    }
    return err == UEX_END ? UEX_OK : err;
}

static enum uex_error send_stream(struct uex_postgres *postgres, const char *group_id, const struct uex_row_plan *plan,
                                  struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    bool hashes = uex_pg_plan_hashes(plan);
    enum uex_error err = hashes ? bind_pads(postgres, plan->mask_key, fault) : UEX_OK;

    if (err != UEX_OK)
        return err;
    if (!hashes)
        uex_buffer_append_text(&sql, BEGIN_SNAPSHOT "; ");
    uex_buffer_append_text(&sql, "SET LOCAL DateStyle = 'ISO, YMD'; "
                                 "SELECT floor(extract(epoch FROM transaction_timestamp()) * 1000)::bigint; COPY (");
    err = uex_pg_append_rows(postgres, group_id, plan, &sql, fault);
    uex_buffer_append_text(&sql, ") TO STDOUT (FORMAT csv); COMMIT");
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
    if (err == UEX_OK)
        err = uex_pg_send(postgres, uex_buffer_text(&sql), 0, NULL, fault);
    uex_buffer_clear(&sql);
    return err;
}

enum uex_error uex_postgres_rows_begin(struct uex_postgres *postgres, const char *group_id,
                                       const struct uex_row_plan *plan, struct uex_rows **out, struct uex_fault *fault)
{
    struct pg_rows *self = calloc(1, sizeof(*self));
    enum uex_error err;

    if (self == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a stream of rows");
    err = uex_pg_open(postgres, fault);
    if (err == UEX_OK)
        err = send_stream(postgres, group_id, plan, fault);
    if (err != UEX_OK) {
        if (!postgres->reading)
            uex_pg_settle(postgres);
        free(self);
        return err;
    }
    self->rows = (struct uex_rows){.next = rows_next, .destroy = rows_destroy, .snapshot_at_ms = UEX_NO_TIME};
    self->postgres = postgres;
    self->usernames_only = plan->usernames_only;
    postgres->reading = true;
    *out = &self->rows;
    return UEX_OK;
}
