/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "export/clock.h"
#include "export/http.h"

#define ANSWER_SIZE 65536

static bool healthy = true;
static char site_name[] = "site";

static bool say_health(void *context, bool verbose, struct uex_buffer *body)
{
    uex_buffer_append_format(body, verbose ? "{\"name\":\"%s\"}" : "%s\n", (const char *)context);
    return healthy;
}

struct fixture {
    struct uex_metrics *metrics;
    struct uex_metric *counter;
    struct uex_http *http;
    struct sockaddr_in address;
};

static int start(void **state)
{
    static const struct uex_metric_spec spec = {
        .name = "things_total", .help = "Things.", .kind = UEX_METRIC_COUNTER, .labels = {"name"}};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct uex_http_site site = {.context = site_name, .live = say_health, .ready = say_health};
    struct uex_fault fault = {0};

    fixture->metrics = uex_metrics_new();
    fixture->counter = uex_metrics_add(fixture->metrics, &spec);
    site.metrics = fixture->metrics;
    healthy = true;
    assert_int_equal(uex_http_open("127.0.0.1:0", &site, &fixture->http, &fault), UEX_OK);
    assert_int_equal(uex_http_start(fixture->http, &fault), UEX_OK);
    fixture->address.sin_family = AF_INET;
    fixture->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fixture->address.sin_port = htons((uint16_t)atoi(strrchr(uex_http_address(fixture->http), ':') + 1));
    *state = fixture;
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;

    uex_http_close(fixture->http);
    uex_metrics_free(fixture->metrics);
    free(fixture);
    return 0;
}

/* `buffer_bytes`: what the client's socket takes in without being read; 0: the system's choice. */
static int dial_with(const struct fixture *fixture, int buffer_bytes)
{
    const struct timeval patience = {.tv_sec = 5};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (buffer_bytes > 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&fixture->address, sizeof(fixture->address)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static int dial(const struct fixture *fixture)
{
    return dial_with(fixture, 0);
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Everything up to the end of the connection; the caller frees. */
static char *listen_to_end(int fd, size_t *size_bytes)
{
    struct uex_buffer all = {0};
    char piece[ANSWER_SIZE];
    ssize_t got = 0;

    while ((got = recv(fd, piece, sizeof(piece), 0)) > 0)
        uex_buffer_append(&all, piece, (size_t)got);
    if (size_bytes != NULL)
        *size_bytes = all.size_bytes;
    uex_buffer_append(&all, "", 1);
    (void)close(fd);
    return (char *)all.data;
}

static char *ask(const struct fixture *fixture, const char *request)
{
    const int fd = dial(fixture);

    say(fd, request);
    return listen_to_end(fd, NULL);
}

#define HTTP11 " HTTP/1.1\r\nHost: x\r\n\r\n"

static void expect(const struct fixture *fixture, const char *request, const char *status, const char *part)
{
    char *answer = ask(fixture, request);

    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, strlen(status)) != 0 ||
        strstr(answer, part) == NULL)
        print_message("%s\n%s\n", request, answer);
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    assert_memory_equal(answer + 9, status, strlen(status));
    assert_non_null(strstr(answer, part));
    free(answer);
}

static void get__metrics__is_the_registry_as_prometheus_text(void **state)
{
    struct fixture *fixture = *state;

    uex_series_add(uex_metric_with(fixture->counter, "a"), 3);
    expect(fixture, "GET /metrics" HTTP11, "200", "things_total{name=\"a\"} 3\n");
    expect(fixture, "GET /metrics" HTTP11, "200", "text/plain; version=0.0.4; charset=utf-8\r\n");
    expect(fixture, "GET /metrics?x=y HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", "200", "# TYPE");
}

static void get__metrics_by_http_1_0__ends_with_the_connection(void **state)
{
    struct fixture *fixture = *state;
    char *answer = ask(fixture, "GET /metrics HTTP/1.0\r\n\r\n");

    assert_non_null(strstr(answer, " 200 OK\r\n"));
    assert_null(strstr(answer, "chunked"));
    assert_non_null(strstr(answer, "\r\n\r\n# HELP things_total Things.\n# TYPE things_total counter\n"));
    free(answer);
}

static void get__health__has_the_status_of_its_answer(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "GET /livez" HTTP11, "200", "\r\n\r\nsite\n");
    expect(fixture, "GET /readyz" HTTP11, "200", "\r\n\r\nsite\n");
    expect(fixture, "GET /readyz?verbose" HTTP11, "200", "\r\n\r\n{\"name\":\"site\"}");
    expect(fixture, "GET /readyz?verbose=1" HTTP11, "200", "application/json");
    healthy = false;
    expect(fixture, "GET /livez" HTTP11, "503", "\r\n\r\nsite\n");
    expect(fixture, "GET /livez?verbose" HTTP11, "503", "{\"name\":\"site\"}");
}

