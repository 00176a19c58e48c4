/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/txn.h — the transactional producer and what its errors leave it in.
 *
 *   CLOSED ──prepare──► READY ──begin──► OPEN ──commit──► READY
 *     ▲                              │ error: must abort        │ end unknown
 *     │                              ▼                          ▼
 *     │                           FAILED ──abort──► READY     LOST
 *     └──── LOST ◄──── fatal, or an end that nobody knows ──────┘   prepare builds a new producer under the same id
 *
 * One random transactional.id per process, kept over rebuilds, the old handle destroyed first: so init_transactions()
 * ends what the old one left open at once. Used by the committer's thread only. Source: librdkafka, rdkafka.h,
 * "Transactional producer API": an error is looked at in the order requires-abort, retriable, fatal.
 */
#ifndef EXPORT_KAFKA_TXN_H
#define EXPORT_KAFKA_TXN_H

#include <librdkafka/rdkafka.h>

#include "export/config.h"

enum uex_txn_state { UEX_TXN_CLOSED, UEX_TXN_READY, UEX_TXN_OPEN, UEX_TXN_FAILED, UEX_TXN_LOST, UEX_TXN_STATE_COUNT };
enum uex_txn_event {
    UEX_TXN_PREPARED,
    UEX_TXN_BEGUN,
    UEX_TXN_NEEDS_ABORT,
    UEX_TXN_ABORTED,
    UEX_TXN_COMMITTED,
    UEX_TXN_BROKE, /* fatal, or of unknown end */
    UEX_TXN_EVENT_COUNT
};

/* The state after an event; false: the event cannot happen in this state. */
UEX_MUST_CHECK bool uex_txn_next_state(enum uex_txn_state state, enum uex_txn_event event, enum uex_txn_state *next);

struct uex_txn {
    const struct uex_config *config;
    char transactional_id[300]; /* <kafka.group.id>-<random UUID> */
    rd_kafka_t *producer;
    enum uex_txn_state state;
    rd_kafka_resp_err_t last_code; /* of the last error */
    uint64_t rebuild_count;
    int64_t begun_ms; /* monotonic: when the last transaction began */
    /* Of its records for the result topic; those of other topics say nothing of the partition that a list goes to. */
    int64_t acked_ms;     /* monotonic: when one was last acknowledged, or the begin */
    int64_t quiet_ms;     /* the longest time without an acknowledgement before that */
    uint64_t quiet_bytes; /* of the value whose acknowledgement ended it */
    uint64_t acked_bytes; /* of all values acknowledged */
    /* Called for each record whose delivery failed, from flush(); `opaque` is the record's. */
    void (*on_failed)(void *opaque, const char *topic, rd_kafka_resp_err_t code);
};

void uex_txn_init(struct uex_txn *txn, const struct uex_config *config,
                  void (*on_failed)(void *opaque, const char *topic, rd_kafka_resp_err_t code));
/* READY afterwards, or an error (the handle is kept for the next try where that helps). Blocks up to `timeout_ms`.
 * UEX_CONFIG: the brokers refuse transaction.timeout.ms (last_code says so), or librdkafka the properties, which it
 * also does while a file that they name is being replaced; UEX_KAFKA, UEX_NO_MEMORY: it has no resources. Without a
 * handle afterwards (`producer` is NULL) nothing was asked of a broker, and the next call builds again. */
UEX_MUST_CHECK enum uex_error uex_txn_prepare(struct uex_txn *txn, int timeout_ms, struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_txn_begin(struct uex_txn *txn, struct uex_fault *fault);

/* A record to be produced; everything but the headers is borrowed and copied by librdkafka. */
struct uex_txn_record {
    const char *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: by murmur2 of the key */
    struct uex_bytes key, value;
    rd_kafka_headers_t *headers; /* taken over in any case */
    int64_t timestamp_ms;        /* 0: now */
    void *opaque;
};
/* Queue a record. Every record must be accepted: one that is not does not fail the transaction by itself, so any error
 * here means that the caller aborts. UEX_RESULT_REFUSED: this record alone is at fault. */
UEX_MUST_CHECK enum uex_error uex_txn_produce(struct uex_txn *txn, const struct uex_txn_record *record,
                                              struct uex_fault *fault);
/* Wait until all records are acknowledged; failed ones were reported by on_failed. */
UEX_MUST_CHECK enum uex_error uex_txn_flush(struct uex_txn *txn, struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_txn_send_offsets(struct uex_txn *txn, const rd_kafka_topic_partition_list_t *offsets,
                                                   const rd_kafka_consumer_group_metadata_t *metadata,
                                                   struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_txn_commit(struct uex_txn *txn, struct uex_fault *fault);
/* Give the transaction up: READY, or LOST if the abort failed too. */
void uex_txn_abort(struct uex_txn *txn);
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
void uex_txn_close(struct uex_txn *txn);
#endif
