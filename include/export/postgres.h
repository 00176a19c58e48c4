/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/postgres.h — the two views of the database: the catalogue of groups and the stream of a group's rows.
 *
 * A connection belongs to one thread. It connects when it is first used and again after it broke. Every wait for a
 * result or a row ends by postgres.stall_timeout, whatever else the server sends meanwhile, or by `cancel` (seen within
 * 100 ms; the server gets a libpq cancel request). Texts of faults hold the SQLSTATE, the column where it is
 * one of the views', and our own sentence: never the server's message, which may quote data. Notices of the server
 * become debug log lines without their text; passwords never appear. What is set for a transaction ends with it.
 */
#ifndef EXPORT_POSTGRES_H
#define EXPORT_POSTGRES_H

#include "export/catalogue.h"
#include "export/copy_binary.h"
#include "export/layout.h"

struct uex_postgres; /* one connection */

/* Make a handle; nothing is connected yet. `cancel` is borrowed and may be NULL. NULL when memory ends. The config must
 * outlive it. */
UEX_MUST_CHECK struct uex_postgres *uex_postgres_new(const struct uex_config *config, const char *application_name);
void uex_postgres_free(struct uex_postgres *postgres);
/* The flag that ends waits of what is called next; NULL: none. */
void uex_postgres_set_cancel(struct uex_postgres *postgres, const struct uex_cancel *cancel);

/* Is postgres.dsn something that libpq understands? UEX_CONFIG with libpq's reason (which has no password). */
UEX_MUST_CHECK enum uex_error uex_postgres_check_dsn(const char *dsn, struct uex_fault *fault);
/* Connect now, unless there is a connection that is idle and well. UEX_DB_CONNECTIONS: the server or a pooler answers,
 * and has no connection to give. UEX_DB_SILENT: it takes the connection, and the first query gets no answer: the server
 * hangs, or a pooler lets its client wait. */
UEX_MUST_CHECK enum uex_error uex_postgres_connect(struct uex_postgres *postgres, struct uex_fault *fault);
/* There is a connection, and its first query was answered; it may be broken by now. Any thread. */
bool uex_postgres_is_connected(const struct uex_postgres *postgres);
/* How often a call so far had a connection to work with. */
uint64_t uex_postgres_use_count(const struct uex_postgres *postgres);
/* Close the connection of a handle that has nothing to do; it connects again on its next use. Not while rows are being
 * read. */
void uex_postgres_rest(struct uex_postgres *postgres);
/* The neutral probe: SELECT 1 on a connection that works. */
UEX_MUST_CHECK enum uex_error uex_postgres_probe(struct uex_postgres *postgres, struct uex_fault *fault);
/* Both views are there with the columns that are needed, and their types fit (a mask's action or the formula guard on
 * another type is UEX_CONFIG); UEX_DB_SCHEMA names what is missing, or what has changed since `layout` was resolved;
 * UEX_DB_DENIED the right. `*resolved` (`resolved` may be NULL) is the layout with the types of the user view; the
 * caller frees it. */
UEX_MUST_CHECK enum uex_error uex_postgres_check_views(struct uex_postgres *postgres, const struct uex_layout *layout,
                                                       struct uex_layout **resolved, struct uex_fault *fault);

/* The server and our role, for `exportctl doctor`. */
#define UEX_ODD_NAMES_MAX 5
struct uex_postgres_facts {
    char version[64], role[64];
    char host[256], port[8], database[64];  /* of the connection; `host` may be the directory of a socket */
    bool in_recovery;                       /* a replica */
    bool is_superuser, may_write;           /* may_write: INSERT, UPDATE or DELETE on one of the views */
    int64_t server_at_ms, local_at_ms;      /* its clock, and ours in the middle of the question */
    uint64_t active_groups, odd_groups;     /* odd: active, of a type that is not exported */
    char odd_names[UEX_ODD_NAMES_MAX][256]; /* the first of these, by id */
    size_t odd_name_count;
};
UEX_MUST_CHECK enum uex_error uex_postgres_examine(struct uex_postgres *postgres, struct uex_postgres_facts *out,
                                                   struct uex_fault *fault);

