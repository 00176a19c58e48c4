/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/clock.h"
#include "export/config.h"
#include "export/http.h"
#include "export/log.h"
#include "export/thread.h"

#define ROUND_MS 100
/* With more connections than this the oldest is closed, whether it has sent a request or not: a client that requests
 * metrics and does not read takes as much room as a silent one. The rest is room for new connections. */
#define CONNECTIONS_MAX 48
#define CONNECTIONS_LIMIT 64
#define CONNECTION_MEMORY_BYTES ((size_t)24 << 10)
#define REQUEST_MS 10000 /* from the connection to its complete request */
#define ANSWER_MS 60000  /* from there to the end of the answer */
#define IDLE_S 10U
#define BLOCK_BYTES ((size_t)16 << 10)
#define BACKLOG 128
#define ADDRESS_SIZE 128

struct connection {
    int fd; /* -1: this entry is free */
    int64_t since_ms;
    bool asked; /* the request is complete */
    bool ended; /* shut down */
};

struct uex_http {
    struct uex_http_site site;
    char address[ADDRESS_SIZE];
    int listen_fd;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    struct connection connections[CONNECTIONS_LIMIT]; /* of the server thread */
    size_t connection_count;
};

/* ---- the socket */

static void name_address(int fd, char *out)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char host[64] = "", port[8] = "";

    out[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    (void)snprintf(out, ADDRESS_SIZE, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static int open_one(const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;

    if (fd < 0)
        return -1;
    /* After a restart, connections of the previous process may still be in TIME_WAIT. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int code = errno;
    (void)close(fd);
    errno = code;
    return -1;
}

/* Bind and listen; non-blocking, closed on exec. `address` gets the address with its real port. */
static enum uex_error open_socket(const char *listen_on, int *fd, char *address, struct uex_fault *fault)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char host[UEX_LISTEN_HOST_SIZE], port_text[8];
    uint16_t port = 0;
    int code = 0;

    *fd = -1;
    if (!uex_listen_split(listen_on, host, &port))
        return uex_fail(fault, UEX_CONFIG, "http.listen: must be host:port or [v6]:port");
    (void)snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    code = getaddrinfo(host, port_text, &hints, &found);
    if (code == EAI_NONAME) { /* a name, such as localhost */
        hints.ai_flags = AI_PASSIVE;
        code = getaddrinfo(host, port_text, &hints, &found);
    }
    if (code != 0)
        return uex_fail(fault, UEX_CONFIG, "http.listen: %s: %s", listen_on, gai_strerror(code));
    for (const struct addrinfo *one = found; one != NULL && *fd < 0; one = one->ai_next)
        *fd = open_one(one);
    code = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return uex_fail(fault, UEX_CONFIG, "http.listen: %s: %s", listen_on,
                        code == EADDRINUSE ? "the address is in use by another process" : strerror(code));
    name_address(*fd, address);
    return UEX_OK;
}

/* ---- connections
 *
 * libmicrohttpd bounds idle time, and refuses new connections when a limit is reached, for all clients or for one
 * address. Then stuck clients of one address would keep out a probe from that address (of a node, or of a gateway)
 * until they time out, and the worker would be restarted. So this server closes the oldest connection instead, and
 * bounds the whole time of each. */

static void shut_down(struct connection *connection)
{
    if (connection->ended)
        return;
    connection->ended = true;
    (void)shutdown(connection->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes it */
}

static void close_oldest(struct uex_http *http)
{
    struct connection *oldest = NULL;

    if (http->connection_count <= CONNECTIONS_MAX)
        return;
    for (size_t i = 0; i < CONNECTIONS_LIMIT; i++) {
        struct connection *connection = &http->connections[i];

        if (connection->fd < 0 || connection->ended)
            continue;
        if (oldest == NULL || connection->since_ms < oldest->since_ms)
            oldest = connection;
    }
    if (oldest != NULL)
        shut_down(oldest);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **place,
                          enum MHD_ConnectionNotificationCode what)
{
    const union MHD_ConnectionInfo *info = NULL;
    struct uex_http *http = context;
    struct connection *connection = *place;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (connection != NULL) {
            connection->fd = -1;
            http->connection_count--;
        }
        return;
    }
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info != NULL && i < CONNECTIONS_LIMIT; i++) {
        if (http->connections[i].fd >= 0)
            continue;
        close_oldest(http);
        http->connections[i] = (struct connection){.fd = info->connect_fd, .since_ms = uex_monotonic_ms()};
        http->connection_count++;
        *place = &http->connections[i];
        return;
    }
}

static void close_overdue(struct uex_http *http)
{
    const int64_t now_ms = uex_monotonic_ms();

    for (size_t i = 0; i < CONNECTIONS_LIMIT; i++) {
        struct connection *connection = &http->connections[i];

        if (connection->fd >= 0 &&
            now_ms - connection->since_ms > (connection->asked ? REQUEST_MS + ANSWER_MS : REQUEST_MS))
            shut_down(connection);
    }
}

/* ---- answers */

static enum MHD_Result send_response(struct MHD_Connection *mhd, unsigned status, const char *type,
                                     struct MHD_Response *response)
{
    enum MHD_Result result = MHD_NO;

    if (response == NULL)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *mhd, unsigned status, const char *type, struct uex_bytes text)
{
    return send_response(
        mhd, status, type,
        MHD_create_response_from_buffer(text.size_bytes, (void *)(uintptr_t)text.data, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result refuse(struct MHD_Connection *mhd, unsigned status, const char *text)
{
    return send_text(mhd, status, "text/plain; charset=utf-8", uex_bytes_of_text(text));
}

static ssize_t read_scrape(void *context, uint64_t position, char *out, size_t size_bytes)
{
    const size_t got = uex_scrape_read(context, out, size_bytes);

    (void)position;
    return got == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)got;
}

static void free_scrape(void *context)
{
    uex_scrape_free(context);
}

static enum MHD_Result answer_metrics(struct uex_http *http, struct MHD_Connection *mhd, bool head)
{
    struct uex_scrape *scrape = uex_scrape_new(http->site.metrics);
    struct MHD_Response *response = NULL;

    if (scrape != NULL)
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_scrape, scrape, free_scrape);
    if (response == NULL) {
        uex_scrape_free(scrape);
        return refuse(mhd, MHD_HTTP_INTERNAL_SERVER_ERROR, "not enough memory\n");
    }
    if (head) /* libmicrohttpd 0.9.75 sends the last chunk also for HEAD */
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return send_response(mhd, MHD_HTTP_OK, UEX_METRICS_CONTENT_TYPE, response);
}

static enum MHD_Result answer_health(struct uex_http *http, struct MHD_Connection *mhd, uex_http_health ask)
{
    struct uex_buffer body = {0};
    bool verbose = false;
    unsigned status = MHD_HTTP_OK;
    enum MHD_Result result = MHD_NO;

    /* "?verbose" is a name without a value. */
    verbose =
        MHD_lookup_connection_value_n(mhd, MHD_GET_ARGUMENT_KIND, "verbose", strlen("verbose"), NULL, NULL) == MHD_YES;
    if (!ask(http->site.context, verbose, &body))
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
    result =
        send_text(mhd, status, verbose ? "application/json" : "text/plain; charset=utf-8", uex_buffer_bytes(&body));
    uex_buffer_clear(&body);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_bytes, void **place)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct uex_http *http = context;
    const bool known = strcmp(url, "/metrics") == 0 || strcmp(url, "/livez") == 0 || strcmp(url, "/readyz") == 0;

    (void)version;
    (void)upload;
    (void)upload_bytes;
    (void)place;
    if (info != NULL && info->socket_context != NULL)
        ((struct connection *)info->socket_context)->asked = true;
    if (!known)
        return refuse(mhd, MHD_HTTP_NOT_FOUND, "not found; the paths are /metrics, /livez and /readyz\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(http, mhd, strcmp(method, MHD_HTTP_METHOD_HEAD) == 0);
    return answer_health(http, mhd, strcmp(url, "/livez") == 0 ? http->site.live : http->site.ready);
}

/* ---- life */

static void *serve(void *context)
{
    struct uex_http *http = context;

    (void)pthread_setname_np(pthread_self(), "uex-http");
    while (!atomic_load(&http->stop)) {
        if (MHD_run_wait(http->daemon, ROUND_MS) != MHD_YES)
            (void)uex_sleep_ms(ROUND_MS, NULL);
        close_overdue(http);
    }
    return NULL;
}

enum uex_error uex_http_open(const char *listen_on, const struct uex_http_site *site, struct uex_http **out,
                             struct uex_fault *fault)
{
    struct uex_http *http = calloc(1, sizeof(*http));
    enum uex_error error = UEX_OK;

    *out = NULL;
    if (http == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the HTTP server");
    http->site = *site;
    for (size_t i = 0; i < CONNECTIONS_LIMIT; i++)
        http->connections[i].fd = -1;
    error = open_socket(listen_on, &http->listen_fd, http->address, fault);
    if (error != UEX_OK) {
        free(http);
        return error;
    }
    *out = http;
    return UEX_OK;
}

const char *uex_http_address(const struct uex_http *http)
{
    return http->address;
}

enum uex_error uex_http_start(struct uex_http *http, struct uex_fault *fault)
{
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, http->listen_fd,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT,
                         IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_BYTES,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return uex_fail(fault, UEX_INTERNAL, "cannot start the HTTP server");
    http->listen_fd = -1; /* the daemon closes it */
    http->started = uex_thread_start(&http->thread, serve, http);
    return http->started ? UEX_OK : uex_fail(fault, UEX_NO_MEMORY, "cannot start the thread of the HTTP server");
}

void uex_http_close(struct uex_http *http)
{
    if (http == NULL)
        return;
    atomic_store(&http->stop, true);
    if (http->started)
        (void)pthread_join(http->thread, NULL);
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    if (http->listen_fd >= 0)
        (void)close(http->listen_fd);
    free(http);
}
