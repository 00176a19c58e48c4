/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/transaction.h"

#include <stdlib.h>

static enum uex_error prepare(void *context, int timeout_ms, struct uex_fault *fault)
{
    return uex_txn_prepare(context, timeout_ms, fault);
}

static enum uex_error begin(void *context, struct uex_fault *fault)
{
    return uex_txn_begin(context, fault);
}

static enum uex_error produce(void *context, const struct uex_txn_record *record, struct uex_fault *fault)
{
    return uex_txn_produce(context, record, fault);
}

static enum uex_error flush(void *context, struct uex_fault *fault)
{
    return uex_txn_flush(context, fault);
}

static enum uex_error send_offsets(void *context, const rd_kafka_topic_partition_list_t *offsets,
                                   const rd_kafka_consumer_group_metadata_t *metadata, struct uex_fault *fault)
{
    return uex_txn_send_offsets(context, offsets, metadata, fault);
}

static enum uex_error commit(void *context, struct uex_fault *fault)
{
    return uex_txn_commit(context, fault);
}

static void abort_transaction(void *context)
{
    uex_txn_abort(context);
}

static struct uex_transaction_facts facts(void *context)
{
    const struct uex_txn *txn = context;

    return (struct uex_transaction_facts){.is_lost = txn->state == UEX_TXN_LOST,
                                          .was_fenced = uex_txn_was_fenced(txn),
                                          .has_producer = txn->producer != NULL,
                                          .last_code = txn->last_code,
                                          .rebuild_count = txn->rebuild_count,
                                          .transactional_id = txn->transactional_id};
}

static void forget_error(void *context)
{
    ((struct uex_txn *)context)->last_code = RD_KAFKA_RESP_ERR_NO_ERROR;
}

static struct uex_txn_age age(void *context, int64_t now_ms)
{
    return uex_txn_age(context, now_ms);
}

static void close_producer(void *context)
{
    uex_txn_close(context);
}

enum uex_error uex_transaction_open(const struct uex_config *config,
                                    void (*on_delivery)(void *opaque, const char *topic, rd_kafka_resp_err_t code,
                                                        int64_t offset),
                                    struct uex_transaction *out, struct uex_fault *fault)
{
    struct uex_txn *txn = calloc(1, sizeof(*txn));

    if (txn == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "the transactional producer");
    uex_txn_init(txn, &(struct uex_txn_setup){.config = config, .on_delivery = on_delivery});
    *out = (struct uex_transaction){
        .context = txn,
        .prepare = prepare,
        .begin = begin,
        .produce = produce,
        .flush = flush,
        .send_offsets = send_offsets,
        .commit = commit,
        .abort = abort_transaction,
        .facts = facts,
        .forget_error = forget_error,
        .age = age,
        .close = close_producer,
    };
    return UEX_OK;
}

void uex_transaction_free(struct uex_transaction *transaction)
{
    if (transaction->context == NULL)
        return;
    transaction->close(transaction->context);
    free(transaction->context);
    memset(transaction, 0, sizeof(*transaction));
}