static void head__everything__has_no_body(void **state)
{
    static const char *const paths[] = {"/metrics", "/livez", "/readyz?verbose", "/nothing"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char request[80];
        char *answer = NULL;

        (void)snprintf(request, sizeof(request), "HEAD %s" HTTP11, paths[i]);
        answer = ask(fixture, request);
        assert_non_null(strstr(answer, i == 3 ? " 404 " : " 200 "));
        assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
        free(answer);
    }
}

static void request__something_else__is_refused(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "GET /" HTTP11, "404", "/metrics");
    expect(fixture, "GET /metrics/" HTTP11, "404", "/metrics");
    expect(fixture, "GET /../metrics" HTTP11, "404", "/metrics");
    expect(fixture, "DELETE /metrics" HTTP11, "405", "Allow: GET, HEAD\r\n");
    expect(fixture, "POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd", "405", "Allow: GET, HEAD\r\n");
    expect(fixture, "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "404", "text/plain");
}

static void request__garbage_and_oversize__server_goes_on(void **state)
{
    struct fixture *fixture = *state;
    char *large = malloc(200001);
    int fd = -1;

    memset(large, 'a', 200000);
    large[200000] = '\0';
    free(ask(fixture, "\x16\x03\x01\x02\r\n\r\n"));
    free(ask(fixture, "GET\r\n\r\n"));
    fd = dial(fixture);
    (void)send(fd, "GET /", 5, MSG_NOSIGNAL);
    (void)send(fd, large, 200000, MSG_NOSIGNAL); /* may be cut off in the middle */
    free(listen_to_end(fd, NULL));
    free(large);
    expect(fixture, "GET /livez" HTTP11, "200", "site");
}

/* A reader that takes nothing, and one that says nothing, are nobody else's matter. */
static void request__beside_slow_clients__is_answered_at_once(void **state)
{
    struct fixture *fixture = *state;
    int silent = -1, slow = -1;
    int64_t from_ms = 0;

    for (unsigned i = 0; i < 20000; i++) {
        char name[300];

        (void)snprintf(name, sizeof(name), "%0250u", i);
        (void)uex_metric_with(fixture->counter, name);
    }
    silent = dial(fixture);
    say(silent, "GET /met");
    slow = dial(fixture);
    say(slow, "GET /metrics" HTTP11);
    from_ms = uex_monotonic_ms();
    for (int i = 0; i < 20; i++)
        expect(fixture, "GET /livez" HTTP11, "200", "site");
    assert_true(uex_monotonic_ms() - from_ms < 3000);
    {
        size_t size_bytes = 0;
        char *answer = listen_to_end(slow, &size_bytes);

        assert_true(size_bytes > (size_t)20000 * 250);
        assert_memory_equal(answer + size_bytes - 5, "0\r\n\r\n", 5);
        free(answer);
    }
    (void)close(silent);
}

static void request__beside_more_silent_connections_than_there_is_room_for__is_answered(void **state)
{
    struct fixture *fixture = *state;
    int silent[400];
    int64_t from_ms = uex_monotonic_ms();

    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        silent[i] = dial(fixture);
        say(silent[i], "G");
    }
    for (int i = 0; i < 5; i++)
        expect(fixture, "GET /livez" HTTP11, "200", "site");
    assert_true(uex_monotonic_ms() - from_ms < 5000);
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        (void)close(silent[i]);
}

