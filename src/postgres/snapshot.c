/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/snapshot.c — see snapshot.h.
 *
 * A snapshot is taken with a transaction's first query, and on a replica more is replayed all the time. So its time is
 * asked for before, by a transaction of its own in the same message: what had been replayed by then is in the snapshot.
 * transaction_timestamp() of both is when the message came.
 */
#include "postgres/snapshot.h"

#include <stdlib.h>

/* Source: PostgreSQL documentation, "Recovery Information Functions" and pg_stat_wal_receiver. A replica has all of its
 * data's time when it is connected and has replayed as far as it knows the primary to be. latest_end_lsn is how far the
 * primary has written; only pg_read_all_stats may see it, for others it is NULL and what was received has to do. */
#define IS_UP_TO_DATE                                                                                                  \
    "EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) AND "                                                        \
    "GREATEST(pg_catalog.pg_last_wal_receive_lsn(), (SELECT latest_end_lsn FROM pg_catalog.pg_stat_wal_receiver)) "    \
    "<= pg_catalog.pg_last_wal_replay_lsn()"
/* Nothing replayed since the replica was started: its data are those of the checkpoint it began with, or newer. */
#define LAST_REPLAYED                                                                                                  \
    "COALESCE(pg_catalog.pg_last_xact_replay_timestamp(), "                                                            \
    "(SELECT checkpoint_time FROM pg_catalog.pg_control_checkpoint()))"

#define MILLISECONDS(interval_) "floor(extract(epoch FROM " interval_ ") * 1000)::bigint"
#define ASK_TIME                                                                                                       \
    "SELECT " MILLISECONDS("at") ", " MILLISECONDS(                                                                    \
        "transaction_timestamp() - at") " FROM (SELECT CASE "                                                          \
                                        "WHEN NOT pg_catalog.pg_is_in_recovery() OR (" IS_UP_TO_DATE                   \
                                        ") THEN transaction_timestamp() "                                              \
                                        "ELSE LEAST(transaction_timestamp(), " LAST_REPLAYED                           \
                                        ") END AS at) AS snapshot"
/* Each of these functions, so that none refuses later on. */
#define ASK_REPLICA                                                                                                    \
    "SELECT pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn(), "                               \
    "pg_catalog.pg_last_xact_replay_timestamp(), (SELECT checkpoint_time FROM pg_catalog.pg_control_checkpoint()), "   \
    "(SELECT latest_end_lsn FROM pg_catalog.pg_stat_wal_receiver)"
/* What a primary is asked: without a function that it might deny, and nothing to plan. The lag of a replica is NULL. */
#define ASK_CLOCK                                                                                                      \
    "SELECT " MILLISECONDS("transaction_timestamp()") ", CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN 0 END"

static bool has_floats(const struct uex_layout *layout)
{
    for (size_t i = 0; layout != NULL && i < layout->column_count; i++) {
        if (layout->columns[i].kind.type == UEX_COLUMN_REAL || layout->columns[i].kind.type == UEX_COLUMN_DOUBLE)
            return true;
    }
    return false;
}

void uex_pg_append_settings(const struct uex_postgres *postgres, struct uex_buffer *sql)
{
    const char *style = PQparameterStatus(postgres->conn, "DateStyle");

    uex_pg_append_limits(postgres, sql);
    if (style == NULL || strncmp(style, "ISO", 3) != 0)
        uex_buffer_append_text(sql, "SET LOCAL DateStyle = 'ISO, YMD'; ");
    if (has_floats(postgres->layout)) /* the shortest text that reads back as the same value */
        uex_buffer_append_text(sql, "SET LOCAL extra_float_digits = 1; ");
}

void uex_pg_append_snapshot(const struct uex_postgres *postgres, struct uex_buffer *sql)
{
    uex_buffer_append_format(sql, "BEGIN READ ONLY; %s; ROLLBACK; " UEX_PG_BEGIN_SNAPSHOT "; ",
                             postgres->asks_lag ? ASK_TIME : ASK_CLOCK);
    uex_pg_append_settings(postgres, sql);
}

