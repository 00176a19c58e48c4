/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/store/fake_s3.h — a small S3 server in the test itself, for what a real one cannot be asked to do:
 * lose an answer, stall, reset a connection, say anything. It keeps objects and uploads, knows nothing of signatures,
 * and follows rules that name a request and what goes wrong with it. */
#ifndef COMPONENT_STORE_FAKE_S3_H
#define COMPONENT_STORE_FAKE_S3_H

#include "fake_s3_state.h"

#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static inline const char *fake_header(const struct fake_request *request, const char *name, char *out, size_t out_size)
{
    size_t size = strlen(name);

    out[0] = '\0';
    for (const char *line = request->headers; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            line += size + 1 + strspn(line + size + 1, " ");
            snprintf(out, out_size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return out;
        }
    }
    return NULL;
}

static inline bool fake_wait(struct fake_s3 *fake, int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};

    while (!atomic_load(&fake->stop))
        if (poll(&entry, 1, 20) > 0)
            return true;
    return false;
}

static inline bool fake_receive(struct fake_s3 *fake, int fd, struct fake_request *request)
{
    char text[16384], length[32];
    size_t have = 0;
    char *end = NULL;

    memset(request, 0, sizeof(*request));
    while (end == NULL && have < sizeof(text) - 1) {
        ssize_t size = fake_wait(fake, fd) ? recv(fd, text + have, sizeof(text) - 1 - have, 0) : 0;
        if (size <= 0)
            return false;
        have += (size_t)size;
        text[have] = '\0';
        end = strstr(text, "\r\n\r\n");
    }
    if (end == NULL || sscanf(text, "%7s %511s", request->method, request->target) != 2)
        return false;
    snprintf(request->headers, sizeof(request->headers), "%.*s", (int)(end - text), strchr(text, '\n') + 1);
    snprintf(request->path, sizeof(request->path), "%.*s", (int)strcspn(request->target, "?"), request->target);
    const char *query = strchr(request->target, '?');
    snprintf(request->query, sizeof(request->query), "%s", query == NULL ? "" : query + 1);
    size_t rest = have - (size_t)(end + 4 - text);
    request->size = fake_header(request, "content-length", length, sizeof(length)) != NULL ? (size_t)atoll(length) : 0;
    request->body = malloc(request->size + 1);
    memcpy(request->body, end + 4, rest);
    while (rest < request->size) {
        size_t step = fake->pause_us > 0 && request->size - rest > 65536 ? 65536 : request->size - rest;
        ssize_t size = fake_wait(fake, fd) ? recv(fd, request->body + rest, step, 0) : 0;
        if (size <= 0)
            return false;
        usleep((useconds_t)fake->pause_us);
        rest += (size_t)size;
    }
    request->body[request->size] = '\0';
    return true;
}

static inline void fake_send(int fd, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        size -= (size_t)sent;
    }
}

static inline struct fake_item *fake_find(struct fake_s3 *fake, int kind, const char *path, const char *id, int number)
{
    for (size_t i = 0; i < FAKE_ITEMS; i++)
        if ((int)fake->items[i].kind == kind && (path == NULL || strcmp(fake->items[i].path, path) == 0) &&
            (id == NULL || strcmp(fake->items[i].id, id) == 0) && (number == 0 || fake->items[i].number == number))
            return &fake->items[i];
    return NULL;
}

static inline void fake_free_item(struct fake_item *item)
{
    free(item->headers);
    free(item->data);
    *item = (struct fake_item){0};
}

/* The lines of a request that come back with its object. */
static inline char *fake_metadata(const struct fake_request *request)
{
    char *out = calloc(1, sizeof(request->headers));

    for (const char *line = request->headers; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, "x-amz-meta-", 11) == 0)
            snprintf(out + strlen(out), sizeof(request->headers) - strlen(out), "%.*s\r\n", (int)strcspn(line, "\r\n"),
                     line);
    }
    return out;
}

static inline struct fake_item *fake_add(struct fake_s3 *fake, int kind, const char *path, const char *id)
{
    struct fake_item *item = fake_find(fake, FAKE_FREE, NULL, NULL, 0);

    *item = (struct fake_item){.kind = kind};
    snprintf(item->path, sizeof(item->path), "%s", path);
    snprintf(item->id, sizeof(item->id), "%s", id);
    return item;
}

static inline void fake_answer(int fd, int status, const char *headers, const void *body, size_t size, size_t sent_size)
{
    char head[9000];

    snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nx-amz-request-id: REQ%d\r\n%sContent-Length: %zu\r\n\r\n", status,
             status, headers, size);
    fake_send(fd, head, strlen(head));
    fake_send(fd, body, sent_size);
}

