/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/rows.c — the stream of a group's rows.
 *
 * One message to the server does it all: the snapshot's time and BEGIN (snapshot.h), the planner's estimate where it is
 * asked for, COPY, COMMIT; the answers come in that order. Only the HMAC pads need two messages before, because bound
 * values cannot go into a message of several statements. Where a group is shared (share_plan.h), each reader's
 * transaction has joined the snapshot already, and a message is the COPY of one part.
 */
#include "postgres/rows.h"
#include "postgres/count.h"
#include "postgres/wide_row.h"

#include "export/encoder.h"
#include "export/text.h"

#include <stdlib.h>

/* A row beyond this has made libpq's buffer big for good: the connection is not kept. */
#define KEEP_ROW_BYTES ((size_t)4 << 20)

enum rows_state {
    ROWS_JOINED, /* of a shared group: a part is to be asked for */
    ROWS_SENT,   /* waiting for the snapshot's time and the begin of the stream */
    ROWS_COPY,   /* rows come */
    ROWS_ENDED,  /* the transaction has ended well */
    ROWS_BROKEN
};

struct pg_rows {
    struct uex_rows rows; /* first: what the caller holds */
    struct uex_postgres *postgres;
    struct uex_row_shares *shares; /* borrowed; NULL: the group is read as a whole */
    enum rows_state state;
    bool has_time;                   /* what comes with rows from now on are the types or the plan */
    bool asks_types;                 /* and the types are still to come */
    char *group_id;                  /* owned; NULL: the shares' */
    const struct uex_layout *layout; /* borrowed */
    bool list_only, committed;
    struct uex_copy_binary binary; /* field_count 0: rows are text */
    struct uex_copy_field fields[UEX_LAYOUT_COLUMNS_MAX + 1];
    char *row; /* libpq's, of the last call */
    size_t widest_bytes;
};

static void row_free(struct pg_rows *self)
{
    PQfreemem(self->row);
    self->row = NULL;
}

/* Has the view other types than the layout knows? In the stream's own snapshot, so that no row comes with them. */
static enum uex_error check_types(const struct pg_rows *self, const PGresult *result, struct uex_fault *fault)
{
    const struct uex_layout *layout = self->layout;

    if (PQnfields(result) != (int)layout->column_count)
        return uex_fail(fault, UEX_DB_QUERY, "database: unexpected result");
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct uex_column_kind *kind = &layout->columns[i].kind;

        if (PQftype(result, (int)i) != kind->oid ||
            (kind->type == UEX_COLUMN_NUMERIC && PQfmod(result, (int)i) != kind->typmod))
            return uex_fail(fault, UEX_DB_SCHEMA,
                            "database: column %s of view %s has another type than %s, which it had when the program "
                            "read it; a restart reads it again",
                            layout->columns[i].view_name, self->postgres->config->postgres_user_view,
                            uex_column_type_name(kind->type));
    }
    return UEX_OK;
}

static enum uex_error read_time_or_plan(struct pg_rows *self, const PGresult *result, struct uex_fault *fault)
{
    struct uex_pg_estimate estimate;
    const char *text = PQntuples(result) > 0 && PQnfields(result) == 1 ? PQgetvalue(result, 0, 0) : "";

    if (!self->has_time) {
        self->has_time = true;
        return uex_pg_snapshot_read(self->postgres, result, &self->rows.snapshot_at_ms, fault);
    }
    if (self->asks_types) {
        self->asks_types = false;
        return check_types(self, result, fault);
    }
    if (uex_pg_estimate_read(text, &estimate) && estimate.row_count < 1e18)
        self->rows.expected_row_count = (uint64_t)estimate.row_count;
    return UEX_OK;
}

