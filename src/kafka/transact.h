/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/transact.h — transactions of the operators' tools: short, bounded, given up when the operator stops, and
 * fenced by whoever begins with the same transactional id later. One thread. The worker's own is kafka/txn.h, which
 * never gives up. */
#ifndef EXPORT_KAFKA_TRANSACT_H
#define EXPORT_KAFKA_TRANSACT_H

#include "kafka/client.h"

/* What became of a step. An error of UEX_TRANSACT_ABORT is repeated from the beginning of the transaction once it is
 * aborted; UEX_TRANSACT_FENCED: another one took over, this producer is of no use any more. */
enum uex_transact_step { UEX_TRANSACT_DONE, UEX_TRANSACT_ABORT, UEX_TRANSACT_FENCED, UEX_TRANSACT_FAILED };

struct uex_transact {
    rd_kafka_t *producer;
    char *group;                     /* owned: the transactional id, as the name of a group */
    const struct uex_cancel *cancel; /* NULL: none */
    const char *opening;             /* for faults of init: "becoming the one scheduler"; NULL: something general */
    int timeout_ms;                  /* of a transaction */
    int64_t until_ms;                /* of the one under way; monotonic */
    /* Called for each record that was taken (at this offset) or not, from commit, abort and rd_kafka_poll() of the
     * producer; `opaque` is the record's. May be NULL. */
    void (*on_delivery)(void *opaque, rd_kafka_resp_err_t code, int64_t offset);
};

/* A record to be produced; everything but the headers is borrowed and copied. */
struct uex_transact_record {
    const char *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: any */
    struct uex_bytes key, value;
    rd_kafka_headers_t *headers; /* taken over in any case; may be NULL */
    int64_t timestamp_ms;        /* 0: now */
    void *opaque;
};

/* Make the producer. Nothing is reached yet. UEX_CONFIG, UEX_KAFKA. uex_transact_close() in any case. */
UEX_MUST_CHECK enum uex_error uex_transact_open(struct uex_transact *transact, const struct uex_config *config,
                                                const char *transactional_id, int timeout_ms, struct uex_fault *fault);
/* End what an earlier one with this id left open, and fence it; within `wait_ms`. UEX_KAFKA_UNAVAILABLE, UEX_CANCELLED,
 * UEX_KAFKA (not allowed). `*fenced`: another one was quicker. */
UEX_MUST_CHECK enum uex_error uex_transact_init(struct uex_transact *transact, int64_t wait_ms, bool *fenced,
                                                struct uex_fault *fault);
UEX_MUST_CHECK enum uex_transact_step uex_transact_begin(struct uex_transact *transact, enum uex_error *err,
                                                         struct uex_fault *fault);
/* Put a position of the group `group` (its name is in the prefix that ACLs name) into the transaction: the record at 0
 * of partition 0 of `topic`. Only for transactions that are aborted: to see whether it is allowed, or why the
 * transaction has failed. */
UEX_MUST_CHECK rd_kafka_error_t *uex_transact_try_position(struct uex_transact *transact, const char *group,
                                                           const char *topic);
/* Queue a record. Any error means: abort. UEX_RESULT_REFUSED: for this record's own sake; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_transact_produce(struct uex_transact *transact,
                                                   const struct uex_transact_record *record, struct uex_fault *fault);
/* Commit, and wait for the answer whatever `cancel` says. UEX_TRANSACT_FAILED with UEX_TIMEOUT: how it ended is not
 * known. */
UEX_MUST_CHECK enum uex_transact_step uex_transact_commit(struct uex_transact *transact, enum uex_error *err,
                                                          struct uex_fault *fault);
/* Abort, within bounds; what could not be aborted ends with its timeout. */
enum uex_transact_step uex_transact_abort(struct uex_transact *transact);
/* Accepts a zeroed struct. */
void uex_transact_close(struct uex_transact *transact);
#endif
