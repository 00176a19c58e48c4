/* SPDX-License-Identifier: Apache-2.0 */
/* The cache with servers that misbehave: the database must answer, in time, whatever Redis does. */
#include "export/redis.h"

#include "counting_catalogue.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A server that takes one connection after the other, reads a little, sends `answer` and closes or stays. */
struct bad_server {
    int fd, port;
    const char *answer;
    bool close_at_once, drip;
    bool endless; /* after `answer` it sends on and on */
    _Atomic size_t sent_bytes;
    _Atomic bool stop;
    pthread_t thread;
};

static void serve_one(struct bad_server *server, int fd)
{
    char request[512];

    if (server->close_at_once)
        return;
    if (recv(fd, request, sizeof(request), 0) <= 0 || server->answer == NULL) {
        while (!server->stop)
            (void)uex_sleep_ms(20, NULL);
        return;
    }
    for (const char *at = server->answer; *at != '\0' && !server->stop; at++) {
        (void)send(fd, at, 1, MSG_NOSIGNAL);
        if (server->drip)
            (void)uex_sleep_ms(60, NULL);
    }
    while (server->endless && !server->stop) {
        static const char more[65536];
        const ssize_t sent = send(fd, more, sizeof(more), MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        server->sent_bytes += (size_t)sent;
    }
    while (!server->stop && recv(fd, request, sizeof(request), 0) > 0)
        (void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
}

static void *serve(void *context)
{
    struct bad_server *server = context;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);

        if (fd < 0)
            return NULL;
        serve_one(server, fd);
        close(fd);
    }
}

static void server_start(struct bad_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct bad_server *server)
{
    server->stop = true;
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
}

/* One find() through the cache: the database's answer comes, and a failure is counted. */
static void assert_database_answers(int port, const char *credentials)
{
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_cache_counts counts;
    struct uex_redis_service *service;
    struct uex_catalogue *catalogue;
    struct uex_config config = {.redis_ttl_ms = 60000};
    struct uex_group group;
    char url[128];

    (void)snprintf(url, sizeof(url), "redis://%s127.0.0.1:%d/0", credentials, port);
    config.redis_url = url;
    service = uex_redis_service_new(&config);
    assert_non_null(service);
    catalogue = uex_redis_catalogue_new(service, &behind.catalogue);
    assert_non_null(catalogue);
    assert_int_equal(catalogue->find(catalogue, "g", &group, NULL), UEX_OK);
    assert_int_equal(group.type, UEX_GROUP_FILE);
    uex_redis_catalogue_counts(catalogue, &counts);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(counts.hits, 0);
    /* Now Redis is left alone: a second question would be a second failure. */
    assert_int_equal(catalogue->find(catalogue, "g", &group, NULL), UEX_OK);
    uex_redis_catalogue_counts(catalogue, &counts);
    assert_int_equal(counts.failures, 1);
    assert_int_equal(behind.asked, 2);
    catalogue->destroy(catalogue);
    assert_true(behind.destroyed);
    uex_redis_service_free(service);
}

static void assert_ping_fails_with(int port, const char *reason)
{
    struct uex_config config = {0};
    struct uex_fault fault = {0};
    char url[64];

    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    config.redis_url = url;
    assert_int_equal(uex_redis_ping(&config, &fault), UEX_CACHE);
    assert_non_null(strstr(fault.text, reason));
}

static void find__nobody_listens__database_answers(void **state)
{
    (void)state;
    assert_database_answers(1, "");
}

static void find__server_says_nothing__database_answers(void **state)
{
    struct bad_server server = {0};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, "");
    server_stop(&server);
}

static void find__server_closes__no_signal_and_database_answers(void **state)
{
    struct bad_server server = {.close_at_once = true};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, "user:password@");
    server_stop(&server);
}

static void find__server_drips__ends_by_the_bound(void **state)
{
    struct bad_server server = {.answer = "$40\r\n0123456789012345678901234567890123456789\r\n", .drip = true};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, "");
    server_stop(&server);
}

static void find__not_the_protocol__database_answers(void **state)
{
    struct bad_server server = {.answer = "HTTP/1.1 400 Bad Request\r\n\r\n"};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, "");
    server_stop(&server);
}

