/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/batch.h — the outcomes of one transaction: their records and the committed offsets that go with them.
 *
 * Made under the engine's lock, sent without it. The committer's thread.
 */
#ifndef ENGINE_BATCH_H
#define ENGINE_BATCH_H

#include "engine/engine.h"
#include "engine/transaction.h"

#define UEX_BATCH_MAX 500
/* A list of usernames beyond this goes alone: its transaction takes long, others need not wait for it. */
#define UEX_BATCH_LIST_BYTES ((uint64_t)2 << 20)
/* All lists of one transaction together; librdkafka copies them. */
#define UEX_BATCH_LISTS_BYTES ((uint64_t)4 << 20)

/* The committed offset of an input partition as it will be when the transaction is committed. */
struct uex_batch_offset {
    size_t input_topic;
    int32_t partition;
    uint64_t log_number; /* of the input partition */
    struct uex_markers markers;
    struct uex_window window;
};

struct uex_batch {
    uint64_t epoch;
    const rd_kafka_consumer_group_metadata_t
        *metadata; /* of that epoch; the engine keeps it until the transaction has ended */
    struct uex_inflight *commands[UEX_BATCH_MAX];
    size_t count;
    struct uex_batch_offset *offsets;
    size_t offset_count, offset_capacity;
};

/* Take outcomes of this epoch out of the queue, `most` at most, and the committed offsets that can move. Returns false
 * when there is nothing to commit. */
bool uex_batch_collect_synced(struct uex_engine *engine, size_t most, struct uex_batch *batch);

/* Produce all records of an outcome. UEX_RESULT_REFUSED, UEX_KAFKA… as uex_txn_produce(); UEX_SPOOL. Not locked. */
UEX_MUST_CHECK enum uex_error uex_batch_produce(const struct uex_engine *engine,
                                                const struct uex_transaction *transaction,
                                                struct uex_inflight *inflight, struct uex_fault *fault);
/* The committed offsets as librdkafka wants them. NULL when memory ends. */
rd_kafka_topic_partition_list_t *uex_batch_offsets(const struct uex_engine *engine, const struct uex_batch *batch);
void uex_batch_clear(struct uex_batch *batch);
#endif
