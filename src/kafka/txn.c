/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/uuid.h"

#define SLICE_MS 500
#define ABORT_MS 15000
#define TRY_OFFSET_MS 10000
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

static void change_state(struct uex_txn *txn, enum uex_txn_event event)
{
    if (!uex_txn_next_state(txn->state, event, &txn->state)) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_PRODUCER_REBUILD,
                "internal error: producer state does not allow this; building a new producer",
                UEX_INT("state", txn->state), UEX_INT("event", event));
        txn->state = UEX_TXN_LOST;
    }
}

static bool gives_up(const struct uex_txn *txn)
{
    return txn->setup.policy == UEX_TXN_GIVES_UP;
}

static int64_t timeout_ms(const struct uex_txn *txn)
{
    return txn->setup.timeout_ms > 0 ? txn->setup.timeout_ms : uex_kafka_transaction_timeout_ms(txn->setup.config);
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
    if (txn->setup.on_delivery != NULL)
        txn->setup.on_delivery(message->_private, topic, message->err, message->offset);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && txn->setup.config->topics_result != NULL &&
        strcmp(topic, txn->setup.config->topics_result) == 0)
        note_acknowledged(txn, message->len);
}

void uex_txn_init(struct uex_txn *txn, const struct uex_txn_setup *setup)
{
    char random[UEX_UUID_TEXT_SIZE];

    *txn = (struct uex_txn){.setup = *setup};
    if (setup->transactional_id != NULL) {
        (void)snprintf(txn->transactional_id, sizeof(txn->transactional_id), "%s", setup->transactional_id);
    } else {
        uex_uuid_random(random);
        (void)snprintf(txn->transactional_id, sizeof(txn->transactional_id), "%.249s-%s", setup->config->kafka_group_id,
                       random);
    }
    txn->setup.transactional_id = NULL; /* the copy counts */
}

/* A producer that is built again can fail where the first did not: no thread, no memory, a certificate that is just
 * being replaced. So the reason is passed on as it is. */
static enum uex_error build_producer(struct uex_txn *txn, struct uex_fault *fault)
{
    char text[24];
    rd_kafka_conf_t *conf = uex_kafka_conf_new(txn->setup.config, UEX_KAFKA_TX_PRODUCER, fault);

    if (conf == NULL)
        return fault->error;
    /* Short: an open transaction of a dead process holds back every read_committed reader until it times out. */
    (void)snprintf(text, sizeof(text), "%lld", (long long)timeout_ms(txn));
    if (uex_kafka_conf_set(conf, "transaction.timeout.ms", text, fault) != UEX_OK ||
        (gives_up(txn) && uex_kafka_conf_set(conf, "delivery.timeout.ms", text, fault) != UEX_OK) ||
        uex_kafka_conf_set(conf, "transactional.id", txn->transactional_id, fault) != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return UEX_CONFIG;
    }
    /* What was read must be forwarded however large it is: topics decide what they take, not this client. */
    (void)rd_kafka_conf_set(conf, "message.max.bytes", MESSAGE_MAX_BYTES, NULL, 0);
    /* A topic's limit holds for a batch: what is configured for messages bounds the batches, and a larger message goes
     * alone. */
    if (uex_config_kafka(txn->setup.config, "batch.size") == NULL) {
        const size_t batch_bytes = uex_kafka_message_max_bytes(txn->setup.config);

        (void)snprintf(text, sizeof(text), "%zu", batch_bytes < BATCH_MAX_BYTES ? batch_bytes : BATCH_MAX_BYTES);
        (void)rd_kafka_conf_set(conf, "batch.size", text, NULL, 0);
    }
    /* Where Java clients would put the same key. */
    (void)rd_kafka_conf_set(conf, "partitioner", "murmur2_random", NULL, 0);
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

/* The worker makes one call. The tools notice a cancel between short ones, until `until_ms`. */
static enum uex_error init_transactions(struct uex_txn *txn, int64_t wait_ms, int64_t until_ms, struct uex_fault *fault)
{
    const char *purpose = txn->setup.purpose != NULL ? txn->setup.purpose : "preparing for transactions";
    const int slice_ms = gives_up(txn) && wait_ms > SLICE_MS ? SLICE_MS : (int)wait_ms;

    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(txn->producer, slice_ms);
        const bool is_retriable = error != NULL && rd_kafka_error_is_retriable(error);

