/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/transaction.h — what the engine asks of Kafka on its writing side, as a struct of functions.
 *
 * uex_transaction_open() fills it with the transactional producer of kafka/txn.h, whose rules hold here; unit tests
 * play it. All functions take `context`; the committer's thread calls them.
 */
#ifndef ENGINE_TRANSACTION_H
#define ENGINE_TRANSACTION_H

#include "kafka/txn.h"

/* What is known of the producer now. */
struct uex_transaction_facts {
    bool is_lost;                  /* how the last transaction ended is not known */
    bool was_fenced;               /* the broker refused the offsets of an old generation */
    bool has_producer;             /* librdkafka has built one */
    rd_kafka_resp_err_t last_code; /* of the last error */
    uint64_t rebuild_count;
    const char *transactional_id; /* borrowed */
};

struct uex_transaction {
    void *context;
    enum uex_error (*prepare)(void *context, int timeout_ms, struct uex_fault *fault);
    enum uex_error (*begin)(void *context, struct uex_fault *fault);
    enum uex_error (*produce)(void *context, const struct uex_txn_record *record, struct uex_fault *fault);
    enum uex_error (*flush)(void *context, struct uex_fault *fault);
    enum uex_error (*send_offsets)(void *context, const rd_kafka_topic_partition_list_t *offsets,
                                   const rd_kafka_consumer_group_metadata_t *metadata, struct uex_fault *fault);
    enum uex_error (*commit)(void *context, struct uex_fault *fault);
    void (*abort)(void *context);
    struct uex_transaction_facts (*facts)(void *context);
    void (*forget_error)(void *context); /* last_code and was_fenced are of the time after it */
    struct uex_txn_age (*age)(void *context, int64_t now_ms);
    void (*close)(void *context); /* the producer goes; may be called twice */
};

/* No broker is asked. `on_delivery` hears of each record that Kafka has taken or refused, with the record's opaque.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_transaction_open(const struct uex_config *config,
                                                   void (*on_delivery)(void *opaque, const char *topic,
                                                                       rd_kafka_resp_err_t code, int64_t offset),
                                                   struct uex_transaction *out, struct uex_fault *fault);
/* Closes it, and frees what uex_transaction_open() made. Does nothing for a zero-initialised one. */
void uex_transaction_free(struct uex_transaction *transaction);
#endif