static inline void fake_error(int fd, const struct fake_request *request, int status, const char *code)
{
    char body[256];

    snprintf(body, sizeof(body), "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>m</Message></Error>", code);
    fake_answer(fd, status, "", body, strlen(body), strcmp(request->method, "HEAD") == 0 ? 0 : strlen(body));
}

static inline void fake_remove_upload(struct fake_s3 *fake, struct fake_item *upload)
{
    struct fake_item *part;

    while ((part = fake_find(fake, FAKE_PART, NULL, upload->id, 0)) != NULL)
        fake_free_item(part);
    fake_free_item(upload);
}

static inline bool fake_has_parts(struct fake_s3 *fake, const struct fake_request *request,
                                  const struct fake_item *upload)
{
    static const char name[] = "<PartNumber>";

    for (const char *at = (const char *)request->body; (at = strstr(at, name)) != NULL; at++)
        if (fake_find(fake, FAKE_PART, NULL, upload->id, atoi(at + strlen(name))) == NULL)
            return false;
    return true;
}

/* Is the body what the request says? */
static inline bool fake_is_signed_body(const struct fake_request *request)
{
    char said[128], hex[UEX_SHA256_HEX_SIZE];
    uint8_t digest[UEX_SHA256_SIZE];

    uex_sha256(uex_bytes_of(request->body, request->size), digest);
    uex_hex(digest, sizeof(digest), hex);
    return fake_header(request, "x-amz-content-sha256", said, sizeof(said)) != NULL && strcmp(said, hex) == 0;
}

static inline void fake_complete(struct fake_s3 *fake, int fd, const struct fake_request *request,
                                 struct fake_item *upload)
{
    static const char done[] = "\n  <CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";

    if (upload == NULL) {
        fake_error(fd, request, 404, "NoSuchUpload");
    } else if (fake_find(fake, FAKE_OBJECT, request->path, NULL, 0) != NULL) {
        fake_error(fd, request, 412, "PreconditionFailed");
    } else if (!fake_has_parts(fake, request, upload)) {
        fake_error(fd, request, 400, "InvalidPart");
    } else {
        struct fake_item *object = fake_add(fake, FAKE_OBJECT, request->path, ""), *part;
        object->headers = strdup(upload->headers);
        for (int number = 1; (part = fake_find(fake, FAKE_PART, NULL, upload->id, number)) != NULL; number++) {
            object->data = realloc(object->data, object->size + part->size);
            memcpy(object->data + object->size, part->data, part->size);
            object->size += part->size;
        }
        fake_remove_upload(fake, upload);
        fake_answer(fd, 200, "", done, strlen(done), strlen(done));
    }
}

static inline void fake_multipart(struct fake_s3 *fake, int fd, struct fake_request *request)
{
    char id[16] = "", body[256];
    const char *at = strstr(request->query, "uploadId=");
    struct fake_item *upload = NULL;

    if (at != NULL) {
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 9, "&"), at + 9);
        upload = fake_find(fake, FAKE_UPLOAD, request->path, id, 0);
    }
    if (at == NULL) {
        snprintf(id, sizeof(id), "up-%d", ++fake->upload_count);
        fake_add(fake, FAKE_UPLOAD, request->path, id)->headers = fake_metadata(request);
        snprintf(body, sizeof(body),
                 "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id);
        fake_answer(fd, 200, "", body, strlen(body), strlen(body));
    } else if (strcmp(request->method, "POST") == 0) {
        snprintf(fake->completion, sizeof(fake->completion), "%s", (const char *)request->body);
        fake_complete(fake, fd, request, upload);
    } else if (upload == NULL) {
        fake_error(fd, request, 404, "NoSuchUpload");
    } else if (strcmp(request->method, "DELETE") == 0) {
        fake_remove_upload(fake, upload);
        fake_answer(fd, 204, "", "", 0, 0);
    } else {
        struct fake_item *part = fake_add(fake, FAKE_PART, request->path, id);
        part->number = atoi(strstr(request->query, "partNumber=") + 11);
        part->data = request->body;
        part->size = request->size;
        request->body = NULL;
        fake_answer(fd, 200, "ETag: \"part\"\r\n", "", 0, 0);
    }
}