static enum uex_error handle_result(struct pg_rows *self, const PGresult *result, struct uex_fault *fault)
{
    switch (PQresultStatus(result)) {
    case PGRES_COPY_OUT:
        self->state = ROWS_COPY;
        return UEX_OK;
    case PGRES_TUPLES_OK:
        return read_time_or_plan(self, result, fault);
    case PGRES_COMMAND_OK:
        /* COMMIT of a transaction that failed answers ROLLBACK. */
        if (strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") == 0)
            self->committed = true;
        return UEX_OK;
    default:
        return uex_fail(fault, UEX_DB_QUERY, "database: unexpected result");
    }
}

/* Results before the stream (until COPY begins) or after it (until there are no more). */
static enum uex_error handle_results(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err;
    PGresult *result = NULL;

    do {
        err = uex_pg_next_result(self->postgres, &result, fault);
        if (err == UEX_OK) {
            err = handle_result(self, result, fault);
            PQclear(result);
        }
    } while (err == UEX_OK && self->state != ROWS_COPY);
    return err;
}

/* A COPY is over: what is left of the message's answers. UEX_END: all of it came. */
static enum uex_error end_transaction(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err;

    self->state = ROWS_SENT;
    err = handle_results(self, fault);
    if (err != UEX_END)
        return err == UEX_OK ? uex_fail(fault, UEX_DB_QUERY, "database: unexpected result") : err;
    if (self->shares != NULL && !self->committed) {
        self->state = ROWS_JOINED;
        return UEX_END;
    }
    if (!self->committed)
        return uex_fail(fault, UEX_DB_TRANSIENT, "database: the snapshot's transaction failed at its end");
    self->state = ROWS_ENDED;
    return UEX_END;
}

/* The server's answer first: after an error of its own there is no trailer. */
static enum uex_error end_stream(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err = end_transaction(self, fault), of_binary = UEX_OK;

    if (err == UEX_END && self->binary.field_count > 0)
        of_binary = uex_copy_binary_finish(&self->binary, fault);
    return of_binary == UEX_OK ? err : of_binary;
}

/* Ask for the next part of a shared group, or end the transaction when there are none left. The leader's lasts until
 * the shares are freed: one that comes late still finds the snapshot, and the table is not rewritten meanwhile. */
static enum uex_error ask_part(struct pg_rows *self, struct uex_fault *fault)
{
    const struct uex_row_shares *shares = self->shares;
    struct uex_buffer sql = {0};
    enum uex_error err = UEX_OK;
    const bool is_leader = self->postgres == shares->leader;
    unsigned part;

    if ((!is_leader && atomic_load(&shares->yielding)) || !uex_pg_share_take(self->shares, &part)) {
        if (is_leader) {
            self->state = ROWS_ENDED;
            return UEX_END;
        }
        uex_buffer_append_text(&sql, "COMMIT");
    } else {
        uex_buffer_append_text(&sql, "COPY (");
        err = uex_pg_append_rows(self->postgres, shares->group_id, &shares->plan, &sql, fault);
        uex_pg_share_condition(shares, part, &sql);
        uex_pg_append_copy_end(&shares->plan, &sql);
        self->binary = (struct uex_copy_binary){.field_count = self->binary.field_count};
    }
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
    if (err == UEX_OK)
        err = uex_pg_send(self->postgres, uex_buffer_text(&sql), 0, NULL, fault);
    uex_buffer_clear(&sql);
    self->state = ROWS_SENT;
    return err;
}

/* `seen`: the row is there; else so many bytes have come without one. */
static enum uex_error fail_wide(struct pg_rows *self, bool seen, struct uex_fault *fault)
{
    row_free(self);
    self->widest_bytes = SIZE_MAX;
    return uex_pg_fail_wide(self->postgres, self->shares == NULL ? self->group_id : self->shares->group_id,
                            self->layout, self->list_only, seen, fault);
}

/* The next row as it comes; UEX_END: the stream is over. */
static enum uex_error next_copy_row(struct pg_rows *self, size_t *size_bytes, struct uex_fault *fault)
{
    PGconn *conn = self->postgres->conn;
    enum uex_error err;
    int size;

