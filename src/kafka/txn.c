/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/uuid.h"
#include "kafka/client.h"

#define RETRY_PAUSE_MS 50
#define RETRIES_MAX 600
#define QUEUE_FULL_TRIES 2000
#define FLUSH_MS 1000
#define FLUSH_LEAST_MS 120000
#define BATCH_MAX_BYTES ((size_t)1000000)
#define MESSAGE_MAX_BYTES "1000000000"
#define NOT_POSSIBLE UEX_TXN_STATE_COUNT

/* Rows: state. Columns: PREPARED, BEGUN, NEEDS_ABORT, ABORTED, COMMITTED, BROKE. */
static const enum uex_txn_state transitions[UEX_TXN_STATE_COUNT][UEX_TXN_EVENT_COUNT] = {
    [UEX_TXN_CLOSED] = {UEX_TXN_READY, NOT_POSSIBLE, NOT_POSSIBLE, NOT_POSSIBLE, NOT_POSSIBLE, UEX_TXN_LOST},
    [UEX_TXN_READY] = {UEX_TXN_READY, UEX_TXN_OPEN, NOT_POSSIBLE, NOT_POSSIBLE, NOT_POSSIBLE, UEX_TXN_LOST},
    [UEX_TXN_OPEN] = {NOT_POSSIBLE, NOT_POSSIBLE, UEX_TXN_FAILED, UEX_TXN_READY, UEX_TXN_READY, UEX_TXN_LOST},
    [UEX_TXN_FAILED] = {NOT_POSSIBLE, NOT_POSSIBLE, UEX_TXN_FAILED, UEX_TXN_READY, NOT_POSSIBLE, UEX_TXN_LOST},
    [UEX_TXN_LOST] = {UEX_TXN_READY, NOT_POSSIBLE, NOT_POSSIBLE, NOT_POSSIBLE, NOT_POSSIBLE, UEX_TXN_LOST},
};

bool uex_txn_next_state(enum uex_txn_state state, enum uex_txn_event event, enum uex_txn_state *next)
{
    if (state >= UEX_TXN_STATE_COUNT || event >= UEX_TXN_EVENT_COUNT || transitions[state][event] == NOT_POSSIBLE)
        return false;
    *next = transitions[state][event];
    return true;
}

static void happened(struct uex_txn *txn, enum uex_txn_event event)
{
    if (!uex_txn_next_state(txn->state, event, &txn->state)) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_PRODUCER_REBUILD,
                "internal error: producer state does not allow this; building a new producer",
                UEX_INT("state", txn->state), UEX_INT("event", event));
        txn->state = UEX_TXN_LOST;
    }
}

static void note_acknowledged(struct uex_txn *txn, uint64_t value_bytes)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (now_ms - txn->acked_ms > txn->quiet_ms) {
        txn->quiet_ms = now_ms - txn->acked_ms;
        txn->quiet_bytes = value_bytes;
    }
    txn->acked_ms = now_ms;
    txn->acked_bytes += value_bytes;
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    struct uex_txn *txn = opaque;
    const char *topic = rd_kafka_topic_name(message->rkt);

    (void)producer;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (txn->on_failed != NULL)
            txn->on_failed(message->_private, topic, message->err);
    } else if (txn->config->topics_result != NULL && strcmp(topic, txn->config->topics_result) == 0) {
        note_acknowledged(txn, message->len);
    }
}

void uex_txn_init(struct uex_txn *txn, const struct uex_config *config,
                  void (*on_failed)(void *opaque, const char *topic, rd_kafka_resp_err_t code))
{
    char id[UEX_UUID_TEXT_SIZE];

    memset(txn, 0, sizeof(*txn));
    txn->config = config;
    txn->on_failed = on_failed;
    uex_uuid_random(id);
    (void)snprintf(txn->transactional_id, sizeof(txn->transactional_id), "%.249s-%s", config->kafka_group_id, id);
}

/* Take an error apart: NULL is UEX_OK. Moves the state; UEX_TIMEOUT means: the same call again. */
static enum uex_error judge(struct uex_txn *txn, rd_kafka_error_t *error, const char *what, struct uex_fault *fault)
{
    if (error == NULL)
        return UEX_OK;
    txn->last_code = rd_kafka_error_code(error);
    if (rd_kafka_error_txn_requires_abort(error)) {
        happened(txn, UEX_TXN_NEEDS_ABORT);
    } else if (rd_kafka_error_is_retriable(error)) {
        rd_kafka_error_destroy(error);
        return UEX_TIMEOUT;
    } else {
        happened(txn, UEX_TXN_BROKE);
    }
    return uex_kafka_fail_error(fault, error, what);
}

/* Repeats that never end are of unknown end. */
static enum uex_error gave_up(struct uex_txn *txn, const char *what, struct uex_fault *fault)
{
    happened(txn, UEX_TXN_BROKE);
    return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "%s: no end after %d repetitions", what, RETRIES_MAX);
}