static void request__beside_many_that_ask_for_metrics_and_do_not_read__is_answered(void **state)
{
    struct fixture *fixture = *state;
    int stuck[400];
    int64_t from_ms = 0;

    for (unsigned i = 0; i < 20000; i++) { /* more than the buffers of the sockets take */
        char name[300];

        (void)snprintf(name, sizeof(name), "%0250u", i);
        (void)uex_metric_with(fixture->counter, name);
    }
    for (size_t i = 0; i < sizeof(stuck) / sizeof(stuck[0]); i++) {
        stuck[i] = dial_with(fixture, 4096);
        say(stuck[i], "GET /metrics" HTTP11);
        (void)poll(&(struct pollfd){.fd = stuck[i], .events = POLLIN}, 1, 50); /* its answer has begun */
    }
    from_ms = uex_monotonic_ms();
    for (int i = 0; i < 5; i++)
        expect(fixture, "GET /livez" HTTP11, "200", "site");
    assert_true(uex_monotonic_ms() - from_ms < 5000);
    for (size_t i = 0; i < sizeof(stuck) / sizeof(stuck[0]); i++)
        (void)close(stuck[i]);
}

static void open__address_in_use__is_a_configuration_error(void **state)
{
    struct fixture *fixture = *state;
    struct uex_http_site site = {.metrics = fixture->metrics};
    struct uex_http *other = NULL;
    struct uex_fault fault = {0};

    assert_int_equal(uex_http_open(uex_http_address(fixture->http), &site, &other, &fault), UEX_CONFIG);
    assert_null(other);
    assert_non_null(strstr(fault.text, "http.listen"));
    assert_non_null(strstr(fault.text, uex_http_address(fixture->http)));
    assert_non_null(strstr(fault.text, "in use"));
}

static void open__address_of_another_machine__is_a_configuration_error(void **state)
{
    struct fixture *fixture = *state;
    struct uex_http_site site = {.metrics = fixture->metrics};
    struct uex_http *other = NULL;
    struct uex_fault fault = {0};

    assert_int_equal(uex_http_open("192.0.2.1:9464", &site, &other, &fault), UEX_CONFIG);
    assert_int_equal(uex_http_open("no port", &site, &other, &fault), UEX_CONFIG);
    uex_http_close(NULL);
}

static void open__version_6_and_a_name__are_listened_on(void **state)
{
    struct fixture *fixture = *state;
    struct uex_http_site site = {.metrics = fixture->metrics};
    struct uex_http *other = NULL;
    struct uex_fault fault = {0};

    assert_int_equal(uex_http_open("localhost:0", &site, &other, &fault), UEX_OK);
    assert_null(strstr(uex_http_address(other), ":0"));
    uex_http_close(other); /* without having been started */
    if (access("/proc/net/if_inet6", R_OK) != 0)
        skip();
    if (uex_http_open("[::1]:0", &site, &other, &fault) != UEX_OK)
        skip(); /* no address of version 6 on this machine */
    assert_memory_equal(uex_http_address(other), "[::1]:", 6);
    uex_http_close(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get__metrics__is_the_registry_as_prometheus_text),
        TEST(get__metrics_by_http_1_0__ends_with_the_connection),
        TEST(get__health__has_the_status_of_its_answer),
        TEST(head__everything__has_no_body),
        TEST(request__something_else__is_refused),
        TEST(request__garbage_and_oversize__server_goes_on),
        TEST(request__beside_slow_clients__is_answered_at_once),
        TEST(request__beside_more_silent_connections_than_there_is_room_for__is_answered),
        TEST(request__beside_many_that_ask_for_metrics_and_do_not_read__is_answered),
        TEST(open__address_in_use__is_a_configuration_error),
        TEST(open__address_of_another_machine__is_a_configuration_error),
        TEST(open__version_6_and_a_name__are_listened_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
