/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/fake_postgres.h — a PostgreSQL server that answers as a test wants, over TLS or without, in a thread.
 * Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats". */
#ifndef COMPONENT_FAKE_POSTGRES_H
#define COMPONENT_FAKE_POSTGRES_H

#include "export/buffer.h"
#include "export/clock.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_peer {
    int fd;
    SSL *ssl; /* NULL: without TLS */
    atomic_ullong *sent_bytes;
};

struct fake_server {
    /* Answers one query; false: the connection ends. */
    bool (*answer)(struct fake_peer *peer, const char *sql);
    /* Instead of the greeting; NULL: a usual one. The connection ends after it. */
    void (*greet)(struct fake_peer *peer);
    bool with_tls;

    char dsn[256];
    atomic_uint query_count;
    atomic_ullong sent_bytes;
    int listener;
    pthread_t thread;
    SSL_CTX *context;
};

/* ---- messages */

static inline void fake_number(struct uex_buffer *out, uint64_t value, unsigned size_bytes)
{
    for (unsigned i = size_bytes; i > 0; i--) {
        uint8_t byte = (uint8_t)(value >> (8 * (i - 1)));

        uex_buffer_append(out, &byte, 1);
    }
}

static inline void fake_message(struct uex_buffer *out, char type, const void *body, size_t size_bytes)
{
    uex_buffer_append(out, &type, 1);
    fake_number(out, size_bytes + 4, 4);
    uex_buffer_append(out, body, size_bytes);
}

static inline void fake_command(struct uex_buffer *out, const char *tag)
{
    fake_message(out, 'C', tag, strlen(tag) + 1);
}

/* 'I': idle, 'T': in a transaction, 'E': in a failed one. */
static inline void fake_ready(struct uex_buffer *out, char status)
{
    fake_message(out, 'Z', &status, 1);
}

static inline void fake_row_description(struct uex_buffer *out, unsigned columns)
{
    struct uex_buffer body = {0};

    fake_number(&body, columns, 2);
    for (unsigned i = 0; i < columns; i++) {
        uex_buffer_append(&body, "c", 2);
        fake_number(&body, 0, 6);
        fake_number(&body, 25, 4);
        fake_number(&body, 0xFFFF, 2);
        fake_number(&body, 0xFFFFFFFF, 4);
        fake_number(&body, 0, 2);
    }
    fake_message(out, 'T', body.data, body.size_bytes);
    uex_buffer_clear(&body);
}

/* Each column holds the same. */
static inline void fake_data_row(struct uex_buffer *out, unsigned columns, const char *value)
{
    struct uex_buffer body = {0};

    fake_number(&body, columns, 2);
    for (unsigned i = 0; i < columns; i++) {
        fake_number(&body, strlen(value), 4);
        uex_buffer_append_text(&body, value);
    }
    fake_message(out, 'D', body.data, body.size_bytes);
    uex_buffer_clear(&body);
}

static inline void fake_parameter(struct uex_buffer *out, const char *name, const char *value)
{
    struct uex_buffer body = {0};

    uex_buffer_append(&body, name, strlen(name) + 1);
    uex_buffer_append(&body, value, strlen(value) + 1);
    fake_message(out, 'S', body.data, body.size_bytes);
    uex_buffer_clear(&body);
}

/* ErrorResponse ('E') or NoticeResponse ('N') as PgBouncer writes it; `column` may be NULL. */
static inline void fake_error(struct uex_buffer *out, char type, const char *sqlstate, const char *text,
                              const char *column)
{
    struct uex_buffer body = {0};

    uex_buffer_append(&body, "SFATAL", 7);
    uex_buffer_append_text(&body, "C");
    uex_buffer_append(&body, sqlstate, strlen(sqlstate) + 1);
    uex_buffer_append_text(&body, "M");
    uex_buffer_append(&body, text, strlen(text) + 1);
    if (column != NULL) {
        uex_buffer_append_text(&body, "c");
        uex_buffer_append(&body, column, strlen(column) + 1);
    }
    uex_buffer_append(&body, "", 1);
    fake_message(out, type, body.data, body.size_bytes);
    uex_buffer_clear(&body);
}

static inline void fake_notification(struct uex_buffer *out)
{
    static const char body[] = "\0\0\0\1channel\0payload";

    fake_message(out, 'A', body, sizeof(body));
}

/* What comes before the rows of an export: the snapshot's time, the transaction, and the begin of COPY. */
static inline void fake_copy_begin(struct uex_buffer *out)
{
    fake_command(out, "BEGIN");
    fake_row_description(out, 2);
    fake_data_row(out, 2, "1700000000000");
    fake_command(out, "SELECT 1");
    fake_command(out, "ROLLBACK");
    fake_command(out, "BEGIN");
    fake_command(out, "SET");
    fake_message(out, 'H', "\0\0\1\0\0", 5);
}

static inline void fake_copy_end(struct uex_buffer *out)
{
    fake_message(out, 'c', NULL, 0);
    fake_command(out, "COPY 1");
    fake_command(out, "COMMIT");
    fake_ready(out, 'I');
}

/* ---- the connection */