/* A producer that is built again can fail where the first did not: no thread, no memory, a certificate that is just
 * being replaced. So the reason is passed on as it is. */
static enum uex_error build(struct uex_txn *txn, struct uex_fault *fault)
{
    char timeout[24];
    char size[24];
    rd_kafka_conf_t *conf = uex_kafka_conf_new(txn->config, UEX_KAFKA_TX_PRODUCER, fault);

    if (conf == NULL)
        return fault->error;
    /* Short: an open transaction of a dead worker holds back every read_committed reader until it times out. */
    if (uex_config_kafka(txn->config, "transaction.timeout.ms") == NULL) {
        (void)snprintf(timeout, sizeof(timeout), "%lld", (long long)uex_kafka_transaction_timeout_ms(txn->config));
        (void)rd_kafka_conf_set(conf, "transaction.timeout.ms", timeout, NULL, 0);
    }
    /* What was read must be forwarded however large it is: topics decide what they take, not this client. */
    (void)rd_kafka_conf_set(conf, "message.max.bytes", MESSAGE_MAX_BYTES, NULL, 0);
    /* A topic's limit holds for a batch: what is configured for messages bounds the batches, and a larger message goes
     * alone. */
    if (uex_config_kafka(txn->config, "batch.size") == NULL) {
        const size_t batch_bytes = uex_kafka_message_max_bytes(txn->config);

        (void)snprintf(size, sizeof(size), "%zu", batch_bytes < BATCH_MAX_BYTES ? batch_bytes : BATCH_MAX_BYTES);
        (void)rd_kafka_conf_set(conf, "batch.size", size, NULL, 0);
    }
    /* Where Java clients would put the same key. */
    (void)rd_kafka_conf_set(conf, "partitioner", "murmur2_random", NULL, 0);
    if (uex_kafka_conf_set(conf, "transactional.id", txn->transactional_id, fault) != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return UEX_CONFIG;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, txn);
    txn->producer = uex_kafka_create(UEX_KAFKA_TX_PRODUCER, conf, fault);
    return txn->producer == NULL ? fault->error : UEX_OK;
}

/* Records that are still queued belong to a transaction that is over. */
static void destroy_producer(struct uex_txn *txn)
{
    if (txn->producer == NULL)
        return;
    (void)rd_kafka_purge(txn->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(txn->producer, 0);
    rd_kafka_destroy(txn->producer);
    txn->producer = NULL;
}

enum uex_error uex_txn_prepare(struct uex_txn *txn, int timeout_ms, struct uex_fault *fault)
{
    rd_kafka_error_t *error = NULL;
    enum uex_error result = UEX_OK;

    if (txn->state == UEX_TXN_READY)
        return UEX_OK;
    if (txn->state == UEX_TXN_LOST && txn->producer != NULL) {
        destroy_producer(txn);
        txn->rebuild_count++;
        txn->state = UEX_TXN_CLOSED;
    }
    if (txn->producer == NULL && (result = build(txn, fault)) != UEX_OK)
        return result;
    error = rd_kafka_init_transactions(txn->producer, timeout_ms);
    if (error == NULL) {
        happened(txn, UEX_TXN_PREPARED);
        return UEX_OK;
    }
    txn->last_code = rd_kafka_error_code(error);
    if (!rd_kafka_error_is_retriable(error))
        happened(txn, UEX_TXN_BROKE);
    return uex_kafka_fail_error(fault, error, "the transactional producer cannot start");
}

enum uex_error uex_txn_begin(struct uex_txn *txn, struct uex_fault *fault)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(txn->producer);

    if (error != NULL) {
        txn->last_code = rd_kafka_error_code(error);
        happened(txn, UEX_TXN_BROKE);
        return uex_kafka_fail_error(fault, error, "a transaction cannot begin");
    }
    txn->begun_ms = txn->acked_ms = uex_monotonic_ms();
    txn->quiet_ms = 0;
    txn->quiet_bytes = txn->acked_bytes = 0;
    happened(txn, UEX_TXN_BEGUN);
    return UEX_OK;
}

static rd_kafka_error_t *produce_once(struct uex_txn *txn, const struct uex_txn_record *record,
                                      rd_kafka_headers_t *headers)
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
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };

    return rd_kafka_produceva(txn->producer, arguments,
                              sizeof(arguments) / sizeof(arguments[0]) - (headers == NULL ? 1 : 0));
}

enum uex_error uex_txn_produce(struct uex_txn *txn, const struct uex_txn_record *record, struct uex_fault *fault)
{
    rd_kafka_error_t *error = NULL;

