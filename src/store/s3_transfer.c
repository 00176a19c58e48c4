/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_transfer.h"

#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include "store/object_meta.h"

#define POLL_MS 50
#define KEEPALIVE_IDLE_S 30L
#define NOT_SENT_BYTES (128 << 10)

/* One exchange under way. */
struct exchange {
    const struct uex_s3_request *request;
    struct uex_s3_response *response;
    const struct uex_store_observer *observer;
    CURL *easy;
    int64_t moved_at_ms; /* when a byte moved last */
    curl_off_t moved_bytes;
    bool connected;
    bool sink_stopped;
};

bool uex_s3_transfer_init(struct uex_s3_transfer *transfer)
{
    transfer->multi = curl_multi_init();
    transfer->easy = curl_easy_init();
    if (transfer->multi == NULL || transfer->easy == NULL)
        return false;
    curl_multi_setopt(transfer->multi, CURLMOPT_MAXCONNECTS, 1L);
    return true;
}

void uex_s3_transfer_clear(struct uex_s3_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    if (transfer->multi != NULL)
        curl_multi_cleanup(transfer->multi);
    transfer->easy = NULL;
    transfer->multi = NULL;
}

/* The connection is up and the request goes out now. */
static int on_connected(void *context, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
    struct exchange *exchange = context;

    (void)peer_ip;
    (void)local_ip;
    (void)peer_port;
    (void)local_port;
    exchange->connected = true;
    exchange->response->went_out++;
    exchange->moved_at_ms = uex_monotonic_ms();
    return CURL_PREREQFUNC_OK;
}

/* The kernel takes megabytes at once and sends them at the speed of the line; meanwhile no byte seems to move. So it
 * may hold only this much that is not sent yet; what is on the line stays unbounded. */
static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    int not_sent_bytes = NOT_SENT_BYTES;

    (void)context;
    (void)purpose;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_bytes, sizeof(not_sent_bytes));
    return CURL_SOCKOPT_OK;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    struct exchange *exchange = context;

    (void)down_total;
    (void)up_total;
    if (down + up != exchange->moved_bytes) {
        exchange->moved_bytes = down + up;
        exchange->moved_at_ms = uex_monotonic_ms();
        if (exchange->observer != NULL && exchange->observer->moved != NULL)
            exchange->observer->moved(exchange->observer->context);
    }
    return 0;
}

static bool name_is(struct uex_bytes name, const char *text)
{
    return name.size_bytes == strlen(text) && strncasecmp((const char *)name.data, text, name.size_bytes) == 0;
}

static void take_length(struct uex_object_facts *facts, struct uex_bytes value)
{
    uint64_t size_bytes = 0;

    facts->size_bytes = UEX_UNKNOWN;
    for (size_t i = 0; i < value.size_bytes; i++) {
        if (!isdigit(value.data[i]))
            return;
        size_bytes = size_bytes * 10 + (uint64_t)(value.data[i] - '0');
        if (size_bytes > UEX_COUNT_MAX)
            return;
    }
    if (value.size_bytes > 0)
        facts->size_bytes = size_bytes;
}

static void take_etag(struct uex_s3_response *response, struct uex_bytes value)
{
    response->etag[0] = '\0';
    if (value.size_bytes >= sizeof(response->etag))
        return;
    for (size_t i = 0; i < value.size_bytes; i++)
        if (value.data[i] <= 0x20 || value.data[i] >= 0x7f)
            return;
    memcpy(response->etag, value.data, value.size_bytes);
    response->etag[value.size_bytes] = '\0';
}

static void take_date(struct uex_s3_response *response, struct uex_bytes value)
{
    char text[64];
    time_t date = -1;

    if (value.size_bytes >= sizeof(text))
        return;
    memcpy(text, value.data, value.size_bytes);
    text[value.size_bytes] = '\0';
    date = curl_getdate(text, NULL);
    response->date_ms = date <= 0 ? 0 : (int64_t)date * 1000;
}

static void take_metadata(struct uex_s3_response *response, struct uex_bytes name, struct uex_bytes value)
{
    static const char prefix[] = "x-amz-meta-";
    char lower[64];
    size_t skip = sizeof(prefix) - 1;

    if (name.size_bytes <= skip || name.size_bytes - skip > sizeof(lower) ||
        strncasecmp((const char *)name.data, prefix, skip) != 0)
        return;
    for (size_t i = skip; i < name.size_bytes; i++)
        lower[i - skip] = (char)tolower(name.data[i]);
    uex_object_facts_take(&response->facts, uex_bytes_of(lower, name.size_bytes - skip), value);
}