        if (error == NULL) {
            change_state(txn, UEX_TXN_PREPARED);
            return UEX_OK;
        }
        txn->last_code = rd_kafka_error_code(error);
        if (!is_retriable)
            change_state(txn, UEX_TXN_BROKE);
        if (!is_retriable || !gives_up(txn))
            return uex_kafka_fail_error(fault, error, purpose);
        rd_kafka_error_destroy(error);
        if (!uex_sleep_ms(RETRY_PAUSE_MS, txn->setup.cancel))
            return uex_fail(fault, UEX_CANCELLED, "%s: stopped before anything was sent", purpose);
        if (uex_monotonic_ms() >= until_ms)
            return uex_fail(fault, UEX_KAFKA_UNAVAILABLE,
                            "%s: the transaction coordinator did not answer within %lld ms", purpose,
                            (long long)wait_ms);
    }
}

enum uex_error uex_txn_prepare(struct uex_txn *txn, int64_t wait_ms, struct uex_fault *fault)
{
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error result = UEX_OK;

    if (txn->state == UEX_TXN_READY)
        return UEX_OK;
    if (txn->state == UEX_TXN_LOST && gives_up(txn))
        return uex_fail(fault, UEX_KAFKA, "the transactional producer is lost, and no second one is built");
    if (txn->state == UEX_TXN_LOST && txn->producer != NULL) {
        destroy_producer(txn);
        txn->rebuild_count++;
        txn->state = UEX_TXN_CLOSED;
    }
    if (txn->producer == NULL && (result = build_producer(txn, fault)) != UEX_OK)
        return result;
    /* First, because its error names the broker that does not answer, and the reason. */
    if (gives_up(txn) && (result = uex_kafka_wait(txn->producer, wait_ms, txn->setup.cancel, fault)) != UEX_OK)
        return result;
    return init_transactions(txn, wait_ms, until_ms, fault);
}

enum uex_error uex_txn_begin(struct uex_txn *txn, struct uex_fault *fault)
{
    rd_kafka_error_t *error = rd_kafka_begin_transaction(txn->producer);

    if (error != NULL) {
        txn->last_code = rd_kafka_error_code(error);
        change_state(txn, UEX_TXN_BROKE);
        return uex_kafka_fail_error(fault, error, "beginning a transaction");
    }
    txn->begun_ms = txn->acked_ms = uex_monotonic_ms();
    txn->until_ms = txn->begun_ms + timeout_ms(txn);
    txn->quiet_ms = 0;
    txn->quiet_bytes = txn->acked_bytes = 0;
    change_state(txn, UEX_TXN_BEGUN);
    return UEX_OK;
}

static rd_kafka_error_t *produce_once(struct uex_txn *txn, const struct uex_txn_record *record)
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

    return rd_kafka_produceva(txn->producer, arguments,
                              sizeof(arguments) / sizeof(arguments[0]) - (record->headers == NULL ? 1 : 0));
}

/* librdkafka's queue is full: wait for room. False with an error: it waited for long enough. */
static bool await_room(struct uex_txn *txn, int *tries, enum uex_error *result, struct uex_fault *fault)
{
    if (gives_up(txn) && uex_cancel_requested(txn->setup.cancel))
        *result = uex_fail(fault, UEX_CANCELLED, "stopped");
    else if (gives_up(txn) ? uex_monotonic_ms() >= txn->until_ms : ++*tries >= QUEUE_FULL_TRIES)
        *result = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka did not take the records in time");
    else
        (void)rd_kafka_poll(txn->producer, RETRY_PAUSE_MS);
    return *result == UEX_OK;
}

