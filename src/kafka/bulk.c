/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/bulk.h"

#include "kafka/partitioner.h"
#include "kafka/transact.h"

#define TRIES_MAX 3
#define ASK_MS 10000
#define POLL_EVERY 1000

struct sender {
    const struct uex_bulk *bulk;
    struct uex_transact transact;
    int32_t partition_count;
    struct uex_buffer value;
    /* Of the transaction under way. */
    uint64_t delivered;
    rd_kafka_resp_err_t refused; /* of the first record that a broker did not take */
};

static void on_delivery(void *opaque, rd_kafka_resp_err_t code, int64_t offset)
{
    struct sender *sender = opaque;

    (void)offset;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->delivered++;
    else if (sender->refused == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->refused = code;
}

static void say_progress(const struct sender *sender)
{
    if (sender->bulk->progress != NULL)
        sender->bulk->progress(sender->bulk->context, sender->delivered);
}

static enum uex_error produce(struct sender *sender, uint64_t index, struct uex_fault *fault)
{
    const struct uex_bulk *bulk = sender->bulk;
    struct uex_transact_record record = {.topic = bulk->topic, .opaque = sender};

    uex_buffer_reset(&sender->value);
    bulk->record(bulk->context, index, &record.key, &sender->value);
    if (uex_buffer_failed(&sender->value))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for %s", bulk->what);
    record.partition = uex_partition_of(record.key, sender->partition_count);
    record.value = uex_buffer_bytes(&sender->value);
    return uex_transact_produce(&sender->transact, &record, fault);
}

static enum uex_error produce_all(struct sender *sender, struct uex_fault *fault)
{
    for (uint64_t index = 0; index < sender->bulk->count; index++) {
        enum uex_error err = produce(sender, index, fault);

        if (err != UEX_OK)
            return err;
        if ((index + 1) % POLL_EVERY != 0)
            continue;
        rd_kafka_poll(sender->transact.producer, 0);
        say_progress(sender);
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
    }
    return UEX_OK;
}

/* One transaction from begin to end; what has failed is aborted. */
static enum uex_transact_step try_once(struct sender *sender, enum uex_error *err, struct uex_fault *fault)
{
    enum uex_transact_step step = uex_transact_begin(&sender->transact, err, fault);

    sender->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    sender->delivered = 0;
    if (step != UEX_TRANSACT_DONE)
        return step;
    *err = produce_all(sender, fault);
    if (*err != UEX_OK) {
        if (*err == UEX_CANCELLED)
            *err = uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
        return uex_transact_abort(&sender->transact) == UEX_TRANSACT_FENCED ? UEX_TRANSACT_FENCED : UEX_TRANSACT_FAILED;
    }
    step = uex_transact_commit(&sender->transact, err, fault);
    say_progress(sender);
    if (step == UEX_TRANSACT_FAILED && *err == UEX_TIMEOUT)
        *err = uex_fail(fault, UEX_TIMEOUT, "no answer to the commit: whether it was sent is not known; %s",
                        sender->bulk->unknown_end);
    if (step != UEX_TRANSACT_ABORT)
        return step;
    if (sender->refused != RD_KAFKA_RESP_ERR_NO_ERROR && sender->refused != RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        *err = uex_kafka_fail(fault, sender->refused, "a broker refuses a record");
    step = uex_transact_abort(&sender->transact);
    return step == UEX_TRANSACT_DONE ? UEX_TRANSACT_ABORT : step;
}

static enum uex_error send_all(struct sender *sender, bool *fenced, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (int tries = 1;; tries++) {
        enum uex_transact_step step = try_once(sender, &err, fault);

        *fenced = step == UEX_TRANSACT_FENCED;
        if (step == UEX_TRANSACT_DONE || *fenced)
            return UEX_OK;
        if (step == UEX_TRANSACT_FAILED || tries == TRIES_MAX || uex_error_disposition(err) == UEX_DISPOSITION_REJECT)
            return err;
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
        uex_log(UEX_LOG_WARN, UEX_EVENT_TXN_ABORTED, "transaction aborted; beginning it again",
                UEX_STR("error", uex_error_code(err)), UEX_STR("detail", fault == NULL ? NULL : fault->text));
    }
}

enum uex_error uex_bulk_send(const struct uex_bulk *bulk, bool *fenced, struct uex_fault *fault)
{
    struct sender sender = {.bulk = bulk,
                            .transact = {.cancel = bulk->cancel, .opening = bulk->opening, .on_delivery = on_delivery}};
    enum uex_error err =
        uex_transact_open(&sender.transact, bulk->config, bulk->transactional_id, bulk->timeout_ms, fault);

    *fenced = false;
    if (err == UEX_OK)
        err = uex_transact_init(&sender.transact, bulk->config->startup_timeout_ms, fenced, fault);
    if (err == UEX_OK && !*fenced)
        err = uex_kafka_partition_count(sender.transact.producer, bulk->topic, ASK_MS, &sender.partition_count, fault);
    if (err == UEX_OK && !*fenced)
        err = send_all(&sender, fenced, fault);
    uex_transact_close(&sender.transact);
    uex_buffer_clear(&sender.value);
    return err;
}