/* One TLS record, if it is not longer than 16 KiB. */
static inline bool fake_send(struct fake_peer *peer, const void *data, size_t size_bytes)
{
    const char *at = data;

    atomic_fetch_add(peer->sent_bytes, size_bytes);
    if (peer->ssl != NULL)
        return SSL_write(peer->ssl, data, (int)size_bytes) == (int)size_bytes;
    while (size_bytes > 0) {
        ssize_t sent = send(peer->fd, at, size_bytes, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
        size_bytes -= (size_t)sent;
    }
    return true;
}

/* Send and forget what was collected. */
static inline bool fake_send_all(struct fake_peer *peer, struct uex_buffer *out)
{
    bool sent = fake_send(peer, out->data, out->size_bytes);

    uex_buffer_clear(out);
    return sent;
}

static inline bool fake_read(struct fake_peer *peer, void *data, size_t size_bytes)
{
    char *at = data;

    while (size_bytes > 0) {
        ssize_t got = peer->ssl != NULL ? SSL_read(peer->ssl, at, (int)size_bytes) : recv(peer->fd, at, size_bytes, 0);

        if (got <= 0)
            return false;
        at += got;
        size_bytes -= (size_t)got;
    }
    return true;
}

static inline bool fake_read_number(struct fake_peer *peer, uint32_t *out)
{
    uint8_t bytes[4];

    if (!fake_read(peer, bytes, sizeof(bytes)))
        return false;
    *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

/* The startup message; before it a request for TLS is granted or not. False: another kind of request. */
static inline bool fake_startup(struct fake_server *server, struct fake_peer *peer)
{
    uint32_t length, code;
    char rest[2048];

    for (;;) {
        if (!fake_read_number(peer, &length) || !fake_read_number(peer, &code) || length < 8 ||
            length - 8 > sizeof(rest) || !fake_read(peer, rest, length - 8))
            return false;
        if (code == 196608) /* 3.0 */
            return true;
        if (code != 80877103 && code != 80877104) /* SSLRequest, GSSENCRequest */
            return false;
        if (code == 80877104 || !server->with_tls) {
            if (!fake_send(peer, "N", 1))
                return false;
            continue;
        }
        if (!fake_send(peer, "S", 1))
            return false;
        peer->ssl = SSL_new(server->context);
        if (peer->ssl == NULL || SSL_set_fd(peer->ssl, peer->fd) != 1 || SSL_accept(peer->ssl) != 1)
            return false;
    }
}

static inline bool fake_greet(struct fake_peer *peer)
{
    struct uex_buffer out = {0};

    fake_message(&out, 'R', "\0\0\0\0", 4);
    fake_parameter(&out, "server_version", "15.0");
    fake_parameter(&out, "server_encoding", "UTF8");
    fake_parameter(&out, "client_encoding", "UTF8");
    fake_parameter(&out, "DateStyle", "ISO, MDY");
    fake_parameter(&out, "standard_conforming_strings", "on");
    fake_message(&out, 'K', "\0\0\0\1\0\0\0\1", 8);
    fake_ready(&out, 'I');
    return fake_send_all(peer, &out);
}

/* What every connection is asked, and the end of a transaction; the rest is for the test. */
static inline bool fake_answer(struct fake_server *server, struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};
    bool begins = strncmp(sql, "BEGIN", 5) == 0;

    if (strcmp(sql, "ROLLBACK") == 0 || strcmp(sql, "COMMIT") == 0) {
        fake_command(&out, sql);
        fake_ready(&out, 'I');
    } else if (strstr(sql, "pg_settings") != NULL) {
        fake_row_description(&out, 3);
        fake_data_row(&out, 3, "0");
        fake_command(&out, "SELECT 1");
        fake_ready(&out, begins ? 'T' : 'I');
    } else {
        return server->answer(peer, sql);
    }
    return fake_send_all(peer, &out);
}

static inline void fake_serve(struct fake_server *server, struct fake_peer *peer)
{
    static char sql[65536];
    uint32_t length;
    char type;

    if (!fake_startup(server, peer))
        return;
    if (server->greet != NULL) {
        server->greet(peer);
        return;
    }
    if (!fake_greet(peer))
        return;
    while (fake_read(peer, &type, 1) && fake_read_number(peer, &length) && length >= 4 && length - 4 < sizeof(sql) &&
           fake_read(peer, sql, length - 4) && type == 'Q') {
        sql[length - 4] = '\0';
        atomic_fetch_add(&server->query_count, 1);
        if (!fake_answer(server, peer, sql))
            return;
    }
}

static inline void *fake_run(void *context)
{
    struct fake_server *server = context;

    for (;;) {
        struct fake_peer peer = {.fd = accept(server->listener, NULL, NULL), .sent_bytes = &server->sent_bytes};

        if (peer.fd < 0)
            return NULL;
        fake_serve(server, &peer);
        SSL_free(peer.ssl);
        close(peer.fd);
    }
}

/* A key and a certificate for nobody in particular. */
static inline SSL_CTX *fake_tls(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    assert_non_null(context);
    assert_non_null(key);
    assert_non_null(certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

/* Connections are served one after the other. */
static inline void fake_start(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    atomic_store(&server->sent_bytes, 0);
    server->context = server->with_tls ? fake_tls() : NULL;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(server->dsn, sizeof(server->dsn),
                   "host=127.0.0.1 port=%d user=u dbname=d gssencmode=disable sslmode=%s", ntohs(address.sin_port),
                   server->with_tls ? "require" : "disable");
    assert_int_equal(pthread_create(&server->thread, NULL, fake_run, server), 0);
}

/* The client has closed its connections before. */
static inline void fake_stop(struct fake_server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    SSL_CTX_free(server->context);
}
#endif
