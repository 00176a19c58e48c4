/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/bulk.h"

#include "kafka/partitioner.h"
#include "kafka/txn.h"

#define TRIES_MAX 3
#define ASK_MS 10000
#define POLL_EVERY 1000

struct sender {
    const struct uex_bulk *bulk;
    struct uex_txn txn;
    int32_t partition_count;
    struct uex_buffer value;
    /* Of the current transaction. */
    uint64_t delivered;
    rd_kafka_resp_err_t refused; /* of the first record that a broker did not take */
};

static void on_delivery(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    struct sender *sender = opaque;

    (void)offset;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->delivered += strcmp(topic, sender->bulk->topic) == 0;
    else if (sender->refused == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->refused = code;
}

static void report_progress(const struct sender *sender)
{
    if (sender->bulk->progress != NULL)
        sender->bulk->progress(sender->bulk->context, sender->delivered);
}

static enum uex_error produce_record(struct sender *sender, uint64_t index, struct uex_fault *fault)
{
    const struct uex_bulk *bulk = sender->bulk;
    struct uex_txn_record record = {.topic = bulk->topic, .opaque = sender};

    uex_buffer_reset(&sender->value);
    bulk->record(bulk->context, index, &record.key, &sender->value);
    if (uex_buffer_failed(&sender->value))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for %s", bulk->what);
    record.partition = uex_partition_of(record.key, sender->partition_count);
    record.value = uex_buffer_bytes(&sender->value);
    return uex_txn_produce(&sender->txn, &record, fault);
}

static enum uex_error produce_extra(struct sender *sender, struct uex_fault *fault)
{
    const struct uex_bulk_extra *also = sender->bulk->also;
    struct uex_txn_record record = {.partition = RD_KAFKA_PARTITION_UA, .opaque = sender};

    if (also == NULL)
        return UEX_OK;
    record.topic = also->topic;
    record.key = also->key;
    record.value = also->value;
    record.headers = rd_kafka_headers_new(UEX_BULK_HEADERS_MAX);
    for (size_t i = 0; i < UEX_BULK_HEADERS_MAX; i++)
        if (also->headers[i].value != NULL)
            (void)rd_kafka_header_add(record.headers, also->headers[i].name, -1, also->headers[i].value, -1);
    return uex_txn_produce(&sender->txn, &record, fault);
}

static enum uex_error produce_all(struct sender *sender, struct uex_fault *fault)
{
    enum uex_error first = produce_extra(sender, fault);

    if (first != UEX_OK)
        return first;
    for (uint64_t index = 0; index < sender->bulk->count; index++) {
        enum uex_error err = produce_record(sender, index, fault);

        if (err != UEX_OK)
            return err;
        if ((index + 1) % POLL_EVERY != 0)
            continue;
        rd_kafka_poll(sender->txn.producer, 0);
        report_progress(sender);
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
    }
    return UEX_OK;
}

static enum uex_error commit_all(struct sender *sender, struct uex_fault *fault)
{
    enum uex_error err = uex_txn_commit(&sender->txn, fault);

    report_progress(sender);
    if (err == UEX_TIMEOUT)
        return uex_fail(fault, UEX_TIMEOUT,
                        "Kafka did not answer the commit: it is unknown whether anything was sent; %s",
                        sender->bulk->unknown_end);
    if (sender->txn.state == UEX_TXN_FAILED && sender->refused != RD_KAFKA_RESP_ERR_NO_ERROR &&
        sender->refused != RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        return uex_kafka_fail(fault, sender->refused, "a broker refused a record");
    return err;
}

/* One transaction from begin to end; a failed one is aborted. `*again`: it may be repeated. */
static enum uex_error try_once(struct sender *sender, bool *again, struct uex_fault *fault)
{
    enum uex_error err = uex_txn_begin(&sender->txn, fault);

    *again = false;
    sender->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    sender->delivered = 0;
    if (err != UEX_OK)
        return err;
    err = produce_all(sender, fault);
    if (err == UEX_CANCELLED)
        err = uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
    if (err == UEX_OK) {
        err = commit_all(sender, fault);
        *again = sender->txn.state == UEX_TXN_FAILED;
    }
    uex_txn_abort(&sender->txn);
    *again = *again && sender->txn.state == UEX_TXN_READY;
    return err;
}

static enum uex_error send_all(struct sender *sender, struct uex_fault *fault)
{
    for (int tries = 1;; tries++) {
        bool again = false;
        enum uex_error err = try_once(sender, &again, fault);

        if (!again || tries == TRIES_MAX || uex_error_disposition(err) == UEX_DISPOSITION_REJECT)
            return err;
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
        uex_log(UEX_LOG_WARN, UEX_EVENT_TXN_ABORTED, "transaction aborted; beginning it again",
                UEX_STR("error", uex_error_code(err)), UEX_STR("detail", fault == NULL ? NULL : fault->text));
    }
}

enum uex_error uex_bulk_send(const struct uex_bulk *bulk, bool *fenced, struct uex_fault *fault)
{
    const struct uex_txn_setup setup = {.config = bulk->config,
                                        .policy = UEX_TXN_GIVES_UP,
                                        .transactional_id = bulk->transactional_id,
                                        .timeout_ms = bulk->timeout_ms,
                                        .cancel = bulk->cancel,
                                        .purpose = bulk->opening,
                                        .on_delivery = on_delivery};
    struct sender sender = {.bulk = bulk};
    enum uex_error err = UEX_OK;

    uex_txn_init(&sender.txn, &setup);
    err = uex_txn_prepare(&sender.txn, bulk->config->startup_timeout_ms, fault);
    if (err == UEX_OK)
        err = uex_kafka_partition_count(sender.txn.producer, bulk->topic, ASK_MS, &sender.partition_count, fault);
    if (err == UEX_OK && bulk->ready != NULL)
        err = bulk->ready(bulk->ready_context, fault);
    if (err == UEX_OK)
        err = send_all(&sender, fault);
    *fenced = uex_txn_was_taken_over(&sender.txn);
    uex_txn_close(&sender.txn);
    uex_buffer_clear(&sender.value);
    return *fenced ? UEX_OK : err;
}