/* Pages of `page_size` uploads; the marker is the id of the last one handed out. */
static inline void fake_list_uploads(struct fake_s3 *fake, int fd, const struct fake_request *request)
{
    char body[8192] = "<ListMultipartUploadsResult>", last[16] = "";
    const char *marker = strstr(request->query, "upload-id-marker=");
    int after = marker == NULL ? 0 : atoi(marker + strlen("upload-id-marker=up-")), listed = 0;
    bool more = false;

    for (int number = after + 1; number <= fake->upload_count; number++) {
        snprintf(last, sizeof(last), "up-%d", number);
        struct fake_item *upload = fake_find(fake, FAKE_UPLOAD, NULL, last, 0);
        if (upload == NULL)
            continue;
        if (listed == fake->page_size) {
            more = true;
            break;
        }
        listed++;
        const char *key = strchr(upload->path + 1, '/') + 1;
        snprintf(body + strlen(body), sizeof(body) - strlen(body),
                 "<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>"
                 "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>",
                 key, last, key, last);
    }
    snprintf(body + strlen(body), sizeof(body) - strlen(body),
             "<IsTruncated>%s</IsTruncated></ListMultipartUploadsResult>", more ? "true" : "false");
    fake_answer(fd, 200, "", body, strlen(body), strlen(body));
}

static inline void fake_get(struct fake_s3 *fake, int fd, const struct fake_request *request, bool half)
{
    struct fake_item *object = fake_find(fake, FAKE_OBJECT, request->path, NULL, 0);
    char headers[8400], range[64];
    size_t from = 0;

    if (object == NULL) {
        fake_error(fd, request, 404, "NoSuchKey");
        return;
    }
    if (fake_header(request, "range", range, sizeof(range)) != NULL)
        from = (size_t)atoll(range + strlen("bytes="));
    snprintf(headers, sizeof(headers), "ETag: \"whole\"\r\n%s", object->headers);
    size_t size = object->size - from;
    size_t sent = strcmp(request->method, "HEAD") == 0 ? 0 : half ? size / 2 : size;
    fake_answer(fd, from > 0 ? 206 : 200, headers, object->data + from, size, sent);
}

/* As AWS says it. */
#define FAKE_OBJECT_LOCK                                                                                               \
    "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put "       \
    "Object "                                                                                                          \
    "requests with Object Lock parameters</Message></Error>"

static inline bool fake_has_checksum(const struct fake_request *request)
{
    char value[128];

    return fake_header(request, "Content-MD5", value, sizeof(value)) != NULL ||
           fake_header(request, "x-amz-checksum-crc32", value, sizeof(value)) != NULL ||
           fake_header(request, "x-amz-checksum-sha256", value, sizeof(value)) != NULL;
}

static inline void fake_work(struct fake_s3 *fake, int fd, struct fake_request *request, bool half)
{
    bool is_bucket = strchr(request->path + 1, '/') == NULL;
    bool is_put = strcmp(request->method, "PUT") == 0;

    if (is_bucket && is_put) {
        fake->no_bucket = false;
        fake_answer(fd, 200, "", "", 0, 0);
    } else if (fake->no_bucket) {
        fake_error(fd, request, 404, "NoSuchBucket");
    } else if (is_bucket && strstr(request->query, "uploads=") != NULL) {
        fake_list_uploads(fake, fd, request);
    } else if (is_bucket) {
        fake_answer(fd, 200, "", "", 0, 0);
    } else if (is_put && fake->has_object_lock && !fake_has_checksum(request)) {
        fake_answer(fd, 400, "", FAKE_OBJECT_LOCK, strlen(FAKE_OBJECT_LOCK), strlen(FAKE_OBJECT_LOCK));
    } else if (strstr(request->query, "upload") != NULL) {
        fake_multipart(fake, fd, request);
    } else if (is_put && fake_find(fake, FAKE_OBJECT, request->path, NULL, 0) != NULL) {
        fake_error(fd, request, 412, "PreconditionFailed");
    } else if (is_put && !fake_is_signed_body(request)) {
        fake_error(fd, request, 400, "XAmzContentSHA256Mismatch");
    } else if (is_put) {
        struct fake_item *object = fake_add(fake, FAKE_OBJECT, request->path, "");
        object->headers = fake_metadata(request);
        object->data = request->body;
        object->size = request->size;
        request->body = NULL;
        fake_answer(fd, 200, "ETag: \"whole\"\r\n", "", 0, 0);
    } else if (strcmp(request->method, "DELETE") == 0) {
        struct fake_item *object = fake_find(fake, FAKE_OBJECT, request->path, NULL, 0);
        if (object != NULL)
            fake_free_item(object);
        fake_answer(fd, 204, "", "", 0, 0);
    } else {
        fake_get(fake, fd, request, half);
    }
}

/* The rule for this request, used up by one; NULL: none. */
static inline struct fake_rule *fake_rule_of(struct fake_s3 *fake, const struct fake_request *request)
{
    for (size_t i = 0; i < sizeof(fake->rules) / sizeof(fake->rules[0]); i++) {
        struct fake_rule *rule = &fake->rules[i];
        if (rule->count == 0 || strcmp(rule->method, request->method) != 0 ||
            (rule->target != NULL && strstr(request->target, rule->target) == NULL))
            continue;
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        rule->count--;
        return rule;
    }
    return NULL;
}