static void forget_headers(struct uex_s3_response *response)
{
    response->request_id[0] = response->bucket_region[0] = response->etag[0] = '\0';
    response->date_ms = 0;
    uex_object_facts_init(&response->facts);
}

static size_t on_header(char *data, size_t item_size, size_t item_count, void *context)
{
    struct exchange *exchange = context;
    struct uex_s3_response *response = exchange->response;
    size_t size = item_size * item_count;
    struct uex_bytes line = uex_bytes_of(data, size);

    exchange->moved_at_ms = uex_monotonic_ms();
    while (line.size_bytes > 0 && isspace(line.data[line.size_bytes - 1]))
        line.size_bytes--;
    if (line.size_bytes > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        forget_headers(response); /* an answer of 1xx came before the one that counts */
        return size;
    }
    const uint8_t *colon = memchr(line.data, ':', line.size_bytes);
    if (colon == NULL)
        return size;
    struct uex_bytes name = uex_bytes_of(line.data, (size_t)(colon - line.data));
    struct uex_bytes value = uex_bytes_of(colon + 1, line.size_bytes - name.size_bytes - 1);
    while (value.size_bytes > 0 && isspace(value.data[0])) {
        value.data++;
        value.size_bytes--;
    }
    if (name_is(name, "content-length"))
        take_length(&response->facts, value);
    else if (name_is(name, "etag"))
        take_etag(response, value);
    else if (name_is(name, "date"))
        take_date(response, value);
    else if (name_is(name, "x-amz-request-id"))
        uex_s3_word_copy(response->request_id, sizeof(response->request_id), value);
    else if (name_is(name, "x-amz-bucket-region"))
        uex_s3_word_copy(response->bucket_region, sizeof(response->bucket_region), value);
    else
        take_metadata(response, name, value);
    return size;
}

static size_t on_body(char *data, size_t item_size, size_t item_count, void *context)
{
    struct exchange *exchange = context;
    struct uex_s3_response *response = exchange->response;
    size_t size = item_size * item_count;

    exchange->moved_at_ms = uex_monotonic_ms();
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &response->status);
    if (exchange->request->sink.write != NULL && response->status == exchange->request->sink_status) {
        response->sink_error = exchange->request->sink.write(exchange->request->sink.context, uex_bytes_of(data, size));
        exchange->sink_stopped = response->sink_error != UEX_OK;
        exchange->moved_at_ms = uex_monotonic_ms(); /* the sink's time is not the server's */
        return exchange->sink_stopped ? 0 : size;
    }
    uex_buffer_append(&response->body, data, size);
    if (!uex_buffer_failed(&response->body))
        return size;
    response->body_cut = size > response->body.cap_bytes - response->body.size_bytes;
    response->body_starved = !response->body_cut;
    return 0;
}

/* libcurl copies the text of these options; without memory for it the request would be a different one. */
static bool set_text(CURL *easy, CURLoption option, const char *text)
{
    return curl_easy_setopt(easy, option, text) == CURLE_OK;
}

static bool set_method(CURL *easy, const struct uex_s3_request *request)
{
    bool is_set = true;

    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "GET") == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(request->method, "DELETE") == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        is_set = set_text(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
    } else {
        /* PUT and POST: the body goes out straight from the caller's memory, and can be sent again by libcurl when a
         * kept connection turns out to be dead. */
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        is_set = set_text(easy, CURLOPT_CUSTOMREQUEST, request->method);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data == NULL ? "" : (const char *)request->body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size_bytes);
    }
    return is_set;
}

static bool set_connection(CURL *easy, const struct uex_s3_settings *settings)
{
    const struct uex_config *config = settings->config;
    bool is_set = set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https");

    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* the path is signed as it is */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* ending early does not wait for a name lookup */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->s3_connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (config->s3_ca_file != NULL && config->s3_ca_file[0] != '\0') {
        is_set = set_text(easy, CURLOPT_CAINFO, config->s3_ca_file) && is_set;
        curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L); /* a private authority is renewed while the worker runs */
    }
    if (settings->endpoint.host_is_loopback)
        is_set = set_text(easy, CURLOPT_PROXY, "") && is_set; /* this machine is never reached through a proxy */
    return is_set;
}