static void find__array_of_any_size__is_refused_at_once(void **state)
{
    static const char *const answers[] = {"*2147483647\r\n", "*1\r\n*1\r\n*1\r\n$1\r\nx\r\n", "%2147483647\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct bad_server server = {.answer = answers[i]};

        server_start(&server);
        assert_database_answers(server.port, "");
        assert_ping_fails_with(server.port, "an answer that is not one value"); /* its size was not believed */
        server_stop(&server);
    }
}

static void find__string_without_an_end__is_not_gathered(void **state)
{
    struct bad_server server = {.answer = "$536870912\r\n", .endless = true};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, "");
    server_stop(&server);
    assert_true(server.sent_bytes < (size_t)16 << 20); /* what the sockets' buffers take */
}

static void find__password_refused__database_answers(void **state)
{
    struct bad_server server = {.answer = "-WRONGPASS invalid username-password pair\r\n"};

    (void)state;
    server_start(&server);
    assert_database_answers(server.port, ":password@");
    server_stop(&server);
}

static void new__no_url__is_what_stands_behind(void **state)
{
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_config config = {.redis_url = (char *)(uintptr_t) ""};
    struct uex_redis_service *service = uex_redis_service_new(&config);
    struct uex_cache_counts counts;

    (void)state;
    assert_non_null(service);
    assert_ptr_equal(uex_redis_catalogue_new(service, &behind.catalogue), &behind.catalogue);
    uex_redis_catalogue_counts(&behind.catalogue, &counts);
    assert_int_equal(counts.hits + counts.misses + counts.failures, 0);
    uex_redis_service_free(service);
}

/* One question through the cache, at the URL that is in force. */
static void find_once(struct uex_catalogue *catalogue, uint64_t hits, uint64_t failures)
{
    struct uex_cache_counts counts;
    struct uex_group group;

    assert_int_equal(catalogue->find(catalogue, "g", &group, NULL), UEX_OK);
    uex_redis_catalogue_counts(catalogue, &counts);
    assert_int_equal(counts.hits, hits);
    assert_int_equal(counts.failures, failures);
}

static void replace_url__another_server__is_asked_from_the_next_question_on(void **state)
{
    static const char hit[] = "$41\r\n{\"v\":1,\"type\":\"COST_BASED\",\"active\":true}\r\n";
    struct bad_server server = {.answer = hit};
    struct counting_catalogue behind = counting_catalogue_of("COST_BASED", true);
    struct uex_config config = {.redis_ttl_ms = 60000, .redis_url = (char *)(uintptr_t) "redis://127.0.0.1:1"};
    struct uex_redis_service *service = uex_redis_service_new(&config);
    struct uex_catalogue *catalogue = uex_redis_catalogue_new(service, &behind.catalogue);
    char url[64];
    bool changed = true;

    (void)state;
    server_start(&server);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%d", server.port);
    find_once(catalogue, 0, 1);
    assert_int_equal(uex_redis_service_replace_url(service, config.redis_url, &changed), UEX_OK);
    assert_false(changed);
    find_once(catalogue, 0, 1); /* still left alone */
    assert_int_equal(uex_redis_service_replace_url(service, url, &changed), UEX_OK);
    assert_true(changed);
    find_once(catalogue, 1, 1);
    assert_int_equal(uex_redis_service_replace_url(service, "no url", &changed), UEX_OK);
    find_once(catalogue, 2, 1); /* not used: the one before stays */
    assert_int_equal(behind.asked, 2);
    catalogue->destroy(catalogue);
    uex_redis_service_free(service);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find__nobody_listens__database_answers),
        cmocka_unit_test(find__server_says_nothing__database_answers),
        cmocka_unit_test(find__server_closes__no_signal_and_database_answers),
        cmocka_unit_test(find__server_drips__ends_by_the_bound),
        cmocka_unit_test(find__not_the_protocol__database_answers),
        cmocka_unit_test(find__array_of_any_size__is_refused_at_once),
        cmocka_unit_test(find__string_without_an_end__is_not_gathered),
        cmocka_unit_test(find__password_refused__database_answers),
        cmocka_unit_test(new__no_url__is_what_stands_behind),
        cmocka_unit_test(replace_url__another_server__is_asked_from_the_next_question_on),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
