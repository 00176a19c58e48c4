/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/txn.h — the transactional producer of all programs: its states, and how long it tries.
 *
 *   CLOSED ──prepare──► READY ──begin──► OPEN ──commit──► READY
 *     ▲                              │ error: must abort        │ outcome unknown
 *     │                              ▼                          ▼
 *     │                           FAILED ──abort──► READY     LOST
 *     └──── LOST ◄──── fatal, or its outcome is unknown ────────┘   prepare builds a new producer under the same id,
 *                                                                   where the policy allows it
 *
 * One thread uses it. Source: librdkafka, rdkafka.h, "Transactional producer API": an error is looked at in the order
 * requires-abort, retriable, fatal.
 */
#ifndef EXPORT_KAFKA_TXN_H
#define EXPORT_KAFKA_TXN_H

#include "kafka/client.h"

enum uex_txn_state { UEX_TXN_CLOSED, UEX_TXN_READY, UEX_TXN_OPEN, UEX_TXN_FAILED, UEX_TXN_LOST, UEX_TXN_STATE_COUNT };
enum uex_txn_event {
    UEX_TXN_PREPARED,
    UEX_TXN_BEGUN,
    UEX_TXN_NEEDS_ABORT,
    UEX_TXN_ABORTED,
    UEX_TXN_COMMITTED,
    UEX_TXN_BROKE, /* fatal, or its outcome is unknown */
    UEX_TXN_EVENT_COUNT
};

/* The state after an event; false: the event cannot happen in this state. */
UEX_MUST_CHECK bool uex_txn_next_state(enum uex_txn_state state, enum uex_txn_event event, enum uex_txn_state *next);

enum uex_txn_policy {
    /* The worker. A call waits until Kafka answers. A lost producer is destroyed and built again under its id, so that
     * init_transactions() ends at once what the old one left open. */
    UEX_TXN_NEVER_GIVES_UP,
    /* The tools. A call gives up when the transaction has lasted for its timeout, or when `cancel` is set (a commit
     * that has begun waits for its answer nevertheless). A lost producer stays lost: another process that begins with
     * the same id fences this one, and must not be fenced back. */
    UEX_TXN_GIVES_UP
};

/* What a producer is for. Pointers are borrowed for its life. */
struct uex_txn_setup {
    const struct uex_config *config;
    enum uex_txn_policy policy;
    const char *transactional_id;    /* NULL: <kafka.group.id>-<random UUID>; copied */
    int timeout_ms;                  /* transaction.timeout.ms; 0: uex_kafka_transaction_timeout_ms() */
    const struct uex_cancel *cancel; /* of UEX_TXN_GIVES_UP; NULL: none */
    const char *purpose;             /* begins the sentences of uex_txn_prepare()'s faults; NULL: a general one */
    /* Called for each record, with its `opaque`, that was taken (NO_ERROR, at this offset) or not: from all functions
     * but uex_txn_close(), and from rd_kafka_poll() of the producer. May be NULL. */
    void (*on_delivery)(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset);
};

struct uex_txn {
    struct uex_txn_setup setup;
    char transactional_id[512];
    rd_kafka_t *producer; /* NULL until it is prepared */
    enum uex_txn_state state;
    rd_kafka_resp_err_t last_code; /* of the last error */
    uint64_t rebuild_count;
    int64_t begun_ms; /* monotonic: when the last transaction began */
    int64_t until_ms; /* monotonic: until when UEX_TXN_GIVES_UP repeats a call */
    /* Of its records for the result topic; those of other topics may go to other brokers. */
    int64_t acked_ms;     /* monotonic: when one was last acknowledged, or the begin */
    int64_t quiet_ms;     /* the longest pause between two acknowledgements */
    uint64_t quiet_bytes; /* of the value whose acknowledgement ended it */
    uint64_t acked_bytes; /* of all values acknowledged */
};

