/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/bulk.h"

#include <stdio.h>

#include "kafka/partitioner.h"

#define TRIES_MAX 3
#define SLICE_MS 1000
#define ABORT_MS 15000
#define ASK_MS 10000
#define POLL_EVERY 1000

struct sender {
    const struct uex_bulk *bulk;
    bool fenced;
    rd_kafka_t *producer;
    int32_t partition_count;
    struct uex_buffer value;
    uint64_t delivered;          /* acknowledged in the transaction under way */
    rd_kafka_resp_err_t refused; /* of the first record that a broker did not take */
    int64_t until_ms;            /* of the transaction under way */
};

/* What became of a step of a transaction. */
enum step { STEP_DONE, STEP_AGAIN, STEP_ABORT, STEP_FENCED, STEP_FAILED };

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct sender *sender = opaque;

    (void)handle;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->delivered++;
    else if (sender->refused == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->refused = message->err;
}

static bool is_fenced(rd_kafka_t *producer, rd_kafka_resp_err_t code)
{
    char text[8];

    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_fatal_error(producer, text, sizeof(text));
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Judge and destroy an error of a transactional call. The order is that of the librdkafka documentation: what must be
 * aborted, what may be repeated, the rest is the end. */
static enum step judge(struct sender *sender, rd_kafka_error_t *error, const char *what, enum uex_error *err,
                       struct uex_fault *fault)
{
    enum step step = STEP_FAILED;

    if (error == NULL)
        return STEP_DONE;
    if (rd_kafka_error_is_fatal(error) && is_fenced(sender->producer, rd_kafka_error_code(error)))
        step = STEP_FENCED;
    else if (rd_kafka_error_txn_requires_abort(error))
        step = STEP_ABORT;
    else if (rd_kafka_error_is_retriable(error))
        step = STEP_AGAIN;
    *err = uex_kafka_fail_error(fault, error, what);
    return step;
}

static enum uex_error make_producer(struct sender *sender, struct uex_fault *fault)
{
    const struct uex_bulk *bulk = sender->bulk;
    rd_kafka_conf_t *conf = uex_kafka_conf_new(bulk->config, UEX_KAFKA_TX_PRODUCER, fault);
    char timeout[16];
    enum uex_error err = UEX_OK;

    if (conf == NULL)
        return fault->error;
    snprintf(timeout, sizeof(timeout), "%d", bulk->timeout_ms);
    err = uex_kafka_conf_set(conf, "transactional.id", bulk->transactional_id, fault);
    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "transaction.timeout.ms", timeout, fault);
    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "delivery.timeout.ms", timeout, fault);
    if (err != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    rd_kafka_conf_set_opaque(conf, sender);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    sender->producer = uex_kafka_create(UEX_KAFKA_TX_PRODUCER, conf, fault);
    return sender->producer == NULL ? fault->error : UEX_OK;
}

static enum uex_error init(struct sender *sender, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + sender->bulk->config->startup_timeout_ms;
    enum uex_error err = UEX_OK;

    while (!uex_cancel_requested(sender->bulk->cancel)) {
        enum step step =
            judge(sender, rd_kafka_init_transactions(sender->producer, SLICE_MS), sender->bulk->opening, &err, fault);

        if (step == STEP_DONE)
            return uex_kafka_partition_count(sender->producer, sender->bulk->topic, ASK_MS, &sender->partition_count,
                                             fault);
        if (step == STEP_FENCED) {
            sender->fenced = true;
            return UEX_OK;
        }
        if (step != STEP_AGAIN)
            return err;
        if (uex_monotonic_ms() >= until_ms)
            return UEX_KAFKA_UNAVAILABLE;
    }
    return uex_fail(fault, UEX_CANCELLED, "stopped before anything was sent");
}

static void say_progress(const struct sender *sender)
{
    if (sender->bulk->progress != NULL)
        sender->bulk->progress(sender->bulk->context, sender->delivered);
}

/* One record into the queue. A record that librdkafka does not take does not fail the transaction, so anything but a
 * full queue must. */
static enum uex_error produce(struct sender *sender, uint64_t index, struct uex_fault *fault)
{
    const struct uex_bulk *bulk = sender->bulk;
    struct uex_bytes key = {0};
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__QUEUE_FULL;