/* False: the connection is to be closed. */
static inline bool fake_serve(struct fake_s3 *fake, int fd, struct fake_request *request)
{
    struct fake_rule rule = {0};
    struct linger reset = {.l_onoff = 1};
    int nowhere[2];

    pthread_mutex_lock(&fake->lock);
    if (fake->log_count < FAKE_LOG) {
        free(fake->log_headers[fake->log_count]);
        fake->log_headers[fake->log_count] = strdup(request->headers);
        snprintf(fake->log[fake->log_count++], sizeof(fake->log[0]), "%s %.300s", request->method, request->target);
    }
    if (request->size > 0 || fake->last_headers[0] == '\0')
        memcpy(fake->last_headers, request->headers, sizeof(fake->last_headers));
    struct fake_rule *found = fake_rule_of(fake, request);
    if (found != NULL)
        rule = *found;
    if (found == NULL) {
        fake_work(fake, fd, request, false);
    } else if (rule.action == FAKE_HALF) {
        fake_work(fake, fd, request, true);
    } else if (rule.action == FAKE_LOSE && socketpair(AF_UNIX, SOCK_STREAM, 0, nowhere) == 0) {
        fake_work(fake, nowhere[0], request, false);
        close(nowhere[0]);
        close(nowhere[1]);
    } else if (rule.action == FAKE_ANSWER) {
        fake_answer(fd, rule.status, "", rule.body, strlen(rule.body),
                    strcmp(request->method, "HEAD") == 0 ? 0 : strlen(rule.body));
    }
    pthread_mutex_unlock(&fake->lock);
    if (rule.action == FAKE_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    while (rule.action == FAKE_STALL && !atomic_load(&fake->stop))
        usleep(10000);
    return rule.action == FAKE_ANSWER;
}

static inline void *fake_connection_main(void *argument)
{
    struct fake_connection connection = *(struct fake_connection *)argument;
    struct fake_request request;
    bool open = true;

    free(argument);
    while (open) {
        open = fake_receive(connection.fake, connection.fd, &request) &&
               fake_serve(connection.fake, connection.fd, &request);
        free(request.body);
    }
    close(connection.fd);
    return NULL;
}

static inline void *fake_main(void *argument)
{
    struct fake_s3 *fake = argument;

    while (fake_wait(fake, fake->listen_fd) && fake->thread_count < FAKE_LOG) {
        struct fake_connection *connection = malloc(sizeof(*connection));
        *connection = (struct fake_connection){.fake = fake, .fd = accept(fake->listen_fd, NULL, NULL)};
        fake->connection_count++;
        pthread_create(&fake->connections[fake->thread_count++], NULL, fake_connection_main, connection);
    }
    return NULL;
}

static inline struct fake_s3 *fake_start(void)
{
    struct fake_s3 *fake = calloc(1, sizeof(*fake));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int buffer_bytes = 65536; /* so that what the client has sent is what the server reads */

    pthread_mutex_init(&fake->lock, NULL);
    fake->page_size = 1000;
    fake->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fake->listen_fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
    assert_int_equal(bind(fake->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fake->listen_fd, 64), 0);
    assert_int_equal(getsockname(fake->listen_fd, (struct sockaddr *)&address, &size), 0);
    fake->port = ntohs(address.sin_port);
    snprintf(fake->endpoint, sizeof(fake->endpoint), "http://127.0.0.1:%d", fake->port);
    assert_int_equal(pthread_create(&fake->thread, NULL, fake_main, fake), 0);
    return fake;
}

static inline void fake_stop(struct fake_s3 *fake)
{
    atomic_store(&fake->stop, true);
    pthread_join(fake->thread, NULL);
    for (size_t i = 0; i < fake->thread_count; i++)
        pthread_join(fake->connections[i], NULL);
    for (size_t i = 0; i < FAKE_ITEMS; i++)
        fake_free_item(&fake->items[i]);
    for (size_t i = 0; i < FAKE_LOG; i++)
        free(fake->log_headers[i]);
    close(fake->listen_fd);
    free(fake);
}

/* How many requests there were with this method and, if not NULL, this in their target. */
static inline int fake_count(struct fake_s3 *fake, const char *method, const char *target)
{
    int count = 0;

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->log_count; i++) {
        size_t size = strlen(method);
        count += strncmp(fake->log[i], method, size) == 0 && fake->log[i][size] == ' ' &&
                 (target == NULL || strstr(fake->log[i] + size, target) != NULL);
    }
    pthread_mutex_unlock(&fake->lock);
    return count;
}

static inline int fake_item_count(struct fake_s3 *fake, int kind)
{
    int count = 0;

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < FAKE_ITEMS; i++)
        count += (int)fake->items[i].kind == kind;
    pthread_mutex_unlock(&fake->lock);
    return count;
}
#endif
