/* SPDX-License-Identifier: Apache-2.0 */
/* src/redis/tls.c — see tls.h. hiredis's own TLS set-up does not compare the host's name, so ours does it. */
#include "redis/tls.h"

#ifdef UEX_HAVE_HIREDIS_SSL

#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/ssl.h>
#include <stdbool.h>

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

void uex_redis_tls_begin(redisContext *context, const char *host)
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

void uex_redis_tls_begin(redisContext *context, const char *host)
{
    (void)host;
    context->err = REDIS_ERR_OTHER; /* uex_redis_check_url() refuses such a URL before */
}

#endif