    uex_buffer_reset(&sender->value);
    bulk->record(bulk->context, index, &key, &sender->value);
    if (uex_buffer_failed(&sender->value))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for %s", bulk->what);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        code = rd_kafka_producev(sender->producer, RD_KAFKA_V_TOPIC(bulk->topic),
                                 RD_KAFKA_V_PARTITION(uex_partition_of(key, sender->partition_count)),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                 RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.size_bytes),
                                 RD_KAFKA_V_VALUE(sender->value.data, sender->value.size_bytes), RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        if (uex_cancel_requested(bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
        if (uex_monotonic_ms() >= sender->until_ms)
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka did not take all records in time; nothing was sent");
        rd_kafka_poll(sender->producer, 100);
    }
    return uex_kafka_fail(fault, code, bulk->what);
}

static enum uex_error produce_all(struct sender *sender, struct uex_fault *fault)
{
    for (uint64_t index = 0; index < sender->bulk->count; index++) {
        enum uex_error err = produce(sender, index, fault);

        if (err != UEX_OK)
            return err;
        if ((index + 1) % POLL_EVERY != 0)
            continue;
        rd_kafka_poll(sender->producer, 0);
        say_progress(sender);
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
    }
    return UEX_OK;
}

/* Abort, within bounds; what is left open ends with its timeout. */
static enum step abort_open(struct sender *sender)
{
    int64_t until_ms = uex_monotonic_ms() + ABORT_MS;
    enum uex_error err = UEX_OK;
    enum step step = STEP_AGAIN;

    while (step == STEP_AGAIN && uex_monotonic_ms() < until_ms)
        step = judge(sender, rd_kafka_abort_transaction(sender->producer, SLICE_MS), "aborting", &err, NULL);
    return step;
}

/* Once begun, the commit is not given up because of a signal: only its answer says what happened. */
static enum step commit(struct sender *sender, enum uex_error *err, struct uex_fault *fault)
{
    enum step step = STEP_AGAIN;

    while (step == STEP_AGAIN) {
        step = judge(sender, rd_kafka_commit_transaction(sender->producer, SLICE_MS), "committing", err, fault);
        say_progress(sender);
        if (step == STEP_AGAIN && uex_monotonic_ms() >= sender->until_ms) {
            *err = uex_fail(fault, UEX_TIMEOUT, "no answer to the commit: whether it was sent is not known; %s",
                            sender->bulk->unknown_end);
            return STEP_FAILED;
        }
    }
    return step;
}

/* One transaction from begin to end. */
static enum step try_once(struct sender *sender, enum uex_error *err, struct uex_fault *fault)
{
    enum step step = STEP_DONE;

    sender->refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    sender->delivered = 0;
    sender->until_ms = uex_monotonic_ms() + sender->bulk->timeout_ms;
    step = judge(sender, rd_kafka_begin_transaction(sender->producer), "beginning the transaction", err, fault);
    if (step != STEP_DONE)
        return step;
    *err = produce_all(sender, fault);
    if (*err == UEX_OK) {
        step = commit(sender, err, fault);
        if (step == STEP_ABORT && sender->refused != RD_KAFKA_RESP_ERR_NO_ERROR)
            *err = uex_kafka_fail(fault, sender->refused, "a broker refuses a record");
        return step;
    }
    if (is_fenced(sender->producer, RD_KAFKA_RESP_ERR__FATAL) || abort_open(sender) == STEP_FENCED)
        return STEP_FENCED;
    return STEP_FAILED;
}

static enum uex_error send_all(struct sender *sender, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (int tries = 1;; tries++) {
        enum step step = try_once(sender, &err, fault);

        if (step == STEP_ABORT) {
            enum step aborted = abort_open(sender);

            step = aborted == STEP_FENCED ? STEP_FENCED : aborted == STEP_DONE ? STEP_ABORT : STEP_FAILED;
        }
        if (step == STEP_DONE)
            return UEX_OK;
        if (step == STEP_FENCED) {
            sender->fenced = true;
            return UEX_OK;
        }
        if (step == STEP_FAILED || tries == TRIES_MAX || uex_error_disposition(err) == UEX_DISPOSITION_REJECT)
            return err;
        if (uex_cancel_requested(sender->bulk->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped; nothing was sent");
        uex_log(UEX_LOG_WARN, "the transaction was aborted and is begun anew", UEX_STR("error", uex_error_code(err)),
                UEX_STR("detail", fault == NULL ? NULL : fault->text));
    }
}

enum uex_error uex_bulk_send(const struct uex_bulk *bulk, bool *fenced, struct uex_fault *fault)
{
    struct sender sender = {.bulk = bulk};
    enum uex_error err = make_producer(&sender, fault);

    if (err == UEX_OK)
        err = init(&sender, fault);
    if (err == UEX_OK && !sender.fenced)
        err = send_all(&sender, fault);
    uex_kafka_destroy(sender.producer);
    uex_buffer_clear(&sender.value);
    *fenced = sender.fenced;
    return err;
}