    if (uex_cancel_requested(self->postgres->cancel))
        return uex_fail(fault, UEX_CANCELLED, "database: the query was cancelled");
    while ((size = PQgetCopyData(conn, &self->row, 1)) == 0) {
        err = uex_pg_wait_row(self->postgres, uex_pg_row_sent_max_bytes(self->postgres), fault);
        if (err == UEX_LIMIT)
            return fail_wide(self, false, fault);
        if (err != UEX_OK)
            return err;
    }
    if (size == -1)
        return end_stream(self, fault);
    if (size < 0)
        return uex_fail(fault, UEX_DB_UNAVAILABLE, "database: the connection broke in the middle of the rows");
    uex_pg_wait_progress(&self->postgres->wait);
    *size_bytes = (size_t)size;
    if (uex_pg_row_is_wide(self->postgres, *size_bytes))
        return fail_wide(self, true, fault);
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

/* Read on until rows come. UEX_END: the transaction is over; of a shared group only with the last part. */
static enum uex_error advance(struct pg_rows *self, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    if (self->state == ROWS_JOINED)
        err = ask_part(self, fault);
    if (err == UEX_OK && self->state == ROWS_SENT) {
        err = handle_results(self, fault);
        if (err == UEX_END && self->shares != NULL && self->committed)
            self->state = ROWS_ENDED;
        else if (err == UEX_END)
            err = uex_fail(fault, UEX_DB_QUERY, "database: a query returned no result");
    }
    return err;
}

/* UEX_NOT_FOUND: it was no row; take the next message. */
static enum uex_error read_fields(struct pg_rows *self, size_t size_bytes, struct uex_fault *fault)
{
    enum uex_error err = uex_copy_binary_read(&self->binary, uex_bytes_of(self->row, size_bytes), self->fields, fault);

    if (err == UEX_OK)
        return UEX_OK;
    row_free(self);
    return err == UEX_END ? UEX_NOT_FOUND : err; /* behind the trailer comes the end of the stream */
}

static enum uex_error rows_next(struct uex_rows *rows, struct uex_bytes *row, struct uex_fault *fault)
{
    struct pg_rows *self = (struct pg_rows *)rows;
    enum uex_error err;
    size_t size_bytes = 0;

    row_free(self);
    if (self->state == ROWS_ENDED)
        return UEX_END;
    if (self->state == ROWS_BROKEN)
        return uex_fail(fault, UEX_INTERNAL, "internal error: reading rows failed before");
    do {
        err = advance(self, fault);
        if (err == UEX_OK)
            err = next_copy_row(self, &size_bytes, fault);
        if (err == UEX_OK && self->binary.field_count > 0)
            err = read_fields(self, size_bytes, fault);
    } while (err == UEX_NOT_FOUND || (err == UEX_END && self->state == ROWS_JOINED));
    if (err == UEX_OK && self->list_only && !unquote(self->row, &size_bytes))
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
    bool is_wide = self->widest_bytes > KEEP_ROW_BYTES;

    row_free(self);
    if (self->shares != NULL && self->postgres == self->shares->leader && self->state == ROWS_ENDED) {
        self->shares->is_leader_wide = is_wide;
    } else {
        uex_pg_settle(self->postgres);
        if (is_wide)
            uex_pg_close(self->postgres);
        self->postgres->reading = false;
    }
    free(self->group_id);
    free(self);
}

/* The key's pads become settings of the transaction: bound values, in no query text and in no log of queries. */
enum uex_error uex_pg_bind_pads(struct uex_postgres *postgres, const char *key, struct uex_fault *fault)
{
    char inner[UEX_PG_PAD_HEX_SIZE], outer[UEX_PG_PAD_HEX_SIZE];
    const char *const values[] = {inner, outer};
    PGresult *result = NULL;
    enum uex_error err;

    uex_pg_hmac_pads(key, inner, outer);
    err = uex_pg_ask(postgres,
                     "SELECT set_config('uex.mask_inner', $1, true) || set_config('uex.mask_outer', $2, true) IS NULL",
                     2, values, &result, fault);
    explicit_bzero(inner, sizeof(inner));
    explicit_bzero(outer, sizeof(outer));
    PQclear(result);
    return err;
}

static enum uex_error begin_with_pads(struct pg_rows *self, const char *key, struct uex_fault *fault)
{
    enum uex_error err = uex_pg_begin_snapshot(self->postgres, "", &self->rows.snapshot_at_ms, NULL, fault);

