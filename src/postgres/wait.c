/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/wait.h"

#include "export/clock.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define WAIT_SLICE_MS 50

bool uex_pg_has_decrypted(PGconn *conn)
{
    SSL *ssl = PQsslInUse(conn) != 0 ? PQsslStruct(conn, "OpenSSL") : NULL;

    return ssl != NULL && SSL_pending(ssl) > 0;
}

static bool ask_arrived(int fd, uint64_t *bytes)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
        return false;
    *bytes = info.tcpi_bytes_received;
    return true;
}

static bool ask_unread(int fd, uint64_t *bytes)
{
    int unread = 0;

    if (ioctl(fd, FIONREAD, &unread) != 0 || unread < 0)
        return false;
    *bytes = (uint64_t)unread;
    return true;
}

uint64_t uex_pg_received(const PGconn *conn, enum uex_pg_received_kind kind)
{
    uint64_t arrived = 0, unread = 0;
    int fd = PQsocket(conn);
    bool known = false;

    /* What arrives between the two questions is missing from the first answer only. */
    if (kind == UEX_PG_AT_MOST)
        known = fd >= 0 && ask_unread(fd, &unread) && ask_arrived(fd, &arrived);
    else
        known = fd >= 0 && ask_arrived(fd, &arrived) && ask_unread(fd, &unread);
    return known && arrived > unread ? arrived - unread : 0;
}

/* Never more than what was really read: where a wait began is known from above, where it stands from below. */
static uint64_t received_since(const struct uex_pg_wait *wait, const PGconn *conn)
{
    uint64_t now_bytes = uex_pg_received(conn, UEX_PG_AT_LEAST);

    return wait->from_bytes != 0 && now_bytes > wait->from_bytes ? now_bytes - wait->from_bytes : 0;
}

/* Most waits are the only one before a row comes: the first one asks the system for nothing. */
static void count_wait(struct uex_pg_wait *wait, const PGconn *conn)
{
    if (wait->wait_count == 0)
        wait->since_ms = uex_monotonic_ms();
    else if (wait->wait_count == 1)
        wait->from_bytes = uex_pg_received(conn, UEX_PG_AT_MOST);
    wait->wait_count += wait->wait_count < 3 ? 1 : 0;
}

static enum uex_error check_limits(const struct uex_pg_wait *wait, const PGconn *conn,
                                   const struct uex_pg_wait_limits *limits)
{
    uint64_t bytes = wait->wait_count < 3 ? 0 : received_since(wait, conn);
    int64_t waited_ms = uex_monotonic_ms() - wait->since_ms, extra_ms = 0;

    if (bytes > limits->max_bytes)
        return UEX_LIMIT;
    if (limits->bytes_extend)
        extra_ms = (int64_t)(bytes * 1000 / UEX_PG_LEAST_BYTES_PER_S);
    return waited_ms >= limits->wait_ms + extra_ms ? UEX_TIMEOUT : UEX_OK;
}

void uex_pg_drop_notifications(PGconn *conn)
{
    PGnotify *notification;

    while ((notification = PQnotifies(conn)) != NULL)
        PQfreemem(notification);
}

/* From a server that is always ahead, libpq reads as long as its buffer has room, and it makes the room for a message
 * that it has seen the begin of: a row far over the bound can come whole within one call. So the bytes are looked at
 * before the row is copied out. Messages within the bound grow the buffer to twice their size at most; more bytes than
 * that belong to a message over the bound, and are not many small rows. */
static bool is_far_over(const struct uex_pg_wait *wait, const PGconn *conn, const struct uex_pg_wait_limits *limits)
{
    return wait->wait_count >= 2 && received_since(wait, conn) / 4 > limits->max_bytes;
}

static enum uex_error consume(const struct uex_pg_wait *wait, PGconn *conn, const struct uex_pg_wait_limits *limits)
{
    if (PQconsumeInput(conn) == 0)
        return UEX_DB_UNAVAILABLE;
    uex_pg_drop_notifications(conn);
    return is_far_over(wait, conn, limits) ? UEX_LIMIT : UEX_OK;
}

enum uex_error uex_pg_wait(struct uex_pg_wait *wait, PGconn *conn, bool to_write,
                           const struct uex_pg_wait_limits *limits)
{
    enum uex_error err;

    count_wait(wait, conn);
    for (;;) {
        struct pollfd entry = {.fd = PQsocket(conn), .events = (short)(to_write ? POLLIN | POLLOUT : POLLIN)};
        int rc;

        if (uex_cancel_requested(limits->cancel))
            return UEX_CANCELLED;
        if (entry.fd < 0)
            return UEX_DB_UNAVAILABLE;
        err = check_limits(wait, conn, limits);
        if (err != UEX_OK)
            return err;
        if (uex_pg_has_decrypted(conn))
            return consume(wait, conn, limits);
        rc = poll(&entry, 1, WAIT_SLICE_MS);
        if (rc < 0 && errno != EINTR && errno != EAGAIN)
            return UEX_DB_UNAVAILABLE;
        /* What GSSAPI has decrypted can only be found by reading. */
        if (rc > 0 || PQgssEncInUse(conn) != 0)
            return consume(wait, conn, limits);
    }
}
