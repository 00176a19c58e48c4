/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/share_plan.c — how the rows of a large group are divided: by ranges of export.key_column, and by its
 * hash where it is no integer or ranges would cost more than they save. */
#include "postgres/share_plan.h"
#include "postgres/count.h"

#include <inttypes.h>
#include <stdlib.h>

/* Source: src/include/catalog/pg_type.dat of PostgreSQL. */
enum { OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23 };

/* More parts than readers: who is done early takes another one, and the last ones end close together. */
#define PARTS_PER_READER 8
/* The ends of a key are looked up only where that costs less than a hundredth of the rows: by an index. */
#define ENDS_COST_SHARE 100

bool uex_pg_share_take(struct uex_row_shares *shares, unsigned *part)
{
    *part = atomic_fetch_add(&shares->next_part, 1);
    if (*part < shares->part_count)
        return true;
    atomic_store(&shares->next_part, shares->part_count); /* does not run over, however often it is asked */
    return false;
}

void uex_pg_share_cut(struct uex_row_shares *shares, unsigned part_count)
{
    uint64_t span = (uint64_t)shares->high - (uint64_t)shares->low; /* one less than the keys there can be */

    shares->step = span / part_count + 1;
    shares->part_count = (unsigned)(span / shares->step) + 1;
}

/* The first key of a part. */
static int64_t part_low(const struct uex_row_shares *shares, unsigned part)
{
    return (int64_t)((uint64_t)shares->low + (uint64_t)part * shares->step);
}

void uex_pg_share_condition(const struct uex_row_shares *shares, unsigned part, struct uex_buffer *sql)
{
    const char *key = uex_buffer_text(&shares->key);
    bool is_last = part + 1 + (shares->has_nulls ? 1 : 0) >= shares->part_count;

    if (shares->has_nulls && part + 1 == shares->part_count) {
        uex_buffer_append_format(sql, " AND %s IS NULL", key);
        return;
    }
    switch (shares->kind) {
    case UEX_SHARE_NUMBERS: /* closed at both ends, so that no index is read beyond the group */
        uex_buffer_append_format(sql, " AND %s >= %" PRId64, key, part_low(shares, part));
        if (is_last)
            uex_buffer_append_format(sql, " AND %s <= %" PRId64, key, shares->high);
        else
            uex_buffer_append_format(sql, " AND %s < %" PRId64, key, part_low(shares, part + 1));
        return;
    case UEX_SHARE_HASHES: /* rows without a key have no hash */
        uex_buffer_append_format(sql, " AND (COALESCE(%s, 0) & 2147483647) %% %u = %u", uex_buffer_text(&shares->hash),
                                 shares->part_count, part);
        return;
    }
}

/* ---- choosing */

static enum uex_error no_memory(struct uex_fault *fault)
{
    return uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query");
}

/* The estimate of "SELECT `columns`", or of the rows themselves (NULL), of the group. */
static enum uex_error estimate(const struct uex_row_shares *shares, const char *columns, struct uex_pg_estimate *out,
                               struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    enum uex_error err;

    if (columns == NULL) {
        err = uex_pg_append_rows(shares->leader, shares->group_id, &shares->plan, &sql, fault);
    } else {
        uex_buffer_append_format(&sql, "SELECT %s", columns);
        err = uex_pg_append_from(shares->leader, shares->group_id, &sql, fault);
    }
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = no_memory(fault);
    if (err == UEX_OK)
        err = uex_pg_estimate(shares->leader, uex_buffer_text(&sql), out, fault);
    uex_buffer_clear(&sql);
    return err;
}

/* The type of the key column, from a query that reads nothing. */
static enum uex_error key_type(const struct uex_row_shares *shares, unsigned *type, struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err;

    uex_buffer_append_format(&sql, "SELECT %s", uex_buffer_text(&shares->key));
    err = uex_pg_append_from(shares->leader, shares->group_id, &sql, fault);
    uex_buffer_append_text(&sql, " LIMIT 0");
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = no_memory(fault);
    if (err == UEX_OK)
        err = uex_pg_ask(shares->leader, uex_buffer_text(&sql), 0, NULL, &result, fault);
    if (err == UEX_OK)
        *type = PQftype(result, 0);
    PQclear(result);
    uex_buffer_clear(&sql);
    return err == UEX_DB_SCHEMA ? uex_fail(fault, UEX_NOT_FOUND, "the user view has no column export.key_column") : err;
}

