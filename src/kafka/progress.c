/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/log.h"
#include "kafka/client.h"

#define WORKER_SIZE 256
#define KEY_SIZE (WORKER_SIZE + sizeof(UEX_WORKER_KEY_PREFIX))
#define FLUSH_AT_END_MS 500
#define WARN_EVERY_MS 60000

struct uex_progress {
    const struct uex_config *config;
    rd_kafka_t *producer;
    char worker[WORKER_SIZE];
    struct uex_buffer value;
    int64_t warned_ms; /* monotonic; 0: never. Of the thread that polls */
    _Atomic uint64_t sent, failed, dropped;
};

/* Nothing waits for progress, but a person who follows it has to know why there is none. An outage is logged elsewhere.
 */
static void warn_refused(struct uex_progress *progress, rd_kafka_resp_err_t code)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || code == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
        (progress->warned_ms != 0 && now_ms - progress->warned_ms < WARN_EVERY_MS))
        return;
    progress->warned_ms = now_ms;
    uex_log(UEX_LOG_WARN, UEX_EVENT_PROGRESS_REFUSED,
            "progress cannot be written; exportctl status sees neither this worker nor what runs here",
            UEX_STR("topic", progress->config->topics_progress), UEX_STR("error", rd_kafka_err2str(code)));
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    struct uex_progress *progress = opaque;

    (void)producer;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        progress->sent++;
    } else {
        progress->failed++;
        warn_refused(progress, message->err);
    }
}

static enum uex_error make_producer(struct uex_progress *progress, struct uex_fault *fault)
{
    static const struct {
        const char *name, *value;
    } properties[] = {
        /* An idempotent producer can end in a fatal error, and needs one more right. */
        {"enable.idempotence", "false"},
        {"acks", "1"},
        {"linger.ms", "50"},
        {"message.timeout.ms", "5000"}, /* an older snapshot is of no use */
        {"queue.buffering.max.messages", "2000"},
        {"queue.buffering.max.kbytes", "2048"},
        {"partitioner", "murmur2_random"}, /* where the group's commands are */
    };
    rd_kafka_conf_t *conf = uex_kafka_conf_new(progress->config, UEX_KAFKA_PRODUCER, fault);
    enum uex_error err = conf == NULL ? UEX_CONFIG : UEX_OK;

    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]) && err == UEX_OK; i++)
        err = uex_kafka_conf_set(conf, properties[i].name, properties[i].value, fault);
    if (err != UEX_OK) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return err;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, progress);
    progress->producer = uex_kafka_create(UEX_KAFKA_PRODUCER, conf, fault);
    return progress->producer == NULL ? UEX_CONFIG : UEX_OK;
}

enum uex_error uex_progress_new(const struct uex_config *config, struct uex_progress **out, struct uex_fault *fault)
{
    struct uex_progress *progress = calloc(1, sizeof(*progress));
    char host[128] = "";
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (progress == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the producer of progress snapshots");
    progress->config = config;
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof(host), "unknown");
    (void)snprintf(progress->worker, sizeof(progress->worker), "%s:%ld", host, (long)getpid());
    err = make_producer(progress, fault);
    if (err != UEX_OK) {
        uex_progress_free(progress);
        return err;
    }
    *out = progress;
    return UEX_OK;
}

void uex_progress_write(const struct uex_progress_record *record, const char *worker, struct uex_buffer *out)
{
    char started_at[UEX_TIME_TEXT_SIZE], at[UEX_TIME_TEXT_SIZE];

    uex_time_format(record->started_at_ms, started_at);
    uex_time_format(record->at_ms, at);
    uex_buffer_append_text(out, "{\"groupId\":");
    uex_buffer_append_json(out, record->group_id);
    uex_buffer_append_text(out, ",\"commandId\":");
    uex_buffer_append_json(out, record->command_id);
    uex_buffer_append_text(out, ",\"worker\":");
    uex_buffer_append_json(out, worker);
    uex_buffer_append_format(out, ",\"state\":\"%s\",\"rows\":%llu,\"bytes\":%llu,\"startedAt\":\"%s\",\"at\":\"%s\"}",
                             record->ended ? "ended" : "running", (unsigned long long)record->rows,
                             (unsigned long long)record->bytes, started_at, at);
}

/* What stands in `value`. */
static void produce(struct uex_progress *progress, const char *key, int64_t at_ms)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (!uex_buffer_failed(&progress->value))
        code = rd_kafka_producev(progress->producer, RD_KAFKA_V_TOPIC(progress->config->topics_progress),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
                                 RD_KAFKA_V_VALUE(progress->value.data, progress->value.size_bytes),
                                 RD_KAFKA_V_TIMESTAMP(at_ms), RD_KAFKA_V_END);
    if (uex_buffer_failed(&progress->value) || code != RD_KAFKA_RESP_ERR_NO_ERROR)
        progress->dropped++;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        warn_refused(progress, code);
}

void uex_progress_send(struct uex_progress *progress, const struct uex_progress_record *record)
{
    if (progress == NULL || record->group_id == NULL || record->group_id[0] == '\0' || record->command_id[0] == '\0')
        return;
    uex_buffer_reset(&progress->value);
    uex_progress_write(record, progress->worker, &progress->value);
    produce(progress, record->group_id, record->at_ms);
}

void uex_progress_send_worker(struct uex_progress *progress, const struct uex_worker_record *record)
{
    struct uex_worker_record named = *record;
    char key[KEY_SIZE];

    if (progress == NULL)
        return;
    named.worker = progress->worker;
    (void)snprintf(key, sizeof(key), UEX_WORKER_KEY_PREFIX "%s", progress->worker);
    uex_buffer_reset(&progress->value);
    uex_worker_record_write_json(&named, &progress->value);
    produce(progress, key, record->at_ms);
}

void uex_progress_poll(struct uex_progress *progress)
{
    if (progress != NULL)
        (void)rd_kafka_poll(progress->producer, 0);
}

void uex_progress_free(struct uex_progress *progress)
{
    if (progress == NULL)
        return;
    if (progress->producer != NULL) {
        (void)rd_kafka_flush(progress->producer, FLUSH_AT_END_MS);
        (void)rd_kafka_purge(progress->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(progress->producer, 0);
        rd_kafka_destroy(progress->producer);
    }
    uex_buffer_clear(&progress->value);
    free(progress);
}

void uex_progress_counts(const struct uex_progress *progress, struct uex_progress_counts *out)
{
    *out = (struct uex_progress_counts){0};
    if (progress == NULL)
        return;
    out->sent = progress->sent;
    out->failed = progress->failed;
    out->dropped = progress->dropped;
}