rd_kafka_error_t *uex_txn_try_offset(struct uex_txn *txn, const char *group, const char *topic)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
    rd_kafka_error_t *error = NULL;

    rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = 0;
    error = rd_kafka_send_offsets_to_transaction(txn->producer, offsets, metadata, TRY_OFFSET_MS);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(offsets);
    return error;
}

/* "Not allowed in this state" only means that an earlier record has failed the transaction. Another call returns the
 * reason. A person needs it; the worker repeats the transaction anyway. */
static rd_kafka_error_t *reason_of(struct uex_txn *txn, const char *topic, rd_kafka_error_t *error)
{
    rd_kafka_error_t *reason = NULL;

    if (gives_up(txn) && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE)
        reason = uex_txn_try_offset(txn, txn->transactional_id, topic);
    if (reason == NULL)
        return error;
    rd_kafka_error_destroy(error);
    return reason;
}

enum uex_error uex_txn_produce(struct uex_txn *txn, const struct uex_txn_record *record, struct uex_fault *fault)
{
    rd_kafka_error_t *error = produce_once(txn, record);
    enum uex_error result = UEX_OK;
    int tries = 0;

    while (error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
           await_room(txn, &tries, &result, fault)) {
        rd_kafka_error_destroy(error);
        error = produce_once(txn, record);
    }
    if (error == NULL)
        return UEX_OK;
    if (record->headers != NULL)
        rd_kafka_headers_destroy(record->headers);
    txn->last_code = rd_kafka_error_code(error);
    change_state(txn, UEX_TXN_NEEDS_ABORT);
    if (result == UEX_OK && !uex_kafka_refuses_record(txn->last_code))
        return uex_kafka_fail_error(fault, reason_of(txn, record->topic, error), record->topic);
    rd_kafka_error_destroy(error);
    if (result != UEX_OK)
        return result;
    if (txn->setup.on_delivery != NULL)
        txn->setup.on_delivery(record->opaque, record->topic, txn->last_code, RD_KAFKA_OFFSET_INVALID);
    return uex_fail(fault, UEX_RESULT_REFUSED, "%s: %s", record->topic, rd_kafka_err2str(txn->last_code));
}

enum uex_error uex_txn_flush(struct uex_txn *txn, struct uex_fault *fault)
{
    const int64_t longest_ms = timeout_ms(txn);
    const int64_t wait_ms = longest_ms > FLUSH_LEAST_MS ? longest_ms : FLUSH_LEAST_MS;
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;

