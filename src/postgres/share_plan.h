/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/share_plan.h — a big group in parts that several connections read from one snapshot. */
#ifndef EXPORT_POSTGRES_SHARE_PLAN_H
#define EXPORT_POSTGRES_SHARE_PLAN_H

#include <stdatomic.h>

#include "postgres/sql.h"

enum uex_share_kind {
    UEX_SHARE_NUMBERS, /* ranges of an integer key with an index */
    UEX_SHARE_HASHES   /* remainders of the key's hash: each reader sees the whole group and formats its part of it */
};

/* All but the last three stays as it was made. */
struct uex_row_shares {
    struct uex_postgres *leader; /* borrowed; its transaction holds the snapshot */
    char *group_id;              /* owned */
    struct uex_row_plan plan;    /* what it points to is borrowed */
    enum uex_share_kind kind;
    struct uex_buffer key;  /* the key, as SQL */
    struct uex_buffer hash; /* UEX_SHARE_HASHES: the key's hash, as SQL */
    int64_t low, high;      /* first and last key */
    uint64_t step;          /* keys of one part */
    unsigned part_count;
    bool has_nulls; /* the last part is the rows without a key */
    char snapshot[64];
    char server[24]; /* when it started: two servers may know a snapshot by the same name */
    int64_t snapshot_at_ms;
    bool is_leader_wide; /* set by its stream: libpq's buffer has become big */
    atomic_uint next_part;
    atomic_bool yielding; /* only the leader takes more parts */
};

/* Take the next part; false: all are taken. Any thread. */
UEX_MUST_CHECK bool uex_pg_share_take(struct uex_row_shares *shares, unsigned *part);
/* Append " AND (…)": the rows of one part. Every row of the group is in exactly one. */
void uex_pg_share_condition(const struct uex_row_shares *shares, unsigned part, struct uex_buffer *sql);

/* Cut `low` to `high` into at most `part_count` parts of one length; they come to fewer where there are fewer keys. */
void uex_pg_share_cut(struct uex_row_shares *shares, unsigned part_count);

/* Choose the kind, in the leader's transaction. UEX_NOT_FOUND, and `fault` with the reason:
 * there is no key. */
UEX_MUST_CHECK enum uex_error uex_pg_share_plan(struct uex_row_shares *shares, unsigned reader_count,
                                                struct uex_fault *fault);
#endif
