/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/link.h"

#include "export/redis.h"
#include "export/thread.h"

#ifdef UEX_HAVE_HIREDIS_SSL
#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define STEP_TIMEOUT ((struct timeval){.tv_usec = UEX_REDIS_STEP_MS * 1000})
#define WORDS_MAX 8
#define REPLY_MAX_BYTES ((size_t)8 << 10) /* our values have less than 100 bytes */

/* ---- TLS. hiredis's own set-up does not compare the host's name, so it is done here. */

#ifdef UEX_HAVE_HIREDIS_SSL

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static SSL *tls_new(const char *host)
{
    SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
    SSL *tls = NULL;
    bool ok;

    if (settings == NULL)
        return NULL;
    SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) == 1 && SSL_CTX_set_default_verify_paths(settings) == 1)
        tls = SSL_new(settings);
    SSL_CTX_free(settings);
    if (tls == NULL)
        return NULL;
    if (is_address(host))
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    else
        ok = SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
    if (ok)
        return tls;
    SSL_free(tls);
    return NULL;
}

/* The server's certificate must be of a system CA and be made out to `host`. Failure shows in context->err. */
static void begin_tls(redisContext *context, const char *host)
{
    SSL *tls = tls_new(host);

    if (tls == NULL) {
        context->err = REDIS_ERR_OOM;
        return;
    }
    if (redisInitiateSSL(context, tls) != REDIS_OK) {
        SSL_free(tls);
        if (context->err == 0)
            context->err = REDIS_ERR_OTHER;
    }
}

#else

static void begin_tls(redisContext *context, const char *host)
{
    (void)host;
    context->err = REDIS_ERR_OTHER; /* uex_redis_check_url() refuses such a URL before */
}

#endif

/* ---- connecting */

/* Names are looked up without a bound, so connecting happens in the background. */
struct attempt {
    char *host;
    int port;
    bool tls;
    redisContext *context;
};

static void attempt_drop(void *context)
{
    struct attempt *attempt = context;

    if (attempt->context != NULL)
        redisFree(attempt->context);
    free(attempt->host);
    free(attempt);
}

static void attempt_run(void *context)
{
    struct attempt *attempt = context;
    redisContext *redis = redisConnectWithTimeout(attempt->host, attempt->port, STEP_TIMEOUT);

    attempt->context = redis;
    if (redis != NULL && redis->err == 0 && redisSetTimeout(redis, STEP_TIMEOUT) == REDIS_OK && attempt->tls)
        begin_tls(redis, attempt->host);
}

static enum uex_error fails(struct uex_redis_link *link, const redisContext *context, const char *otherwise)
{
    const bool has_text = context != NULL && context->err != 0 && context->errstr[0] != '\0';

    (void)snprintf(link->failure, sizeof(link->failure), "%s", has_text ? context->errstr : otherwise);
    return UEX_CACHE;
}

static enum uex_error connect_socket(struct uex_redis_link *link)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    enum uex_error err;

    if (attempt == NULL)
        return fails(link, NULL, "no memory");
    attempt->host = strdup(link->url.host);
    attempt->port = link->url.port;
    attempt->tls = link->url.tls;
    if (attempt->host == NULL) {
        free(attempt);
        return fails(link, NULL, "no memory");
    }
    err = uex_background_call(attempt_run, attempt_drop, attempt, UEX_REDIS_STEP_MS, NULL);
    if (err == UEX_TIMEOUT || err == UEX_CANCELLED)
        return fails(link, NULL, "no connection in time");
    if (err == UEX_OK && attempt->context != NULL && attempt->context->err == 0) {
        link->context = attempt->context;
        attempt->context = NULL;
    } else {
        (void)fails(link, attempt->context, "no connection");
    }
    attempt_drop(attempt);
    return link->context == NULL ? UEX_CACHE : UEX_OK;
}

/* ---- asking */

/* Every reply here is one value. hiredis allocates all elements of an array when it reads their number, and a string as
 * it comes, both without a bound. So the beginning of each reply is checked. */
static const char *unacceptable(const redisReader *reader)
{
    if (reader->len - reader->pos > REPLY_MAX_BYTES)
        return "a longer answer than expected";
    if (reader->ridx < 0 && reader->len > reader->pos && strchr("+-:$_", reader->buf[reader->pos]) == NULL)
        return "an answer that is not one value";
    return NULL;
}

