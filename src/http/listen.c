/* SPDX-License-Identifier: Apache-2.0 */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/config.h"

#define BACKLOG 128

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
    (void)snprintf(out, UEX_HTTP_ADDRESS_SIZE, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static int open_one(const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;

    if (fd < 0)
        return -1;
    /* After a restart connections of the process before still linger. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int code = errno;
    (void)close(fd);
    errno = code;
    return -1;
}

enum uex_error uex_listen(const char *listen_on, int *fd, char *address, struct uex_fault *fault)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char host[UEX_LISTEN_HOST_SIZE], port_text[8];
    uint16_t port = 0;
    int code = 0;

    *fd = -1;
    if (!uex_listen_split(listen_on, host, &port))
        return uex_fail(fault, UEX_CONFIG, "http.listen: host:port or [v6]:port is allowed");
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