static bool is_number(unsigned type)
{
    return type == OID_INT2 || type == OID_INT4 || type == OID_INT8;
}

static void share_hashes(struct uex_row_shares *shares, unsigned type, unsigned reader_count)
{
    const char *key = uex_buffer_text(&shares->key);

    shares->kind = UEX_SHARE_HASHES;
    shares->part_count = reader_count;
    if (is_number(type))
        uex_buffer_append_format(&shares->hash, "hashint8(%s::bigint)", key);
    else
        uex_buffer_append_format(&shares->hash, "hashtext(%s::text)", key);
}

/* First and last key, and whether there are rows without one. UEX_END: there are no keys. */
static enum uex_error read_ends(struct uex_row_shares *shares, struct uex_fault *fault)
{
    const char *key = uex_buffer_text(&shares->key);
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err;

    uex_buffer_append_format(&sql, "SELECT min(%s)::bigint, max(%s)::bigint, EXISTS (SELECT 1", key, key);
    err = uex_pg_append_from(shares->leader, shares->group_id, &sql, fault);
    uex_buffer_append_format(&sql, " AND %s IS NULL)", key);
    if (err == UEX_OK)
        err = uex_pg_append_from(shares->leader, shares->group_id, &sql, fault);
    if (err == UEX_OK && uex_buffer_failed(&sql))
        err = no_memory(fault);
    if (err == UEX_OK)
        err = uex_pg_ask(shares->leader, uex_buffer_text(&sql), 0, NULL, &result, fault);
    if (err == UEX_OK && (PQntuples(result) != 1 || PQnfields(result) != 3))
        err = uex_fail(fault, UEX_DB_QUERY, "database: unexpected result");
    else if (err == UEX_OK && PQgetisnull(result, 0, 0))
        err = UEX_END;
    if (err == UEX_OK) {
        shares->low = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        shares->high = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
        shares->has_nulls = strcmp(PQgetvalue(result, 0, 2), "t") == 0;
    }
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}

/* Are the first and the last key found by an index? */
static enum uex_error ends_are_cheap(const struct uex_row_shares *shares, bool *out, struct uex_fault *fault)
{
    struct uex_pg_estimate rows = {0}, ends = {0};
    struct uex_buffer least = {0};
    enum uex_error err;

    uex_buffer_append_format(&least, "min(%s)", uex_buffer_text(&shares->key));
    err = uex_buffer_failed(&least) ? no_memory(fault) : estimate(shares, NULL, &rows, fault);
    if (err == UEX_OK)
        err = estimate(shares, uex_buffer_text(&least), &ends, fault);
    uex_buffer_clear(&least);
    *out = err == UEX_OK && ends.cost * ENDS_COST_SHARE < rows.cost;
    return err;
}

static enum uex_error share_numbers(struct uex_row_shares *shares, unsigned reader_count, struct uex_fault *fault)
{
    enum uex_error err = read_ends(shares, fault);

    if (err != UEX_OK)
        return err;
    shares->kind = UEX_SHARE_NUMBERS;
    uex_pg_share_cut(shares, reader_count * PARTS_PER_READER);
    shares->part_count += shares->has_nulls ? 1 : 0;
    return UEX_OK;
}

enum uex_error uex_pg_share_plan(struct uex_row_shares *shares, unsigned reader_count, struct uex_fault *fault)
{
    const char *column = shares->leader->config->export_key_column;
    unsigned type = 0;
    bool has_ends = false;
    enum uex_error err;

    if (column == NULL || column[0] == '\0')
        return uex_fail(fault, UEX_NOT_FOUND, "export.key_column is not set");
    err = uex_pg_append_name(shares->leader, column, &shares->key, fault);
    if (err == UEX_OK)
        err = key_type(shares, &type, fault);
    if (err == UEX_OK && is_number(type))
        err = ends_are_cheap(shares, &has_ends, fault);
    if (err == UEX_OK && has_ends)
        err = share_numbers(shares, reader_count, fault);
    if (err == UEX_END || (err == UEX_OK && !has_ends)) {
        share_hashes(shares, type, reader_count);
        err = UEX_OK;
    }
    if (err == UEX_OK && (uex_buffer_failed(&shares->key) || uex_buffer_failed(&shares->hash)))
        err = no_memory(fault);
    return err;
}
