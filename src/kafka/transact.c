/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/transact.h"

#include <stdio.h>
#include <stdlib.h>

#define SLICE_MS 500
#define ABORT_MS 15000
#define AGAIN_PAUSE_MS 20
#define POSITION_MS 10000

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    const struct uex_transact *transact = opaque;

    (void)handle;
    if (transact->on_delivery != NULL)
        transact->on_delivery(message->_private, message->err, message->offset);
}

enum uex_error uex_transact_open(struct uex_transact *transact, const struct uex_config *config,
                                 const char *transactional_id, int timeout_ms, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, UEX_KAFKA_TX_PRODUCER, fault);
    char timeout[16];
    enum uex_error err = UEX_OK;

    if (conf == NULL)
        return fault->error;
    transact->timeout_ms = timeout_ms;
    transact->group = strdup(transactional_id);
    snprintf(timeout, sizeof(timeout), "%d", timeout_ms);
    err = transact->group == NULL ? uex_fail(fault, UEX_NO_MEMORY, "no memory for a producer")
                                  : uex_kafka_conf_set(conf, "transactional.id", transactional_id, fault);
    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "transaction.timeout.ms", timeout, fault);
    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "delivery.timeout.ms", timeout, fault);
    if (err != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return err;
    }
    rd_kafka_conf_set_opaque(conf, transact);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    transact->producer = uex_kafka_create(UEX_KAFKA_TX_PRODUCER, conf, fault);
    return transact->producer == NULL ? fault->error : UEX_OK;
}

static bool is_fenced(const struct uex_transact *transact, rd_kafka_resp_err_t code)
{
    char text[8];

    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_fatal_error(transact->producer, text, sizeof(text));
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Judge and destroy an error of a transactional call, in the order of librdkafka's documentation: what must be aborted,
 * what may be repeated (`*again`), the rest is the end. */
static enum uex_transact_step judge(const struct uex_transact *transact, rd_kafka_error_t *error, const char *what,
                                    bool *again, enum uex_error *err, struct uex_fault *fault)
{
    enum uex_transact_step step = UEX_TRANSACT_FAILED;

    *again = false;
    *err = UEX_OK;
    if (error == NULL)
        return UEX_TRANSACT_DONE;
    if (rd_kafka_error_is_fatal(error) && is_fenced(transact, rd_kafka_error_code(error)))
        step = UEX_TRANSACT_FENCED;
    else if (rd_kafka_error_txn_requires_abort(error))
        step = UEX_TRANSACT_ABORT;
    else
        *again = rd_kafka_error_is_retriable(error) != 0;
    *err = uex_kafka_fail_error(fault, error, what);
    return step;
}

enum uex_error uex_transact_init(struct uex_transact *transact, int64_t wait_ms, bool *fenced, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error err = UEX_OK;
    bool again = true;

    *fenced = false;
    while (again) {
        enum uex_transact_step step =
            judge(transact, rd_kafka_init_transactions(transact->producer, SLICE_MS),
                  transact->opening != NULL ? transact->opening : "preparing for transactions", &again, &err, fault);

        *fenced = step == UEX_TRANSACT_FENCED;
        if (step == UEX_TRANSACT_DONE || *fenced)
            return UEX_OK;
        if (again && uex_cancel_requested(transact->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped before anything was done");
        if (again && uex_monotonic_ms() >= until_ms)
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE,
                            "Kafka does not prepare for transactions within startup.timeout: the transaction "
                            "coordinator does not answer");
    }
    return err;
}

enum uex_transact_step uex_transact_begin(struct uex_transact *transact, enum uex_error *err, struct uex_fault *fault)
{
    bool again = false;

    transact->until_ms = uex_monotonic_ms() + transact->timeout_ms;
    return judge(transact, rd_kafka_begin_transaction(transact->producer), "beginning a transaction", &again, err,
                 fault);
}

static rd_kafka_error_t *produce_once(const struct uex_transact *transact, const struct uex_transact_record *record)
{
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = record->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)(uintptr_t)record->key.data, .size = record->key.size_bytes}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)(uintptr_t)record->value.data, .size = record->value.size_bytes}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = record->opaque},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = record->timestamp_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = record->headers},
    };

    return rd_kafka_produceva(transact->producer, arguments,
                              sizeof(arguments) / sizeof(arguments[0]) - (record->headers == NULL ? 1 : 0));
}