    while (uex_monotonic_ms() < until_ms) {
        if (rd_kafka_flush(txn->producer, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            return UEX_OK;
    }
    change_state(txn, UEX_TXN_NEEDS_ABORT);
    return uex_fail(fault, UEX_KAFKA_UNAVAILABLE,
                    "Kafka did not acknowledge the records of a transaction within %lld s", (long long)wait_ms / 1000);
}

/* How long one call may block: all the time that is left. librdkafka fails a transaction whose offsets are sent again
 * while the first request is still open. */
static int call_ms(const struct uex_txn *txn)
{
    const int64_t left_ms = txn->until_ms - uex_monotonic_ms();

    if (!gives_up(txn))
        return -1;
    return left_ms > 1 ? (int)left_ms : 1;
}

/* Pause before a call is repeated. False: it was repeated for long enough. */
static bool pause_before_repeating(const struct uex_txn *txn, int *tries)
{
    (void)uex_sleep_ms(RETRY_PAUSE_MS, NULL);
    return gives_up(txn) ? uex_monotonic_ms() < txn->until_ms : ++*tries < RETRIES_MAX;
}

/* Classify what a call returned, and change the state. False: repeat the call. */
static bool is_answered(struct uex_txn *txn, rd_kafka_error_t *error, const char *what, enum uex_error *result,
                        struct uex_fault *fault)
{
    const bool failed = error != NULL;
    const bool needs_abort = failed && rd_kafka_error_txn_requires_abort(error);
    const bool is_retriable = failed && !needs_abort && rd_kafka_error_is_retriable(error);

    if (failed)
        txn->last_code = rd_kafka_error_code(error);
    if (is_retriable) {
        rd_kafka_error_destroy(error);
        return false;
    }
    *result = uex_kafka_fail_error(fault, error, what);
    if (failed)
        change_state(txn, needs_abort ? UEX_TXN_NEEDS_ABORT : UEX_TXN_BROKE);
    return true;
}

/* It is unknown whether Kafka has acted on the last call. */
static enum uex_error unanswered(struct uex_txn *txn, const char *what, struct uex_fault *fault)
{
    change_state(txn, UEX_TXN_BROKE);
    return uex_fail(fault, UEX_TIMEOUT, "%s: Kafka did not answer; the outcome of the transaction is unknown", what);
}

enum uex_error uex_txn_send_offsets(struct uex_txn *txn, const rd_kafka_topic_partition_list_t *offsets,
                                    const rd_kafka_consumer_group_metadata_t *metadata, struct uex_fault *fault)
{
    const char *what = "adding offsets to a transaction";
    enum uex_error result = UEX_OK;
    int tries = 0;

    while (!is_answered(txn, rd_kafka_send_offsets_to_transaction(txn->producer, offsets, metadata, call_ms(txn)), what,
                        &result, fault))
        if (!pause_before_repeating(txn, &tries))
            return unanswered(txn, what, fault);
    return result;
}

enum uex_error uex_txn_commit(struct uex_txn *txn, struct uex_fault *fault)
{
    const char *what = "committing a transaction";
    enum uex_error result = UEX_OK;
    int tries = 0;

    while (!is_answered(txn, rd_kafka_commit_transaction(txn->producer, call_ms(txn)), what, &result, fault))
        if (!pause_before_repeating(txn, &tries))
            return unanswered(txn, what, fault);
    if (result == UEX_OK)
        change_state(txn, UEX_TXN_COMMITTED);
    return result;
}

void uex_txn_abort(struct uex_txn *txn)
{
    struct uex_fault fault = {0};
    bool again = true;
    int tries = 0;

    if (txn->state != UEX_TXN_OPEN && txn->state != UEX_TXN_FAILED)
        return;
    txn->until_ms = uex_monotonic_ms() + ABORT_MS;
    while (again) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(txn->producer, call_ms(txn));

        if (error == NULL) {
            change_state(txn, UEX_TXN_ABORTED);
            return;
        }
        again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_txn_requires_abort(error);
        (void)uex_kafka_fail_error(&fault, error, "aborting a transaction");
        again = again && pause_before_repeating(txn, &tries);
    }
    if (!gives_up(txn))
        uex_log(UEX_LOG_WARN, UEX_EVENT_PRODUCER_REBUILD, "aborting a transaction failed; building a new producer",
                UEX_STR("error", fault.text));
    change_state(txn, UEX_TXN_BROKE);
}

bool uex_txn_was_taken_over(const struct uex_txn *txn)
{
    char text[8];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (txn->state != UEX_TXN_LOST || txn->producer == NULL)
        return false;
    code = rd_kafka_fatal_error(txn->producer, text, sizeof(text));
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool uex_txn_was_fenced(const struct uex_txn *txn)
{
    return txn->last_code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           txn->last_code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           txn->last_code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

struct uex_txn_age uex_txn_age(const struct uex_txn *txn, int64_t now_ms)
{
    struct uex_txn_age age = {.age_ms = now_ms - txn->begun_ms, .timeout_ms = timeout_ms(txn)};
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
    txn->setup.on_delivery = NULL;
    destroy_producer(txn);
    txn->state = UEX_TXN_CLOSED;
}