static void set_exchange(struct uex_s3_transfer *transfer, struct exchange *exchange)
{
    CURL *easy = transfer->easy;

    transfer->error_text[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, exchange);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
}

/* The reason why the waiting has to end now; UEX_OK: there is none. */
static enum uex_error watch(const struct exchange *exchange, const struct uex_config *config, int64_t begun_at_ms,
                            struct uex_fault *fault)
{
    const struct uex_s3_request *request = exchange->request;
    int64_t now_ms = uex_monotonic_ms();
    int64_t limit_ms = request->limit_ms == 0 ? UEX_S3_REQUEST_LIMIT_MS : request->limit_ms;

    if (uex_cancel_requested(request->cancel))
        return uex_fail(fault, UEX_CANCELLED, "%s of %s was cancelled", request->method, request->what);
    if (exchange->connected && now_ms - exchange->moved_at_ms >= config->s3_stall_timeout_ms)
        return uex_fail(fault, UEX_STORE_UNAVAILABLE, "%s of %s: no byte moved for %lld ms", request->method,
                        request->what, (long long)config->s3_stall_timeout_ms);
    if (limit_ms > 0 && now_ms - begun_at_ms >= limit_ms)
        return uex_fail(fault, UEX_STORE_UNAVAILABLE, "%s of %s took longer than %lld ms", request->method,
                        request->what, (long long)limit_ms);
    return UEX_OK;
}

/* Run the transfer to its end, or until a bound or a cancel ends it. */
static enum uex_error drive(struct uex_s3_transfer *transfer, const struct exchange *exchange,
                            const struct uex_config *config, CURLcode *result, struct uex_fault *fault)
{
    int64_t begun_at_ms = uex_monotonic_ms();

    for (;;) {
        int running = 0, queued = 0;
        CURLMcode code = curl_multi_perform(transfer->multi, &running);
        if (code != CURLM_OK)
            return uex_fail(fault, UEX_STORE_UNAVAILABLE, "%s of %s: %s", exchange->request->method,
                            exchange->request->what, curl_multi_strerror(code));
        for (CURLMsg *message; (message = curl_multi_info_read(transfer->multi, &queued)) != NULL;)
            if (message->msg == CURLMSG_DONE) {
                *result = message->data.result;
                return UEX_OK;
            }
        enum uex_error err = watch(exchange, config, begun_at_ms, fault);
        if (err != UEX_OK)
            return err;
        code = curl_multi_poll(transfer->multi, NULL, 0, POLL_MS, NULL);
        if (code != CURLM_OK)
            return uex_fail(fault, UEX_STORE_UNAVAILABLE, "%s of %s: %s", exchange->request->method,
                            exchange->request->what, curl_multi_strerror(code));
    }
}

enum uex_error uex_s3_exchange(struct uex_s3_transfer *transfer, const struct uex_s3_settings *settings,
                               const struct uex_store_observer *observer, const struct uex_s3_request *request,
                               const char *url, struct curl_slist *headers, struct uex_s3_response *response,
                               struct uex_fault *fault)
{
    struct exchange exchange = {.request = request, .response = response, .observer = observer, .easy = transfer->easy};
    CURLcode result = CURLE_OK;
    bool is_set = true;

    curl_easy_reset(transfer->easy);
    is_set = set_connection(transfer->easy, settings) && set_method(transfer->easy, request);
    set_exchange(transfer, &exchange);
    if (!is_set || !set_text(transfer->easy, CURLOPT_URL, url) ||
        curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
        curl_multi_add_handle(transfer->multi, transfer->easy) != CURLM_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a request to the object store");
    enum uex_error err = drive(transfer, &exchange, settings->config, &result, fault);
    if (err == UEX_OK)
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &response->status);
    curl_multi_remove_handle(transfer->multi, transfer->easy);
    curl_easy_reset(transfer->easy); /* keeps no pointer to the caller's memory */
    if (err != UEX_OK) {
        response->status = 0;
        return err;
    }
    if (exchange.sink_stopped)
        return uex_fail(fault, response->sink_error, "the reader of %s stopped", request->what);
    if (result == CURLE_OK || ((response->body_cut || response->body_starved) && response->status != 0))
        return UEX_OK;
    response->status = 0;
    if (result == CURLE_OUT_OF_MEMORY)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a request to the object store");
    return uex_fail(fault, UEX_STORE_UNAVAILABLE, "%s of %s: %s", request->method, request->what,
                    transfer->error_text[0] != '\0' ? transfer->error_text : curl_easy_strerror(result));
}