    self->has_time = true;
    return err == UEX_OK ? uex_pg_bind_pads(self->postgres, key, fault) : err;
}

/* The types of the default are known, and what else they could be is seen by the query itself or is of no matter where
 * the server makes the lines. */
static enum uex_error append_types(struct pg_rows *self, struct uex_buffer *sql, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    self->asks_types =
        uex_layout_is_resolved(self->layout) && (!self->layout->is_default || self->binary.field_count > 0);
    if (self->asks_types) {
        err = uex_pg_append_types(self->postgres, self->layout, sql, fault);
        uex_buffer_append_text(sql, "; ");
    }
    return err;
}

static enum uex_error send_stream(struct pg_rows *self, const struct uex_row_plan *plan, struct uex_fault *fault)
{
    struct uex_buffer sql = {0}, rows = {0};
    bool hashes = uex_layout_hashes(plan->layout, plan->list_only);
    enum uex_error err = hashes ? begin_with_pads(self, plan->mask_key, fault) : UEX_OK;

    if (err == UEX_OK)
        err = uex_pg_append_rows(self->postgres, self->group_id, plan, &rows, fault);
    if (err == UEX_OK) {
        if (!hashes)
            uex_pg_append_snapshot(self->postgres, &sql);
        err = append_types(self, &sql, fault);
    }
    if (err == UEX_OK) {
        if (plan->expect_count)
            uex_buffer_append_format(&sql, UEX_PG_EXPLAIN "%s; ", uex_buffer_text(&rows));
        uex_buffer_append_text(&sql, "COPY (");
        uex_buffer_append_buffer(&sql, &rows);
        uex_pg_append_copy_end(plan, &sql);
        uex_buffer_append_text(&sql, "; COMMIT");
        if (uex_buffer_failed(&sql) || uex_buffer_failed(&rows))
            err = uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
    }
    if (err == UEX_OK)
        err = uex_pg_send(self->postgres, uex_buffer_text(&sql), 0, NULL, fault);
    uex_buffer_clear(&sql);
    uex_buffer_clear(&rows);
    return err;
}

static void begin_binary(struct pg_rows *self)
{
    const struct uex_config *config = self->layout->config;

    if (self->list_only || !uex_format_has_fields(config->export_format))
        return;
    self->binary.field_count =
        self->layout->column_count + (config->export_version_field == UEX_VERSION_COLUMN ? 1 : 0);
    self->rows.fields = self->fields;
}

struct uex_rows *uex_pg_rows_new(struct uex_postgres *postgres, struct uex_row_shares *shares)
{
    struct pg_rows *self = calloc(1, sizeof(*self));

    if (self == NULL)
        return NULL;
    self->rows = (struct uex_rows){.next = rows_next,
                                   .destroy = rows_destroy,
                                   .snapshot_at_ms = shares == NULL ? UEX_NO_TIME : shares->snapshot_at_ms,
                                   .expected_row_count = UEX_UNKNOWN};
    self->postgres = postgres;
    self->shares = shares;
    self->state = shares == NULL ? ROWS_SENT : ROWS_JOINED;
    if (shares != NULL) {
        self->list_only = shares->plan.list_only;
        self->layout = postgres->layout = shares->plan.layout;
        begin_binary(self);
    }
    return &self->rows;
}

enum uex_error uex_postgres_rows_begin(struct uex_postgres *postgres, const char *group_id,
                                       const struct uex_row_plan *plan, struct uex_rows **out, struct uex_fault *fault)
{
    struct pg_rows *self = (struct pg_rows *)uex_pg_rows_new(postgres, NULL);
    enum uex_error err;

    if (self == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a stream of rows");
    self->list_only = plan->list_only;
    self->layout = postgres->layout = plan->layout;
    begin_binary(self);
    self->group_id = uex_text_copy(uex_bytes_of_text(group_id));
    err = self->group_id == NULL ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a stream of rows")
                                 : uex_pg_open(postgres, fault);
    if (err == UEX_OK)
        err = send_stream(self, plan, fault);
    if (err != UEX_OK) {
        if (!postgres->reading)
            uex_pg_settle(postgres);
        free(self->group_id);
        free(self);
        return err;
    }
    postgres->reading = true;
    *out = &self->rows;
    return UEX_OK;
}