/* Makes no producer and asks no broker. Call uex_txn_close() in any case. */
void uex_txn_init(struct uex_txn *txn, const struct uex_txn_setup *setup);
/* READY afterwards, or an error. Blocks up to `wait_ms`. Makes the producer where there is none, ends what an
 * earlier one with this id left open, and fences it. UEX_CONFIG: the brokers refuse transaction.timeout.ms (last_code
 * says so), or librdkafka the properties, which it also does while a file that they name is being replaced; UEX_KAFKA:
 * not allowed, no resources, or the producer is lost and may not be built again; UEX_NO_MEMORY; UEX_KAFKA_UNAVAILABLE,
 * UEX_CANCELLED: the next call goes on with the same handle. Without a handle afterwards (`producer` is NULL) nothing
 * was asked of a broker, and the next call builds again. */
UEX_MUST_CHECK enum uex_error uex_txn_prepare(struct uex_txn *txn, int64_t wait_ms, struct uex_fault *fault);
/* OPEN afterwards, or LOST with an error. */
UEX_MUST_CHECK enum uex_error uex_txn_begin(struct uex_txn *txn, struct uex_fault *fault);

/* A record to be produced; everything but the headers is borrowed and copied by librdkafka. */
struct uex_txn_record {
    const char *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by murmur2 of the key */
    struct uex_bytes key, value;
    rd_kafka_headers_t *headers; /* taken over in any case; may be NULL */
    int64_t timestamp_ms;        /* 0: now */
    void *opaque;
};
/* Queue a record. Every record must be accepted: one that is not does not fail the transaction by itself, so any error
 * here means that the caller aborts. UEX_RESULT_REFUSED: this record alone is at fault; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_txn_produce(struct uex_txn *txn, const struct uex_txn_record *record,
                                              struct uex_fault *fault);
/* Wait until all records are acknowledged; on_delivery has heard of each then. */
UEX_MUST_CHECK enum uex_error uex_txn_flush(struct uex_txn *txn, struct uex_fault *fault);
/* Add committed offsets of a consumer group to the transaction. */
UEX_MUST_CHECK enum uex_error uex_txn_send_offsets(struct uex_txn *txn, const rd_kafka_topic_partition_list_t *offsets,
                                                   const rd_kafka_consumer_group_metadata_t *metadata,
                                                   struct uex_fault *fault);
/* Add offset 0 of partition 0 of `topic`, for the consumer group `group`. Only for transactions that are aborted: to
 * see whether it is allowed, or why the transaction has failed. NULL: it is; else destroy the error. The state stays as
 * it is. */
UEX_MUST_CHECK rd_kafka_error_t *uex_txn_try_offset(struct uex_txn *txn, const char *group, const char *topic);
/* READY afterwards, or an error: FAILED, it has to be aborted; LOST. UEX_TIMEOUT: the outcome is unknown. */
UEX_MUST_CHECK enum uex_error uex_txn_commit(struct uex_txn *txn, struct uex_fault *fault);
/* Abort: READY, or LOST if that failed too; what is not aborted ends with its timeout. Nothing is done in any other
 * state than OPEN and FAILED. */
void uex_txn_abort(struct uex_txn *txn);
/* LOST because another producer began with the same transactional id. */
bool uex_txn_was_taken_over(const struct uex_txn *txn);
/* Did the broker refuse the offsets because this member's generation is over? */
bool uex_txn_was_fenced(const struct uex_txn *txn);
/* How the last transaction, which failed just now, has spent its time: did it live for transaction.timeout.ms (then the
 * coordinator ends it), and did the result topic acknowledge record after record all the while, as over a link or a
 * quota that is too slow? In an outage of the topic's partition it does not. */
struct uex_txn_age {
    int64_t age_ms, timeout_ms;
    bool timed_out;
    bool was_sending;     /* never without an acknowledgement for longer than half of the timeout */
    uint64_t acked_bytes; /* what the result topic acknowledged */
    /* Its pace: so many bytes in that time, the longest pause left out, which may have been an outage. */
    uint64_t moved_bytes;
    int64_t moving_ms;
};
struct uex_txn_age uex_txn_age(const struct uex_txn *txn, int64_t now_ms);
/* Accepts a zeroed struct. */
void uex_txn_close(struct uex_txn *txn);
#endif
