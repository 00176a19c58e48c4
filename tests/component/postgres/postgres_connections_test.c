/* SPDX-License-Identifier: Apache-2.0 */
/* Servers and poolers that have no connection to give, and connections that are given away. */
#include "component/database.h"

#include "export/postgres.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

static char role[96], dsn[600];
static struct uex_config config;

static void make_role(void)
{
    char sql[300];

    (void)snprintf(role, sizeof(role), "%s_one", database.name);
    (void)snprintf(sql, sizeof(sql), "CREATE ROLE %s LOGIN PASSWORD 'x' CONNECTION LIMIT 1", role);
    database_run(sql);
    database_dsn(database.name, role, dsn, sizeof(dsn) - sizeof(" password='x'"));
    (void)strcat(dsn, " password='x'");
    config = database.config;
    config.postgres_dsn = dsn;
}

static void drop_role(void)
{
    char sql[200];

    (void)snprintf(sql, sizeof(sql), "DROP ROLE %s", role);
    database_run(sql);
}

/* The server takes a moment to count a closed connection out. */
static enum uex_error connect_soon(struct uex_postgres *postgres, struct uex_fault *fault)
{
    const int64_t deadline_ms = uex_monotonic_ms() + 10000;
    enum uex_error err = uex_postgres_connect(postgres, fault);

    while (err == UEX_DB_CONNECTIONS && uex_monotonic_ms() < deadline_ms) {
        (void)uex_sleep_ms(20, NULL);
        err = uex_postgres_connect(postgres, fault);
    }
    return err;
}

static void connect__limit_is_reached__is_no_unavailable_server(void **state)
{
    struct uex_postgres *first, *second;
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    make_role();
    first = uex_postgres_new(&config, "connections-test");
    second = uex_postgres_new(&config, "connections-test");
    assert_int_equal(uex_postgres_connect(first, &fault), UEX_OK);
    assert_int_equal(uex_postgres_connect(second, &fault), UEX_DB_CONNECTIONS);
    assert_non_null(strstr(fault.text, "53300"));
    assert_int_equal(uex_postgres_probe(first, &fault), UEX_OK);
    uex_postgres_free(second);
    uex_postgres_free(first);
    drop_role();
}

static void rest__connection_without_work__is_free_for_others_and_comes_back(void **state)
{
    struct uex_postgres *first, *second;
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    make_role();
    first = uex_postgres_new(&config, "connections-test");
    second = uex_postgres_new(&config, "connections-test");
    assert_int_equal(uex_postgres_probe(first, &fault), UEX_OK);
    assert_true(uex_postgres_is_connected(first));
    assert_int_equal(uex_postgres_use_count(first), 1);
    uex_postgres_rest(first);
    assert_false(uex_postgres_is_connected(first));
    assert_int_equal(connect_soon(second, &fault), UEX_OK);
    uex_postgres_rest(second);
    uex_postgres_rest(second); /* it has none any more */
    assert_int_equal(connect_soon(first, &fault), UEX_OK);
    assert_int_equal(uex_postgres_probe(first, &fault), UEX_OK);
    uex_postgres_free(second);
    uex_postgres_free(first);
    drop_role();
}

/* ---- a server that hangs after the login, or a pooler that lets clients in and has no server for them */

static const char welcome[] = "R\0\0\0\10\0\0\0\0"                /* AuthenticationOk */
                              "S\0\0\0\31client_encoding\0UTF8\0" /* ParameterStatus */
                              "K\0\0\0\14\0\0\0\1\0\0\0\2"        /* BackendKeyData */
                              "Z\0\0\0\5I";                       /* ReadyForQuery */

static void *serve(void *argument)
{
    const int listener = *(int *)argument;
    struct pollfd entry = {.fd = listener, .events = POLLIN};
    char start_up[1024];
    int client = poll(&entry, 1, 10000) > 0 ? accept(listener, NULL, NULL) : -1;

    if (client < 0)
        return NULL;
    if (recv(client, start_up, sizeof(start_up), 0) > 0)
        (void)!send(client, welcome, sizeof(welcome) - 1, MSG_NOSIGNAL);
    entry.fd = client;
    while (recv(client, start_up, sizeof(start_up), 0) > 0) /* questions without an answer, until it is closed */
        continue;
    close(client);
    return NULL;
}

static void connect__login_and_no_answer__is_neither_a_shortage_nor_a_stalled_query(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct uex_postgres *postgres;
    struct uex_fault fault = {0};
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable",
                   ntohs(address.sin_port));
    config = (struct uex_config){.postgres_dsn = dsn, .postgres_stall_timeout_ms = 500};
    assert_int_equal(pthread_create(&thread, NULL, serve, &listener), 0);
    postgres = uex_postgres_new(&config, "connections-test");
    assert_int_equal(uex_postgres_connect(postgres, &fault), UEX_DB_SILENT);
    assert_false(uex_postgres_is_connected(postgres));
    assert_int_equal(uex_postgres_use_count(postgres), 0);
    uex_postgres_free(postgres);
    pthread_join(thread, NULL);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect__limit_is_reached__is_no_unavailable_server),
        cmocka_unit_test(rest__connection_without_work__is_free_for_others_and_comes_back),
        cmocka_unit_test(connect__login_and_no_answer__is_neither_a_shortage_nor_a_stalled_query),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
