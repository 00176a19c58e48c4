/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "kafka/client_internal.h"

#define LOG_PAUSE_MS 10000
#define LOG_KINDS_MAX 64
#define LOG_KIND_SIZE 48

/* While a broker is away each handle logs the same line several times a second. One line of each kind every 10 s is
 * enough. */
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char kind[LOG_KIND_SIZE];
    int64_t last_ms;
    uint64_t suppressed;
} limits[LOG_KINDS_MAX];
static size_t limit_count;

bool uex_kafka_log_allowed(const char *kind, int64_t now_ms, uint64_t *suppressed)
{
    bool allowed = true;
    size_t i = 0;

    *suppressed = 0;
    pthread_mutex_lock(&limits_lock);
    while (i < limit_count && strncmp(limits[i].kind, kind, LOG_KIND_SIZE - 1) != 0)
        i++;
    if (i < limit_count) {
        allowed = now_ms - limits[i].last_ms >= LOG_PAUSE_MS;
        if (allowed) {
            *suppressed = limits[i].suppressed;
            limits[i].suppressed = 0;
            limits[i].last_ms = now_ms;
        } else {
            limits[i].suppressed++;
        }
    } else if (limit_count < LOG_KINDS_MAX) {
        snprintf(limits[i].kind, LOG_KIND_SIZE, "%s", kind);
        limits[i].last_ms = now_ms;
        limit_count++;
    }
    pthread_mutex_unlock(&limits_lock);
    return allowed;
}

/* librdkafka calls every lost connection an error and every fenced producer an emergency. Either it recovers, or the
 * caller of the call that failed logs it with its ids. So here they are warnings. */
static enum uex_log_level level_of(int syslog_level)
{
    if (syslog_level <= LOG_WARNING)
        return UEX_LOG_WARN;
    return syslog_level <= LOG_NOTICE ? UEX_LOG_INFO : UEX_LOG_DEBUG;
}

/* ---- connections */

static _Atomic bool is_watched;
static _Atomic uint64_t connection_failures;

void uex_kafka_log_watched(void)
{
    is_watched = true;
}

uint64_t uex_kafka_connection_failures(void)
{
    return connection_failures;
}

/* Of librdkafka's lines: a connection that failed or was not made, a request without an answer. */
static bool is_of_connection(const char *facility)
{
    static const char *const kinds[] = {"FAIL", "REQTMOUT", "GETPID"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(facility, kinds[i]) == 0)
            return true;
    return false;
}

/* Credentials and certificates that are refused do not go away by themselves: they are said. */
static bool is_code_of_connection(int code)
{
    return uex_kafka_error_of((rd_kafka_resp_err_t)code) == UEX_KAFKA_UNAVAILABLE;
}

static enum uex_log_level count_failure(enum uex_log_level level)
{
    connection_failures++;
    return is_watched ? UEX_LOG_DEBUG : level;
}

static void log_limited(enum uex_log_level level, const char *kind, const char *message, const char *detail)
{
    uint64_t suppressed = 0;

    if (!uex_log_enabled(level))
        return;
    if (level != UEX_LOG_DEBUG && !uex_kafka_log_allowed(kind, uex_monotonic_ms(), &suppressed))
        return;
    uex_log(level, UEX_EVENT_KAFKA_CLIENT, message, UEX_STR("kind", kind), UEX_STR("detail", detail),
            UEX_NUM("suppressed", suppressed == 0 ? UEX_UNKNOWN : suppressed));
}

/* Why a connection failed last, without librdkafka's notes on its own state. A call that waits for a broker only
 * reports its timeout. */
static char last_failure[200];
static int64_t refused_ms; /* monotonic: since when each failure has been a refusal; 0: the last one was none */

/* Did the broker refuse this client, in librdkafka's words? "might be" and "verify" stand in its guesses, which are of
 * other things as often. */
static bool is_refusal(const char *reason)
{
    static const char *const words[] = {
        "SASL authentication error",
        "SASL authentication failure",
        "SASL SCRAM authentication failed",
        "SASL OAUTHBEARER authentication failed",
        "mechanism handshake failed",
        "SASL handshake failed",
        "SASL Handshake not supported",
        "SSL handshake failed",
        "SSL routines:",
        "certificate verify failed",
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(reason, words[i]) != NULL)
            return true;
    return false;
}

static void note_failure(const char *text)
{
    const char *behind_thread = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;

    const char *reason = behind_thread == NULL ? text : behind_thread + 3;
    const char *notes = strstr(reason, " (after ");

    pthread_mutex_lock(&limits_lock);
    snprintf(last_failure, sizeof(last_failure), "%.*s",
             (int)(notes == NULL ? strlen(reason) : (size_t)(notes - reason)), reason);
    if (!is_refusal(reason))
        refused_ms = 0;
    else if (refused_ms == 0)
        refused_ms = uex_monotonic_ms();
    pthread_mutex_unlock(&limits_lock);
}

void uex_kafka_last_failure(char *out, size_t size)
{
    pthread_mutex_lock(&limits_lock);
    snprintf(out, size, "%s", last_failure);
    pthread_mutex_unlock(&limits_lock);
}

bool uex_kafka_is_refused(int64_t lasting_ms)
{
    bool is_refused = false;

    pthread_mutex_lock(&limits_lock);
    is_refused = refused_ms != 0 && uex_monotonic_ms() - refused_ms >= lasting_ms;
    pthread_mutex_unlock(&limits_lock);
    return is_refused;
}

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    enum uex_log_level ours = level_of(level);
    char kind[LOG_KIND_SIZE];

    (void)handle;
    snprintf(kind, sizeof(kind), "%s", facility == NULL ? "" : facility);
    if (strcmp(kind, "FAIL") == 0)
        note_failure(text);
    if (is_of_connection(kind))
        ours = count_failure(ours);
    log_limited(ours, kind, "librdkafka", text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    enum uex_log_level level = UEX_LOG_WARN;
    bool is_fatal = code == RD_KAFKA_RESP_ERR__FATAL;
    char text[512];

    (void)opaque;
    snprintf(text, sizeof(text), "%s", reason == NULL ? "" : reason);
    if (is_fatal)
        code = rd_kafka_fatal_error(handle, text, sizeof(text));
    if (is_code_of_connection(code))
        level = count_failure(level);
    log_limited(level, rd_kafka_err2name((rd_kafka_resp_err_t)code),
                is_fatal ? "Kafka client cannot go on" : "Kafka client", text);
}

void uex_kafka_log_install(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
}