    for (int tries = 0; tries < QUEUE_FULL_TRIES; tries++) {
        error = produce_once(txn, record, record->headers);
        if (error == NULL || rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        if (tries + 1 == QUEUE_FULL_TRIES)
            break;
        (void)rd_kafka_poll(txn->producer, RETRY_PAUSE_MS);
        rd_kafka_error_destroy(error);
    }
    if (error == NULL)
        return UEX_OK;
    if (record->headers != NULL)
        rd_kafka_headers_destroy(record->headers);
    txn->last_code = rd_kafka_error_code(error);
    happened(txn, UEX_TXN_NEEDS_ABORT);
    if (uex_kafka_refuses_record(txn->last_code)) {
        rd_kafka_error_destroy(error);
        if (txn->on_failed != NULL)
            txn->on_failed(record->opaque, record->topic, txn->last_code);
        return uex_fail(fault, UEX_RESULT_REFUSED, "%s: %s", record->topic, rd_kafka_err2str(txn->last_code));
    }
    return uex_kafka_fail_error(fault, error, record->topic);
}

enum uex_error uex_txn_flush(struct uex_txn *txn, struct uex_fault *fault)
{
    const int64_t longest_ms = uex_kafka_transaction_timeout_ms(txn->config);
    const int64_t wait_ms = longest_ms > FLUSH_LEAST_MS ? longest_ms : FLUSH_LEAST_MS;
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;

    while (uex_monotonic_ms() < until_ms) {
        if (rd_kafka_flush(txn->producer, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            return UEX_OK;
    }
    happened(txn, UEX_TXN_NEEDS_ABORT);
    return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "the records of a transaction were not acknowledged within %lld s",
                    (long long)wait_ms / 1000);
}

enum uex_error uex_txn_send_offsets(struct uex_txn *txn, const rd_kafka_topic_partition_list_t *offsets,
                                    const rd_kafka_consumer_group_metadata_t *metadata, struct uex_fault *fault)
{
    const char *what = "the position cannot be sent";

    for (int i = 0; i < RETRIES_MAX; i++) {
        const enum uex_error error =
            judge(txn, rd_kafka_send_offsets_to_transaction(txn->producer, offsets, metadata, -1), what, fault);

        if (error != UEX_TIMEOUT)
            return error;
        (void)uex_sleep_ms(RETRY_PAUSE_MS, NULL);
    }
    return gave_up(txn, what, fault);
}

enum uex_error uex_txn_commit(struct uex_txn *txn, struct uex_fault *fault)
{
    const char *what = "a transaction cannot be committed";

    for (int i = 0; i < RETRIES_MAX; i++) {
        const enum uex_error error = judge(txn, rd_kafka_commit_transaction(txn->producer, -1), what, fault);

        if (error == UEX_OK)
            happened(txn, UEX_TXN_COMMITTED);
        if (error != UEX_TIMEOUT)
            return error;
        (void)uex_sleep_ms(RETRY_PAUSE_MS, NULL);
    }
    return gave_up(txn, what, fault);
}

void uex_txn_abort(struct uex_txn *txn)
{
    struct uex_fault fault = {0};

    if (txn->state != UEX_TXN_OPEN && txn->state != UEX_TXN_FAILED)
        return;
    for (int i = 0; i < RETRIES_MAX; i++) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(txn->producer, -1);
        const bool again =
            error != NULL && rd_kafka_error_is_retriable(error) && !rd_kafka_error_txn_requires_abort(error);

        if (error == NULL) {
            happened(txn, UEX_TXN_ABORTED);
            return;
        }
        if (!again) {
            (void)uex_kafka_fail_error(&fault, error, "a transaction cannot be aborted");
            break;
        }
        rd_kafka_error_destroy(error);
        (void)uex_sleep_ms(RETRY_PAUSE_MS, NULL);
    }
    uex_log(UEX_LOG_WARN, UEX_EVENT_PRODUCER_REBUILD, "aborting a transaction failed; building a new producer",
            UEX_STR("error", fault.text));
    happened(txn, UEX_TXN_BROKE);
}

bool uex_txn_was_fenced(const struct uex_txn *txn)
{
    return txn->last_code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           txn->last_code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           txn->last_code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

struct uex_txn_age uex_txn_age(const struct uex_txn *txn, int64_t now_ms)
{
    struct uex_txn_age age = {.age_ms = now_ms - txn->begun_ms,
                              .timeout_ms = uex_kafka_transaction_timeout_ms(txn->config)};
    const int64_t until_ms = now_ms < txn->begun_ms + age.timeout_ms ? now_ms : txn->begun_ms + age.timeout_ms;
    const int64_t last_quiet_ms = until_ms - txn->acked_ms;

    age.timed_out = txn->begun_ms != 0 && age.age_ms >= age.timeout_ms;
    age.was_sending = txn->quiet_ms <= age.timeout_ms / 2 && last_quiet_ms <= age.timeout_ms / 2;
    age.acked_bytes = txn->acked_bytes;
    age.moved_bytes = txn->acked_bytes - txn->quiet_bytes;
    age.moving_ms = txn->acked_ms - txn->begun_ms - txn->quiet_ms;
    return age;
}

void uex_txn_close(struct uex_txn *txn)
{
    destroy_producer(txn);
    txn->state = UEX_TXN_CLOSED;
}
