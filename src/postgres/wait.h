/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/wait.h — waiting for bytes of a server, bounded in time and in bytes.
 *
 * Progress is a result or a row. Bytes alone are none: notices, parameters and notifications come as often as a server
 * likes. libpq keeps what it reads until a result or a row is complete, so the bytes before it are bounded as well.
 */
#ifndef EXPORT_POSTGRES_WAIT_H
#define EXPORT_POSTGRES_WAIT_H

#include "export/clock.h"
#include "export/error.h"

#include <libpq-fe.h>

/* The bytes that may come before a result is complete. The biggest answer beside the stream of rows is the definition
 * of a view. */
#define UEX_PG_ANSWER_MAX_BYTES ((uint64_t)4 << 20)
/* Above this rate a big result or row may take longer than the time limit. */
#define UEX_PG_LEAST_BYTES_PER_S ((uint64_t)256 << 10)

/* One thread. A zeroed struct is at the begin of a wait. */
struct uex_pg_wait {
    unsigned wait_count; /* since the last progress */
    int64_t since_ms;    /* the first of these waits */
    uint64_t from_bytes; /* what had come at the second of them, at most; 0: not known */
};

struct uex_pg_wait_limits {
    int64_t wait_ms;                 /* without progress */
    uint64_t max_bytes;              /* without progress */
    bool bytes_extend;               /* each UEX_PG_LEAST_BYTES_PER_S that came extend the time by 1 s */
    const struct uex_cancel *cancel; /* NULL: none */
};

/* Progress was made: time and bytes are counted from the next wait on. */
static inline void uex_pg_wait_progress(struct uex_pg_wait *wait)
{
    wait->wait_count = 0;
}

/* Wait until there is more to read (or, if `to_write`, until bytes can be sent), and read it into libpq. Notifications
 * are dropped. UEX_CANCELLED, UEX_TIMEOUT, UEX_LIMIT (too many bytes without progress), UEX_DB_UNAVAILABLE (the
 * connection broke). */
UEX_MUST_CHECK enum uex_error uex_pg_wait(struct uex_pg_wait *wait, PGconn *conn, bool to_write,
                                          const struct uex_pg_wait_limits *limits);

/* No connection uses LISTEN, so notifications are unexpected; libpq would keep them all the same. */
void uex_pg_drop_notifications(PGconn *conn);
/* Has OpenSSL decrypted bytes that libpq has not read yet? poll(2) does not see them: libpq reads 8 KiB at a time or
 * more, a TLS record holds up to 16 KiB. */
bool uex_pg_has_decrypted(PGconn *conn);
/* Two system calls return what has arrived and what is unread; more may arrive between them. */
enum uex_pg_received_kind { UEX_PG_AT_LEAST, UEX_PG_AT_MOST };
/* The bytes that were read from the connection so far. 0 where the system does not count them (Unix sockets). */
uint64_t uex_pg_received(const PGconn *conn, enum uex_pg_received_kind kind);
#endif