/* The catalogue over a connection (borrowed, must outlive it). */
UEX_MUST_CHECK struct uex_catalogue *uex_postgres_catalogue_new(struct uex_postgres *postgres);

/* Every active group, one call each, in the order of group_id; `each` stops the reading with an error of its own. */
UEX_MUST_CHECK enum uex_error uex_postgres_each_active_group(struct uex_postgres *postgres,
                                                             enum uex_error (*each)(void *context,
                                                                                    const char *group_id),
                                                             void *context, struct uex_fault *fault);

/* How many rows an export of the group would have now. */
UEX_MUST_CHECK enum uex_error uex_postgres_count_rows(struct uex_postgres *postgres, const char *group_id,
                                                      uint64_t *out, struct uex_fault *fault);

/* How rows are read. */
struct uex_row_plan {
    const struct uex_layout *layout; /* outlives the stream */
    const char *mask_key;            /* for hash */
    bool list_only;                  /* one column: that of lists, masked and guarded the same way */
    bool expect_count;               /* ask the planner, in the same round trip, how many rows it expects */
};

/* The rows of a group, from one REPEATABLE READ READ ONLY snapshot. On a replica that is behind, its time is that of
 * the last commit that was replayed. */
struct uex_rows {
    /* The next row: a line of text with '\n' (CSV, or a JSON object), or for list_only its plain text (data NULL for a
     * NULL); where the format is binary, the row's bytes, and `fields` are its fields. Borrowed until the next call.
     * UEX_END after the last one, when the snapshot's transaction has ended well. */
    enum uex_error (*next)(struct uex_rows *rows, struct uex_bytes *row, struct uex_fault *fault);
    /* Give up or finish; frees. A running query is cancelled. */
    void (*destroy)(struct uex_rows *rows);
    const struct uex_copy_field *fields; /* see next(); NULL: it is text */
    int64_t snapshot_at_ms;              /* all that was committed by then is in it; known once next() was called */
    uint64_t expected_row_count;         /* with expect_count, known once next() was called; else UEX_UNKNOWN */
};

/* Begin reading. The connection serves nothing else until destroy(). UEX_FORMULA_REJECTED comes from next() when a
 * guarded field would run in a spreadsheet; UEX_DB_LAGGING from here or from the first next() when a replica is further
 * behind than postgres.max_lag. */
UEX_MUST_CHECK enum uex_error uex_postgres_rows_begin(struct uex_postgres *postgres, const char *group_id,
                                                      const struct uex_row_plan *plan, struct uex_rows **out,
                                                      struct uex_fault *fault);

/* A big group whose rows several connections read side by side, from one snapshot, each a part at a time: ranges of
 * export.key_column, or remainders of its hash. */
struct uex_row_shares;
/* Begin the snapshot on `postgres`, the leader, and choose the parts. The leader serves nothing else until
 * uex_row_shares_free(), but uex_row_shares_rows(). UEX_NOT_FOUND, and `fault` with the reason: there is no
 * export.key_column, read the rows the other way. */
UEX_MUST_CHECK enum uex_error uex_postgres_shares_begin(struct uex_postgres *postgres, const char *group_id,
                                                        const struct uex_row_plan *plan, unsigned reader_count,
                                                        struct uex_row_shares **out, struct uex_fault *fault);
int64_t uex_row_shares_snapshot_at_ms(const struct uex_row_shares *shares);
/* The rows of the parts that no reader has taken yet, one part after the other, as one stream; it ends when there are
 * no more. For the leader, or for another connection, which joins the snapshot here; what goes wrong with that comes
 * from here, and the other readers can go on. An error of next() is the failure of all. Any thread, each with a
 * connection of its own; all streams are destroyed before the shares are freed. */
UEX_MUST_CHECK enum uex_error uex_row_shares_rows(struct uex_row_shares *shares, struct uex_postgres *postgres,
                                                  struct uex_rows **out, struct uex_fault *fault);
/* Somebody needs a connection: streams of others than the leader end after the part that they read; the leader's takes
 * the rest. Any thread. */
void uex_row_shares_yield(struct uex_row_shares *shares);
/* Ends the leader's transaction. Accepts NULL. */
void uex_row_shares_free(struct uex_row_shares *shares);
#endif