rd_kafka_error_t *uex_transact_try_position(struct uex_transact *transact, const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_error_t *error = NULL;

    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = 0;
    error = rd_kafka_send_offsets_to_transaction(transact->producer, offsets, metadata, POSITION_MS);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* "Not allowed in this state" says only that an earlier record has failed the transaction; another call says why. */
static rd_kafka_error_t *reason_of(struct uex_transact *transact, const char *topic, rd_kafka_error_t *error)
{
    rd_kafka_error_t *reason = NULL;

    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE)
        reason = uex_transact_try_position(transact, transact->group, topic);
    if (reason == NULL)
        return error;
    rd_kafka_error_destroy(error);
    return reason;
}

/* A record that librdkafka does not take does not fail the transaction, so anything but a full queue must. */
enum uex_error uex_transact_produce(struct uex_transact *transact, const struct uex_transact_record *record,
                                    struct uex_fault *fault)
{
    rd_kafka_error_t *error = produce_once(transact, record);
    enum uex_error err = UEX_OK;

    while (error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        if (uex_cancel_requested(transact->cancel))
            err = uex_fail(fault, UEX_CANCELLED, "stopped");
        else if (uex_monotonic_ms() >= transact->until_ms)
            err = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka did not take the records in time");
        if (err != UEX_OK)
            break;
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(transact->producer, 100);
        error = produce_once(transact, record);
    }
    if (error == NULL)
        return UEX_OK;
    if (record->headers != NULL)
        rd_kafka_headers_destroy(record->headers);
    if (err == UEX_OK)
        return uex_kafka_fail_error(fault, reason_of(transact, record->topic, error), record->topic);
    rd_kafka_error_destroy(error);
    return err;
}

enum uex_transact_step uex_transact_commit(struct uex_transact *transact, enum uex_error *err, struct uex_fault *fault)
{
    enum uex_transact_step step = UEX_TRANSACT_FAILED;
    bool again = true;

    while (again) {
        step = judge(transact, rd_kafka_commit_transaction(transact->producer, SLICE_MS), "committing", &again, err,
                     fault);
        if (again && uex_monotonic_ms() >= transact->until_ms) {
            *err = uex_fail(fault, UEX_TIMEOUT, "no answer to the commit: how the transaction ended is not known");
            return UEX_TRANSACT_FAILED;
        }
        if (again)
            (void)uex_sleep_ms(AGAIN_PAUSE_MS, NULL);
    }
    return step;
}

enum uex_transact_step uex_transact_abort(struct uex_transact *transact)
{
    int64_t until_ms = uex_monotonic_ms() + ABORT_MS;
    enum uex_transact_step step = UEX_TRANSACT_FAILED;
    enum uex_error err = UEX_OK;
    bool again = true;

    if (is_fenced(transact, RD_KAFKA_RESP_ERR__FATAL))
        return UEX_TRANSACT_FENCED;
    while (again && uex_monotonic_ms() < until_ms)
        step =
            judge(transact, rd_kafka_abort_transaction(transact->producer, SLICE_MS), "aborting", &again, &err, NULL);
    return step;
}

void uex_transact_close(struct uex_transact *transact)
{
    free(transact->group);
    transact->group = NULL;
    if (transact->producer == NULL)
        return;
    (void)rd_kafka_purge(transact->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(transact->producer, 0);
    uex_kafka_destroy(transact->producer);
    transact->producer = NULL;
}