/* Send and wait. Each read or write waits UEX_REDIS_STEP_MS at most (socket option), all of them twice that. */
static redisReply *exchange(redisContext *context, int count, const char *const *words, const char **why)
{
    int64_t deadline_ms = uex_monotonic_ms() + UEX_REDIS_STEP_MS;
    const char *copies[WORDS_MAX];
    void *reply = NULL;
    int done = 0;

    memcpy(copies, words, sizeof(copies[0]) * (size_t)count);
    if (redisAppendCommandArgv(context, count, copies, NULL) != REDIS_OK)
        return NULL;
    while (!done) {
        if (redisBufferWrite(context, &done) != REDIS_OK || uex_monotonic_ms() > deadline_ms)
            return NULL;
    }
    for (;;) {
        if ((*why = unacceptable(context->reader)) != NULL)
            return NULL;
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
            return NULL;
        if (reply != NULL)
            return reply;
        if (uex_monotonic_ms() > deadline_ms || redisBufferRead(context) != REDIS_OK)
            return NULL;
    }
}

static enum uex_error ask_connected(struct uex_redis_link *link, int count, const char *const *words, redisReply **out)
{
    const char *why = NULL;

    *out = exchange(link->context, count, words, &why);
    if (*out != NULL)
        return UEX_OK;
    (void)fails(link, why == NULL ? link->context : NULL, why == NULL ? "no answer in time" : why);
    uex_redis_link_close(link);
    return UEX_CACHE;
}

/* AUTH and SELECT must both be answered with OK. */
static enum uex_error introduce(struct uex_redis_link *link, int count, const char *const *words)
{
    redisReply *reply = NULL;
    enum uex_error err = ask_connected(link, count, words, &reply);

    if (err != UEX_OK)
        return err;
    if (reply->type != REDIS_REPLY_STATUS) {
        const char *text = reply->str == NULL ? "" : reply->str;

        (void)snprintf(link->failure, sizeof(link->failure), "%.*s is the answer to %s", (int)strcspn(text, " "), text,
                       words[0]);
        err = UEX_CACHE;
        uex_redis_link_close(link);
    }
    freeReplyObject(reply);
    return err;
}

static enum uex_error open_link(struct uex_redis_link *link)
{
    const struct uex_redis_url *url = &link->url;
    enum uex_error err = connect_socket(link);

    if (err == UEX_OK && url->password != NULL && url->password[0] != '\0') {
        if (url->user != NULL && url->user[0] != '\0')
            err = introduce(link, 3, (const char *const[]){"AUTH", url->user, url->password});
        else
            err = introduce(link, 2, (const char *const[]){"AUTH", url->password});
    }
    if (err == UEX_OK && url->database != 0) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", url->database);
        err = introduce(link, 2, (const char *const[]){"SELECT", number});
    }
    return err;
}

enum uex_error uex_redis_link_ask(struct uex_redis_link *link, int count, const char *const *words, redisReply **out)
{
    enum uex_error err = UEX_OK;

    if (count > WORDS_MAX)
        return fails(link, NULL, "too many words");
    if (link->context == NULL)
        err = open_link(link);
    return err == UEX_OK ? ask_connected(link, count, words, out) : err;
}

void uex_redis_link_note_error(struct uex_redis_link *link, const redisReply *reply)
{
    (void)snprintf(link->failure, sizeof(link->failure), "Redis answers %.*s", (int)strcspn(reply->str, " "),
                   reply->str);
}

void uex_redis_link_close(struct uex_redis_link *link)
{
    if (link->context != NULL)
        redisFree(link->context);
    link->context = NULL;
}

enum uex_error uex_redis_ping(const struct uex_config *config, struct uex_fault *fault)
{
    struct uex_redis_link link = {0};
    redisReply *reply = NULL;
    enum uex_error err = UEX_OK;

    if (config->redis_url == NULL || config->redis_url[0] == '\0')
        return UEX_NOT_FOUND;
    err = uex_redis_url_parse(config->redis_url, &link.url, fault);
    if (err == UEX_OK && uex_redis_link_ask(&link, 1, (const char *const[]){"PING"}, &reply) != UEX_OK)
        err = uex_fail(fault, UEX_CACHE, "Redis cannot be used: %s", link.failure);
    if (err == UEX_OK && reply->type == REDIS_REPLY_ERROR) {
        uex_redis_link_note_error(&link, reply);
        err = uex_fail(fault, UEX_CACHE, "%s", link.failure);
    }
    if (reply != NULL)
        freeReplyObject(reply);
    uex_redis_link_close(&link);
    uex_redis_url_clear(&link.url);
    return err;
}