static bool read_number(const PGresult *result, int column, int64_t *out)
{
    const char *text = PQgetvalue(result, 0, column);
    char *end = NULL;

    *out = (int64_t)strtoll(text, &end, 10);
    return end != text && *end == '\0';
}

/* A pooler has led what was a primary's connection to a replica: it is examined anew, as one. */
static enum uex_error meet_replica(struct uex_postgres *postgres, struct uex_fault *fault)
{
    postgres->met_replica = true;
    return uex_fail(fault, UEX_DB_TRANSIENT, "database: the connection leads to a replica now, which is asked anew");
}

enum uex_error uex_pg_snapshot_read(struct uex_postgres *postgres, const PGresult *result, int64_t *at_ms,
                                    struct uex_fault *fault)
{
    const int64_t max_lag_ms = postgres->config->postgres_max_lag_ms;
    int64_t lag_ms = 0;

    if (PQntuples(result) != 1 || PQnfields(result) != 2 || !read_number(result, 0, at_ms))
        return uex_fail(fault, UEX_DB_QUERY, "database: the snapshot's time is missing");
    if (PQgetisnull(result, 0, 1) && !postgres->hides_lag)
        return meet_replica(postgres, fault);
    if (max_lag_ms == 0)
        return UEX_OK;
    if (!read_number(result, 1, &lag_ms))
        return uex_fail(fault, UEX_DB_LAGGING,
                        "database: the replica does not tell how far it is behind, and postgres.max_lag is set");
    return lag_ms <= max_lag_ms
               ? UEX_OK
               : uex_fail(fault, UEX_DB_LAGGING, "database: the replica is %lld ms behind, more than postgres.max_lag",
                          (long long)lag_ms);
}

enum uex_error uex_pg_begin_snapshot(struct uex_postgres *postgres, const char *more, int64_t *at_ms, PGresult **last,
                                     struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL, *newest = NULL;
    bool has_time = false;
    enum uex_error err;

    uex_pg_append_snapshot(postgres, &sql);
    uex_buffer_append_text(&sql, more);
    err = uex_buffer_failed(&sql) ? uex_fail(fault, UEX_NO_MEMORY, "database: not enough memory for a query")
                                  : uex_pg_send(postgres, uex_buffer_text(&sql), 0, NULL, fault);
    uex_buffer_clear(&sql);
    while (err == UEX_OK) {
        err = uex_pg_next_result(postgres, &result, fault);
        if (err != UEX_OK)
            break;
        if (!has_time && PQresultStatus(result) == PGRES_TUPLES_OK) {
            has_time = true;
            err = uex_pg_snapshot_read(postgres, result, at_ms, fault);
        }
        PQclear(newest);
        newest = result;
    }
    if (err == UEX_END)
        err = has_time ? UEX_OK : uex_fail(fault, UEX_DB_QUERY, "database: the snapshot's time is missing");
    if (err == UEX_OK && last != NULL)
        *last = newest;
    else
        PQclear(newest);
    return err;
}

/* Refused, or unknown to this server. Anything else is seen by what is asked next. */
static bool is_refusal(enum uex_error err)
{
    return err == UEX_DB_QUERY || err == UEX_DB_DENIED || err == UEX_DB_SCHEMA;
}

void uex_pg_examine_replica(struct uex_postgres *postgres)
{
    struct uex_fault fault = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_ask(postgres, ASK_REPLICA, 0, NULL, &result, &fault);

    PQclear(result);
    postgres->asks_lag = err == UEX_OK;
    if (is_refusal(err)) {
        postgres->hides_lag = true;
        uex_log(UEX_LOG_WARN, UEX_EVENT_REPLICA_LAG_HIDDEN,
                "the replica does not tell how far it is behind: the time of a snapshot is that of its clock",
                UEX_STR("error", fault.text));
    }
    uex_pg_settle(postgres);
}
